package build_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/build"
)

// feed delivers pages of records and then waits for the end of its context.
type feed struct {
	api.Base
	pages   [][]string // sequence numbers
	end     error      // what it returns at the end in place of waiting, if ended
	ended   bool
	got     []*api.SubscribeInput
	stopped []error // what its deliver returned last
}

func (f *feed) Subscribe(ctx context.Context, in *api.SubscribeInput, deliver func(*api.SubscribeOutput) error) error {
	f.got = append(f.got, in)
	out := api.SubscribeOutput{Position: "0"}
	if err := deliver(&out); err != nil {
		f.stopped = append(f.stopped, err)
		return err
	}
	for _, page := range f.pages {
		out.Records = nil
		for _, n := range page {
			out.Records = append(out.Records, api.FeedRecord{ShardId: "shard", Record: api.Record{
				Dynamodb: &api.StreamRecord{SequenceNumber: api.Some(n)},
			}})
			out.Position = n
		}
		if err := deliver(&out); err != nil {
			f.stopped = append(f.stopped, err)
			return err
		}
	}
	if f.ended {
		return f.end
	}
	<-ctx.Done()
	return ctx.Err()
}

func TestChanges(t *testing.T) {
	ctx := t.Context()
	f := &feed{pages: [][]string{{"1", "2"}, {}, {"3"}, {"4", "5"}}}
	table := build.New(f).Table("orders")

	var got []string
	for r, err := range table.Changes().FromStart().Records(ctx) {
		require.NoError(t, err)
		got = append(got, r.Dynamodb.SequenceNumber.Value)
		if len(got) == 4 {
			break
		}
	}
	assert.Equal(t, []string{"1", "2", "3", "4"}, got)
	assert.Len(t, f.stopped, 1, "Subscribe ended with the loop")

	var positions []string
	ended, cancel := context.WithCancel(ctx)
	defer cancel()
	for out, err := range table.Changes().Deliveries(ended) {
		if err != nil {
			require.ErrorIs(t, err, context.Canceled)
			break
		}
		positions = append(positions, out.Position)
		if len(positions) == 5 {
			cancel()
		}
	}
	assert.Equal(t, []string{"0", "2", "2", "3", "5"}, positions)
}

func TestChangesEnd(t *testing.T) {
	ctx := t.Context()
	errLost := errors.New("lost")
	for _, end := range []error{nil, errLost} {
		f := &feed{pages: [][]string{{"1"}}, ended: true, end: end}
		var got []string
		for r, err := range build.New(f).Table("orders").Changes().Records(ctx) {
			if err != nil {
				got = append(got, err.Error())
				continue // the sequence ends by itself
			}
			got = append(got, r.Dynamodb.SequenceNumber.Value)
		}
		want := []string{"1"}
		if end != nil {
			want = append(want, "lost")
		}
		assert.Equal(t, want, got)
	}
	for _, err := range build.New(failing{}).Table("orders").Changes().Records(ctx) {
		assert.ErrorContains(t, err, "no change feed")
		code(t, api.UnknownOperation, err)
	}
}

func TestChangesBegin(t *testing.T) {
	moment := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for i, c := range []struct {
		changes func(*build.Changes) *build.Changes
		want    api.SubscribeInput
	}{
		{func(x *build.Changes) *build.Changes { return x }, api.SubscribeInput{StartingPosition: api.Some("LATEST")}},
		{func(x *build.Changes) *build.Changes { return x.FromStart() }, api.SubscribeInput{StartingPosition: api.Some("TRIM_HORIZON")}},
		{func(x *build.Changes) *build.Changes { return x.Since(moment).After("7") }, api.SubscribeInput{
			StartingPosition: api.Some("AFTER_SEQUENCE_NUMBER"), SequenceNumber: api.Some("7"),
		}},
		{func(x *build.Changes) *build.Changes { return x.At("7").Shard("s").PageSize(3) }, api.SubscribeInput{
			StartingPosition: api.Some("AT_SEQUENCE_NUMBER"), SequenceNumber: api.Some("7"),
			ShardId: api.Some("s"), Limit: api.Some(int64(3)),
		}},
		{func(x *build.Changes) *build.Changes { return x.At("7").Since(moment) }, api.SubscribeInput{
			StartingPosition: api.Some("AT_TIMESTAMP"), Timestamp: api.Some(moment),
		}},
	} {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			f := &feed{ended: true}
			for range c.changes(build.New(f).Table("orders").Changes()).Records(t.Context()) {
				t.Error("a record of an empty feed")
			}
			c.want.TableName = api.Some("orders")
			assert.Equal(t, &c.want, f.got[0])
		})
	}
}

// TestChangesOfTheEngine follows a table, stops, and resumes where it was.
func TestChangesOfTheEngine(t *testing.T) {
	db, ctx := orders(t), t.Context()
	table := db.Table("orders")
	require.NoError(t, table.EnableStream(ctx, api.StreamViewTypeNewImage))

	begun := make(chan struct{})
	begin := sync.OnceFunc(func() { close(begun) })
	type result struct {
		seen     []string
		position string
		err      error
	}
	done := make(chan result)
	go func() {
		var r result
		for out, err := range table.Changes().Deliveries(ctx) {
			if err != nil {
				r.err = err
				break
			}
			begin() // after the first delivery all that is written will come
			for _, c := range out.Records {
				r.seen = append(r.seen, c.Dynamodb.NewImage.Get("sk").Text())
				r.position = c.Dynamodb.SequenceNumber.Value
			}
			if len(r.seen) >= 2 {
				break
			}
		}
		done <- r
	}()
	<-begun
	for i := range 2 {
		require.NoError(t, table.Put(numbered(i)).Run(ctx))
	}
	first := <-done
	require.NoError(t, first.err)
	assert.Equal(t, []string{"000", "001"}, first.seen)

	for i := range 3 {
		require.NoError(t, table.Put(numbered(10+i)).Run(ctx))
	}
	var resumed []string
	for c, err := range table.Changes().After(first.position).Records(ctx) {
		require.NoError(t, err)
		resumed = append(resumed, c.Dynamodb.NewImage.Get("sk").Text())
		if len(resumed) == 3 {
			break
		}
	}
	assert.Equal(t, []string{"010", "011", "012"}, resumed)

	for _, err := range db.Table("none").Changes().Records(ctx) {
		code(t, api.ResourceNotFound, err)
	}
}
