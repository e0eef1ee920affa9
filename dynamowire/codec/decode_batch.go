package codec

import (
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

const (
	// msgNestedGeneric is the text for a scalar in place of a nested collection. DynamoDB does this,
	// pinned by TestMismatches.
	msgNestedGeneric = "class sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl cannot " +
		"be cast to class java.lang.Class (sun.reflect.generics.reflectiveObjects." +
		"ParameterizedTypeImpl and java.lang.Class are in module java.base of loader 'bootstrap')"
	classWriteList = "java.util.List<" + structurePackage + "WriteRequest>"
	requestItems   = "RequestItems."
)

// BatchGetItem reads the body of a BatchGetItem.
func (d *Decoder) BatchGetItem(body []byte) (*api.BatchGetItemInput, error) {
	in := &d.batchGetItem
	tables := in.RequestItems[:0]
	*in = api.BatchGetItemInput{}
	if d.top(opBatchGetItem, body) {
		for key, ok := d.s.Key(true); ok; key, ok = d.s.Key(false) {
			switch string(key) {
			case "RequestItems":
				in.RequestItems = d.batchGets(tables[:0])
			case "ReturnConsumedCapacity":
				d.str(&in.ReturnConsumedCapacity)
			default:
				d.s.Skip()
			}
		}
	}
	in.Bad = d.faults()
	return in, d.finish(body)
}

func (d *Decoder) batchGets(out []api.BatchGetRequestMapEntry) []api.BatchGetRequestMapEntry {
	if !d.mapping(structurePackage + "KeysAndAttributes") {
		return nil
	}
	for key, ok := d.s.Key(true); ok; key, ok = d.s.Key(false) {
		e := api.BatchGetRequestMapEntry{Key: d.keep(key)}
		if d.object(msgValueType, "KeysAndAttributes") {
			d.keysAndAttributes(&e.Value, e.Key)
		}
		out = append(out, e)
	}
	return sortUnique(out, func(e *api.BatchGetRequestMapEntry) string { return e.Key })
}

func (d *Decoder) keysAndAttributes(v *api.KeysAndAttributes, table string) {
	for key, ok := d.s.Key(true); ok; key, ok = d.s.Key(false) {
		switch string(key) {
		case "Keys":
			v.Keys = d.keys(table)
		case "AttributesToGet":
			d.strings(&v.AttributesToGet)
		case "ConsistentRead":
			d.boolean(&v.ConsistentRead)
		case "ProjectionExpression":
			d.str(&v.ProjectionExpression)
		case "ExpressionAttributeNames":
			d.names(&v.ExpressionAttributeNames)
		default:
			d.s.Skip()
		}
	}
}

// keys reads the Keys of a table.
func (d *Decoder) keys(table string) []attr.Item {
	if !d.list() {
		return nil
	}
	start := len(d.slab.items)
	at := place{head: table, counted: true}
	for ok := d.s.Elem(true); ok; ok = d.s.Elem(false) {
		var it attr.Item
		switch d.s.Peek() {
		case '{', '[', 'n':
			it = d.keyItem(at)
		default:
			d.scalarMismatch(msgNestedGeneric)
		}
		d.slab.items = append(d.slab.items, it)
		at.index++
	}
	return part(d.slab.items, start)
}

// keyItem reads one of the Keys of a table; at.head is the table's name.
func (d *Decoder) keyItem(at place) attr.Item {
	if !d.mapping(classValue) {
		return nil
	}
	d.enc.BeginItem()
	bad := d.entries(1, 1)
	it := d.enc.EndItem()
	if bad != nil || len(d.bad) > 0 {
		at.head = requestItems + at.head + ".Keys"
		d.report(at, bad)
	}
	return it
}

// part is what was added to a slab since it had start elements, not nil and without spare capacity.
func part[T any](slab []T, start int) []T {
	if slab == nil {
		return []T{}
	}
	return slab[start:len(slab):len(slab)]
}

// BatchWriteItem reads the body of a BatchWriteItem.
func (d *Decoder) BatchWriteItem(body []byte) (*api.BatchWriteItemInput, error) {
	in := &d.batchWriteItem
	tables := in.RequestItems[:0]
	*in = api.BatchWriteItemInput{}
	if d.top(opBatchWriteItem, body) {
		for key, ok := d.s.Key(true); ok; key, ok = d.s.Key(false) {
			switch string(key) {
			case "RequestItems":
				in.RequestItems = d.batchWrites(tables[:0])
			case "ReturnConsumedCapacity":
				d.str(&in.ReturnConsumedCapacity)
			case "ReturnItemCollectionMetrics":
				d.str(&in.ReturnItemCollectionMetrics)
			default:
				d.s.Skip()
			}
		}
	}
	in.Bad = d.faults()
	return in, d.finish(body)
}

func (d *Decoder) batchWrites(
	out []api.BatchWriteItemRequestMapEntry,
) []api.BatchWriteItemRequestMapEntry {
	if !d.mapping(classWriteList) {
		return nil
	}
	for key, ok := d.s.Key(true); ok; key, ok = d.s.Key(false) {
		e := api.BatchWriteItemRequestMapEntry{Key: d.keep(key)}
		if d.listOr(msgNestedGeneric) {
			e.Value = d.writeRequests(e.Key)
		}
		out = append(out, e)
	}
	return sortUnique(out, func(e *api.BatchWriteItemRequestMapEntry) string { return e.Key })
}

// writeRequests reads the open request list of a table.
func (d *Decoder) writeRequests(table string) []api.WriteRequest {
	start := len(d.slab.writes)
	i := 0
	for ok := d.s.Elem(true); ok; ok = d.s.Elem(false) {
		var w api.WriteRequest
		if d.object(msgValueType, "WriteRequest") {
			d.writeRequest(&w, place{head: table, index: i, counted: true})
		}
		d.slab.writes = append(d.slab.writes, w)
		i++
	}
	return part(d.slab.writes, start)
}

func (d *Decoder) writeRequest(w *api.WriteRequest, at place) {
	for key, ok := d.s.Key(true); ok; key, ok = d.s.Key(false) {
		switch string(key) {
		case "PutRequest":
			w.PutRequest = nil
			at.tail = "PutRequest.Item"
			if it, ok := d.only("PutRequest", "Item", at); ok {
				d.slab.puts = append(d.slab.puts, api.PutRequest{Item: it})
				w.PutRequest = &d.slab.puts[len(d.slab.puts)-1]
			}
		case "DeleteRequest":
			w.DeleteRequest = nil
			at.tail = "DeleteRequest.Key"
			if it, ok := d.only("DeleteRequest", "Key", at); ok {
				d.slab.deletes = append(d.slab.deletes, api.DeleteRequest{Key: it})
				w.DeleteRequest = &d.slab.deletes[len(d.slab.deletes)-1]
			}
		default:
			d.s.Skip()
		}
	}
}

// only reads a structure whose only member is an item; ok is false for null.
func (d *Decoder) only(structure, member string, at place) (it attr.Item, ok bool) {
	if !d.object(msgFieldType, structure) {
		return nil, false
	}
	for key, more := d.s.Key(true); more; key, more = d.s.Key(false) {
		if string(key) != member {
			d.s.Skip()
			continue
		}
		if it = nil; !d.mapping(classValue) {
			continue
		}
		d.enc.BeginItem()
		bad := d.entries(1, 1)
		it = d.enc.EndItem()
		if bad != nil || len(d.bad) > 0 {
			path := at
			path.head = requestItems + at.head
			d.report(path, bad)
		}
	}
	return it, true
}
