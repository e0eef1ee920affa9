package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/grpc"

	"github.com/keystone-db/kstone/grpcapi/keystonev1"
)

// benchMemory says how fast a scan of many items is, and what it takes of the server's memory beside the
// data, which lie in a file. The first scan also fills the cache of blocks, 64 MiB. A collector lets
// garbage grow to what is alive: GOGC=10 in the environment keeps it small and shows what is not
// garbage.
func benchMemory(ctx context.Context, s settings, out io.Writer) error {
	dir, err := os.MkdirTemp("", "doorbench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	kstone, err := start(ctx, "-server", kstoneServer, "-db", filepath.Join(dir, "db.keystone"))
	if err != nil {
		return err
	}
	defer kstone.stop()
	if err := fill(ctx, kstone, s.items, ""); err != nil {
		return err
	}
	conns, closeAll, err := dial(kstone.grpc, 1)
	if err != nil {
		return err
	}
	defer closeAll()
	for range scans {
		if err := scanWatched(ctx, s, kstone, conns[0], out); err != nil {
			return err
		}
	}
	return nil
}

const scans = 3

// scanWatched scans all and tells how much memory the server had meanwhile.
func scanWatched(ctx context.Context, s settings, kstone *process, conn *grpc.ClientConn, out io.Writer) error {
	before := kstone.anonymous()
	stop, most := kstone.watchMemory()
	began, cpu := time.Now(), kstone.cpu()
	got, err := scan(ctx, conn, 0)
	took := time.Since(began)
	stop()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "scan of %d items: %d parts, %.0f MB, %.0f items/s, server cpu %.2f µs/item, "+
		"memory %.0f MiB before, at most %.0f MiB\n",
		s.items, got.parts, float64(got.bytes)/1e6, float64(s.items)/took.Seconds(),
		float64((kstone.cpu()-cpu).Microseconds())/float64(s.items), mib(before), mib(*most))
	return nil
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

// received is what came by a stream.
type received struct{ parts, bytes int }

// scan reads a table to its end, or until it has some parts, where stopAt is not 0.
func scan(ctx context.Context, conn *grpc.ClientConn, stopAt int) (got received, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := openStream(ctx, conn, "Scan", &keystonev1.ScanRequest{TableName: new(tableName)})
	if err != nil {
		return got, err
	}
	for stopAt == 0 || got.parts < stopAt {
		var a answer
		if err := stream.RecvMsg(&a); err == io.EOF {
			return got, nil
		} else if err != nil {
			return got, err
		}
		got.parts++
		got.bytes += a.length
	}
	return got, nil
}

// watchMemory looks for the most memory of a process until it is stopped.
func (p *process) watchMemory() (stop func(), most *int64) {
	most = new(int64)
	ended, done := make(chan struct{}), make(chan struct{})
	const interval = 2 * time.Millisecond
	go func() {
		defer close(done)
		for {
			*most = max(*most, p.anonymous())
			select {
			case <-ended:
				return
			case <-time.After(interval):
			}
		}
	}()
	return func() {
		close(ended)
		<-done
	}, most
}
