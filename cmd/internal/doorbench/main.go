package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"time"
)

// settings are the flags.
type settings struct {
	duration time.Duration
	rounds   int
	inFlight []int
	conns    int
	keys     int
	items    int
	records  int
	db       string
	profile  string
	server   string
	answer   int
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "doorbench:", err)
		stop()
		os.Exit(1)
	}
}

// parts are the measurements by name.
func parts() map[string]func(context.Context, settings, io.Writer) error {
	return map[string]func(context.Context, settings, io.Writer) error{
		"calls": benchCalls, "memory": benchMemory, "feed": benchFeed,
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	s := settings{}
	f := flag.NewFlagSet("doorbench", flag.ContinueOnError)
	f.DurationVar(&s.duration, "duration", time.Second, "how long each target is loaded in a round")
	f.IntVar(&s.rounds, "rounds", 3, "rounds")
	f.IntVar(&s.conns, "conns", 1, "connections of the gRPC client, which calls in flight share; 0 for one each")
	f.IntVar(&s.keys, "keys", 10_000, "items that are read and written, at random")
	f.IntVar(&s.items, "items", 1_000_000, "items that the memory part scans")
	f.IntVar(&s.records, "records", 200_000, "stored records that the feed part reads")
	f.StringVar(&s.profile, "profile", "", "write the CPU profile of the kstone server to this file")
	one := f.Int("inflight", 0, "calls in flight; 0 for 1, 8 and 64")
	f.StringVar(&s.server, "server", "", "be a server: "+echoServer+" or "+kstoneServer)
	f.IntVar(&s.answer, "answer", 0, "bytes of the answers of an echo server")
	f.StringVar(&s.db, "db", "", "database file of a kstone server; in memory when empty")
	if err := f.Parse(args); err != nil {
		return err
	}
	if s.server != "" {
		return runServer(s, os.Stdin, out)
	}
	s.inFlight = []int{1, 8, 64}
	if *one > 0 {
		s.inFlight = []int{*one}
	}
	names := f.Args()
	if len(names) == 0 {
		names = []string{"calls"}
	}
	for _, name := range names {
		part, ok := parts()[name]
		if !ok {
			return fmt.Errorf("no part %q: want calls, feed or memory", name)
		}
		if err := part(ctx, s, out); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// median of some figures, 0 of none.
func median(figures []float64) float64 {
	if len(figures) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(figures))
	return sorted[len(sorted)/2]
}
