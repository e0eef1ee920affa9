package crossref

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/exec"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/storage"
)

// rowKinds is the number of kinds of catalog rows, from 1 on.
const rowKinds = key.SubInsights

// catalog reads all rows and learns which tables and streams there are.
func (c *checker) catalog(ctx context.Context) error {
	c.begin(ctx, "the catalog")
	next := map[string]uint64{}
	for kind := key.SubMeta; kind <= rowKinds; kind++ {
		r := storage.Range(key.CatalogRange(kind))
		if c.touched(r) {
			c.blind = true
		}
		err := c.walk(ctx, r, func(k, v []byte) error {
			c.out.Counts.CatalogRows++
			what := ""
			switch kind {
			case key.SubCount:
				what = c.keptRow(k, v)
			case key.SubCursor:
				what = c.cursorRow(k, v)
			default:
				what = c.row(kind, string(k[storage.HeadBytes:]), v, next)
			}
			if what != "" {
				c.add(Fault{Region: Catalog, Key: k, What: what})
				if kind == key.SubTable || kind == key.SubStream || kind == key.SubBackup {
					c.blind = true
				}
				return c.remove(ctx, k)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if c.blind {
		c.out.Unchecked = append(c.out.Unchecked, "keys that belong to no table, since part of the catalog cannot be read")
	}
	if err := c.feeds(ctx); err != nil {
		return err
	}
	c.sorted()
	return c.counters(ctx, next)
}

// row says what is wrong with a row of a kind; "" for nothing.
func (c *checker) row(kind uint32, name string, v []byte, next map[string]uint64) string {
	switch kind {
	case key.SubMeta:
		if len(v) != 8 {
			return fmt.Sprintf("the row %q does not hold a number", name)
		}
		next[name] = binary.BigEndian.Uint64(v)
	case key.SubTable:
		return c.tableRow(name, v)
	case key.SubStream:
		return c.streamRow(name, v)
	case key.SubJob:
		if json.Unmarshal(v, new(exec.Cursor)) != nil {
			return "the cursor of a job does not parse"
		}
	case key.SubBackup:
		return c.backupRow(name, v)
	case key.SubLease, key.SubTask, key.SubInsights:
		if !json.Valid(v) {
			return "a row of background work does not parse"
		}
	}
	return ""
}

func (c *checker) tableRow(name string, v []byte) string {
	r, err := catalog.DecodeRecord(v)
	if err != nil {
		return fmt.Sprintf("table %q: %v", name, err)
	}
	t := &r.Table
	switch {
	case t.Name != name:
		return fmt.Sprintf("table %q: its record is of table %q", name, t.Name)
	case len(t.Key.Hash) != 1 || len(t.Key.Range) > 1:
		return fmt.Sprintf("table %q: its key has an impossible form", name)
	}
	subs := map[uint32]bool{key.TableSub: true}
	for _, sub := range subsOf(r) {
		if subs[sub] || sub >= r.NextSub {
			return fmt.Sprintf("table %q: the number %d of an index or kind of rows is used twice or was never given", name, sub)
		}
		subs[sub] = true
	}
	for i := range t.Indexes {
		if ix := &t.Indexes[i]; len(ix.Key.Hash) == 0 && ix.Vector == nil || ix.Vector != nil && ix.Vector.Dimensions <= 0 {
			return fmt.Sprintf("table %q: the key of index %q has an impossible form", name, t.Indexes[i].Name)
		}
	}
	for _, o := range c.tables {
		if o.Table.ID == t.ID {
			return fmt.Sprintf("table %q: table %q has the same id", name, o.Table.Name)
		}
	}
	c.tables = append(c.tables, r)
	return ""
}

// subsOf are the subs that a table uses beside that of its items. A job of an index shares its sub.
func subsOf(r *catalog.Record) (subs []uint32) {
	for i := range r.Table.Indexes {
		ix := &r.Table.Indexes[i]
		if subs = append(subs, ix.Sub); ix.Vector != nil {
			subs = append(subs, ix.Vector.Tail, ix.Vector.Graph)
		}
	}
	for _, sub := range []uint32{r.Table.TTLSub, r.Table.CollectionSub} {
		if sub != 0 {
			subs = append(subs, sub)
		}
	}
	subs = append(append(subs, r.Log.Subs()...), r.Global.Subs()...)
	for _, j := range r.Jobs {
		if j.Kind == catalog.JobDrop {
			subs = append(subs, j.Sub)
		}
	}
	return subs
}

func (c *checker) streamRow(name string, v []byte) string {
	s, err := catalog.DecodeStream(v)
	if err != nil {
		return err.Error()
	}
	switch {
	case len(name) != 8 || binary.BigEndian.Uint64([]byte(name)) != s.ID:
		return "the row of a stream has the id of another one"
	case s.Slots == 0 || len(s.Key.Hash) != 1:
		return fmt.Sprintf("stream %s of table %q has an impossible form", s.Label, s.Table)
	}
	if what := shards(s); what != "" {
		return fmt.Sprintf("stream %s of table %q: %s", s.Label, s.Table, what)
	}
	c.streams = append(c.streams, s)
	return ""
}

// shards says what is wrong with the shards of a stream: each begins where its parent ends, and the open
// ones of an open stream divide all hashes among them.
func shards(s *schema.Stream) string {
	var open uint64
	for i := range s.Shards {
		sh := &s.Shards[i]
		if sh.Slot >= s.Slots || !sh.Open() && sh.Last < sh.First-1 {
			return fmt.Sprintf("shard %s has impossible bounds", sh.ID)
		}
		if p := s.Shard(sh.Parent); p != nil && (p.Open() || p.Last+1 != sh.First || p.Slot != sh.Slot) {
			return fmt.Sprintf("shard %s does not begin where its parent ends", sh.ID)
		}
		if sh.Open() {
			from, to := key.SegmentBounds(uint64(sh.Slot), uint64(s.Slots))
			if sh.Split() {
				from, to = sh.From, sh.To
			}
			open += to - from
		}
	}
	if want := uint64(1) << 32; s.ClosedMs == 0 && open != want {
		return "its open shards do not hold all hashes once"
	}
	return ""
}

// counters checks that no id is above those that were given out: those of the catalog, and those that
// keys have.
func (c *checker) counters(ctx context.Context, next map[string]uint64) error {
	var table, stream uint64
	for _, r := range c.tables {
		table = max(table, r.Table.ID)
	}
	for _, b := range c.backups {
		table = max(table, b.Space)
	}
	for _, s := range c.streams {
		stream = max(stream, s.ID)
	}
	for name, ids := range map[string]struct{ least, space uint64 }{
		catalog.NextTable: {table, key.TableSpace(0)}, catalog.NextStream: {stream, key.StreamSpace(0)},
	} {
		used, err := c.lastID(ctx, ids.space)
		if err != nil {
			return err
		}
		used = max(used, ids.least)
		k := key.AppendCatalog(nil, key.SubMeta, name)
		if used == 0 || next[name] > used || c.lost(k) {
			continue
		}
		c.add(Fault{Region: Catalog, Key: k, What: fmt.Sprintf("the row %q says %d, and %d is in use", name, next[name], used)})
		if err := c.put(ctx, k, binary.BigEndian.AppendUint64(nil, used+1)); err != nil {
			return err
		}
	}
	return nil
}

// lastID is the highest id of a kind of spaces that some key has, zero for none.
func (c *checker) lastID(ctx context.Context, kind uint64) (uint64, error) {
	first := binary.BigEndian.AppendUint64(nil, kind)
	gaps := c.readable(storage.Range(key.PrefixRange(first[:1])))
	for _, gap := range slices.Backward(gaps) {
		it, err := c.snap.Iter(ctx, gap, storage.IterOptions{Reverse: true, LimitHint: 1})
		if err != nil {
			return 0, err
		}
		found := it.Next()
		id := uint64(0)
		if found {
			id = binary.BigEndian.Uint64(it.Key()) - kind
		}
		it.Close()
		if found || ctx.Err() != nil {
			return id, ctx.Err()
		}
	}
	return 0, nil
}
