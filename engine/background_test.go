package engine

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestFailuresAreTriedLessOften: the longer work fails, the longer it waits, up to a minute; once it succeeds
// everything is as before.
func TestFailuresAreTriedLessOften(t *testing.T) {
	var waits []time.Duration
	fire := make(chan time.Time)
	close(fire)
	d := openTest(t, Options{NoBackground: true, After: func(wait time.Duration) <-chan time.Time {
		waits = append(waits, wait)
		return fire
	}})
	db := d.served.Load()
	const failures = 8
	runs, done := 0, make(chan struct{})
	db.loop(db.background.ctx, &worker{name: "test", wake: make(chan struct{}, 1)}, time.Second, func(context.Context) (bool, error) {
		runs++
		switch {
		case runs <= failures, runs == failures+2:
			return false, errors.New("the disk is full")
		case runs == failures+1:
			return true, nil
		}
		close(done)
		return false, nil
	})
	<-done
	require.Equal(t, []time.Duration{
		1 * time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second, time.Minute, time.Minute,
		time.Second, // it has something to wait for, and nothing that failed
		time.Second,
	}, waits)
}
