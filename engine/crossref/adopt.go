package crossref

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/storage"
)

// guess is what is known of the key of a table whose definition is lost: the attributes that every item has
// with the value that its key in the store has.
type guess struct {
	items      int64
	hash, sort []schema.KeyAttr
	sorted     bool // the keys have a sort part
	wrong      bool
}

// adopt makes a definition for the items under a space that no table has. ok is false when they do not say
// what their key is.
func (c *checker) adopt(ctx context.Context, id uint64) (name string, ok bool, err error) {
	var g guess
	space := key.TableSpace(id)
	err = c.walk(ctx, storage.Range(key.SpaceRange(space, key.TableSub)), func(k, v []byte) error {
		g.item(k, v)
		if g.wrong {
			return errEnough
		}
		return nil
	})
	if enough(err) != nil {
		return "", false, err
	}
	if g.wrong || g.items == 0 || len(g.hash) == 0 || g.sorted && len(g.sort) == 0 {
		return "", false, nil
	}
	t := schema.Table{ID: id, Name: fmt.Sprintf("recovered-%d", id), Key: schema.Key{Hash: g.hash[:1]}}
	if g.sorted {
		t.Key.Range = g.sort[:1]
	}
	// What followed from the items of the old definition is nobody's now.
	next := key.TableSub + 1
	err = c.walk(ctx, storage.Range{Start: key.AppendPrefix(nil, space, next), End: key.PrefixEnd(binary.BigEndian.AppendUint64(nil, space))},
		func(k, _ []byte) error {
			next = max(next, binary.BigEndian.Uint32(k[8:])+1)
			return c.remove(ctx, k)
		})
	if err != nil {
		return "", false, err
	}
	row, record, err := catalog.Adopted(t, next, c.opts.Now)
	if err != nil {
		return "", false, err
	}
	return t.Name, true, c.put(ctx, row, record)
}

// item narrows the guess.
func (g *guess) item(k, v []byte) {
	part := storage.FilterPrefix(k)
	if attr.CheckItem(v) != nil || len(part) <= storage.HeadBytes+2 {
		return
	}
	rest := k[len(part):]
	part = part[storage.HeadBytes+2:]
	var hash, sort []schema.KeyAttr
	for r := attr.Item(v).Read(); ; {
		name, value, ok := r.Next()
		if !ok {
			break
		}
		a := schema.KeyAttr{Name: string(name), Type: value.Type()}
		if a.Type == attr.Ts {
			a.Type = attr.N
		}
		if a.Type != attr.S && a.Type != attr.N && a.Type != attr.B {
			continue
		}
		if bytes.Equal(value.Payload(), part) {
			hash = append(hash, a)
		}
		if bytes.Equal(value.Payload(), rest) {
			sort = append(sort, a)
		}
	}
	if g.items++; g.items == 1 {
		g.hash, g.sort, g.sorted = hash, sort, len(rest) > 0
		return
	}
	lacks := func(in []schema.KeyAttr) func(schema.KeyAttr) bool {
		return func(a schema.KeyAttr) bool { return !slices.Contains(in, a) }
	}
	g.hash = slices.DeleteFunc(g.hash, lacks(hash))
	g.sort = slices.DeleteFunc(g.sort, lacks(sort))
	g.wrong = g.sorted != (len(rest) > 0) || len(g.hash) == 0
}
