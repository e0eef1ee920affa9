package codec

import "github.com/keystone-db/kstone/engine/api"

const transactItems = "TransactItems"

// TransactWriteItems reads the body of a TransactWriteItems.
func (d *Decoder) TransactWriteItems(body []byte) (*api.TransactWriteItemsInput, error) {
	in := &d.transactWriteItems
	room := in.TransactItems[:0]
	*in = api.TransactWriteItemsInput{}
	if d.top(opTransactWriteItems, body) {
		for key, ok := d.s.Key(true); ok; key, ok = d.s.Key(false) {
			switch string(key) {
			case "TransactItems":
				in.TransactItems = structures(d, room, transactItems, "TransactWriteItem", (*Decoder).transactWrite)
			case "ReturnConsumedCapacity":
				d.str(&in.ReturnConsumedCapacity)
			case "ReturnItemCollectionMetrics":
				d.str(&in.ReturnItemCollectionMetrics)
			case "ClientRequestToken":
				d.str(&in.ClientRequestToken)
			default:
				d.s.Skip()
			}
		}
	}
	in.Bad = d.faults()
	return in, d.finish(body)
}

// structures reads a list of structures into out, one member at a time; nil for null. head is the name
// of the list, and shape that of its elements.
func structures[T any](
	d *Decoder, out []T, head, shape string, member func(d *Decoder, v *T, key []byte, at place),
) []T {
	d.forgetAll(place{head: head})
	if !d.list() {
		return nil
	}
	if out == nil {
		out = []T{}
	}
	for ok := d.s.Elem(true); ok; ok = d.s.Elem(false) {
		at := place{head: head, index: len(out), counted: true}
		out = append(out, *new(T))
		if !d.object(msgValueType, shape) {
			continue
		}
		for key, ok := d.s.Key(true); ok; key, ok = d.s.Key(false) {
			member(d, &out[at.index], key, at)
		}
	}
	return out
}

func (d *Decoder) transactWrite(t *api.TransactWriteItem, key []byte, at place) {
	switch string(key) {
	case "ConditionCheck":
		t.ConditionCheck = nil
		if d.object(msgFieldType, "ConditionCheck") {
			t.ConditionCheck = &api.ConditionCheck{}
			d.conditionCheck(t.ConditionCheck, at)
		}
	case "Put":
		t.Put = nil
		if d.object(msgFieldType, "Put") {
			t.Put = &api.Put{}
			d.put(t.Put, at)
		}
	case "Delete":
		t.Delete = nil
		if d.object(msgFieldType, "Delete") {
			t.Delete = &api.Delete{}
			d.delete(t.Delete, at)
		}
	case "Update":
		t.Update = nil
		if d.object(msgFieldType, "Update") {
			t.Update = &api.Update{}
			d.update(t.Update, at)
		}
	default:
		d.s.Skip()
	}
}

// action is what the four kinds of actions have in common.
type action struct {
	table, condition, onFailure *api.Opt[string]
	names                       *[]api.Name
	values                      *[]api.NamedValue
	at                          place
}

// member reads a common member.
func (a *action) member(d *Decoder, key []byte, name string) {
	switch string(key) {
	case "TableName":
		d.str(a.table)
	case "ConditionExpression":
		d.str(a.condition)
	case "ReturnValuesOnConditionCheckFailure":
		d.str(a.onFailure)
	case "ExpressionAttributeNames":
		d.names(a.names)
	case "ExpressionAttributeValues":
		at := a.at
		at.sub = name
		d.values(a.values, at)
	default:
		d.s.Skip()
	}
}

func (d *Decoder) conditionCheck(c *api.ConditionCheck, at place) {
	a := action{&c.TableName, &c.ConditionExpression, &c.ReturnValuesOnConditionCheckFailure,
		&c.ExpressionAttributeNames, &c.ExpressionAttributeValues, at}
	for key, ok := d.s.Key(true); ok; key, ok = d.s.Key(false) {
		if string(key) == "Key" {
			at.tail = "ConditionCheck.Key"
			c.Key = d.item(at)
			continue
		}
		a.member(d, key, "ConditionCheck")
	}
}

func (d *Decoder) put(p *api.Put, at place) {
	a := action{&p.TableName, &p.ConditionExpression, &p.ReturnValuesOnConditionCheckFailure,
		&p.ExpressionAttributeNames, &p.ExpressionAttributeValues, at}
	for key, ok := d.s.Key(true); ok; key, ok = d.s.Key(false) {
		if string(key) == "Item" {
			at.tail = "Put.Item"
			p.Item = d.item(at)
			continue
		}
		a.member(d, key, "Put")
	}
}

func (d *Decoder) delete(p *api.Delete, at place) {
	a := action{&p.TableName, &p.ConditionExpression, &p.ReturnValuesOnConditionCheckFailure,
		&p.ExpressionAttributeNames, &p.ExpressionAttributeValues, at}
	for key, ok := d.s.Key(true); ok; key, ok = d.s.Key(false) {
		if string(key) == "Key" {
			at.tail = "Delete.Key"
			p.Key = d.item(at)
			continue
		}
		a.member(d, key, "Delete")
	}
}

func (d *Decoder) update(u *api.Update, at place) {
	a := action{&u.TableName, &u.ConditionExpression, &u.ReturnValuesOnConditionCheckFailure,
		&u.ExpressionAttributeNames, &u.ExpressionAttributeValues, at}
	for key, ok := d.s.Key(true); ok; key, ok = d.s.Key(false) {
		switch string(key) {
		case "Key":
			at.tail = "Update.Key"
			u.Key = d.item(at)
		case "UpdateExpression":
			d.str(&u.UpdateExpression)
		default:
			a.member(d, key, "Update")
		}
	}
}

// TransactGetItems reads the body of a TransactGetItems.
func (d *Decoder) TransactGetItems(body []byte) (*api.TransactGetItemsInput, error) {
	in := &d.transactGetItems
	room := in.TransactItems[:0]
	*in = api.TransactGetItemsInput{}
	if d.top(opTransactGetItems, body) {
		for key, ok := d.s.Key(true); ok; key, ok = d.s.Key(false) {
			switch string(key) {
			case "TransactItems":
				in.TransactItems = structures(d, room, transactItems, "TransactGetItem", (*Decoder).transactGet)
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

func (d *Decoder) transactGet(t *api.TransactGetItem, key []byte, at place) {
	if string(key) != "Get" {
		d.s.Skip()
		return
	}
	t.Get = nil
	if d.object(msgFieldType, "Get") {
		t.Get = &api.Get{}
		at.tail = "Get.Key"
		d.get(t.Get, at)
	}
}

func (d *Decoder) get(g *api.Get, at place) {
	for key, ok := d.s.Key(true); ok; key, ok = d.s.Key(false) {
		switch string(key) {
		case "Key":
			g.Key = d.item(at)
		case "TableName":
			d.str(&g.TableName)
		case "ProjectionExpression":
			d.str(&g.ProjectionExpression)
		case "ExpressionAttributeNames":
			d.names(&g.ExpressionAttributeNames)
		default:
			d.s.Skip()
		}
	}
}
