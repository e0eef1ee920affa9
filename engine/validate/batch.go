package validate

import (
	"bytes"
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

// duplicatesScanMax is the number of keys up to which comparing all pairs is quicker than a map.
const duplicatesScanMax = 16

// Places of Bad in batches.
const placeRequestItems = "RequestItems."

// BatchGetItem makes the first static checks of wire-facts §6.12: constraints and table names. Then
// the caller goes through the tables in order and calls for each: BatchGetTable, the compilation of
// its projection, BatchGetKeys; and last BatchGetCount.
func BatchGetItem(in *api.BatchGetItemInput) error {
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
	return nil
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

// BatchGetTable makes the checks of the i-th table's parameters before its projection is compiled.
func BatchGetTable(in *api.BatchGetItemInput, i int) error {
	t := &in.RequestItems[i].Value
	s := substitutes{names: t.ExpressionAttributeNames}
	err := projecting(&s, t.AttributesToGet != nil, t.ProjectionExpression.Set)
	if err != nil {
		return err
	}
	return s.check()
}

// BatchGetKeys makes the checks of the i-th table's keys after its projection is compiled: values,
// then duplicates.
func BatchGetKeys(in *api.BatchGetItemInput, i int) error {
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

// BatchGetCount makes the last static check of BatchGetItem: the number of keys of all tables.
func BatchGetCount(in *api.BatchGetItemInput) error {
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
		seen := make(map[string]struct{}, len(keys))
		for _, k := range keys {
			seen[string(k)] = struct{}{}
		}
		return len(seen) < len(keys)
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

// BatchWriteItem makes the static checks of wire-facts §6.12. Duplicate keys need the schema: the
// caller looks for them after it has found the tables.
func BatchWriteItem(in *api.BatchWriteItemInput) error {
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
