package build

import (
	"context"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// key is the primary key of an item as a call got it: its attributes without their names, or whole.
type key struct {
	whole   attr.Item
	pk      attr.Value
	sk      attr.Value // nil: none was given
	surplus bool       // more attributes than a key has
}

// keyOf encodes the key attributes of a call.
func keyOf(pk any, sk []any) (k key, err error) {
	switch v := pk.(type) {
	case attr.Item:
		if v == nil {
			return key{}, invalid(msgNoItem)
		}
		k.whole = v
	case *attr.Builder:
		if k.whole, err = v.Build(); err != nil {
			return key{}, fault(err)
		}
	default:
		if k.pk, err = toValue(pk); err != nil {
			return key{}, err
		}
	}
	for i, v := range sk {
		if k.whole != nil || i > 0 {
			k.surplus = true
			break
		}
		if k.sk, err = toValue(v); err != nil {
			return key{}, err
		}
	}
	return k, nil
}

// item is the key with its names.
func (k *key) item(ctx context.Context, t *Table) (attr.Item, error) {
	if k.whole != nil && !k.surplus {
		return k.whole, nil
	}
	s, err := t.client.schemaOf(ctx, t.name)
	if err != nil {
		return nil, err
	}
	if k.surplus || len(s.key.partition) == 0 || k.sk != nil && len(s.key.sort) == 0 {
		return nil, t.checked(api.Errorf(api.Validation, api.MsgKeyMismatch))
	}
	name := s.key.partition[0]
	if k.sk == nil {
		return appendEntry(make(attr.Item, 0, entryLen(name, k.pk)), name, k.pk), nil
	}
	sortName := s.key.sort[0]
	it := make(attr.Item, 0, entryLen(name, k.pk)+entryLen(sortName, k.sk))
	if sortName < name { // an item is sorted by name
		it = appendEntry(it, sortName, k.sk)
		return appendEntry(it, name, k.pk), nil
	}
	it = appendEntry(it, name, k.pk)
	return appendEntry(it, sortName, k.sk), nil
}

// nameLenBytesMax is what the length of a name takes at most.
const nameLenBytesMax = 3

func entryLen(name string, v attr.Value) int { return nameLenBytesMax + len(name) + len(v) }

func appendEntry(it attr.Item, name string, v attr.Value) attr.Item {
	return append(attr.AppendName(it, name), v...)
}
