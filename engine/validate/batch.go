package validate

import (
	"bytes"
	"hash/maphash"
	"strconv"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// Limits of batches (wire-facts §9).
const (
	batchGetKeysMax       = 100
	batchWriteRequestsMax = 25
	// batchTablesGetMax and batchTablesWriteMax bound the entries of RequestItems.
	batchTablesGetMax   = 100
	batchTablesWriteMax = 25
)

// duplicatesScanMax is the number of keys up to which comparing all pairs is quicker than hashing.
const duplicatesScanMax = 16

// duplicatesTable is the size of the table of keys, more than twice batchGetKeysMax.
const duplicatesTable = 256

// duplicatesSeed keeps clients from choosing keys that meet.
var duplicatesSeed = maphash.MakeSeed()

// Places of Bad in batches.
const placeRequestItems = "RequestItems."

// BatchGetItem makes the static checks of wire-facts §6.12 without compiling projections: see
// BatchGetItemWith for the exact order.
func BatchGetItem(in *api.BatchGetItemInput, opt Options) error {
	return BatchGetItemWith(in, opt, func(int) error { return nil })
}

// BatchGetItemWith makes the static checks of wire-facts §6.12: constraints, names of tables, then
// for each table its parameters, compile(i) for its projection, its keys; last the number of keys.
// compile gets the index of the table in RequestItems; its first error ends.
func BatchGetItemWith(in *api.BatchGetItemInput, _ Options, compile func(i int) error) error {
	if !fitsBatchGet(in) {
		if err := Constraints(opBatchGetItem, in); err != nil {
			return err
		}
	}
	for i := range in.RequestItems {
		if err := tableForm(in.RequestItems[i].Key); err != nil {
			return err
		}
	}
	for i := range in.RequestItems {
		if err := batchGetTable(in, i); err != nil {
			return err
		}
		if err := compile(i); err != nil {
			return err
		}
		if err := batchGetKeys(in, i); err != nil {
			return err
		}
	}
	return batchGetCount(in)
}

func fitsBatchGet(in *api.BatchGetItemInput) bool {
	if n := len(in.RequestItems); n < 1 || n > batchTablesGetMax ||
		!fitsConsumed(in.ReturnConsumedCapacity) {
		return false
	}
	for i := range in.RequestItems {
		e := &in.RequestItems[i]
		n := len(e.Value.Keys)
		if n < 1 || n > batchGetKeysMax || e.Value.AttributesToGet != nil || e.Key == "" ||
			len(e.Key) > arnLengthMax || !fitsNames(e.Value.ExpressionAttributeNames) {
			return false
		}
	}
	return true
}

// batchGetTable checks the i-th table's parameters.
func batchGetTable(in *api.BatchGetItemInput, i int) error {
	t := &in.RequestItems[i].Value
	s := substitutes{names: t.ExpressionAttributeNames}
	err := projecting(&s, t.AttributesToGet != nil, t.ProjectionExpression.Set)
	if err != nil {
		return err
	}
	if err := attributesToGet(t.AttributesToGet); err != nil {
		return err
	}
	return s.check()
}

// batchGetKeys checks the i-th table's keys: values, then duplicates.
func batchGetKeys(in *api.BatchGetItemInput, i int) error {
	e := &in.RequestItems[i]
	if len(in.Bad) > 0 {
		for k := range e.Value.Keys {
			place := placeRequestItems + e.Key + ".Keys." + strconv.Itoa(k)
			if err := badAt(in.Bad, place); err != nil {
				return err
			}
		}
	}
	if duplicates(e.Value.Keys) {
		return invalid(api.MsgBatchDuplicate)
	}
	return nil
}

// batchGetCount checks the number of keys of all tables.
func batchGetCount(in *api.BatchGetItemInput) error {
	n := 0
	for i := range in.RequestItems {
		n += len(in.RequestItems[i].Value.Keys)
	}
	if n > batchGetKeysMax {
		return invalid(api.MsgBatchGetCount)
	}
	return nil
}

// duplicates says whether two keys are equal: equal items have equal bytes.
func duplicates(keys []attr.Item) bool {
	if len(keys) > duplicatesScanMax {
		return duplicatesHashed(keys)
	}
	for i := range keys {
		for j := range i {
			if bytes.Equal(keys[i], keys[j]) {
				return true
			}
		}
	}
	return false
}

// duplicatesHashed is duplicates for up to batchGetKeysMax keys, by a table of their positions.
func duplicatesHashed(keys []attr.Item) bool {
	var table [duplicatesTable]uint8 // position + 1
	for i, k := range keys {
		at := maphash.Bytes(duplicatesSeed, k) % duplicatesTable
		for table[at] != 0 {
			if bytes.Equal(keys[table[at]-1], k) {
				return true
			}
			at = (at + 1) % duplicatesTable
		}
		table[at] = uint8(i + 1)
	}
	return false
}

// BatchWriteItem makes the static checks of wire-facts §6.12. Duplicate keys need the schema: the
// caller looks for them after it has found the tables.
func BatchWriteItem(in *api.BatchWriteItemInput, _ Options) error {
	if !fitsBatchWrite(in) {
		if err := Constraints(opBatchWriteItem, in); err != nil {
			return err
		}
	}
	for i := range in.RequestItems {
		if err := tableForm(in.RequestItems[i].Key); err != nil {
			return err
		}
	}
	n := 0
	for i := range in.RequestItems {
		e := &in.RequestItems[i]
		n += len(e.Value)
		for k := range e.Value {
			if err := writeRequest(in.Bad, e, k); err != nil {
				return err
			}
		}
	}
	if n > batchWriteRequestsMax {
		return invalid(api.MsgBatchWriteCount)
	}
	return nil
}

func fitsBatchWrite(in *api.BatchWriteItemInput) bool {
	if n := len(in.RequestItems); n < 1 || n > batchTablesWriteMax ||
		!fitsConsumed(in.ReturnConsumedCapacity) || !fitsMetrics(in.ReturnItemCollectionMetrics) {
		return false
	}
	for i := range in.RequestItems {
		e := &in.RequestItems[i]
		n := len(e.Value)
		if n < 1 || n > batchWriteRequestsMax || e.Key == "" || len(e.Key) > arnLengthMax {
			return false
		}
		for k := range e.Value {
			r := &e.Value[k]
			if r.PutRequest != nil && r.PutRequest.Item == nil ||
				r.DeleteRequest != nil && r.DeleteRequest.Key == nil {
				return false
			}
		}
	}
	return true
}

// writeRequest checks the k-th request for a table.
func writeRequest(bad []api.BadValue, e *api.BatchWriteItemRequestMapEntry, k int) error {
	r := &e.Value[k]
	// DynamoDB does this: the text speaks of an attribute value. TestBatchWriteStatic.
	if (r.PutRequest == nil) == (r.DeleteRequest == nil) {
		return invalid(api.MsgBatchEntry)
	}
	if len(bad) > 0 {
		place := placeRequestItems + e.Key + "." + strconv.Itoa(k)
		for _, member := range []string{".PutRequest.Item", ".DeleteRequest.Key"} {
			if err := badAt(bad, place+member); err != nil {
				return err
			}
		}
	}
	if r.PutRequest != nil {
		return itemSize(r.PutRequest.Item)
	}
	return nil
}
