package engine

import (
	"reflect"
	"slices"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/plan"
)

// enclosing is the operation that a right is part of: only those of transactions are told of.
func enclosing(in any) (operation string, ok bool) {
	switch in.(type) {
	case *api.TransactGetItemsInput:
		return "TransactGetItems", true
	case *api.TransactWriteItemsInput:
		return "TransactWriteItems", true
	case *api.ExecuteTransactionInput:
		return "ExecuteTransaction", true
	}
	return "", false
}

// attributesOf are the top-level attributes that a request names with a right, in keys, items and expressions; known is
// false when an expression cannot be read.
func (db *core) attributesOf(right *api.Right, in any) (names []string, known bool) {
	c := nameCollector{db: db, known: true}
	switch in := in.(type) {
	case *api.BatchGetItemInput:
		for i := range in.RequestItems {
			if e := &in.RequestItems[i]; tableName(e.Key) == right.Table {
				c.add(&e.Value)
				for _, k := range e.Value.Keys {
					c.item(k)
				}
			}
		}
	case *api.BatchWriteItemInput:
		for i := range in.RequestItems {
			if e := &in.RequestItems[i]; tableName(e.Key) == right.Table {
				for k := range e.Value {
					c.add(e.Value[k].PutRequest)
					c.add(e.Value[k].DeleteRequest)
				}
			}
		}
	case *api.TransactGetItemsInput:
		for i := range in.TransactItems {
			if g := in.TransactItems[i].Get; g != nil && tableName(g.TableName.Value) == right.Table {
				c.add(g)
			}
		}
	case *api.TransactWriteItemsInput:
		for i := range in.TransactItems {
			c.action(&in.TransactItems[i], right)
		}
	default:
		c.add(in)
	}
	slices.Sort(c.names)
	return slices.Compact(c.names), c.known
}

// nameCollector takes the names of attributes out of requests and parts of them.
type nameCollector struct {
	db    *core
	names []string
	known bool
}

func (c *nameCollector) item(item attr.Item) {
	for r := item.Read(); ; {
		name, _, ok := r.Next()
		if !ok {
			return
		}
		c.names = append(c.names, string(name))
	}
}

// action takes the names of one action of a transaction if it is about the right.
func (c *nameCollector) action(a *api.TransactWriteItem, right *api.Right) {
	is := func(action string, table api.Opt[string]) bool {
		return right.Action == action && tableName(table.Value) == right.Table
	}
	switch {
	case a.ConditionCheck != nil && is("ConditionCheckItem", a.ConditionCheck.TableName):
		c.add(a.ConditionCheck)
	case a.Put != nil && is("PutItem", a.Put.TableName):
		c.add(a.Put)
	case a.Update != nil && is("UpdateItem", a.Update.TableName):
		c.add(a.Update)
	case a.Delete != nil && is("DeleteItem", a.Delete.TableName):
		c.add(a.Delete)
	}
}

// add takes the names of a pointer to an input or a part of one, by the members that name attributes.
func (c *nameCollector) add(part any) {
	v := reflect.ValueOf(part)
	if v.IsNil() {
		return
	}
	v = v.Elem()
	member := func(name string) any {
		if f := v.FieldByName(name); f.IsValid() {
			return f.Interface()
		}
		return nil
	}
	text := func(name string) (s api.Opt[string]) {
		s, _ = member(name).(api.Opt[string])
		return s
	}
	for _, name := range []string{"Key", "Item"} {
		item, _ := member(name).(attr.Item)
		c.item(item)
	}
	list, _ := member("AttributesToGet").([]string)
	c.names = append(c.names, list...)
	for _, name := range []string{"KeyConditions", "QueryFilter", "ScanFilter", "Expected", "AttributeUpdates"} {
		if f := v.FieldByName(name); f.IsValid() {
			for i := range f.Len() {
				c.names = append(c.names, f.Index(i).FieldByName("Key").String())
			}
		}
	}
	texts := plan.Texts{
		Update: text("UpdateExpression"), Condition: text("ConditionExpression"), KeyCondition: text("KeyConditionExpression"),
		Filter: text("FilterExpression"), Search: text("SearchConditionExpression"), Projection: text("ProjectionExpression"),
	}
	texts.Names, _ = member("ExpressionAttributeNames").([]api.Name)
	texts.Values, _ = member("ExpressionAttributeValues").([]api.NamedValue)
	c.expressions(&texts)
}

func (c *nameCollector) expressions(texts *plan.Texts) {
	x, err := c.db.compiler.Compile(texts)
	if err != nil {
		c.known = false
		return
	}
	if x.Update != nil {
		c.names = append(c.names, x.Update.Attributes()...)
	}
	if x.Condition != nil {
		c.names = append(c.names, x.Condition.Attributes()...)
	}
	if x.Filter != nil {
		c.names = append(c.names, x.Filter.Attributes()...)
	}
	if x.Search != nil {
		c.names = append(c.names, x.Search.Attributes()...)
	}
	if x.Projection != nil {
		c.names = append(c.names, x.Projection.TopLevel()...)
	}
	if x.KeyCondition != nil {
		for i := range x.KeyCondition.Conds {
			c.names = append(c.names, x.KeyCondition.Conds[i].Attr)
		}
	}
}
