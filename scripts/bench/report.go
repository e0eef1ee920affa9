package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"text/tabwriter"
)

// results of all rounds.
type results struct {
	o *options
	// values by GOMAXPROCS, row, figure and engine, one a round.
	values map[int]map[string]map[string]map[string][]float64
}

func newResults(o *options) *results {
	return &results{o: o, values: make(map[int]map[string]map[string]map[string][]float64)}
}

func (r *results) add(engine string, procs int, got map[string]map[string]float64) {
	for row, figures := range got {
		for figure, value := range figures {
			if r.values[procs] == nil {
				r.values[procs] = make(map[string]map[string]map[string][]float64)
			}
			if r.values[procs][row] == nil {
				r.values[procs][row] = make(map[string]map[string][]float64)
			}
			if r.values[procs][row][figure] == nil {
				r.values[procs][row][figure] = make(map[string][]float64)
			}
			of := r.values[procs][row][figure]
			of[engine] = append(of[engine], value)
		}
	}
}

func median(list []float64) float64 {
	if len(list) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(list))
	return (sorted[len(sorted)/2] + sorted[(len(sorted)-1)/2]) / 2
}

// print makes a table of the medians, a line a figure.
func (r *results) print(out io.Writer) error {
	ours := r.o.engines[0]
	for _, procs := range r.o.procs {
		fmt.Fprintf(out, "\nGOMAXPROCS %d, %d items, median of %d\n", procs, r.o.items, r.o.rounds)
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprint(w, "row\tfigure")
		for _, e := range r.o.engines {
			fmt.Fprint(w, "\t"+e)
		}
		for _, e := range r.o.engines[1:] {
			fmt.Fprintf(w, "\t%s/%s", ours, e)
		}
		fmt.Fprintln(w, "\tmust, aim")
		for _, g := range r.o.groups {
			for _, row := range g.rows {
				for _, figure := range order(r.values[procs][row]) {
					r.line(w, row, figure, r.values[procs][row][figure])
				}
			}
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	return r.compareProcs(out)
}

func order(figures map[string]map[string][]float64) []string {
	var out []string
	for _, name := range figureOrder {
		if figures[name] != nil {
			out = append(out, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(figures)) {
		if !slices.Contains(figureOrder, name) {
			out = append(out, name)
		}
	}
	return out
}

func (r *results) line(w io.Writer, row, figure string, of map[string][]float64) {
	fmt.Fprintf(w, "%s\t%s", row, figure)
	for _, e := range r.o.engines {
		if len(of[e]) == 0 {
			fmt.Fprint(w, "\t")
			continue
		}
		fmt.Fprint(w, "\t"+short(median(of[e])))
	}
	first := median(of[r.o.engines[0]])
	for _, e := range r.o.engines[1:] {
		if m := median(of[e]); m > 0 && len(of[r.o.engines[0]]) > 0 {
			fmt.Fprintf(w, "\t%.2f", first/m)
		} else {
			fmt.Fprint(w, "\t")
		}
	}
	for _, t := range targets[row] {
		if t.figure == figure {
			fmt.Fprint(w, "\t"+t.String())
		}
	}
	fmt.Fprintln(w)
}

func (t target) String() string {
	text := short(t.must)
	if t.aim > 0 {
		text += ", " + short(t.aim)
	}
	if t.absolute {
		text += " absolute"
	}
	return text
}

// short prints three digits.
func short(x float64) string {
	if x >= 100 {
		return strconv.FormatFloat(x, 'f', 0, 64)
	}
	return strconv.FormatFloat(x, 'g', 3, 64)
}

// compareProcs prints what more processors give each engine.
func (r *results) compareProcs(out io.Writer) error {
	if len(r.o.procs) < 2 {
		return nil
	}
	few, many := r.o.procs[0], r.o.procs[len(r.o.procs)-1]
	fmt.Fprintf(out, "\nRate with GOMAXPROCS %d divided by that with %d\n", many, few)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, g := range r.o.groups {
		for _, row := range g.rows {
			for _, figure := range []string{rate, settledRate} {
				if r.values[few][row][figure] == nil {
					continue
				}
				fmt.Fprintf(w, "%s\t%s", row, figure)
				for _, e := range r.o.engines {
					fmt.Fprintf(w, "\t%s %.2f", e, median(r.values[many][row][figure][e])/
						median(r.values[few][row][figure][e]))
				}
				fmt.Fprintln(w)
			}
		}
	}
	return w.Flush()
}
