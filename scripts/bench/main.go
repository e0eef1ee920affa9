// Command bench measures the storage engine beside Pebble and Badger: the same keys and values, one
// engine after the other in each round, each in a process of its own, so that its processor time and
// memory are its own. It prints medians and the ratios kstone/Pebble and kstone/Badger. Only ratios of
// one run mean something; processor time an operation is steadier than rates.
//
// It is a module of its own, so that nobody who uses kstone gets its requirements.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const usage = `Usage: scripts/bench/engine [flags]

Measures kstone's engine beside Pebble and Badger on the same items of 400 bytes, and prints ratios.
Rows:
%s
Flags:
`

type options struct {
	items   int
	rounds  int
	took    time.Duration
	engines []string
	procs   []int
	dir     string
	json    string
	groups  []group
	profile string
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "child" {
		exit(runChild(os.Args[2:]))
	}
	o, err := parse(os.Args[1:])
	if err == nil {
		err = o.run()
	}
	exit(err)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func parse(args []string) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("engine", flag.ExitOnError)
	f.Usage = func() {
		var rows strings.Builder
		for _, g := range groups {
			for _, r := range g.rows {
				rows.WriteString("  " + r + "\n")
			}
		}
		fmt.Fprintf(f.Output(), usage, rows.String())
		f.PrintDefaults()
	}
	f.IntVar(&o.items, "items", 1_000_000, "`number` of items, ten to a partition")
	f.IntVar(&o.rounds, "rounds", 3, "`number` of rounds; the median counts")
	f.DurationVar(&o.took, "time", 2*time.Second, "`time` of a row that is not bound by its work")
	pattern := f.String("run", ".", "only rows that match the regular `expression`")
	names := f.String("engines", strings.Join(engines, ","), "`names` of engines, in the order of the columns; encrypted is kstone with a key")
	procs := f.String("procs", "2", "GOMAXPROCS of the engines, `numbers` separated by commas")
	f.StringVar(&o.dir, "dir", "", "`folder` for the stores; what is loaded there is used again by the next "+
		"run with the same items. The default is a temporary folder that is removed")
	f.StringVar(&o.json, "json", "", "`file` for the figures of every round")
	f.StringVar(&o.profile, "cpuprofile", "", "`folder` for a processor profile of each child")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	expression, err := regexp.Compile(*pattern)
	if err != nil {
		return nil, err
	}
	if o.groups = chosen(expression); len(o.groups) == 0 {
		return nil, fmt.Errorf("no row matches %q", *pattern)
	}
	for name := range strings.SplitSeq(*names, ",") {
		if !slices.Contains(engines, name) && name != encrypted {
			return nil, fmt.Errorf("unknown engine %q; there are %s", name, strings.Join(engines, ", "))
		}
		o.engines = append(o.engines, name)
	}
	for number := range strings.SplitSeq(*procs, ",") {
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("-procs %q: want numbers from 1 on", *procs)
		}
		o.procs = append(o.procs, n)
	}
	if o.items < 10*batchItems || o.items%sortKeys != 0 || o.rounds < 1 || f.NArg() > 0 {
		return nil, fmt.Errorf("want at least %d items, a multiple of %d, a round, and flags only",
			10*batchItems, sortKeys)
	}
	return o, nil
}

// run measures round by round, the engines in turn.
func (o *options) run() error {
	if o.dir == "" {
		dir, err := os.MkdirTemp("", "kstone-bench-")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		o.dir = dir
	}
	all := newResults(o)
	for round := range o.rounds {
		for _, g := range o.groups {
			for _, procs := range o.procs {
				for i := range o.engines {
					engine := o.engines[(i+round)%len(o.engines)]
					fmt.Fprintf(os.Stderr, "round %d, %s, %s, GOMAXPROCS %d\n", round+1, g.name, engine, procs)
					got, err := o.measure(g, engine, procs)
					if err != nil {
						return fmt.Errorf("%s on %s: %w", g.name, engine, err)
					}
					all.add(engine, procs, got)
				}
			}
		}
	}
	if o.json != "" {
		text, err := json.MarshalIndent(all.values, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(o.json, text, 0o644); err != nil {
			return err
		}
	}
	return all.print(os.Stdout)
}

// measure runs one group on one engine.
func (o *options) measure(g group, engine string, procs int) (map[string]map[string]float64, error) {
	base := filepath.Join(o.dir, fmt.Sprintf("loaded-%s-%d", engine, o.items))
	dir := filepath.Join(o.dir, "work-"+engine)
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if g.on != fresh {
		if err := o.load(engine, base); err != nil {
			return nil, err
		}
	}
	switch g.on {
	case loaded:
		dir = base
		return o.start(g, engine, dir, procs, false)
	case copied:
		if err := os.CopyFS(dir, os.DirFS(base)); err != nil {
			return nil, err
		}
		syscall.Sync() // the copy is not what is measured
	}
	if g.before != nil {
		if _, err := o.start(g, engine, dir, procs, true); err != nil {
			return nil, err
		}
	}
	got, err := o.start(g, engine, dir, procs, false)
	if err != nil || g.name != loadedBy {
		return got, err
	}
	if _, missing := os.Stat(base); missing != nil {
		err = os.Rename(dir, base)
	}
	return got, err
}

// loadedBy is the group that leaves what others work on.
const loadedBy = "load-random"

// load makes the loaded base of an engine, unless there is one.
func (o *options) load(engine, base string) error {
	if _, err := os.Stat(base); err == nil {
		return nil
	}
	half := base + ".half"
	if err := os.RemoveAll(half); err != nil {
		return err
	}
	g := groups[slices.IndexFunc(groups, func(g group) bool { return g.name == loadedBy })]
	if _, err := o.start(g, engine, half, o.procs[0], false); err != nil {
		return err
	}
	return os.Rename(half, base)
}
