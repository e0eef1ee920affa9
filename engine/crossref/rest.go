package crossref

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/exec"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/stream"
)

// errEnough ends a walk early.
var errEnough = errors.New("enough")

func enough(err error) error {
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// stream checks the records of one stream.
func (c *checker) stream(ctx context.Context, s *schema.Stream) error {
	r := storage.Range(key.WholeSpace(key.StreamSpace(s.ID)))
	c.begin(ctx, "stream of "+s.Table, r)
	var failed error
	check := stream.NewChecker(s, c.mark, func(keys [][]byte, what string) {
		if slices.ContainsFunc(keys, c.beside) {
			c.out.Skipped++ // the rest of it may be what is lost
			return
		}
		c.add(Fault{Region: Stream, Table: s.Table, Key: keys[0], What: what})
		for _, k := range keys {
			failed = errors.Join(failed, c.remove(ctx, k))
		}
	})
	err := c.walk(ctx, r, func(k, v []byte) error {
		check.Add(k, v)
		return failed
	})
	check.End()
	c.out.Counts.StreamRecords += check.Records
	return errors.Join(err, failed)
}

// beside says whether the keys around k that differ in the last byte only are lost, or one of them.
func (c *checker) beside(k []byte) bool {
	return c.touched(storage.Range(key.PrefixRange(bytes.Clone(k[:len(k)-1]))))
}

// tokens checks the request tokens of all windows.
func (c *checker) tokens(ctx context.Context) error {
	r := tokenRange()
	c.begin(ctx, "request tokens", r)
	return c.walk(ctx, r, func(k, v []byte) error {
		c.out.Counts.Tokens++
		if err := exec.CheckToken(k, v); err != nil {
			c.add(Fault{Region: Tokens, Key: k, What: err.Error()})
			return c.remove(ctx, k)
		}
		return nil
	})
}

func tokenRange() storage.Range {
	first := binary.BigEndian.AppendUint64(nil, key.TokenSpace(0))
	return storage.Range(key.PrefixRange(first[:1]))
}

// strays looks for keys that belong to nothing. They are not removed: what a lost definition described may
// be among them.
func (c *checker) strays(ctx context.Context) error {
	if c.blind {
		return nil
	}
	c.begin(ctx, "other keys")
	from := []byte{}
	for _, known := range append(c.known(), storage.Range{}) {
		for known.Start == nil || bytes.Compare(from, known.Start) < 0 {
			var found []byte
			err := c.walk(ctx, storage.Range{Start: from, End: known.Start}, func(k, _ []byte) error {
				found = bytes.Clone(k)
				return errEnough
			})
			if enough(err) != nil {
				return err
			}
			if found == nil {
				break
			}
			next, err := c.stray(ctx, found)
			if err != nil || next == nil {
				return err
			}
			from = next
		}
		if known.End != nil && bytes.Compare(from, known.End) < 0 {
			from = known.End
		}
	}
	return nil
}

// stray says what a key that belongs to nothing means, and returns where to go on. In a repair the items of
// a table whose definition is lost get another one.
func (c *checker) stray(ctx context.Context, found []byte) (next []byte, err error) {
	if items := binary.BigEndian.AppendUint64(nil, key.TableSpace(0)); c.opts.Repair && len(found) > storage.PrefixBytes &&
		found[0] == items[0] && binary.BigEndian.Uint32(found[8:]) == key.TableSub {
		name, ok, err := c.adopt(ctx, binary.BigEndian.Uint64(found)-key.TableSpace(0))
		if err != nil {
			return nil, err
		}
		if ok {
			c.add(Fault{Region: Catalog, Table: name, Key: found,
				What: "the definition of a table is lost: this one has the key that its items have, and nothing else"})
			return key.PrefixEnd(found[:8]), nil
		}
	}
	c.add(Fault{Warning: true, Region: Keys, Key: found, What: "keys that belong to no table, index or stream"})
	return key.PrefixEnd(found[:min(len(found), storage.PrefixBytes)]), nil
}

// known are the ranges of all that the catalog names, sorted.
func (c *checker) known() []storage.Range {
	var out []storage.Range
	for kind := key.SubMeta; kind <= rowKinds; kind++ {
		out = append(out, storage.Range(key.CatalogRange(kind)))
	}
	for _, r := range c.tables {
		space := key.TableSpace(r.Table.ID)
		if r.Status == catalog.StatusDeleting {
			out = append(out, storage.Range(key.WholeSpace(space)))
			continue
		}
		for _, sub := range append(subsOf(r), key.TableSub) {
			out = append(out, storage.Range(key.SpaceRange(space, sub)))
		}
	}
	for _, s := range c.streams {
		out = append(out, storage.Range(key.WholeSpace(key.StreamSpace(s.ID))))
	}
	for _, b := range c.backups {
		out = append(out, b.Range())
	}
	out = append(out, tokenRange())
	slices.SortFunc(out, func(a, b storage.Range) int { return bytes.Compare(a.Start, b.Start) })
	return out
}
