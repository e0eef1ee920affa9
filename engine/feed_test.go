package engine

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
)

// errEnough ends a feed that has delivered what a test wants.
var errEnough = errors.New("enough")

// subscription is a feed that runs beside a test.
type subscription struct {
	t     *testing.T
	stop  context.CancelFunc
	pages chan *api.SubscribeOutput // what it delivers, one after the other
	ended chan error
}

// subscribe starts a feed and waits until it has begun.
func subscribe(t *testing.T, db *DB, in *api.SubscribeInput) *subscription {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	s := &subscription{t: t, stop: stop, pages: make(chan *api.SubscribeOutput), ended: make(chan error, 1)}
	t.Cleanup(stop)
	go func() {
		s.ended <- db.Subscribe(ctx, in, func(out *api.SubscribeOutput) error {
			page := *out
			select {
			case s.pages <- &page:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	require.Empty(t, s.page().Records, "the first delivery tells where it begins")
	return s
}

// page takes the next delivery.
func (s *subscription) page() *api.SubscribeOutput {
	s.t.Helper()
	select {
	case page := <-s.pages:
		return page
	case err := <-s.ended:
		require.FailNow(s.t, "the feed ended", "%v", err)
	}
	return nil
}

// take takes so many records.
func (s *subscription) take(n int) (records []api.Record) {
	s.t.Helper()
	for len(records) < n {
		for _, r := range s.page().Records {
			records = append(records, r.Record)
		}
	}
	require.Len(s.t, records, n)
	return records
}

// end waits for the end.
func (s *subscription) end() error {
	s.t.Helper()
	select {
	case page := <-s.pages:
		require.FailNow(s.t, "one more delivery", "%d records", len(page.Records))
	case err := <-s.ended:
		return err
	}
	return nil
}

func from(arn, start string) *api.SubscribeInput {
	return &api.SubscribeInput{StreamArn: api.Some(arn), StartingPosition: api.Some(start)}
}

// TestSubscribe: what is there and what comes, in order; the end of the stream ends the feed.
func TestSubscribe(t *testing.T) {
	d := openTest(t, Options{})
	arn := d.events("NEW_AND_OLD_IMAGES")
	d.put(item1("a", "1"))
	all := subscribe(t, d.DB, from(arn, api.StartTrimHorizon))
	latest := subscribe(t, d.DB, &api.SubscribeInput{TableName: api.Some("orders")})
	require.Equal(t, "INSERT a - 1", tell(all.take(1)))
	d.put(item1("a", "2"))
	require.Equal(t, "MODIFY a 1 2", tell(all.take(1)))
	require.Equal(t, "MODIFY a 1 2", tell(latest.take(1)))
	d.remove("a", "1")
	d.disable()
	require.Equal(t, "REMOVE a 2 -", tell(all.take(1)))
	require.NoError(t, all.end())
	require.Equal(t, "REMOVE a 2 -", tell(latest.take(1)))
	require.NoError(t, latest.end())
}
