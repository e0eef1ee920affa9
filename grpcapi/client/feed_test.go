package client_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/grpcapi"
	"github.com/keystone-db/kstone/grpcapi/client"
)

// feedDB opens a database with the table orders, whose stream is on.
func feedDB(t *testing.T) *engine.DB {
	t.Helper()
	db := openDB(t)
	_, err := db.CreateTable(t.Context(), tableInput())
	require.NoError(t, err)
	return db
}

// write makes changes from..to-1, which are puts of items with these sort keys.
func write(t *testing.T, db *engine.DB, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		_, err := db.PutItem(t.Context(), &api.PutItemInput{TableName: some("orders"), Item: key(t, "p", fmt.Sprint(i))})
		require.NoError(t, err)
	}
}

// atOnce waits for nothing.
func atOnce(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// number is the number of a change of write.
func number(r *api.FeedRecord) string { return r.Dynamodb.Keys.Get("sk").Text() }

// TestFeedOverBrokenConnections: a loop over changes sees each once and in order whatever happens to its
// connection, and writes of the meantime, too.
func TestFeedOverBrokenConnections(t *testing.T) {
	db := feedDB(t)
	p := &pipe{}
	t.Cleanup(p.serve(t, db, grpcapi.Options{}))
	c := dialPipe(t, p, client.Options{Wait: atOnce})
	const changes, most = 40, 3
	written, got := 5, 0
	write(t, db, 0, written)
	for r, err := range c.Table("orders").Changes().FromStart().PageSize(most).Records(t.Context()) {
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(got), number(&r))
		if got++; got == changes {
			break
		}
		if got%2 == 0 {
			p.cut()
		}
		if got+2 > written {
			write(t, db, written, written+5)
			written += 5
		}
	}
	require.Equal(t, changes, got)
	require.Greater(t, p.count(), 2, "connections")
}

// TestFeedFromNow: what is written after the first delivery comes, also when the connection breaks before
// anything was.
func TestFeedFromNow(t *testing.T) {
	db := feedDB(t)
	p := &pipe{}
	t.Cleanup(p.serve(t, db, grpcapi.Options{}))
	c := dialPipe(t, p, client.Options{Wait: atOnce})
	write(t, db, 0, 3)
	var got []string
	deliveries := 0
	for out, err := range c.Table("orders").Changes().Deliveries(t.Context()) {
		require.NoError(t, err)
		if deliveries++; deliveries == 1 {
			require.Empty(t, out.Records)
			require.NotEmpty(t, out.Position)
			p.cut()
			write(t, db, 3, 5)
		}
		for i := range out.Records {
			got = append(got, number(&out.Records[i]))
		}
		if len(got) == 2 {
			break
		}
	}
	require.Equal(t, []string{"3", "4"}, got)
}

// TestFeedOverRestart: the server goes away for a while, and so do its calls.
func TestFeedOverRestart(t *testing.T) {
	db := feedDB(t)
	p := &pipe{}
	stop := p.serve(t, db, grpcapi.Options{})
	waits := 0
	c := dialPipe(t, p, client.Options{Wait: func(ctx context.Context, d time.Duration) error {
		if waits++; waits == 3 {
			t.Cleanup(p.serve(t, db, grpcapi.Options{}))
		}
		over, cancel := context.WithTimeout(ctx, d)
		defer cancel()
		<-over.Done()
		return ctx.Err()
	}})
	write(t, db, 0, 1)
	got := 0
	for r, err := range c.Table("orders").Changes().FromStart().Records(t.Context()) {
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(got), number(&r))
		if got++; got == 1 {
			stop()
			write(t, db, 1, 3)
		}
		if got == 3 {
			break
		}
	}
	require.Equal(t, 3, got)
	require.GreaterOrEqual(t, waits, 3)
}

// TestFeedKeepsToItsStream: a table gets another stream while the connection is broken; the feed ends with
// the stream it began with, all of whose changes it delivers.
func TestFeedKeepsToItsStream(t *testing.T) {
	db := feedDB(t)
	p := &pipe{}
	t.Cleanup(p.serve(t, db, grpcapi.Options{}))
	c := dialPipe(t, p, client.Options{Wait: atOnce})
	stream := func(on bool) {
		spec := &api.StreamSpecification{StreamEnabled: api.Some(on)}
		if on {
			spec.StreamViewType = some(api.StreamViewTypeKeysOnly)
		}
		_, err := db.UpdateTable(t.Context(), &api.UpdateTableInput{TableName: some("orders"), StreamSpecification: spec})
		require.NoError(t, err)
	}
	write(t, db, 0, 1)
	var got []string
	for r, err := range c.Table("orders").Changes().FromStart().Records(t.Context()) {
		require.NoError(t, err)
		if got = append(got, number(&r)); len(got) == 1 {
			p.cut()
			write(t, db, 1, 3)
			stream(false)
			stream(true)
			write(t, db, 3, 5)
		}
	}
	require.Equal(t, []string{"0", "1", "2"}, got)
}

// TestFeedErrors: they are those of the embedded database.
func TestFeedErrors(t *testing.T) {
	db := feedDB(t)
	remote := connect(t, db, client.Options{}).Service().(api.Feeder)
	for name, in := range map[string]*api.SubscribeInput{
		"nothing":     {},
		"no table":    {TableName: some("none")},
		"bad name":    {TableName: some("?")},
		"no stream":   {StreamArn: some("arn:aws:dynamodb:us-east-1:000000000000:table/orders/stream/2000-01-01T00:00:00.000")},
		"no shard":    {TableName: some("orders"), ShardId: some("shardId-00000000000000000000-00000000")},
		"no position": {TableName: some("orders"), StartingPosition: some("X")},
		"no number":   {TableName: some("orders"), StartingPosition: some(api.StartAfter), SequenceNumber: some("7")},
		"limit":       {TableName: some("orders"), Limit: api.Some(int64(1 << 20))},
	} {
		deliver := func(*api.SubscribeOutput) error { return errors.New("nothing is to be delivered") }
		want := db.Subscribe(t.Context(), in, deliver)
		require.Error(t, want, name)
		require.Equal(t, want, remote.Subscribe(t.Context(), in, deliver), name)
	}

	in := &api.SubscribeInput{TableName: some("orders")}
	enough := errors.New("enough")
	require.Equal(t, enough, remote.Subscribe(t.Context(), in, func(*api.SubscribeOutput) error { return enough }))
	require.True(t, in.TableName.Set, "the input is the caller's")

	ctx, cancel := context.WithCancel(t.Context())
	require.Equal(t, context.Canceled, remote.Subscribe(ctx, in, func(*api.SubscribeOutput) error {
		cancel()
		return nil
	}))
}

// TestFeedGivesUp: a server that stays away ends the feed after so many tries.
func TestFeedGivesUp(t *testing.T) {
	db := feedDB(t)
	p := &pipe{}
	stop := p.serve(t, db, grpcapi.Options{})
	waits := 0
	c := dialPipe(t, p, client.Options{Wait: func(context.Context, time.Duration) error {
		waits++
		return nil
	}})
	feeder, _ := c.Service().(api.Feeder)
	err := feeder.Subscribe(t.Context(), &api.SubscribeInput{TableName: some("orders")}, func(*api.SubscribeOutput) error {
		stop()
		return nil
	})
	require.Error(t, err)
	_, ok := errors.AsType[*client.TransportError](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, 127, waits)
}
