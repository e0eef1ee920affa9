package memstore_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/storage/memstore"
	"github.com/keystone-db/kstone/engine/storage/storagetest"
)

// maxUpdateTest lets the suite exceed MaxUpdate in a short run.
const maxUpdateTest = 24 << 20

func opener(opts memstore.Options) storagetest.Open {
	opts.MaxUpdate = maxUpdateTest
	return func(t testing.TB) storage.Store {
		s, err := memstore.Open(opts)
		require.NoError(t, err)
		return s
	}
}

func TestSuiteFriendly(t *testing.T) { storagetest.Run(t, opener(memstore.Options{})) }

func TestSuiteShared(t *testing.T) { storagetest.Run(t, opener(memstore.Options{Shared: true})) }

func TestSuiteHostile(t *testing.T) {
	o := memstore.Hostile(7)
	o.Shared = true
	storagetest.Run(t, opener(o))
}

// TestSuiteConflicts adds refusals, which every caller must retry.
func TestSuiteConflicts(t *testing.T) {
	o := memstore.Hostile(11)
	o.Conflict = 0.1
	storagetest.Run(t, opener(o))
}
