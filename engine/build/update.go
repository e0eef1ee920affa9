package build

import (
	"context"
	"slices"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// Update changes attributes of one item, or makes the item.
type Update struct {
	table   *Table
	key     key
	in      api.UpdateItemInput
	clauses [clauses][]change
	texts   []Condition // of Expr: texts with their arguments
	cond    Condition
	err     error
}

// change is an action on one path; the operand is absent in REMOVE.
type change struct{ path, value Operand }

// Clauses of an update expression, in the order in which they are written.
const (
	clauseSet = iota
	clauseRemove
	clauseAdd
	clauseDelete
	clauses
)

// clauseWords begin a clause and separate a path from its operand.
var clauseWords = [clauses]struct{ keyword, between string }{
	clauseSet:    {"SET ", " = "},
	clauseRemove: {"REMOVE ", ""},
	clauseAdd:    {"ADD ", " "},
	clauseDelete: {"DELETE ", " "},
}

// Update begins to change the item with that key. When there is none it is made, with nothing but its key
// and what the update adds.
func (t *Table) Update(pk any, sk ...any) *Update {
	u := &Update{table: t}
	u.key, u.err = keyOf(pk, sk)
	return u
}

func (u *Update) change(clause int, path string, value Operand) *Update {
	u.clauses[clause] = append(u.clauses[clause], change{Attr(path), value})
	return u
}

// Set gives the attribute at a path, which is written as for Attr, a value or what an Operand computes of
// the item as it is: Attr("n").Plus(1), IfNotExists, ListAppend, another attribute.
func (u *Update) Set(path string, v any) *Update { return u.change(clauseSet, path, operandOf(v)) }

// SetIfAbsent is Set for an attribute that is not there; one that is stays.
func (u *Update) SetIfAbsent(path string, v any) *Update {
	return u.change(clauseSet, path, IfNotExists(Attr(path), v))
}

// Add adds a number to the number at the path, 0 when there is none, or the members of a set to the set
// there.
func (u *Update) Add(path string, v any) *Update { return u.change(clauseAdd, path, operandOf(v)) }

// Remove takes away what is at the paths.
func (u *Update) Remove(paths ...string) *Update {
	for _, p := range paths {
		u.change(clauseRemove, p, Operand{})
	}
	return u
}

// DeleteFrom takes the members of a set out of the set at the path.
func (u *Update) DeleteFrom(path string, set any) *Update {
	return u.change(clauseDelete, path, operandOf(set))
}

// Expr is the update, or some clauses of it, as a text with its arguments. The service takes each kind of
// clause (SET, REMOVE, ADD, DELETE) once, those of the other methods counted.
func (u *Update) Expr(text string, args ...Args) *Update {
	u.texts = append(u.texts, Text(text, args...))
	return u
}

// If changes the item only if the condition holds of it: a text with its arguments, or a Condition.
// Several conditions must all hold.
func (u *Update) If(cond any, args ...Args) *Update {
	u.cond = u.cond.And(conditionOf(cond, args))
	return u
}

// ItemOnFailure puts the present item into the error when the condition does not hold.
func (u *Update) ItemOnFailure() *Update {
	u.in.ReturnValuesOnConditionCheckFailure = api.Some(api.ReturnValuesOnConditionCheckFailureAllOld)
	return u
}

// Run changes the item.
func (u *Update) Run(ctx context.Context) error {
	_, err := u.run(ctx, api.Opt[string]{})
	return err
}

// Old changes the item and returns it as it was, nil when it was made.
func (u *Update) Old(ctx context.Context) (attr.Item, error) {
	return u.run(ctx, api.Some(api.ReturnValueAllOld))
}

// New changes the item and returns it as it is now.
func (u *Update) New(ctx context.Context) (attr.Item, error) {
	return u.run(ctx, api.Some(api.ReturnValueAllNew))
}

// UpdatedOld changes the item and returns what was at the paths of the update.
func (u *Update) UpdatedOld(ctx context.Context) (attr.Item, error) {
	return u.run(ctx, api.Some(api.ReturnValueUpdatedOld))
}

// UpdatedNew changes the item and returns what is now at the paths of the update.
func (u *Update) UpdatedNew(ctx context.Context) (attr.Item, error) {
	return u.run(ctx, api.Some(api.ReturnValueUpdatedNew))
}

func (u *Update) run(ctx context.Context, values api.Opt[string]) (attr.Item, error) {
	if err := u.finish(ctx); err != nil {
		return nil, err
	}
	u.in.ReturnValues = values
	out, err := u.table.client.service.UpdateItem(ctx, &u.in)
	if err != nil {
		return nil, u.table.checked(err)
	}
	return out.Attributes, nil
}

func (u *Update) finish(ctx context.Context) (err error) {
	if u.err != nil {
		return u.err
	}
	u.in.TableName = api.Some(u.table.name)
	var e expression
	u.in.UpdateExpression = e.update(u)
	u.in.ConditionExpression = e.whole(u.cond)
	if u.in.ExpressionAttributeNames, u.in.ExpressionAttributeValues, err = e.placeholders(); err != nil {
		return err
	}
	u.in.Key, err = u.key.item(ctx, u.table)
	return err
}

// update writes an update expression; one that changes nothing is none.
func (e *expression) update(u *Update) api.Opt[string] {
	if len(u.texts) == 0 && !slices.ContainsFunc(u.clauses[:], func(c []change) bool { return len(c) > 0 }) {
		return api.Opt[string]{}
	}
	space := ""
	for _, text := range u.texts {
		e.put(space)
		e.condition(text)
		space = " "
	}
	for clause, changes := range u.clauses {
		if len(changes) == 0 {
			continue
		}
		e.put(space)
		e.put(clauseWords[clause].keyword)
		for i, c := range changes {
			if i > 0 {
				e.put(", ")
			}
			e.operand(c.path)
			if clause != clauseRemove {
				e.put(clauseWords[clause].between)
				e.operand(c.value)
			}
		}
		space = " "
	}
	return e.take()
}
