package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// start runs a child and returns its figures. dying: the part of the group that kills itself.
func (o *options) start(
	g group, engine, dir string, procs int, dying bool,
) (map[string]map[string]float64, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := []string{
		"child", "-group", g.name, "-engine", engine, "-dir", dir, "-items", strconv.Itoa(o.items),
		"-time", o.took.String(), "-rows", strings.Join(g.rows, ","),
	}
	if dying {
		args = append(args, "-dying")
	} else if o.profile != "" {
		args = append(args, "-cpuprofile", filepath.Join(o.profile, g.name+"-"+engine+".prof"))
	}
	cmd := exec.Command(self, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	cmd.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(procs))
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); dying && ok {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signal() == syscall.SIGKILL {
			return nil, nil
		}
	}
	if err != nil {
		return nil, err
	}
	var results map[string]map[string]float64
	if err := json.Unmarshal(out.Bytes(), &results); err != nil {
		return nil, fmt.Errorf("what the child printed: %w", err)
	}
	return results, nil
}

// Caches and memtables have the same size in all engines.
const (
	cacheBytes    = 64 << 20
	memtableBytes = 64 << 20
)

func tuning(durable bool) mode {
	return mode{durable: durable, cache: cacheBytes, memtable: memtableBytes}
}

// runChild measures what start asked for.
func runChild(args []string) error {
	f := flag.NewFlagSet("child", flag.ExitOnError)
	c := &child{results: make(map[string]map[string]float64), values: newValues()}
	name, rows := f.String("group", "", ""), f.String("rows", "", "")
	dying, profile := f.Bool("dying", false, ""), f.String("cpuprofile", "", "")
	f.StringVar(&c.engine, "engine", "", "")
	f.StringVar(&c.dir, "dir", "", "")
	f.IntVar(&c.items, "items", 0, "")
	f.DurationVar(&c.took, "time", time.Second, "")
	if err := f.Parse(args); err != nil {
		return err
	}
	c.rows = strings.Split(*rows, ",")
	g := groups[slices.IndexFunc(groups, func(g group) bool { return g.name == *name })]
	if !g.opens || *dying {
		durable := strings.HasPrefix(g.name, "put-") || g.name == "beside" ||
			*dying && g.name != unsynced
		var err error
		if c.store, err = openStore(c.engine, c.dir, tuning(durable)); err != nil {
			return err
		}
	}
	if *dying {
		return g.before(c)
	}
	if *profile != "" {
		file, err := os.Create(*profile)
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(file); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	if err := g.child(c); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(c.results)
}
