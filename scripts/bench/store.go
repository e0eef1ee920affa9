package main

import (
	"errors"
	"fmt"
)

// mode says what a put promises and how the store is tuned.
type mode struct {
	durable  bool  // a put is on the disk when it returns
	cache    int64 // bytes of the block cache
	memtable int64 // bytes of a memtable
}

// store is what all engines can do. Keys and values may be used again when a call returns.
type store interface {
	put(key, value []byte) error
	// batch writes pairs at once.
	batch(keys, values [][]byte) error
	// get returns the length of the value, -1 when there is none.
	get(key []byte) (int, error)
	// scan reads keys and values from a key on, limit at most, and returns how many there were.
	scan(from []byte, limit int) (int, error)
	// settled says whether no background work runs or is due. idle: what is done only once nothing is
	// written, too.
	settled(idle bool) bool
	// own are the engine's own figures, by name.
	own() map[string]float64
	close() error
}

// engines are the names, ours first; encrypted is ours with a key, on demand.
var (
	engines   = []string{"kstone", "pebble", "badger"}
	encrypted = "encrypted"
)

func openStore(engine, dir string, m mode) (store, error) {
	switch engine {
	case "kstone":
		return openKstone(dir, m, nil)
	case encrypted:
		return openKstone(dir, m, []byte("a key that everybody knows, 32 b"))
	case "pebble":
		return openPebble(dir, m)
	case "badger":
		return openBadger(dir, m)
	}
	return nil, fmt.Errorf("unknown engine %q; there are %q", engine, engines)
}

var errMissing = errors.New("a key that was written is missing")
