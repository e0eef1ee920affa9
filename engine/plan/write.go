package plan

import (
	"bytes"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/expr"
)

// WriteKind says what a Write does.
type WriteKind uint8

const (
	// WritePut replaces the item.
	WritePut WriteKind = iota
	// WriteUpdate applies an update expression, or only creates the item when there is none.
	WriteUpdate
	// WriteDelete removes the item.
	WriteDelete
	// WriteCheck only evaluates the condition.
	WriteCheck
)

// Write is one bound write of one item.
type Write struct {
	Kind  WriteKind
	Table *schema.Table
	// Key is the item's key in the store.
	Key []byte
	// Item is the new item of a put, otherwise the key attributes.
	Item attr.Item
	// Condition is nil when there is none.
	Condition *expr.Condition
	// Update is nil when there is none.
	Update *expr.Update
	// ReturnOnFailure asks for the stored item when the condition fails.
	ReturnOnFailure bool
}

// Put binds a put to its table.
func Put(room *Room, t *schema.Table, item attr.Item, c *expr.Condition) (Write, error) {
	k, err := bindItem(room, t, item)
	if err != nil {
		return Write{}, err
	}
	w := Write{Kind: WritePut, Table: t, Key: k, Item: item, Condition: c}
	return w, checkConditionPaths(t, c)
}

// Delete binds a delete, Check a condition check.
func Delete(room *Room, t *schema.Table, k attr.Item, c *expr.Condition) (Write, error) {
	return bindKeyed(WriteDelete, room, t, k, c)
}

// Check binds a condition check of a transaction.
func Check(room *Room, t *schema.Table, k attr.Item, c *expr.Condition) (Write, error) {
	return bindKeyed(WriteCheck, room, t, k, c)
}

func bindKeyed(kind WriteKind, room *Room, t *schema.Table, k attr.Item, c *expr.Condition) (Write, error) {
	b, err := bindKey(room, t, k)
	if err != nil {
		return Write{}, err
	}
	w := Write{Kind: kind, Table: t, Key: b, Item: k, Condition: c}
	return w, checkConditionPaths(t, c)
}

// Update binds an update (wire-facts §6.8: key schema, then the checks of §5.9).
func Update(room *Room, t *schema.Table, k attr.Item, u *expr.Update, c *expr.Condition) (Write, error) {
	w, err := bindKeyed(WriteUpdate, room, t, k, c)
	if err != nil {
		return Write{}, err
	}
	w.Update = u
	if u == nil {
		return w, nil
	}
	if err := checkTargets(t, u); err != nil {
		return w, err
	}
	return w, checkPaths(t, u.NestedReads())
}

// checkTargets refuses updates of key attributes and, where the request alone tells, values that an
// index key cannot hold.
func checkTargets(t *schema.Table, u *expr.Update) error {
	for target := range u.Targets {
		name := target.Path.TopLevel()
		if t.Key.Has(name) {
			if target.Path.Nested() {
				return invalid(api.MsgKeyNotScalar, name)
			}
			return invalid(api.MsgUpdateKey, name)
		}
		for i := range t.Indexes {
			if err := checkIndexTarget(&t.Indexes[i], target); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkIndexTarget(ix *schema.Index, target expr.Target) error {
	a, ok := ix.Key.Find(target.Path.TopLevel())
	switch {
	case !ok:
		return nil
	case target.Path.Nested():
		return invalid(api.MsgIndexKeyNotScalar, a.Name)
	case target.Value == nil:
		return nil
	case !key.TypeFits(target.Value.Type(), a.Type):
		return indexKeyType(ix, a, target.Value)
	case key.Len(target.Value) == 0 && a.Type == attr.S:
		return invalid(api.MsgUpdateIndexKeyEmptyString)
	case key.Len(target.Value) == 0 && a.Type == attr.B:
		return invalid(api.MsgUpdateIndexKeyEmptyBinary)
	}
	return nil
}

// Updated checks the result of an update against the index keys, once it is known (wire-facts §5.9). An
// item that is older than an index may hold what its key cannot have, as long as an update leaves that
// alone: unsure, the service's text speaks of an attempt to update the key.
func Updated(t *schema.Table, old, item attr.Item) error {
	for i := range t.Indexes {
		ix := &t.Indexes[i]
		if err := updatedIndex(ix, item); err != nil && (old == nil || changesKey(ix, old, item)) {
			return err
		}
		if ix.Vector != nil && (old == nil || changesVector(ix, old, item)) {
			if err := checkVector(ix, item); err != nil {
				return err
			}
		}
	}
	if tooLarge(t, item) {
		return invalid(api.MsgUpdateItemSize)
	}
	return nil
}

func changesKey(ix *schema.Index, old, item attr.Item) bool {
	for j := range ix.Key.Len() {
		name := ix.Key.At(j).Name
		if !bytes.Equal(old.Get(name), item.Get(name)) {
			return true
		}
	}
	return false
}

func updatedIndex(ix *schema.Index, item attr.Item) error {
	hashBytes, rangeBytes := 0, 0
	for j := range ix.Key.Len() {
		a := ix.Key.At(j)
		v := item.Get(a.Name)
		switch {
		case v == nil:
			continue
		case !key.TypeFits(v.Type(), a.Type):
			return invalid(api.MsgUpdateIndexKeyType)
		case key.Len(v) == 0 && a.Type == attr.B:
			return invalid(api.MsgUpdateIndexKeyEmptyBinary)
		case key.Len(v) == 0:
			return invalid(api.MsgUpdateIndexKeyEmptyString)
		case j < len(ix.Key.Hash):
			hashBytes += key.Len(v)
		default:
			rangeBytes += key.Len(v)
		}
	}
	if checkKeySize(true, hashBytes) != nil || checkKeySize(false, rangeBytes) != nil {
		return invalid(api.MsgUpdateIndexKeySize)
	}
	return nil
}

// checkConditionPaths refuses paths that look into key attributes (wire-facts §5.6, §5.9).
func checkConditionPaths(t *schema.Table, c *expr.Condition) error {
	if c == nil {
		return nil
	}
	return checkPaths(t, c.Paths())
}

// checkPaths refuses nested paths under the keys of the table and of its indexes.
func checkPaths(t *schema.Table, paths []expr.Path) error {
	for _, p := range paths {
		if p.Nested() {
			if err := checkPath(t, p.TopLevel()); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkPath(t *schema.Table, name string) error {
	if t.Key.Has(name) {
		return invalid(api.MsgKeyNotScalar, name)
	}
	for i := range t.Indexes {
		if t.Indexes[i].Key.Has(name) {
			return invalid(api.MsgIndexKeyNotScalar, name)
		}
	}
	return nil
}

// BatchPut binds a put of BatchWriteItem. A key that is missing or of another type is a mismatch
// there, without its name: DynamoDB does this (TestBatchWriteKeyMismatch).
func BatchPut(room *Room, t *schema.Table, item attr.Item) (Write, error) {
	for i := range t.Key.Len() {
		a := t.Key.At(i)
		if v := item.Get(a.Name); v == nil || !key.TypeFits(v.Type(), a.Type) {
			return Write{}, invalid(api.MsgKeyMismatch)
		}
	}
	return Put(room, t, item, nil)
}
