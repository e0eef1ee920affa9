package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	num "github.com/keystone-db/kstone/engine/number"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/storage/memstore"
)

// showValue prints a value in PartiQL's manner.
func showValue(v attr.Value) string {
	switch v.Type() {
	case attr.S:
		return "'" + string(v.Payload()) + "'"
	case attr.N, attr.Ts:
		return string(num.AppendText(nil, v.Payload()))
	case attr.BOOL:
		return fmt.Sprint(v.Bool())
	case attr.NULL:
		return "null"
	case attr.M:
		return showItem(v.MapItem())
	case attr.L:
		var parts []string
		for r := attr.ListReader(v); r.Next(); {
			parts = append(parts, showValue(r.Value()))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case attr.SS, attr.NS:
		var parts []string
		for r := attr.SetReader(v); r.Next(); {
			part := string(r.Bytes())
			if v.Type() == attr.NS {
				part = string(num.AppendText(nil, r.Bytes()))
			}
			parts = append(parts, part)
		}
		return "<<" + strings.Join(parts, ", ") + ">>"
	}
	return fmt.Sprintf("%s:%x", v.Type(), v.Payload())
}

func showItem(it attr.Item) string {
	var parts []string
	for r := it.Read(); ; {
		name, v, ok := r.Next()
		if !ok {
			return "{" + strings.Join(parts, ", ") + "}"
		}
		parts = append(parts, string(name)+": "+showValue(v))
	}
}

func showError(err error) string {
	var own *api.Error
	if !errors.As(err, &own) {
		return "internal: " + err.Error()
	}
	var text strings.Builder
	text.WriteString(string(own.Code) + ": " + own.Message)
	if own.Item != nil {
		text.WriteString(" item " + showItem(own.Item))
	}
	for _, r := range own.Reasons {
		text.WriteString("\n  " + r.Code.Value + " " + r.Message.Value)
		if r.Item != nil {
			text.WriteString(" item " + showItem(r.Item))
		}
	}
	return text.String()
}

func showConsumed(c *api.ConsumedCapacity) string {
	var text strings.Builder
	text.WriteString(fmt.Sprintf("capacity %s %v", c.TableName.Value, c.CapacityUnits.Value))
	if c.Table != nil {
		text.WriteString(fmt.Sprintf(" table %v", c.Table.CapacityUnits.Value))
	}
	for _, e := range append(c.LocalSecondaryIndexes, c.GlobalSecondaryIndexes...) {
		text.WriteString(fmt.Sprintf(" %s %v", e.Key, e.Value.CapacityUnits.Value))
	}
	return text.String()
}

// statementParams are what question marks of the test files stand for: an item in PartiQL's literals
// is inserted and read back, so that files need no second notation.
func statementParams(t *testing.T, d *testDB, text string) []attr.Value {
	if text == "" {
		return nil
	}
	ctx := context.Background()
	_, err := d.ExecuteStatement(ctx, &api.ExecuteStatementInput{
		Statement: api.Some("INSERT INTO params VALUE {'k': 'p', 'v': [" + text + "]}"),
	})
	require.NoError(t, err)
	out, err := d.ExecuteStatement(ctx, &api.ExecuteStatementInput{
		Statement: api.Some("DELETE FROM params WHERE k = 'p' RETURNING ALL OLD *"),
	})
	require.NoError(t, err)
	var list []attr.Value
	for r := attr.ListReader(out.Items[0].Get("v")); r.Next(); {
		list = append(list, r.Value())
	}
	return list
}

func (d *testDB) params() {
	_, err := d.CreateTable(context.Background(), &api.CreateTableInput{
		TableName: api.Some("params"), BillingMode: api.Some(api.BillingModePayPerRequest),
		KeySchema: []api.KeySchemaElement{{AttributeName: api.Some("k"), KeyType: api.Some("HASH")}},
		AttributeDefinitions: []api.AttributeDefinition{
			{AttributeName: api.Some("k"), AttributeType: api.Some("S")}},
	})
	require.NoError(d.t, err)
}

// TestStatements runs the scripts of testdata/statements: each line of input is a statement, what
// stands behind " ## " its parameters.
func TestStatements(t *testing.T) {
	datadriven.Walk(t, "testdata/statements", func(t *testing.T, path string) {
		d := openTest(t, Options{})
		d.orders()
		d.params()
		datadriven.RunTest(t, path, func(t *testing.T, td *datadriven.TestData) string {
			switch td.Cmd {
			case "run":
				return d.runStatements(t, td)
			case "pages":
				return d.pageStatement(t, td)
			case "batch":
				return d.batchStatements(t, td)
			case "transact":
				return d.transactStatements(t, td)
			}
			t.Fatalf("unknown command %q", td.Cmd)
			return ""
		})
	})
}

func optArg(t *testing.T, td *datadriven.TestData, name string) api.Opt[string] {
	if !td.HasArg(name) {
		return api.Opt[string]{}
	}
	var v string
	td.ScanArgs(t, name, &v)
	return api.Some(v)
}

// statementInput makes the request of one line.
func (d *testDB) statementInput(t *testing.T, td *datadriven.TestData, line string) *api.ExecuteStatementInput {
	text, params, _ := strings.Cut(line, " ## ")
	in := &api.ExecuteStatementInput{
		Statement: api.Some(text), Parameters: statementParams(t, d, params),
	}
	if td.HasArg("consistent") {
		in.ConsistentRead = api.Some(true)
	}
	if td.HasArg("limit") {
		var n int
		td.ScanArgs(t, "limit", &n)
		in.Limit = api.Some(int64(n))
	}
	if td.HasArg("capacity") {
		in.ReturnConsumedCapacity = api.Some(api.ReturnConsumedCapacityIndexes)
	}
	if td.HasArg("onfailure") {
		in.ReturnValuesOnConditionCheckFailure = api.Some(api.ReturnValuesOnConditionCheckFailureAllOld)
	}
	return in
}

func showStatement(b *strings.Builder, out *api.ExecuteStatementOutput, err error) {
	if err != nil {
		fmt.Fprintln(b, showError(err))
		return
	}
	for _, it := range out.Items {
		fmt.Fprintln(b, showItem(it))
	}
	if len(out.Items) == 0 {
		fmt.Fprintln(b, "no items")
	}
	if out.LastEvaluatedKey != nil {
		fmt.Fprintln(b, "last", showItem(out.LastEvaluatedKey))
	}
	if out.NextToken.Set {
		fmt.Fprintln(b, "more")
	}
	if out.ConsumedCapacity != nil {
		fmt.Fprintln(b, showConsumed(out.ConsumedCapacity))
	}
}

func (d *testDB) runStatements(t *testing.T, td *datadriven.TestData) string {
	var b strings.Builder
	for line := range strings.SplitSeq(td.Input, "\n") {
		out, err := d.ExecuteStatement(context.Background(), d.statementInput(t, td, line))
		showStatement(&b, out, err)
	}
	return b.String()
}

// pageStatement follows NextToken to the end.
func (d *testDB) pageStatement(t *testing.T, td *datadriven.TestData) string {
	var b strings.Builder
	in := d.statementInput(t, td, td.Input)
	for range 100 {
		out, err := d.ExecuteStatement(context.Background(), in)
		showStatement(&b, out, err)
		if err != nil || !out.NextToken.Set {
			return b.String()
		}
		in.NextToken = out.NextToken
	}
	t.Fatal("the pages do not end")
	return ""
}

func (d *testDB) batchStatements(t *testing.T, td *datadriven.TestData) string {
	in := &api.BatchExecuteStatementInput{}
	for line := range strings.SplitSeq(td.Input, "\n") {
		s := d.statementInput(t, td, line)
		in.ReturnConsumedCapacity = s.ReturnConsumedCapacity
		in.Statements = append(in.Statements, api.BatchStatementRequest{
			Statement: s.Statement, Parameters: s.Parameters, ConsistentRead: s.ConsistentRead,
			ReturnValuesOnConditionCheckFailure: s.ReturnValuesOnConditionCheckFailure,
		})
	}
	out, err := d.BatchExecuteStatement(context.Background(), in)
	if err != nil {
		return showError(err) + "\n"
	}
	var b strings.Builder
	for _, r := range out.Responses {
		b.WriteString(r.TableName.Or("-"))
		if r.Item != nil {
			b.WriteString(" " + showItem(r.Item))
		}
		if r.Error != nil {
			b.WriteString(" " + r.Error.Code.Value + ": " + r.Error.Message.Value)
			if r.Error.Item != nil {
				b.WriteString(" item " + showItem(r.Error.Item))
			}
		}
		b.WriteString("\n")
	}
	for i := range out.ConsumedCapacity {
		fmt.Fprintln(&b, showConsumed(&out.ConsumedCapacity[i]))
	}
	return b.String()
}

func (d *testDB) transactStatements(t *testing.T, td *datadriven.TestData) string {
	in := &api.ExecuteTransactionInput{ClientRequestToken: optArg(t, td, "token")}
	for line := range strings.SplitSeq(td.Input, "\n") {
		s := d.statementInput(t, td, line)
		in.ReturnConsumedCapacity = s.ReturnConsumedCapacity
		in.TransactStatements = append(in.TransactStatements, api.ParameterizedStatement{
			Statement: s.Statement, Parameters: s.Parameters,
			ReturnValuesOnConditionCheckFailure: s.ReturnValuesOnConditionCheckFailure,
		})
	}
	out, err := d.ExecuteTransaction(context.Background(), in)
	if err != nil {
		return showError(err) + "\n"
	}
	var b strings.Builder
	for _, r := range out.Responses {
		if r.Item == nil {
			b.WriteString("-\n")
			continue
		}
		b.WriteString(showItem(r.Item) + "\n")
	}
	for i := range out.ConsumedCapacity {
		fmt.Fprintln(&b, showConsumed(&out.ConsumedCapacity[i]))
	}
	return b.String()
}

// TestDeniedStatements: a statement of a batch that the caller may not run fails alone, and is not run.
func TestDeniedStatements(t *testing.T) {
	d := openTest(t, Options{})
	d.params()
	in := &api.BatchExecuteStatementInput{}
	for _, k := range []string{"a", "b", "c"} {
		in.Statements = append(in.Statements, api.BatchStatementRequest{
			Statement: api.Some("INSERT INTO params VALUE {'k': '" + k + "'}"),
		})
	}
	ctx := api.WithDenied(t.Context(), map[int]*api.Error{1: api.Errorf(api.AccessDenied, "not you")})
	out, err := d.BatchExecuteStatement(ctx, in)
	require.NoError(t, err)
	for i, r := range out.Responses {
		require.Equal(t, "params", r.TableName.Value)
		require.Equal(t, i == 1, r.Error != nil, i)
	}
	require.Equal(t, &api.BatchStatementError{
		Code: api.Some(api.BatchStatementErrorCodeAccessDenied), Message: api.Some("not you"),
	}, out.Responses[1].Error)
	found, err := d.Scan(t.Context(), &api.ScanInput{TableName: api.Some("params")})
	require.NoError(t, err)
	require.Len(t, found.Items, 2)
}

// besideStore runs a function before the second range that is read of each snapshot.
type besideStore struct {
	storage.Store
	beside func()
}

func (s *besideStore) Snapshot(ctx context.Context, opts storage.SnapshotOptions) (storage.Snapshot, error) {
	snap, err := s.Store.Snapshot(ctx, opts)
	return &besideSnapshot{Snapshot: snap, store: s}, err
}

type besideSnapshot struct {
	storage.Snapshot
	store *besideStore
	reads int
}

func (s *besideSnapshot) Iter(ctx context.Context, r storage.Range, opts storage.IterOptions) (storage.Iterator, error) {
	if s.reads++; s.reads == 2 && s.store.beside != nil {
		s.store.beside()
	}
	return s.Snapshot.Iter(ctx, r, opts)
}

// TestSelectOnOneSnapshot: a page of several partitions sees nothing that was written while it was
// read.
func TestSelectOnOneSnapshot(t *testing.T) {
	mem, err := memstore.Open(memstore.Options{})
	require.NoError(t, err)
	store := &besideStore{Store: mem}
	db, err := OpenStore(store, Options{Clock: time.Now, NoBackground: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	d := &testDB{DB: db, t: t}
	d.orders()
	row := func(pk string) *attr.Builder { return attr.NewItem().S("pk", pk).Int("sk", 1) }
	d.put(row("a"))
	ran := false
	store.beside = func() {
		ran = true
		d.put(row("b"))
	}
	in := &api.ExecuteStatementInput{Statement: api.Some("SELECT pk FROM orders WHERE pk IN ['a', 'b']")}
	out, err := d.ExecuteStatement(t.Context(), in)
	require.NoError(t, err)
	require.True(t, ran)
	require.Len(t, out.Items, 1)
	out, err = d.ExecuteStatement(t.Context(), in)
	require.NoError(t, err)
	require.Len(t, out.Items, 2)
}

// TestSelectLosesSnapshots: pages of several partitions are the same, and cost the same, where
// snapshots go while they are read.
func TestSelectLosesSnapshots(t *testing.T) {
	opts := memstore.Hostile(11)
	opts.Expire = 0.3
	store, err := memstore.Open(opts)
	require.NoError(t, err)
	db, err := OpenStore(store, Options{Clock: time.Now, NoBackground: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	d := &testDB{DB: db, t: t}
	d.orders()
	for i := range 16 {
		d.put(attr.NewItem().S("pk", string("ab"[i%2])).Int("sk", int64(i)))
	}
	const text = "SELECT sk FROM orders WHERE pk IN ['a', 'b', 'c']"
	for range 40 {
		in := &api.ExecuteStatementInput{
			Statement: api.Some(text), ReturnConsumedCapacity: api.Some(api.ReturnConsumedCapacityTotal),
		}
		var sizes []int
		var units []float64
		for {
			out, err := d.ExecuteStatement(t.Context(), in)
			require.NoError(t, err)
			sizes, units = append(sizes, len(out.Items)), append(units, out.ConsumedCapacity.CapacityUnits.Value)
			if !out.NextToken.Set {
				break
			}
			in.NextToken = out.NextToken
		}
		require.Equal(t, []int{10, 6}, sizes)
		require.Equal(t, []float64{1, 1}, units)
	}
}
