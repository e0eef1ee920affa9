package plan

import (
	"bytes"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/expr"
)

// keyPartsMax is the most attributes on one side of an index key.
const keyPartsMax = 4

// Query binds a Query: the checks that need the table, in the order of wire-facts §6.10.
func Query(q *ReadRequest, kc *expr.KeyCondition) (Read, error) {
	q.operation = "Query"
	r, err := q.source()
	if err != nil {
		return r, err
	}
	if err := r.checkStart(q.StartKey); err != nil {
		return r, err
	}
	b, err := r.bindConditions(kc)
	if err != nil {
		return r, err
	}
	r.Range = b.keyRange(&q.Room, r.sub(), r.Table, r.Index != nil)
	if q.StartKey != nil {
		if err := r.start(q.StartKey, &b); err != nil {
			return r, err
		}
	}
	if r.Projection != nil {
		if err := checkPaths(r.Table, r.Projection.Paths()); err != nil {
			return r, err
		}
	}
	if err := r.checkFilter(q.KeyFilter); err != nil {
		return r, err
	}
	if err := r.fetch(q.Select); err != nil {
		return r, err
	}
	return r, b.checkValues()
}

// checkStart is 5 to 7: the start key against the key of what is read.
func (r *Read) checkStart(start attr.Item) error {
	if start == nil {
		return nil
	}
	var names [KeyNamesMax]string
	if start.Count() != len(r.KeyNames(names[:0])) {
		return invalid(api.MsgStartKey)
	}
	k := r.key()
	for i := range k.Len() {
		a := k.At(i)
		v := start.Get(a.Name)
		if v == nil {
			return invalid(api.MsgStartKey)
		}
		if !key.TypeFits(v.Type(), a.Type) {
			return invalid(api.MsgKeyMismatch)
		}
	}
	return nil
}

// boundKey is the conditions of a Query sorted by the key's attributes.
type boundKey struct {
	key   *schema.Key
	hash  [keyPartsMax]attr.Value
	equal [keyPartsMax]attr.Value // leading sort attributes with equality
	nEq   int
	last  *expr.KeyCond // the constraint on sort attribute nEq that is no equality; nil if none
}

// bindConditions is 8 to 12 of wire-facts §6.10, with the rules of §6.1.1 for several attributes.
func (r *Read) bindConditions(kc *expr.KeyCondition) (boundKey, error) {
	k := r.key()
	b := boundKey{key: k}
	conds := kc.Conds
	if len(conds) > k.Len() {
		if k.Len() == 1 && len(conds) == 2 {
			return b, invalid(api.MsgConditionUnsupported)
		}
		return b, invalid(api.MsgKeyConditionCount)
	}
	for i := range k.Hash {
		if find(conds, k.Hash[i].Name) == nil {
			return b, invalid(api.MsgConditionMissed, k.Hash[i].Name)
		}
	}
	if err := checkSortNames(k, conds); err != nil {
		return b, err
	}
	if !indexable(conds) {
		return b, invalid(api.MsgConditionOperator)
	}
	for i := range conds {
		a, _ := k.Find(conds[i].Attr)
		for _, v := range conds[i].Values {
			if !key.TypeFits(v.Type(), a.Type) {
				return b, invalid(api.MsgConditionType)
			}
		}
	}
	for i := range k.Hash {
		c := find(conds, k.Hash[i].Name)
		if c.Op != expr.KeyEQ {
			return b, invalid(api.MsgConditionUnsupported)
		}
		b.hash[i] = c.Values[0]
	}
	return b, b.bindSort(conds)
}

// checkSortNames refuses conditions on attributes that are not of the key.
func checkSortNames(k *schema.Key, conds []expr.KeyCond) error {
	for i := range conds {
		if k.Has(conds[i].Attr) {
			continue
		}
		for _, a := range k.Range {
			if find(conds, a.Name) == nil {
				return invalid(api.MsgConditionMissed, a.Name)
			}
		}
		return invalid(api.MsgConditionUnsupported)
	}
	return nil
}

// bindSort takes the sort conditions from the left, without gaps; only the last may be a range.
func (b *boundKey) bindSort(conds []expr.KeyCond) error {
	gap := ""
	for _, a := range b.key.Range {
		c := find(conds, a.Name)
		switch {
		case c == nil:
			if gap == "" {
				gap = a.Name
			}
		case gap != "":
			return invalid(api.MsgConditionGap, gap, a.Name)
		case b.last != nil:
			return invalid(api.MsgConditionUnsupported)
		case c.Op == expr.KeyEQ:
			b.equal[b.nEq] = c.Values[0]
			b.nEq++
		default:
			b.last = c
		}
	}
	return nil
}

func find(conds []expr.KeyCond, name string) *expr.KeyCond {
	for i := range conds {
		if conds[i].Attr == name {
			return &conds[i]
		}
	}
	return nil
}

// checkValues is 21: empty key values in the condition; then those that are longer than a key can
// be, so that no range is read for them.
func (b *boundKey) checkValues() error {
	for i, a := range b.key.Hash {
		if err := checkNotEmpty(a.Name, b.hash[i]); err != nil {
			return err
		}
	}
	for i := range b.nEq {
		if err := checkNotEmpty(b.key.Range[i].Name, b.equal[i]); err != nil {
			return err
		}
	}
	if b.last != nil {
		for _, v := range b.last.Values {
			if err := checkNotEmpty(b.last.Attr, v); err != nil {
				return err
			}
		}
	}
	return b.checkSizes()
}

func (b *boundKey) checkSizes() error {
	if err := checkKeySize(true, totalLen(b.hash[:len(b.key.Hash)])); err != nil {
		return err
	}
	equal := totalLen(b.equal[:b.nEq])
	if err := checkKeySize(false, equal); err != nil || b.last == nil {
		return err
	}
	for _, v := range b.last.Values {
		if err := checkKeySize(false, equal+key.Len(v)); err != nil {
			return err
		}
	}
	return nil
}

func totalLen(values []attr.Value) int {
	n := 0
	for _, v := range values {
		n += key.Len(v)
	}
	return n
}

// keyRange makes the range. In an index every sort value is escaped, since the table's key follows;
// in a table it is the raw end of the key.
func (b *boundKey) keyRange(room *Room, sub uint32, t *schema.Table, escaped bool) key.Range {
	prefix := key.AppendPrefix(room.take(), key.TableSpace(t.ID), sub)
	prefix = key.AppendPartition(prefix, b.hash[:len(b.key.Hash)])
	for i := range b.nEq {
		if !escaped {
			whole := key.AppendRaw(prefix, b.equal[i])
			return key.Range{Start: whole, End: after(whole)}
		}
		prefix = key.AppendEscaped(prefix, b.equal[i])
	}
	prefix = room.taken(prefix)
	r := key.Range{Start: prefix, End: room.taken(key.AppendPrefixEnd(room.take(), prefix))}
	if b.last == nil {
		return r
	}
	at, next := bounds(prefix, b.last.Values[0], escaped)
	switch b.last.Op {
	case expr.KeyLT:
		r.End = at
	case expr.KeyLE:
		r.End = next
	case expr.KeyGT:
		r.Start = next
	case expr.KeyGE:
		r.Start = at
	case expr.KeyBetween:
		r.Start = at
		_, r.End = bounds(prefix, b.last.Values[1], escaped)
	case expr.KeyBeginsWith:
		if escaped {
			return key.PrefixRange(key.AppendEscapedPrefix(bytes.Clone(prefix), b.last.Values[0]))
		}
		return key.PrefixRange(at)
	}
	return r
}

// bounds returns the first key of a sort value and the first key after all of its keys.
func bounds(prefix []byte, v attr.Value, escaped bool) (at, next []byte) {
	if escaped {
		at = key.AppendEscaped(bytes.Clone(prefix), v)
		return at, key.PrefixEnd(at)
	}
	at = key.AppendRaw(bytes.Clone(prefix), v)
	return at, after(at)
}

// after is the next possible key.
func after(k []byte) []byte {
	next := make([]byte, len(k)+1)
	copy(next, k)
	return next
}

// start is 13 to 16: the start key against the conditions.
func (r *Read) start(start attr.Item, b *boundKey) error {
	position, ok := r.position(start)
	if !ok {
		return invalid(api.MsgStartKeySchema)
	}
	same := true
	for i, a := range b.key.Hash {
		same = same && attr.Equal(start.Get(a.Name), b.hash[i])
	}
	switch {
	case b.nEq == 0 && b.last == nil:
		if !same {
			return invalid(api.MsgStartKeyBounds)
		}
	case !b.holds(start):
		return invalid(api.MsgStartKeyPredicate)
	case !same:
		return invalid(api.MsgStartKeySingle)
	}
	r.resume(position)
	return nil
}

// holds says whether the start key satisfies the sort conditions.
func (b *boundKey) holds(start attr.Item) bool {
	for i := range b.nEq {
		if !attr.Equal(start.Get(b.key.Range[i].Name), b.equal[i]) {
			return false
		}
	}
	if b.last == nil {
		return true
	}
	v := start.Get(b.last.Attr)
	c, _ := attr.Compare(v, b.last.Values[0])
	switch b.last.Op {
	case expr.KeyLT:
		return c < 0
	case expr.KeyLE:
		return c <= 0
	case expr.KeyGT:
		return c > 0
	case expr.KeyGE:
		return c >= 0
	case expr.KeyBetween:
		high, _ := attr.Compare(v, b.last.Values[1])
		return c >= 0 && high <= 0
	case expr.KeyBeginsWith:
		return bytes.HasPrefix(v.Payload(), b.last.Values[0].Payload())
	}
	return false
}

// checkFilter is 18: a Query's filter may not use the key of what is queried; the table's own key is
// allowed in a query of an index.
func (r *Read) checkFilter(keys bool) error {
	if r.Filter == nil {
		return nil
	}
	if err := checkPaths(r.Table, r.Filter.Paths()); err != nil {
		return err
	}
	if keys {
		return nil
	}
	for _, p := range r.Filter.Paths() {
		if r.key().Has(p.TopLevel()) {
			return invalid(filterKeyText(r.Filter), p.TopLevel())
		}
	}
	return nil
}
