package lsm

import (
	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/log"
	"github.com/keystone-db/kstone/engine/lsm/internal/memtable"
	"github.com/keystone-db/kstone/engine/lsm/internal/merge"
	"github.com/keystone-db/kstone/engine/lsm/internal/superblock"
	"github.com/keystone-db/kstone/engine/storage"
)

// copyView is the whole database at one LSN: what a copy of it is made of. It holds tables and versions
// until it is closed.
type copyView struct {
	db      *DB
	lsn     base.LSN
	pin     *pin
	stripes [base.StripeCount]stripeView
	dead    []storage.Range
	super   superblock.Superblock
	// next is where the log's frame behind lsn begins or will begin, or a group before it.
	next log.Position
}

// stripeView is a stripe's part: memtables newest first, which may hold versions above the view's LSN,
// and tables, which do not.
type stripeView struct {
	memtables []*memtable.Memtable
	tables    *version
}

// view captures everything at one visible. The catalogue's mutex keeps edits away meanwhile: no flush
// brings a table with entries above the LSN, and no range is dropped in some stripes only.
func (db *DB) view(owner string) *copyView {
	v := &copyView{db: db}
	db.man.mu.Lock()
	defer db.man.mu.Unlock()
	v.lsn, v.pin = db.pin(owner, true)
	for i := range db.stripes {
		s := &db.stripes[i]
		s.mu.RLock()
		v.stripes[i].memtables = append(v.stripes[i].memtables, s.active)
		v.stripes[i].memtables = append(v.stripes[i].memtables, s.frozen...)
		v.stripes[i].tables = s.tables.acquire()
		s.mu.RUnlock()
	}
	v.dead = v.stripes[0].tables.dead.Ranges()
	v.super = db.super
	db.wal.mu.Lock()
	v.next = db.wal.positionLocked(v.lsn + 1)
	db.wal.mu.Unlock()
	return v
}

func (v *copyView) close() {
	for i := range v.stripes {
		v.db.release(v.stripes[i].tables)
	}
	v.db.unpin(v.pin)
}

// entries walks what the memtables of a stripe add to its tables, newest version only; nil without any.
func (v *copyView) entries(stripe int) *merge.Compactor {
	s := &v.db.stripes[stripe]
	opts := memtable.IterOptions{MaxLSN: max(v.lsn, 1)}
	var sources []base.Iterator
	for i, m := range v.stripes[stripe].memtables {
		switch {
		case i == 0: // writers may be at it still
			s.mu.RLock()
			empty := m.Empty()
			s.mu.RUnlock()
			if !empty {
				sources = append(sources, m.NewIter(&s.mu.RWMutex, opts))
			}
		default:
			sources = append(sources, m.NewIter(nil, opts))
		}
	}
	if len(sources) == 0 {
		return nil
	}
	return merge.NewCompactor(merge.New(sources...), merge.CompactorOptions{
		Horizon: v.lsn, Dead: v.stripes[stripe].tables.dead,
	})
}
