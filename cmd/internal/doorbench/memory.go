package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
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
	kstone, err := start(ctx, "-server", kstoneServer, "-profile", s.profile, "-db", filepath.Join(dir, "db.keystone"))
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
	for _, door := range []struct {
		name string
		scan func(context.Context) (received, error)
	}{
		{"grpc", func(ctx context.Context) (received, error) { return scanGRPC(ctx, conns[0]) }},
		{"grpc", func(ctx context.Context) (received, error) { return scanGRPC(ctx, conns[0]) }},
		{"http", func(ctx context.Context) (received, error) { return scanHTTP(ctx, kstone.http) }},
	} {
		if err := scanWatched(ctx, s, kstone, door.name, door.scan, out); err != nil {
			return err
		}
	}
	return nil
}

// scanWatched scans all and tells how much memory the server had meanwhile.
func scanWatched(
	ctx context.Context, s settings, kstone *process, door string,
	scan func(context.Context) (received, error), out io.Writer,
) error {
	before := kstone.anonymous()
	stop, most := kstone.watchMemory()
	began, cpu := time.Now(), kstone.cpu()
	got, err := scan(ctx)
	took := time.Since(began)
	stop()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "scan of %d items over %s: %d parts, %.0f MB, %.0f items/s, server cpu %.2f µs/item, "+
		"memory %.0f MiB before, at most %.0f MiB\n",
		s.items, door, got.parts, float64(got.bytes)/1e6, float64(s.items)/took.Seconds(),
		float64((kstone.cpu()-cpu).Microseconds())/float64(s.items), mib(before), mib(*most))
	return nil
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

// received is what came by a stream.
type received struct{ parts, bytes int }

// scanGRPC reads a table to its end by one call.
func scanGRPC(ctx context.Context, conn *grpc.ClientConn) (got received, err error) {
	stream, err := openStream(ctx, conn, "Scan", &keystonev1.ScanRequest{TableName: new(tableName)})
	for err == nil {
		var a answer
		if err = stream.RecvMsg(&a); err == nil {
			got.parts++
			got.bytes += a.length
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return got, err
}

// scanHTTP reads a table to its end page by page.
func scanHTTP(ctx context.Context, address string) (got received, err error) {
	request := map[string]any{"TableName": tableName}
	for {
		page, err := post(ctx, address, "Scan", encodeJSON(request))
		if err != nil {
			return got, err
		}
		got.parts++
		got.bytes += len(page)
		_, last, more := bytes.Cut(page, []byte(`"LastEvaluatedKey":`))
		if !more {
			return got, nil
		}
		var key json.RawMessage
		if err := json.NewDecoder(bytes.NewReader(last)).Decode(&key); err != nil {
			return got, err
		}
		request["ExclusiveStartKey"] = key
	}
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
