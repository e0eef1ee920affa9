package engine

import (
	"slices"
	"strconv"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/policy"
	"github.com/keystone-db/kstone/partiql"
)

// policyReturning are what RETURNING clauses are to a policy.
func policyReturning(b *partiql.Bound) []string {
	if b.Returning() == nil {
		return nil
	}
	return []string{returnValues(b.Returning())}
}

// policySelect is what a SELECT is to a policy. That one of everything is ALL_ATTRIBUTES on an index too is unsure.
func policySelect(b *partiql.Bound) []string {
	switch {
	case !b.IsRead():
		return nil
	case b.Everything():
		return []string{api.SelectAllAttributes}
	}
	return []string{api.SelectSpecificAttributes}
}

// describeStatements adds the condition keys that the statements tell which need a right. Nobody can tell them of
// statements that are wrong, and no leading keys of one that reads a whole table: unsure.
func (db *core) describeStatements(r *policy.Request, doc *policy.Policy, t *catalog.Table, right *api.Right, in any) {
	known := map[string]bool{policy.KeyLeadingKeys: true, policy.KeyAttributes: true, policy.KeySelect: true, policy.KeyReturnValues: true}
	for i, b := range db.statementsOf(right, in) {
		if b == nil {
			clear(known)
			break
		}
		keys, ok := b.LeadingKeys(&t.Table)
		for _, v := range keys {
			switch v.Type() {
			case attr.S, attr.N, attr.B, attr.Ts:
				r.Keys[policy.KeyLeadingKeys] = append(r.Keys[policy.KeyLeadingKeys], v.Scalar())
			default:
				ok = false
			}
		}
		known[policy.KeyLeadingKeys] = known[policy.KeyLeadingKeys] && ok
		r.Keys[policy.KeyAttributes] = append(r.Keys[policy.KeyAttributes], b.Attributes()...)
		for key, is := range map[string][]string{policy.KeySelect: policySelect(b), policy.KeyReturnValues: policyReturning(b)} {
			if i > 0 && !slices.Equal(r.Keys[key], is) { // of each statement another
				known[key] = false
			}
			if is != nil {
				r.Keys[key] = is
			}
		}
	}
	for _, key := range []string{policy.KeyLeadingKeys, policy.KeyAttributes, policy.KeySelect, policy.KeyReturnValues} {
		r.Unknown[key] = !known[key]
	}
	if doc.Asks(policy.KeyFullTableScan) {
		scans, known := db.scansAll(t, in)
		r.Keys[policy.KeyFullTableScan], r.Unknown[policy.KeyFullTableScan] = []string{strconv.FormatBool(scans)}, !known
	}
}

// statementsOf are the statements of a request that need a right, nil for one that is wrong.
func (db *core) statementsOf(right *api.Right, in any) (out []*partiql.Bound) {
	add := func(text string, params []attr.Value) {
		b, err := db.bindStatement(text, params)
		if err != nil {
			out = append(out, nil)
			return
		}
		table, index, action := b.Access()
		if index != "" {
			index = "/index/" + index
		}
		if tableName(table) == right.Table && index == right.Part && action == right.Action {
			out = append(out, b)
		}
	}
	switch in := in.(type) {
	case *api.ExecuteStatementInput:
		add(in.Statement.Value, in.Parameters)
	case *api.ExecuteTransactionInput:
		for i := range in.TransactStatements {
			add(in.TransactStatements[i].Statement.Value, in.TransactStatements[i].Parameters)
		}
	}
	return out
}

// scansAll says whether a statement reads a whole table or index, and whether that can be told. Of those of a
// transaction each must name the key of an item.
func (db *core) scansAll(t *catalog.Table, in any) (scans, known bool) {
	one, ok := in.(*api.ExecuteStatementInput)
	if !ok {
		return false, true
	}
	b, err := db.bindStatement(one.Statement.Value, one.Parameters)
	if err != nil {
		return false, false
	}
	if !b.IsRead() {
		return false, true
	}
	s, err := b.Select(&t.Table, new(partiql.Options))
	return err == nil && s.Key == nil && !s.Query, err == nil
}
