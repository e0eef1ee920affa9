package client_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/build"
	"github.com/keystone-db/kstone/grpcapi/client"
)

// breaker is a stream that breaks, once, when some messages were received.
type breaker struct {
	grpc.ClientStream
	left   *atomic.Int64 // messages until it breaks; never when it is below 0
	broken *atomic.Int64
}

func (b *breaker) RecvMsg(m any) error {
	if b.left.Add(-1) == 0 {
		b.broken.Add(1)
		return status.Error(codes.Unavailable, "broken")
	}
	return b.ClientStream.RecvMsg(m)
}

// TestPageBreaks: a page whose answer breaks off is read again from its beginning.
func TestPageBreaks(t *testing.T) {
	db := openDB(t)
	_, err := db.CreateTable(t.Context(), tableInput())
	require.NoError(t, err)
	const items = 60
	want := make([]string, items)
	for i := range items {
		want[i] = fmt.Sprintf("%03d", i)
		require.NoError(t, db.Table("orders").Put(map[string]any{
			"pk": "p", "sk": want[i], "long": strings.Repeat("x", 30<<10), // two to a message, 34 to a page
		}).Run(t.Context()))
	}
	for _, after := range []int64{1, 2, 5, 20, 25} {
		var left, broken atomic.Int64
		left.Store(after)
		c := connect(t, db, client.Options{Wait: atOnce, Dial: []grpc.DialOption{grpc.WithStreamInterceptor(
			func(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string,
				next grpc.Streamer, opts ...grpc.CallOption,
			) (grpc.ClientStream, error) {
				s, err := next(ctx, desc, conn, method, opts...)
				return &breaker{s, &left, &broken}, err
			})}})
		var got []string
		for it, err := range c.Scan("orders").Items(t.Context()) {
			require.NoError(t, err)
			got = append(got, it.Get("sk").Text())
		}
		require.Equal(t, want, got, after)
		require.EqualValues(t, 1, broken.Load(), after)

		left.Store(after)
		rows, err := c.Statement("SELECT sk FROM orders").All(t.Context())
		require.NoError(t, err)
		require.Len(t, rows, items)
	}
}

// TestLargeAnswers: an answer larger than gRPC's clients take by default arrives.
func TestLargeAnswers(t *testing.T) {
	db := openDB(t)
	_, err := db.CreateTable(t.Context(), tableInput())
	require.NoError(t, err)
	const items, each, grpcDefaultBytes = 12, 390 << 10, 4 << 20
	require.Greater(t, items*each, grpcDefaultBytes)
	c := connect(t, db, client.Options{})
	batch := c.BatchGet()
	for i := range items {
		sk := fmt.Sprint(i)
		require.NoError(t, c.Table("orders").Put(map[string]any{"pk": "p", "sk": sk, "long": strings.Repeat("x", each)}).Run(t.Context()))
		batch.Get("orders", "p", sk)
	}
	got, err := batch.All(t.Context())
	require.NoError(t, err)
	require.Len(t, got["orders"], items)
	for _, it := range got["orders"] {
		require.Len(t, it.Get("long").Text(), each)
	}
}

// TestNativeTypes: the types that DynamoDB has not arrive as what they are, where the operation has a call
// of its own, and otherwise as what DynamoDB's JSON makes of them.
func TestNativeTypes(t *testing.T) {
	db := openDB(t)
	_, err := db.CreateTable(t.Context(), tableInput())
	require.NoError(t, err)
	vector, ok := attr.AppendVecF32(nil, []float32{0.5, -2})
	require.True(t, ok)
	it := item(t, map[string]any{"pk": "p", "sk": "s", "vec": attr.Value(vector), "at": attr.Timestamp(7)})
	c := connect(t, db, client.Options{})
	require.NoError(t, c.Table("orders").Put(it).Run(t.Context()))
	got, err := c.Table("orders").Get("p", "s").Item(t.Context())
	require.NoError(t, err)
	require.Equal(t, it, got)
	rows, err := c.Statement("SELECT * FROM orders").All(t.Context())
	require.NoError(t, err)
	require.Equal(t, []attr.Item{it}, rows)
	for out, err := range c.Table("orders").Changes().FromStart().Records(t.Context()) {
		require.NoError(t, err)
		require.Equal(t, it, out.Dynamodb.NewImage)
		break
	}

	responses, err := c.BatchStatements(c.Statement("SELECT * FROM orders WHERE pk = 'p' AND sk = 's'")).Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, attr.N, responses[0].Item.Get("at").Type())
	require.Equal(t, attr.L, responses[0].Item.Get("vec").Type())
}

// TestBadValues: a request that has lost values, as its decoder found them bad, is not sent.
func TestBadValues(t *testing.T) {
	c, f := connectFaulty(t, client.Options{})
	bad := []api.BadValue{{Place: "Item", Err: attr.ValueError{Kind: attr.NameEmpty}}}
	_, err := c.Service().PutItem(t.Context(), &api.PutItemInput{TableName: some("orders"), Item: key(t, "a", "b"), Bad: bad})
	require.Equal(t, api.Validation, api.CodeOf(err))
	require.Contains(t, err.Error(), bad[0].Err.Message())
	require.Zero(t, f.calls)
}

// TestConcurrentUse: one client serves many goroutines, and transactions that are in each other's way are
// all done, each once.
func TestConcurrentUse(t *testing.T) {
	db := openDB(t)
	_, err := db.CreateTable(t.Context(), tableInput())
	require.NoError(t, err)
	c := connect(t, db, client.Options{Wait: atOnce, Tries: 1 << 20})
	const callers, calls = 8, 20
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			pk, orders := fmt.Sprint(i), c.Table("orders")
			for j := range calls {
				if err := orders.Put(map[string]any{"pk": pk, "sk": fmt.Sprint(j), "n": j}).Run(t.Context()); err != nil {
					t.Error(err)
				}
				var got struct{ N int }
				if found, err := orders.Get(pk, fmt.Sprint(j)).Into(t.Context(), &got); err != nil || !found || got.N != j {
					t.Errorf("%v, %v, %d for %d", err, found, got.N, j)
				}
				if err := c.TransactWrite(orders.Update(pk, "count").Add("n", 1), orders.Update("all", "count").Add("n", 1)).
					Run(t.Context()); err != nil {
					t.Error(err)
				}
			}
			n, err := c.Query("orders").PK(pk).Count(t.Context())
			if err != nil || n != calls+1 {
				t.Errorf("%v, %d items", err, n)
			}
		})
	}
	wg.Wait()
	n, err := c.Scan("orders").Filter(build.Attr("sk").Equal("count")).Count(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, callers+1, n)
	var all struct{ N int }
	_, err = c.Table("orders").Get("all", "count").Into(t.Context(), &all)
	require.NoError(t, err)
	require.Equal(t, callers*calls, all.N)
}

// TestEmptyAnswers: the lists that an answer always has are there when nothing is in them.
func TestEmptyAnswers(t *testing.T) {
	s := connect(t, openDB(t), client.Options{}).Service()
	tables, err := s.ListTables(t.Context(), &api.ListTablesInput{})
	require.NoError(t, err)
	require.Equal(t, []string{}, tables.TableNames)
	_, err = s.CreateTable(t.Context(), tableInput())
	require.NoError(t, err)
	found, err := s.Scan(t.Context(), &api.ScanInput{TableName: some("orders")})
	require.NoError(t, err)
	require.Equal(t, []attr.Item{}, found.Items)
	counted, err := s.Scan(t.Context(), &api.ScanInput{TableName: some("orders"), Select: some(api.SelectCount)})
	require.NoError(t, err)
	require.Nil(t, counted.Items)
}
