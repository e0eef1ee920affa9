package lsm

import (
	"runtime"

	"github.com/keystone-db/kstone/engine/storage"
)

// DB is one open database. It is safe for concurrent use.
type DB struct {
	storage.Store
	opts Options
}

// hooks let tests stand between the steps of the protocol; nil members are skipped.
type hooks struct{}

func defaultWorkers() int { return min(max(1, runtime.GOMAXPROCS(0)/2), WorkersMax) }
