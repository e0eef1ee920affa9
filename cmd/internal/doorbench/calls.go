package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"google.golang.org/grpc"

	"github.com/keystone-db/kstone/grpcapi/keystonev1"
)

// caller makes a call for one of the workers.
type caller func(ctx context.Context, worker int, random *rand.Rand) error

// figures of a target in a round.
type figures struct {
	rate float64 // answers a second
	cpu  float64 // of the server, µs an answer
}

// load has n workers call for a time, after a shorter one that does not count.
func load(ctx context.Context, server *process, n int, duration time.Duration, call caller) (f figures, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var answers atomic.Int64
	var workers sync.WaitGroup
	ended := make(chan struct{})
	for worker := range n {
		workers.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(worker)))
			for {
				select {
				case <-ended:
					return
				default:
				}
				if err := call(ctx, worker, random); err != nil {
					cancel(err)
					return
				}
				answers.Add(1)
			}
		})
	}
	wait := func(d time.Duration) {
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
	}
	const warm = 5 // a fifth
	wait(duration / warm)
	count, cpu, began := answers.Load(), server.cpu(), time.Now()
	wait(duration)
	made, used, took := answers.Load()-count, server.cpu()-cpu, time.Since(began)
	close(ended)
	workers.Wait()
	if err := context.Cause(ctx); err != nil {
		return f, err
	}
	return figures{float64(made) / took.Seconds(), float64(used.Microseconds()) / float64(max(made, 1))}, nil
}

// target is a server and a door that is loaded.
type target struct {
	name   string
	server *process
	call   caller
	rounds []figures
}

// benchCalls loads all targets with Get and Put.
func benchCalls(ctx context.Context, s settings, out io.Writer) error {
	answer := len(encode(&keystonev1.GetResponse{Item: newItem(keyOf(0))}))
	bare, err := start(ctx, "-server", echoServer, "-answer", strconv.Itoa(answer))
	if err != nil {
		return err
	}
	defer bare.stop()
	kstone, err := start(ctx, "-server", kstoneServer, "-profile", s.profile)
	if err != nil {
		return err
	}
	defer kstone.stop()
	if err := fill(ctx, kstone, s.keys, ""); err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "call\tin flight\ttarget\tanswers/s\tcpu µs/answer\tcpu ÷ echo\tleast\tmost\tcpu ÷ http\t")
	for _, w := range []*workload{gets(s.keys), puts(s.keys)} {
		for _, n := range s.inFlight {
			if err := benchCall(ctx, s, bare, kstone, w, n, table); err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
		}
	}
	return table.Flush()
}

// benchCall loads all targets with one workload.
func benchCall(ctx context.Context, s settings, bare, kstone *process, w *workload, n int, out io.Writer) error {
	conns := s.conns
	if conns == 0 {
		conns = n
	}
	toBare, closeBare, err := dial(bare.grpc, conns)
	if err != nil {
		return err
	}
	defer closeBare()
	toKstone, closeKstone, err := dial(kstone.grpc, conns)
	if err != nil {
		return err
	}
	defer closeKstone()
	links, closeLinks, err := connect(kstone.http, n)
	if err != nil {
		return err
	}
	defer closeLinks()
	targets := []*target{
		{name: "echo", server: bare, call: callGRPC(toBare, "Call", w.echoed, w.answerMin)},
		{name: "typed", server: bare, call: callGRPC(toBare, w.name, w.grpc, w.answerMin)},
		{name: "grpc", server: kstone, call: callGRPC(toKstone, w.name, w.grpc, w.answerMin)},
		{name: "http", server: kstone, call: callHTTP(links, w.operation, w.http)},
	}
	for round := range s.rounds {
		for i := range targets {
			if round%2 == 1 {
				i = len(targets) - 1 - i
			}
			f, err := load(ctx, targets[i].server, n, s.duration, targets[i].call)
			if err != nil {
				return fmt.Errorf("%s: %w", targets[i].name, err)
			}
			targets[i].rounds = append(targets[i].rounds, f)
		}
	}
	for _, t := range targets {
		t.print(out, w.name, n, targets[0], targets[len(targets)-1])
	}
	return nil
}

// print writes the medians of a target and its ratios to two others.
func (t *target) print(out io.Writer, call string, n int, echo, http *target) {
	var rates, cpus, toEcho, toHTTP []float64
	for i, f := range t.rounds {
		rates, cpus = append(rates, f.rate), append(cpus, f.cpu)
		toEcho = append(toEcho, f.cpu/echo.rounds[i].cpu)
		toHTTP = append(toHTTP, f.cpu/http.rounds[i].cpu)
	}
	fmt.Fprintf(out, "%s\t%d\t%s\t%.0f\t%.1f\t%.2f\t%.2f\t%.2f\t%.2f\t\n", call, n, t.name, median(rates), median(cpus),
		median(toEcho), slices.Min(toEcho), slices.Max(toEcho), median(toHTTP))
}

// fill makes the table, with a stream of that view where one is named, and n items.
func fill(ctx context.Context, server *process, n int, view string) error {
	conns, closeAll, err := dial(server.grpc, 1)
	if err != nil {
		return err
	}
	defer closeAll()
	create := &keystonev1.CreateTableRequest{
		TableName: new(tableName), BillingMode: new("PAY_PER_REQUEST"),
		AttributeDefinitions: []*keystonev1.AttributeDefinition{{AttributeName: new("pk"), AttributeType: new("S")}},
		KeySchema:            []*keystonev1.KeySchemaElement{{AttributeName: new("pk"), KeyType: new("HASH")}},
	}
	if view != "" {
		create.StreamSpecification = &keystonev1.StreamSpecification{
			StreamEnabled: new(true), StreamViewType: new(view)}
	}
	if err := invoke(ctx, conns[0], "CreateTable", create); err != nil {
		return err
	}
	const batch, writers = 25, 8
	var all sync.WaitGroup
	failed := make(chan error, writers)
	for writer := range writers {
		all.Go(func() { failed <- fillPart(ctx, conns[0], writer*batch, n, writers*batch, batch) })
	}
	all.Wait()
	for range writers {
		if err := <-failed; err != nil {
			return err
		}
	}
	return nil
}

// fillPart writes every batch of items from first on that is step further.
func fillPart(ctx context.Context, conn *grpc.ClientConn, first, n, step, batch int) error {
	for from := first; from < n; from += step {
		in := &keystonev1.WriteRequests{}
		for i := from; i < min(from+batch, n); i++ {
			in.Requests = append(in.GetRequests(), &keystonev1.WriteRequest{
				PutRequest: &keystonev1.WriteRequest_PutRequest{Item: newItem(keyOf(i))}})
		}
		err := invoke(ctx, conn, "BatchWrite", &keystonev1.BatchWriteRequest{
			RequestItems: map[string]*keystonev1.WriteRequests{tableName: in}})
		if err != nil {
			return err
		}
	}
	return nil
}
