// Package plan binds requests to tables: parsed expressions, checked keys, and the ranges that a
// read covers. Its results hold trees and bytes, never expression text, and exec runs them.
//
// Binding has two halves, since the service checks expressions before it looks for the table:
// Compiler parses the texts of a request (wire-facts §5.1 #10 to #12), legacy.go makes the same trees of
// parameters without texts, the functions Put, Update, Delete, Check, Query and Scan bind what came out
// to a table's schema.
package plan

import (
	"sync"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/expr"
)

// Texts are the expressions of one request with their placeholders.
type Texts struct {
	Update, Condition, KeyCondition, Filter, Search, Projection api.Opt[string]
	Names                                                       []api.Name
	Values                                                      []api.NamedValue
	// KeyRoom is empty memory for the key condition; nil to have it made.
	KeyRoom *expr.KeyCondition
}

// Expressions are the parsed and bound trees; nil for those that were absent.
type Expressions struct {
	Update       *expr.Update
	Condition    *expr.Condition
	KeyCondition *expr.KeyCondition
	Filter       *expr.Condition
	Search       *expr.Condition
	Projection   *expr.Projection
}

// Compiler parses expressions through a cache of trees. It is safe for concurrent use.
type Compiler struct {
	cache   *expr.Cache
	binders sync.Pool
}

// cacheEntries bounds the cache of parsed expressions.
const cacheEntries = 4096

// NewCompiler makes a compiler with an empty cache.
func NewCompiler() *Compiler {
	return &Compiler{
		cache:   expr.NewCache(cacheEntries),
		binders: sync.Pool{New: func() any { return new(expr.Binder) }},
	}
}

// Compile parses and binds in the service's order: update, condition, key condition, filter,
// projection; the first error ends. Then all placeholders must have been used.
func (c *Compiler) Compile(t *Texts) (Expressions, error) {
	var x Expressions
	b := c.binders.Get().(*expr.Binder)
	expr.ResetBinder(b, t.Names, t.Values)
	defer func() {
		b.Release()
		c.binders.Put(b)
	}()
	var err error
	if t.Update.Set {
		x.Update, err = c.cache.Update(t.Update.Value, b)
	}
	if err == nil && t.Condition.Set {
		x.Condition, err = c.cache.Condition(t.Condition.Value, b)
	}
	if err == nil && t.KeyCondition.Set {
		room := t.KeyRoom
		if room == nil {
			room = new(expr.KeyCondition)
		}
		x.KeyCondition, err = c.cache.KeyConditionInto(room, t.KeyCondition.Value, b)
	}
	if err == nil && t.Filter.Set {
		x.Filter, err = c.cache.Filter(t.Filter.Value, b)
	}
	if err == nil && t.Search.Set {
		x.Search, err = c.cache.Search(t.Search.Value, b)
	}
	if err == nil && t.Projection.Set {
		x.Projection, err = c.cache.Projection(t.Projection.Value, b)
	}
	if err == nil {
		err = b.Unused()
	}
	if err != nil {
		return Expressions{}, api.Errorf(api.Validation, "%s", err.Error())
	}
	return x, nil
}

// Any says whether the request has an expression.
func (t *Texts) Any() bool {
	return t.Update.Set || t.Condition.Set || t.KeyCondition.Set || t.Filter.Set || t.Search.Set || t.Projection.Set
}
