package validate

import (
	"strconv"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// Limits of transactions (wire-facts §9).
const (
	transactItemsMax = 100
	tokenLengthMax   = 36
	// transactSizeMaxBytes bounds the items of a transaction together.
	transactSizeMaxBytes = 4 << 20
)

// Parameters that a transaction's actions have for their values, by action.
const (
	actionConditionCheck = "ConditionCheck"
	actionDelete         = "Delete"
	actionGet            = "Get"
	actionPut            = "Put"
	actionUpdate         = "Update"
)

// TransactWriteItems makes the static checks of wire-facts §6.13 without compiling expressions: see
// TransactWriteItemsWith for the exact order.
func TransactWriteItems(in *api.TransactWriteItemsInput, opt Options) error {
	return TransactWriteItemsWith(in, opt, func(int) error { return nil })
}

// TransactWriteItemsWith makes the static checks of wire-facts §6.13: #1–3 and 5, names of tables,
// then for each action its values and parameters and compile(i) for its expressions (#4); last the
// size of all (#8, whose place is not known). compile gets the index of the action; its first error
// ends. Texts have no envelope.
func TransactWriteItemsWith(
	in *api.TransactWriteItemsInput, _ Options, compile func(i int) error,
) error {
	if !fitsTransactWrite(in) {
		if err := Constraints(opTransactWriteItems, in); err != nil {
			return err
		}
	}
	for i := range in.TransactItems {
		if actions(&in.TransactItems[i]) != 1 {
			return invalid(api.MsgTransactEntry)
		}
	}
	for i := range in.TransactItems {
		if err := tableForm(action(&in.TransactItems[i]).table.Value); err != nil {
			return err
		}
	}
	for i := range in.TransactItems {
		if err := transactWrite(in, i); err != nil {
			return err
		}
		if err := compile(i); err != nil {
			return err
		}
	}
	return transactSize(in)
}

func fitsTransactWrite(in *api.TransactWriteItemsInput) bool {
	t := in.ClientRequestToken
	if n := len(in.TransactItems); n < 1 || n > transactItemsMax ||
		t.Set && (t.Value == "" || len(t.Value) > tokenLengthMax) ||
		!fitsConsumed(in.ReturnConsumedCapacity) || !fitsMetrics(in.ReturnItemCollectionMetrics) {
		return false
	}
	for i := range in.TransactItems {
		it := &in.TransactItems[i]
		if actions(it) != 1 {
			return false
		}
		if a := action(it); !fitsTable(a.table) || !a.complete || !fitsOnFailure(a.onFailure) ||
			!fitsNames(a.subs.names) {
			return false
		}
	}
	return true
}

// actions counts the actions of an entry.
func actions(it *api.TransactWriteItem) int {
	n := 0
	for _, set := range [...]bool{
		it.ConditionCheck != nil, it.Put != nil, it.Delete != nil, it.Update != nil,
	} {
		if set {
			n++
		}
	}
	return n
}

// act is what the actions have in common.
type act struct {
	kind      string
	member    string // Item or Key
	table     api.Opt[string]
	complete  bool // all required members but the table are there
	condition bool // has a condition or an update
	onFailure api.Opt[string]
	subs      substitutes
}

// action reads the one action of an entry.
func action(it *api.TransactWriteItem) act {
	switch {
	case it.ConditionCheck != nil:
		c := it.ConditionCheck
		return act{
			actionConditionCheck, memberKey, c.TableName, c.Key != nil && c.ConditionExpression.Set,
			c.ConditionExpression.Set, c.ReturnValuesOnConditionCheckFailure,
			substitutes{names: c.ExpressionAttributeNames, values: c.ExpressionAttributeValues},
		}
	case it.Put != nil:
		p := it.Put
		return act{
			actionPut, memberItem, p.TableName, p.Item != nil,
			p.ConditionExpression.Set, p.ReturnValuesOnConditionCheckFailure,
			substitutes{names: p.ExpressionAttributeNames, values: p.ExpressionAttributeValues},
		}
	case it.Delete != nil:
		d := it.Delete
		return act{
			actionDelete, memberKey, d.TableName, d.Key != nil,
			d.ConditionExpression.Set, d.ReturnValuesOnConditionCheckFailure,
			substitutes{names: d.ExpressionAttributeNames, values: d.ExpressionAttributeValues},
		}
	}
	u := it.Update
	return act{
		actionUpdate, memberKey, u.TableName, u.Key != nil && u.UpdateExpression.Set,
		u.ConditionExpression.Set || u.UpdateExpression.Set, u.ReturnValuesOnConditionCheckFailure,
		substitutes{names: u.ExpressionAttributeNames, values: u.ExpressionAttributeValues},
	}
}

// transactWrite makes the checks of the i-th action before its expressions are compiled: those of
// the single operation.
func transactWrite(in *api.TransactWriteItemsInput, i int) error {
	it := &in.TransactItems[i]
	a := action(it)
	takers := memberConditionExpression
	if a.kind == actionUpdate {
		takers = memberUpdateExpression + " and " + memberConditionExpression
	}
	if err := a.subs.needed(a.condition, a.condition, takers); err != nil {
		return err
	}
	if len(in.Bad) > 0 {
		place := "TransactItems." + strconv.Itoa(i) + "." + a.kind
		if err := badAt(in.Bad, place+"."+a.member); err != nil {
			return err
		}
		a.subs.bad, a.subs.place = in.Bad, place+"."+memberValues
	}
	if it.Put != nil {
		if err := itemSize(it.Put.Item); err != nil {
			return err
		}
	}
	return a.subs.check()
}

// transactSize checks the size of all items to put together.
func transactSize(in *api.TransactWriteItemsInput) error {
	binary, size := 0, 0
	for i := range in.TransactItems {
		if p := in.TransactItems[i].Put; p != nil {
			binary += len(p.Item)
		}
	}
	if binary <= transactSizeMaxBytes/attr.SizePerByteMax {
		return nil
	}
	for i := range in.TransactItems {
		if p := in.TransactItems[i].Put; p != nil {
			size += p.Item.Size()
		}
	}
	if size > transactSizeMaxBytes {
		return invalid(api.MsgTransactSize)
	}
	return nil
}

// TransactGetItems makes the static checks of wire-facts §6.14 without compiling projections: see
// TransactGetItemsWith for the exact order.
func TransactGetItems(in *api.TransactGetItemsInput, opt Options) error {
	return TransactGetItemsWith(in, opt, func(int) error { return nil })
}

// TransactGetItemsWith makes the static checks of wire-facts §6.14: constraints, names of tables,
// then for each entry its values and parameters and compile(i) for its projection. compile gets the
// index of the entry; its first error ends.
func TransactGetItemsWith(
	in *api.TransactGetItemsInput, _ Options, compile func(i int) error,
) error {
	if !fitsTransactGet(in) {
		if err := Constraints(opTransactGetItems, in); err != nil {
			return err
		}
	}
	for i := range in.TransactItems {
		if err := tableForm(in.TransactItems[i].Get.TableName.Value); err != nil {
			return err
		}
	}
	for i := range in.TransactItems {
		if err := transactGet(in, i); err != nil {
			return err
		}
		if err := compile(i); err != nil {
			return err
		}
	}
	return nil
}

func fitsTransactGet(in *api.TransactGetItemsInput) bool {
	if n := len(in.TransactItems); n < 1 || n > transactItemsMax ||
		!fitsConsumed(in.ReturnConsumedCapacity) {
		return false
	}
	for i := range in.TransactItems {
		g := in.TransactItems[i].Get
		if g == nil || !fitsTable(g.TableName) || g.Key == nil ||
			!fitsNames(g.ExpressionAttributeNames) {
			return false
		}
	}
	return true
}

// transactGet checks the i-th entry before its projection is compiled.
func transactGet(in *api.TransactGetItemsInput, i int) error {
	g := in.TransactItems[i].Get
	s := substitutes{names: g.ExpressionAttributeNames}
	if err := s.needed(g.ProjectionExpression.Set, true, ""); err != nil {
		return err
	}
	if len(in.Bad) > 0 {
		place := "TransactItems." + strconv.Itoa(i) + "." + actionGet + "." + memberKey
		if err := badAt(in.Bad, place); err != nil {
			return err
		}
	}
	return s.check()
}
