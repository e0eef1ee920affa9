package engine

import (
	"reflect"
	"strings"
	"sync"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/plan"
	"github.com/keystone-db/kstone/engine/policy"
)

// policyCache holds the parsed form of each policy by the ARN of its resource.
type policyCache struct{ byARN sync.Map } // string → *parsedPolicy

type parsedPolicy struct {
	document string
	policy   *policy.Policy
	err      error
}

func (c *policyCache) parse(at *catalog.Policy, arn string) (*policy.Policy, error) {
	if v, ok := c.byARN.Load(arn); ok {
		if p := v.(*parsedPolicy); p.document == at.Document {
			return p.policy, p.err
		}
	}
	p := &parsedPolicy{document: at.Document}
	p.policy, p.err = policy.Parse(at.Document)
	c.byARN.Store(arn, p)
	return p.policy, p.err
}

// describeRequest adds the condition keys that an input tells, the dear ones if the policy asks for them.
func (db *core) describeRequest(r *policy.Request, doc *policy.Policy, t *catalog.Table, right *api.Right, in any) {
	v := reflect.ValueOf(in).Elem()
	for key, member := range map[string]string{
		policy.KeySelect: "Select", policy.KeyReturnValues: "ReturnValues", policy.KeyReturnCapacity: "ReturnConsumedCapacity",
	} {
		if f := v.FieldByName(member); f.IsValid() {
			if o, ok := reflect.TypeAssert[api.Opt[string]](f); ok && o.Set {
				r.Keys[key] = []string{o.Value}
			}
		}
	}
	if operation, ok := enclosing(in); ok {
		r.Keys[policy.KeyEnclosingOperation] = []string{operation}
	}
	if strings.HasPrefix(right.Action, "PartiQL") {
		db.describeStatements(r, doc, t, right, in)
		return
	}
	if doc.Asks(policy.KeyAttributes) {
		names, known := db.attributesOf(right, in)
		r.Keys[policy.KeyAttributes], r.Unknown[policy.KeyAttributes] = names, !known
	}
	keys, known := db.leadingKeys(t, right, in)
	if !known {
		r.Unknown[policy.KeyLeadingKeys] = true
	}
	for _, v := range keys {
		r.Keys[policy.KeyLeadingKeys] = append(r.Keys[policy.KeyLeadingKeys], v.Scalar())
	}
}

// leadingKeys are the partition keys that a request is about with a right; known is false when they cannot
// be told, since the request is wrong or names other attributes.
func (db *core) leadingKeys(t *catalog.Table, right *api.Right, in any) (keys []attr.Value, known bool) {
	c := keyCollector{name: t.Table.Key.Hash[0].Name, known: true}
	switch in := in.(type) {
	case *api.GetItemInput:
		c.add(in.Key)
	case *api.PutItemInput:
		c.add(in.Item)
	case *api.UpdateItemInput:
		c.add(in.Key)
	case *api.DeleteItemInput:
		c.add(in.Key)
	case *api.QueryInput:
		return db.queriedKeys(t, in)
	case *api.BatchGetItemInput:
		for i := range in.RequestItems {
			if e := &in.RequestItems[i]; tableName(e.Key) == right.Table {
				for _, k := range e.Value.Keys {
					c.add(k)
				}
			}
		}
	case *api.BatchWriteItemInput:
		for i := range in.RequestItems {
			if e := &in.RequestItems[i]; tableName(e.Key) == right.Table {
				c.addWrites(e.Value)
			}
		}
	case *api.TransactGetItemsInput:
		for i := range in.TransactItems {
			if g := in.TransactItems[i].Get; g != nil && tableName(g.TableName.Value) == right.Table {
				c.add(g.Key)
			}
		}
	case *api.TransactWriteItemsInput:
		for i := range in.TransactItems {
			c.addAction(&in.TransactItems[i], right)
		}
	}
	return c.keys, c.known
}

// keyCollector takes the partition keys out of keys and items.
type keyCollector struct {
	name  string
	keys  []attr.Value
	known bool
}

func (c *keyCollector) add(item attr.Item) {
	v := item.Get(c.name)
	switch v.Type() {
	case attr.S, attr.N, attr.B, attr.Ts:
		c.keys = append(c.keys, v)
	default:
		c.known = false
	}
}

func (c *keyCollector) addWrites(writes []api.WriteRequest) {
	for i := range writes {
		w := &writes[i]
		if w.PutRequest != nil {
			c.add(w.PutRequest.Item)
		}
		if w.DeleteRequest != nil {
			c.add(w.DeleteRequest.Key)
		}
	}
}

// addAction takes the key of an action of a transaction if it is about the right.
func (c *keyCollector) addAction(a *api.TransactWriteItem, right *api.Right) {
	is := func(action string, table api.Opt[string]) bool {
		return right.Action == action && tableName(table.Value) == right.Table
	}
	switch {
	case a.ConditionCheck != nil && is("ConditionCheckItem", a.ConditionCheck.TableName):
		c.add(a.ConditionCheck.Key)
	case a.Put != nil && is("PutItem", a.Put.TableName):
		c.add(a.Put.Item)
	case a.Update != nil && is("UpdateItem", a.Update.TableName):
		c.add(a.Update.Key)
	case a.Delete != nil && is("DeleteItem", a.Delete.TableName):
		c.add(a.Delete.Key)
	}
}

// queriedKeys are the values of the partition key of a Query, of the index that it names if any.
func (db *core) queriedKeys(t *catalog.Table, in *api.QueryInput) (keys []attr.Value, known bool) {
	names := t.Table.Key.Hash
	for i := range t.Table.Indexes {
		if t.Table.Indexes[i].Name == in.IndexName.Value {
			names = t.Table.Indexes[i].Key.Hash
		}
	}
	condition := plan.KeyConditions(in.KeyConditions)
	if in.KeyConditionExpression.Set {
		x, err := db.compiler.Compile(&plan.Texts{
			KeyCondition: in.KeyConditionExpression, Filter: in.FilterExpression, Projection: in.ProjectionExpression,
			Names: in.ExpressionAttributeNames, Values: in.ExpressionAttributeValues,
		})
		if err != nil {
			return nil, false
		}
		condition = x.KeyCondition
	}
	for _, name := range names {
		found := false
		for i := range condition.Conds {
			if c := &condition.Conds[i]; c.Attr == name.Name && len(c.Values) == 1 {
				keys, found = append(keys, c.Values[0]), true
			}
		}
		if !found {
			return nil, false
		}
	}
	return keys, true
}
