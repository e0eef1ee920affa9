package client_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/grpcapi"
	"github.com/keystone-db/kstone/grpcapi/client"
)

// faulty is a service whose calls fail some times before they are let through.
type faulty struct {
	api.Service
	left  int   // failures still to come
	err   error // what they are; nil: the connection is cut when the call is done
	calls int
	done  int // that were let through
	cut   func()
	// tokens are those of transactions.
	tokens []string
}

func fail[In, Out any](f *faulty, call func(context.Context, *In) (*Out, error), ctx context.Context, in *In) (*Out, error) {
	f.calls++
	if f.left > 0 {
		if f.left--; f.err != nil {
			return nil, f.err
		}
		out, err := call(ctx, in)
		f.done++
		f.cut()
		<-ctx.Done() // the answer cannot arrive
		return out, err
	}
	f.done++
	return call(ctx, in)
}

func (f *faulty) GetItem(ctx context.Context, in *api.GetItemInput) (*api.GetItemOutput, error) {
	return fail(f, f.Service.GetItem, ctx, in)
}

func (f *faulty) PutItem(ctx context.Context, in *api.PutItemInput) (*api.PutItemOutput, error) {
	return fail(f, f.Service.PutItem, ctx, in)
}

func (f *faulty) DeleteItem(ctx context.Context, in *api.DeleteItemInput) (*api.DeleteItemOutput, error) {
	return fail(f, f.Service.DeleteItem, ctx, in)
}

func (f *faulty) UpdateItem(ctx context.Context, in *api.UpdateItemInput) (*api.UpdateItemOutput, error) {
	return fail(f, f.Service.UpdateItem, ctx, in)
}

func (f *faulty) Scan(ctx context.Context, in *api.ScanInput) (*api.ScanOutput, error) {
	return fail(f, f.Service.Scan, ctx, in)
}

func (f *faulty) BatchWriteItem(ctx context.Context, in *api.BatchWriteItemInput) (*api.BatchWriteItemOutput, error) {
	return fail(f, f.Service.BatchWriteItem, ctx, in)
}

func (f *faulty) TransactWriteItems(ctx context.Context, in *api.TransactWriteItemsInput) (*api.TransactWriteItemsOutput, error) {
	f.tokens = append(f.tokens, in.ClientRequestToken.Value)
	return fail(f, f.Service.TransactWriteItems, ctx, in)
}

func (f *faulty) ExecuteStatement(ctx context.Context, in *api.ExecuteStatementInput) (*api.ExecuteStatementOutput, error) {
	return fail(f, f.Service.ExecuteStatement, ctx, in)
}

func (f *faulty) BatchExecuteStatement(ctx context.Context, in *api.BatchExecuteStatementInput) (*api.BatchExecuteStatementOutput, error) {
	return fail(f, f.Service.BatchExecuteStatement, ctx, in)
}

func (f *faulty) ListTagsOfResource(ctx context.Context, in *api.ListTagsOfResourceInput) (*api.ListTagsOfResourceOutput, error) {
	return fail(f, f.Service.ListTagsOfResource, ctx, in)
}

// connectFaulty gives a client of a service that can fail, with the table of tableInput and one item.
func connectFaulty(t *testing.T, opts client.Options) (*client.Client, *faulty) {
	t.Helper()
	db := openDB(t)
	_, err := db.CreateTable(t.Context(), tableInput())
	require.NoError(t, err)
	_, err = db.PutItem(t.Context(), &api.PutItemInput{TableName: some("orders"), Item: key(t, "a", "b")})
	require.NoError(t, err)
	p := &pipe{}
	f := &faulty{Service: db, cut: p.cut}
	t.Cleanup(p.serve(t, f, grpcapi.Options{}))
	if opts.Wait == nil {
		opts.Wait = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	}
	return dialPipe(t, p, opts), f
}

// TestAgain goes through the table of the package: which calls are made again after which failure.
func TestAgain(t *testing.T) {
	put := func(f func(*api.PutItemInput)) func(context.Context, api.Service) error {
		in := &api.PutItemInput{TableName: some("orders"), Item: key(t, "a", "b")}
		f(in)
		return func(ctx context.Context, s api.Service) error {
			_, err := s.PutItem(ctx, in)
			return err
		}
	}
	del := func(f func(*api.DeleteItemInput)) func(context.Context, api.Service) error {
		in := &api.DeleteItemInput{TableName: some("orders"), Key: key(t, "a", "b")}
		f(in)
		return func(ctx context.Context, s api.Service) error {
			_, err := s.DeleteItem(ctx, in)
			return err
		}
	}
	statement := func(text string) func(context.Context, api.Service) error {
		return func(ctx context.Context, s api.Service) error {
			_, err := s.ExecuteStatement(ctx, &api.ExecuteStatementInput{Statement: some(text)})
			return err
		}
	}
	statements := func(text string) func(context.Context, api.Service) error {
		return func(ctx context.Context, s api.Service) error {
			_, err := s.BatchExecuteStatement(ctx, &api.BatchExecuteStatementInput{
				Statements: []api.BatchStatementRequest{{Statement: some(text)}},
			})
			return err
		}
	}
	for _, test := range []struct {
		name string
		call func(context.Context, api.Service) error
		// again: also when it may have been done; always: even with WriteOnce.
		again, always bool
	}{
		{"get", func(ctx context.Context, s api.Service) error {
			_, err := s.GetItem(ctx, &api.GetItemInput{TableName: some("orders"), Key: key(t, "a", "b")})
			return err
		}, true, true},
		{"scan", func(ctx context.Context, s api.Service) error {
			_, err := s.Scan(ctx, &api.ScanInput{TableName: some("orders")})
			return err
		}, true, true},
		{"select", statement(" select * from orders"), true, true},
		{"update by a statement", statement("UPDATE orders SET m = 1 WHERE pk = 'a' AND sk = 'b'"), false, false},
		{"selects", statements("SELECT * FROM orders WHERE pk = 'a' AND sk = 'b'"), true, true},
		{"insert", statements("INSERT INTO orders VALUE {'pk': 'a', 'sk': 'x'}"), false, false},
		{"tags, by JSON", func(ctx context.Context, s api.Service) error {
			_, err := s.ListTagsOfResource(ctx, &api.ListTagsOfResourceInput{ResourceArn: some("arn:aws:dynamodb:ddblocal:000000000000:table/orders")})
			if api.CodeOf(err) == api.ResourceNotFound || api.CodeOf(err) == api.AccessDenied || api.CodeOf(err) == api.Validation {
				return nil // it was asked, which is what matters
			}
			return err
		}, true, true},
		{"put", put(func(*api.PutItemInput) {}), true, false},
		{"put on a condition", put(func(in *api.PutItemInput) {
			in.ConditionExpression = some("attribute_not_exists(zz)")
		}), false, false},
		{"put on a legacy condition", put(func(in *api.PutItemInput) {
			in.Expected = []api.ExpectedAttributeMapEntry{{Key: "zz", Value: api.ExpectedAttributeValue{Exists: api.Some(false)}}}
		}), false, false},
		{"put for the old item", put(func(in *api.PutItemInput) {
			in.ReturnValues = some(api.ReturnValueAllOld)
		}), false, false},
		{"put for nothing", put(func(in *api.PutItemInput) { in.ReturnValues = some(api.ReturnValueNone) }), true, false},
		{"delete", del(func(*api.DeleteItemInput) {}), true, false},
		{"delete on a condition", del(func(in *api.DeleteItemInput) {
			in.ConditionExpression = some("attribute_not_exists(zz)")
		}), false, false},
		{"delete for the old item", del(func(in *api.DeleteItemInput) {
			in.ReturnValues = some(api.ReturnValueAllOld)
		}), false, false},
		{"update", func(ctx context.Context, s api.Service) error {
			_, err := s.UpdateItem(ctx, &api.UpdateItemInput{TableName: some("orders"), Key: key(t, "a", "b")})
			return err
		}, false, false},
		{"batch", func(ctx context.Context, s api.Service) error {
			_, err := s.BatchWriteItem(ctx, &api.BatchWriteItemInput{RequestItems: []api.BatchWriteItemRequestMapEntry{{
				Key: "orders", Value: []api.WriteRequest{{PutRequest: &api.PutRequest{Item: key(t, "a", "b")}}},
			}}})
			return err
		}, true, false},
		{"transaction", func(ctx context.Context, s api.Service) error {
			_, err := s.TransactWriteItems(ctx, &api.TransactWriteItemsInput{TransactItems: []api.TransactWriteItem{{
				Put: &api.Put{TableName: some("orders"), Item: key(t, "a", "b")},
			}}})
			return err
		}, true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, f := connectFaulty(t, client.Options{})
			// After what says that nothing was done.
			f.left, f.err = 3, api.Errorf(api.ProvisionedThroughputExceeded, "too much")
			require.NoError(t, test.call(t.Context(), c.Service()))
			require.Equal(t, 4, f.calls)
			require.Equal(t, 1, f.done)

			// After a failure for good.
			f.calls, f.left, f.err = 0, 1, api.Errorf(api.LimitExceeded, "full")
			require.Equal(t, f.err, test.call(t.Context(), c.Service()))
			require.Equal(t, 1, f.calls)

			// After a failure that may have done it.
			f.calls, f.left, f.err = 0, 1, api.Errorf(api.InternalServerError, "broken")
			if want := f.err; test.again {
				require.NoError(t, test.call(t.Context(), c.Service()))
				require.Equal(t, 2, f.calls)
			} else {
				require.Equal(t, want, test.call(t.Context(), c.Service()))
				require.Equal(t, 1, f.calls)
			}

			// After a connection that broke when the call was done.
			f.calls, f.left, f.err = 0, 1, nil
			err := test.call(t.Context(), c.Service())
			requireTries(t, f, test.again, err)

			// The same with WriteOnce.
			c, f = connectFaulty(t, client.Options{WriteOnce: true})
			f.left = 1
			err = test.call(t.Context(), c.Service())
			requireTries(t, f, test.always, err)
		})
	}
}

// requireTries holds a call whose first answer got lost to its rule.
func requireTries(t *testing.T, f *faulty, again bool, err error) {
	t.Helper()
	if again {
		require.NoError(t, err)
		require.Equal(t, 2, f.calls)
		return
	}
	require.Equal(t, 1, f.calls)
	lost, ok := errors.AsType[*client.TransportError](err)
	require.True(t, ok, "%v", err)
	require.False(t, lost.NotSent)
	require.Equal(t, codes.Unavailable, status.Code(errors.Unwrap(err)))
	require.Equal(t, api.InternalServerError, api.CodeOf(err), "it may have been done")
}

// TestPassing: what passes is waited for, and what does not is returned at once.
func TestPassing(t *testing.T) {
	canceled := func(codes ...string) *api.Error {
		e := api.Errorf(api.TransactionCanceled, "cancelled")
		for _, c := range codes {
			e.Reasons = append(e.Reasons, api.CancellationReason{Code: some(c)})
		}
		return e
	}
	for _, test := range []struct {
		name  string
		err   error
		again bool
	}{
		{"conflict", api.Errorf(api.TransactionConflict, "x"), true},
		{"in progress", api.Errorf(api.TransactionInProgress, "x"), true},
		{"throttled", api.Errorf(api.Throttling, "x"), true},
		{"request limit", api.Errorf(api.RequestLimitExceeded, "x"), true},
		{"unavailable", api.Errorf(api.Unavailable, "x"), true},
		{"cancelled by a conflict", canceled("None", "TransactionConflict"), true},
		{"cancelled by throttling", canceled("ThrottlingError", "ProvisionedThroughputExceeded"), true},
		{"cancelled by a condition, too", canceled("TransactionConflict", "ConditionalCheckFailed"), false},
		{"cancelled by nothing", canceled("None"), false},
		{"limit", api.Errorf(api.LimitExceeded, "x"), false},
		{"in use", api.Errorf(api.ResourceInUse, "x"), false},
		{"not found", api.Errorf(api.ResourceNotFound, "x"), false},
		{"condition", api.Errorf(api.ConditionalCheckFailed, "x"), false},
		{"denied", api.Errorf(api.AccessDenied, "x"), false},
		{"lost", api.Errorf(api.DataLoss, "x"), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, f := connectFaulty(t, client.Options{Tries: 3})
			f.left, f.err = 100, test.err
			_, err := c.Table("orders").Get("a", "b").Into(t.Context(), &struct{}{})
			require.Equal(t, api.CodeOf(test.err), api.CodeOf(err))
			if test.again {
				require.Equal(t, 3, f.calls)
			} else {
				require.Equal(t, 1, f.calls)
			}
		})
	}
}

// TestTokens: a transaction has the same token in all its tries, its own if it has one, and its repetition
// is none for the database.
func TestTokens(t *testing.T) {
	c, f := connectFaulty(t, client.Options{})
	add := &api.TransactWriteItemsInput{TransactItems: []api.TransactWriteItem{{Update: &api.Update{
		TableName: some("orders"), Key: key(t, "a", "b"), UpdateExpression: some("ADD n :n"),
		ExpressionAttributeValues: []api.NamedValue{{Placeholder: ":n", Value: value(t, 1)}},
	}}}}
	f.left = 2 // answers get lost
	_, err := c.Service().TransactWriteItems(t.Context(), add)
	require.NoError(t, err)
	require.Len(t, f.tokens, 3)
	require.Len(t, f.tokens[0], 32)
	require.Equal(t, f.tokens[0], f.tokens[1])
	require.Equal(t, f.tokens[0], f.tokens[2])
	require.False(t, add.ClientRequestToken.Set, "the input is the caller's")

	_, err = c.Service().TransactWriteItems(t.Context(), add)
	require.NoError(t, err)
	require.NotEqual(t, f.tokens[0], f.tokens[3])

	add.ClientRequestToken = some("mine")
	_, err = c.Service().TransactWriteItems(t.Context(), add)
	require.NoError(t, err)
	require.Equal(t, "mine", f.tokens[4])

	var got struct{ N int }
	_, err = c.Table("orders").Get("a", "b").Into(t.Context(), &got)
	require.NoError(t, err)
	require.Equal(t, 3, got.N)
}

// TestWaits: they grow to a bound, are random up to it, and tries are bounded.
func TestWaits(t *testing.T) {
	ones := readerFunc(func(p []byte) (int, error) {
		for i := range p {
			p[i] = 0xff
		}
		return len(p), nil
	})
	var waits []time.Duration
	c, f := connectFaulty(t, client.Options{Tries: 12, Rand: ones, Wait: func(_ context.Context, d time.Duration) error {
		waits = append(waits, d)
		return nil
	}})
	f.left, f.err = 100, api.Errorf(api.Throttling, "x")
	_, err := c.Service().GetItem(t.Context(), &api.GetItemInput{TableName: some("orders"), Key: key(t, "a", "b")})
	require.Equal(t, f.err, err)
	require.Equal(t, 12, f.calls)
	require.Len(t, waits, 11)
	most := 25 * time.Millisecond
	for i, w := range waits {
		require.LessOrEqual(t, w, min(most<<i, 2*time.Second), i)
	}
	require.Greater(t, waits[10], waits[0])
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// TestDeadline: a wait that the context ends ends the call, with both errors; a wait longer than the
// deadline does not begin.
func TestDeadline(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c, f := connectFaulty(t, client.Options{Wait: func(ctx context.Context, _ time.Duration) error {
		cancel()
		return ctx.Err()
	}})
	f.left, f.err = 100, api.Errorf(api.Throttling, "x")
	in := &api.GetItemInput{TableName: some("orders"), Key: key(t, "a", "b")}
	_, err := c.Service().GetItem(ctx, in)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, api.Throttling, api.CodeOf(err))
	require.Equal(t, 1, f.calls)

	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	_, err = c.Service().GetItem(ctx, in)
	require.Equal(t, context.Canceled, err)
	require.Equal(t, 1, f.calls)

	ctx, cancel = context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancel()
	_, err = c.Service().GetItem(ctx, in)
	require.Equal(t, context.DeadlineExceeded, err)
	require.Equal(t, 1, f.calls)
}

// TestNotSent: a request that found no server was surely not executed, so even an update is tried again.
func TestNotSent(t *testing.T) {
	tries := 0
	p := &pipe{}
	stop := p.serve(t, api.Base{}, grpcapi.Options{})
	stop()
	c := dialPipe(t, p, client.Options{Tries: 3, Wait: func(context.Context, time.Duration) error {
		tries++
		return nil
	}})
	_, err := c.Service().UpdateItem(t.Context(), &api.UpdateItemInput{TableName: some("orders")})
	lost, ok := errors.AsType[*client.TransportError](err)
	require.True(t, ok, "%v", err)
	require.True(t, lost.NotSent)
	require.Equal(t, api.Unavailable, api.CodeOf(err))
	require.Equal(t, 2, tries)
	require.Contains(t, err.Error(), "not sent")

	require.NoError(t, c.Close())
	tries = 0
	_, err = c.Service().ListTables(t.Context(), &api.ListTablesInput{})
	lost, ok = errors.AsType[*client.TransportError](err)
	require.True(t, ok, "%v", err)
	require.True(t, lost.NotSent)
	require.Zero(t, tries, "a client that is closed stays closed")
	require.Equal(t, api.InternalServerError, api.CodeOf(err))
}
