package main

import (
	"regexp"
)

// start says on what a group of rows works.
type start uint8

const (
	fresh  start = iota // an empty folder
	loaded              // the loaded base, which it does not change
	copied              // a copy of the loaded base
)

// group of rows that one child measures in one process, in order.
type group struct {
	name  string
	on    start
	rows  []string
	child func(*child) error
	// before, if any, runs in a child of its own, which kills itself.
	before func(*child) error
	opens  bool // whether child opens the store itself, as often as it likes
}

// unsynced is open-killed after writes that did not wait for the disk.
const unsynced = "open-killed-unsynced"

var groups = []group{
	{name: loadedBy, on: fresh, rows: []string{"load-random"}, child: loadRandom},
	{name: "load-sequential", on: fresh, rows: []string{"load-sequential"}, child: loadSequential},
	{name: "put-1", on: fresh, rows: []string{"durable-put-1"}, child: durablePuts(1)},
	{name: "put-8", on: fresh, rows: []string{"durable-put-8"}, child: durablePuts(8)},
	{name: "put-64", on: fresh, rows: []string{"durable-put-64"}, child: durablePuts(64)},
	{name: "put-256", on: fresh, rows: []string{"durable-put-256"}, child: durablePuts(256)},
	{name: "read", on: loaded, child: reads, rows: []string{
		"get-uniform", "get-uniform-4g", "get-zipf", "get-zipf-4g", "get-missing", "get-missing-4g",
		"scan-20", "scan-1000",
	}},
	{name: "mixed", on: copied, rows: []string{"mixed-50-50", "mixed-95-5", "scans-with-updates"}, child: mixed},
	{name: "beside", on: copied, rows: []string{"put-beside-compaction"}, child: putBesideCompaction},
	{name: "overwrite", on: copied, rows: []string{"overwrite"}, child: overwrite},
	{name: "open-clean", on: loaded, rows: []string{"open-clean"}, child: openClean, opens: true},
	{
		name: "open-killed", on: copied, rows: []string{"open-killed"}, child: openKilled, opens: true,
		before: dieWithLog,
	},
	{
		name: unsynced, on: copied, rows: []string{unsynced}, child: openKilled, opens: true,
		before: dieWithLog,
	},
	{name: "load-1gb", on: fresh, rows: []string{"load-1gb"}, child: loadGigabyte},
}

// chosen are the groups that have a row of that pattern, with those rows only.
func chosen(pattern *regexp.Regexp) []group {
	var out []group
	for _, g := range groups {
		var rows []string
		for _, r := range g.rows {
			if pattern.MatchString(r) {
				rows = append(rows, r)
			}
		}
		if len(rows) > 0 {
			g.rows = rows
			out = append(out, g)
		}
	}
	return out
}

// target of a figure, as kstone divided by Pebble unless absolute.
type target struct {
	figure    string
	must, aim float64
	absolute  bool
}

var targets = map[string][]target{
	"durable-put-1":         {{figure: rate, must: 1.3, aim: 1.5}},
	"durable-put-8":         {{figure: rate, must: 1.6, aim: 2.4}},
	"durable-put-64":        {{figure: rate, must: 1.3, aim: 1.5}},
	"durable-put-256":       {{figure: rate, must: 1.15, aim: 1.4}},
	"put-beside-compaction": {{figure: p99, must: 1}},
	"load-random": {
		{figure: settledRate, must: 1, aim: 1.3}, {figure: disk, must: .85, aim: .7},
		{figure: anonymous, must: 1, aim: .7},
	},
	"load-sequential":    {{figure: settledRate, must: .7, aim: 1}},
	"overwrite":          {{figure: disk, must: .85, aim: .7}},
	"get-uniform":        {{figure: cpuPerOp, must: 1, aim: .65}},
	"get-zipf":           {{figure: cpuPerOp, must: 1, aim: .65}},
	"get-missing":        {{figure: cpuPerOp, must: .6, aim: .35}},
	"scan-20":            {{figure: cpuPerOp, must: 1, aim: .6}},
	"scan-1000":          {{figure: cpuPerOp, must: 1, aim: .6}},
	"mixed-50-50":        {{figure: rate, must: 1, aim: 1.3}},
	"mixed-95-5":         {{figure: rate, must: 1, aim: 1.3}},
	"scans-with-updates": {{figure: rate, must: 2, aim: 4}},
	"open-clean":         {{figure: openTime, must: 10, aim: 4, absolute: true}},
	"open-killed":        {{figure: openTime, must: 1, aim: .6}},
	unsynced:             {{figure: openTime, must: 1, aim: .6}},
	"load-1gb":           {{figure: ownStall, must: 100, absolute: true}},
}

// Names of figures, in the order in which they are printed.
const (
	rate        = "ops/s"
	settledRate = "ops/s until settled"
	cpuPerOp    = "cpu us/op"
	p50         = "p50 us"
	p99         = "p99 us"
	largest     = "largest ms"
	ownStall    = "stall ms, largest, own"
	written     = "written/logical"
	disk        = "disk MiB"
	anonymous   = "anonymous MiB"
	peak        = "anonymous MiB, peak"
	openTime    = "open ms"
)

var figureOrder = []string{
	rate, settledRate, cpuPerOp, p50, p99, largest, ownStall, written, disk, anonymous, peak, openTime,
}
