package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"github.com/keystone-db/kstone/grpcapi/keystonev1"
)

// benchFeed measures Subscribe with one subscriber: how fast it gets what is there, how fast what is
// being written, and how long a write takes to reach it.
func benchFeed(ctx context.Context, s settings, out io.Writer) error {
	kstone, err := start(ctx, "-server", kstoneServer, "-profile", s.profile)
	if err != nil {
		return err
	}
	defer kstone.stop()
	if err := fill(ctx, kstone, s.records, "NEW_AND_OLD_IMAGES"); err != nil {
		return err
	}
	conns, closeAll, err := dial(kstone.grpc, 2)
	if err != nil {
		return err
	}
	defer closeAll()
	if err := feedStored(ctx, s, kstone, conns[0], out); err != nil {
		return err
	}
	first := s.records // an item that is written again as it is makes no record
	for _, n := range s.inFlight {
		if err := feedLive(ctx, s, kstone, conns, n, first, out); err != nil {
			return err
		}
		first += liveMax + 1
	}
	return nil
}

// follow begins a feed and waits for the message that says that it has begun.
func follow(ctx context.Context, conn *grpc.ClientConn, from string) (grpc.ClientStream, error) {
	stream, err := openStream(ctx, conn, "Subscribe", &keystonev1.SubscribeRequest{
		TableName: new(tableName), StartingPosition: new(from), Limit: new(int64(1000))})
	if err != nil {
		return nil, err
	}
	return stream, stream.RecvMsg(new(answer))
}

// feedStored reads the records that are there.
func feedStored(ctx context.Context, s settings, kstone *process, conn *grpc.ClientConn, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	began, cpu := time.Now(), kstone.cpu()
	stream, err := follow(ctx, conn, "TRIM_HORIZON")
	if err != nil {
		return err
	}
	records, size := 0, 0
	for records < s.records {
		a := answer{keep: true}
		if err := stream.RecvMsg(&a); err != nil {
			return err
		}
		size += a.length
		err := eachRecord(a.content, func([]byte) error {
			records++
			return nil
		})
		if err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "feed of %d stored records, %.0f MB: %.0f records/s, server cpu %.2f µs/record\n", records,
		float64(size)/1e6, float64(records)/time.Since(began).Seconds(),
		float64((kstone.cpu()-cpu).Microseconds())/float64(records))
	return nil
}

// eachRecord gives the records of a SubscribeResponse, its first field, to a function.
func eachRecord(message []byte, do func(record []byte) error) error {
	const recordTag = 1<<3 | 2
	for len(message) > 0 {
		length, n := binary.Uvarint(message[1:])
		rest := message[1+max(n, 0):]
		if n <= 0 || length > uint64(len(rest)) {
			return errors.New("a feed sent what is no message")
		}
		if message[0] == recordTag {
			if err := do(rest[:length]); err != nil {
				return err
			}
		}
		message = rest[length:]
	}
	return nil
}

// live is a feed beside writers. Every write has a key of its own, by which its record is known.
type live struct {
	template []byte // a request, with a key at keyAt
	keyAt    int
	first    int // number of the first key
	began    time.Time
	next     atomic.Int64              // keys given away
	sent     [liveMax + 1]atomic.Int64 // when the write of a key began
	answered [liveMax]time.Duration
	arrived  [liveMax + 1]time.Duration
}

// liveMax is the most writes of a measurement. One more marks the end.
const liveMax = 200_000

// feedLive has n writers write beside a subscriber.
func feedLive(
	ctx context.Context, s settings, kstone *process, conns []*grpc.ClientConn, n, first int, out io.Writer,
) error {
	const patience = time.Minute
	ctx, cancel := context.WithTimeout(ctx, s.duration+patience)
	defer cancel()
	stream, err := follow(ctx, conns[0], "LATEST")
	if err != nil {
		return err
	}
	l := &live{first: first, began: time.Now(),
		template: encode(&keystonev1.PutRequest{TableName: new(tableName), Item: newItem(keyOf(0))})}
	l.keyAt = bytes.Index(l.template, []byte(keyOf(0)))
	results := make(chan error, n+1)
	go func() { results <- l.receive(stream) }()
	cpu := kstone.cpu()
	for range n {
		go func() { results <- l.write(ctx, conns[1], s.duration) }()
	}
	for range n {
		if err := <-results; err != nil {
			return err
		}
	}
	took := time.Since(l.began)
	if err := l.put(ctx, conns[1], liveMax); err != nil {
		return err
	}
	if err := <-results; err != nil {
		return err
	}
	count := int(min(l.next.Load(), liveMax))
	answered, arrived := l.answered[:count], l.arrived[:count]
	fmt.Fprintf(out, "feed beside %d writers: %.0f records/s, server cpu %.1f µs for write and record, "+
		"answer after p50 %s p99 %s, delivery after p50 %s p99 %s\n", n, float64(count)/took.Seconds(),
		float64((kstone.cpu()-cpu).Microseconds())/float64(count),
		quantile(answered, 50), quantile(answered, 99), quantile(arrived, 50), quantile(arrived, 99))
	return nil
}

// write writes one item after the other for some time.
func (l *live) write(ctx context.Context, conn *grpc.ClientConn, duration time.Duration) error {
	for time.Since(l.began) < duration {
		i := int(l.next.Add(1)) - 1
		if i >= liveMax {
			break
		}
		if err := l.put(ctx, conn, i); err != nil {
			return err
		}
		l.answered[i] = l.since(i)
	}
	return nil
}

func (l *live) put(ctx context.Context, conn *grpc.ClientConn, i int) error {
	request := bytes.Clone(l.template)
	copy(request[l.keyAt:], keyOf(l.first+i))
	l.sent[i].Store(int64(time.Since(l.began)))
	return conn.Invoke(ctx, path("Put"), request, new(answer))
}

// since is the time since the write of a key began.
func (l *live) since(i int) time.Duration {
	return time.Since(l.began) - time.Duration(l.sent[i].Load())
}

// receive takes records until that of the end.
func (l *live) receive(stream grpc.ClientStream) error {
	for l.arrived[liveMax] == 0 {
		a := answer{keep: true}
		if err := stream.RecvMsg(&a); err != nil {
			return err
		}
		if err := eachRecord(a.content, l.arrive); err != nil {
			return err
		}
	}
	return nil
}

// arrive notes the time of a record.
func (l *live) arrive(record []byte) error {
	key := keyOf(0)
	head := append([]byte{1<<3 | 2, byte(len(key))}, key[0]) // a field, as the value of the attribute
	at := bytes.Index(record, head)
	if at < 0 || at+len(head)+len(key)-1 > len(record) {
		return errors.New("a record without a key")
	}
	from := at + len(head)
	number, err := strconv.Atoi(string(record[from : from+len(key)-1]))
	if err != nil {
		return err
	}
	i := number - l.first
	if i < 0 || i > liveMax || l.arrived[i] != 0 {
		return fmt.Errorf("the record of key %d came twice, or was never written", number)
	}
	l.arrived[i] = l.since(i)
	return nil
}

// quantile of some durations, which it sorts.
func quantile(d []time.Duration, percent int) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[(len(d)-1)*percent/100].Round(time.Microsecond)
}
