package build_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/build"
)

var errCustom = errors.New("custom")

// custom cannot be marshalled.
type custom struct{}

func (custom) MarshalValue() (attr.Value, error) { return nil, errCustom }

// TestMarshalErrors: what Marshal refuses is a fault of the request and keeps its cause.
func TestMarshalErrors(t *testing.T) {
	db, ctx := orders(t), t.Context()
	table := db.Table("orders")
	for _, c := range []struct {
		err   error
		cause error
	}{
		{table.Put(map[string]any{"pk": custom{}}).Run(ctx), errCustom},
		{table.Put(custom{}).Run(ctx), errCustom},
		{table.Update("p", "s").Set("x", custom{}).Run(ctx), errCustom},
		{table.Delete("p", "s").If(build.Attr("x").Equal(custom{})).Run(ctx), errCustom},
		{table.Delete("p", "s").If("x = :x", build.Args{"x": custom{}}).Run(ctx), errCustom},
		{table.Delete(custom{}).Run(ctx), errCustom},
		{table.Delete("\xff", "s").Run(ctx), build.ErrNotUTF8},
		{last(table.Query().PK(custom{}).All(ctx)), errCustom},
		{db.Client().Statement("?", custom{}).Exec(ctx), errCustom},
		{db.Client().BatchWrite().Put("orders", custom{}).Run(ctx), errCustom},
	} {
		assert.ErrorIs(t, c.err, c.cause)
		assert.Equal(t, c.err.Error(), code(t, api.Validation, c.err).Message)
	}
	code(t, api.Validation, table.Put(5).Run(ctx))
	code(t, api.Validation, table.Put(nil).Run(ctx))
	code(t, api.Validation, table.Put((*order)(nil)).Run(ctx))
	code(t, api.Validation, table.Delete(func() {}, "s").Run(ctx))
}

// TestValues: every type of a value, as the argument of an update.
func TestValues(t *testing.T) {
	table, ctx := orders(t).Table("orders"), t.Context()
	inner := item(t, attr.NewItem().S("k", "v"))
	ss, err := attr.StringSet("a", "b")
	require.NoError(t, err)
	ns, err := attr.NumberSet("1", "2")
	require.NoError(t, err)
	bs, err := attr.BinarySet([]byte("x"))
	require.NoError(t, err)
	for _, c := range []struct {
		value any
		want  attr.Value
	}{
		{"text", attr.String("text")},
		{"", attr.String("")},
		{7, attr.Int(7)},
		{int64(-7), attr.Int(-7)},
		{true, attr.Bool(true)},
		{nil, attr.Null()},
		{[]byte("x"), attr.Binary([]byte("x"))},
		{[]string{"a"}, attr.List(attr.String("a"))},
		{map[string]any{"k": "v"}, attr.Map(inner)},
		{inner, attr.Map(inner)},
		{struct {
			K string `dynamodbav:"k"`
		}{"v"}, attr.Map(inner)},
		{attr.Timestamp(5), attr.Timestamp(5)},
		{build.StringSet("b", "a"), ss},
		{build.NumberSet("2", "1"), ns},
		{build.BinarySet([]byte("x")), bs},
		{map[string]any{"s": build.StringSet("b", "a")}, attr.Map(item(t, attr.NewItem().SS("s", "a", "b")))},
	} {
		got, err := table.Update("p", "s").Set("x", c.value).UpdatedNew(ctx)
		require.NoError(t, err)
		assert.Equal(t, c.want, got.Get("x"), "%v", c.value)
	}
}

// young describes a table that becomes ACTIVE at the third look.
type young struct {
	api.Base
	looks int
}

func (y *young) DescribeTable(context.Context, *api.DescribeTableInput) (*api.DescribeTableOutput, error) {
	status := api.TableStatusCreating
	if y.looks++; y.looks == 3 {
		status = api.TableStatusActive
	}
	return &api.DescribeTableOutput{Table: &api.TableDescription{TableStatus: api.Some(status)}}, nil
}

// TestDefaultWait waits by a timer, and no longer than its context lives.
func TestDefaultWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		service := &young{}
		client := build.New(service)
		assert.Same(t, service, client.Service())
		require.NoError(t, client.Table("young").Wait(t.Context()))
		assert.Equal(t, 300*time.Millisecond, time.Since(start))

		short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, build.New(&young{}).Table("young").Wait(short), context.DeadlineExceeded)
		assert.Equal(t, 350*time.Millisecond, time.Since(start))
	})
}
