package api_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
)

// Every error of wire-facts §1.4 has its namespace, status and spelling.
func TestClasses(t *testing.T) {
	const ddb, coral = "com.amazonaws.dynamodb.v20120810", "com.amazon.coral.service"
	for code, want := range map[api.Code]api.Class{
		api.ResourceNotFound:            {Status: 400, Namespace: ddb, Text: "message"},
		api.ConditionalCheckFailed:      {Status: 400, Namespace: ddb, Text: "message"},
		api.TransactionCanceled:         {Status: 400, Namespace: ddb, Text: "Message"},
		api.TransactionInProgress:       {Status: 400, Namespace: ddb, Text: "Message"},
		api.IdempotentParameterMismatch: {Status: 400, Namespace: ddb, Text: "Message"},
		api.TrimmedDataAccess:           {Status: 400, Namespace: ddb, Text: "message"},
		api.Validation:                  {Status: 400, Namespace: "com.amazon.coral.validate", Text: "message"},
		api.Serialization:               {Status: 400, Namespace: coral, Text: "Message"},
		api.AccessDenied:                {Status: 400, Namespace: coral, Text: "Message"},
		api.UnknownOperation:            {Status: 400, Namespace: coral, Text: "message"},
		api.MissingAuthenticationToken:  {Status: 400, Namespace: coral, Text: "message"},
		api.InternalServerError:         {Status: 500, Namespace: ddb, Text: "message"},
		api.Unavailable:                 {Status: 503, Namespace: coral, Text: "message"},
		api.DataLoss:                    {Status: 500, Namespace: ddb, Text: "message"},
		"SomethingElse":                 {Status: 500, Namespace: ddb, Text: "message"},
	} {
		require.Equal(t, want, code.Class(), code)
	}
}

// Base knows all 66 operations and says so.
func TestBase(t *testing.T) {
	ops := api.Operations()
	require.Len(t, ops, 66)
	base := reflect.ValueOf(api.Service(api.Base{}))
	services := make(map[string]int)
	for _, op := range ops {
		services[op.Service]++
		m := base.MethodByName(op.Name)
		require.True(t, m.IsValid(), op.Name)
		out := m.Call([]reflect.Value{
			reflect.ValueOf(context.Background()), reflect.New(m.Type().In(1).Elem()),
		})
		err, _ := out[1].Interface().(error)
		require.Equal(t, api.UnknownOperation, api.CodeOf(err))
		require.EqualError(t, err, "UnknownOperationException: The operation "+op.Name+
			" is known and not part of this version")
	}
	require.Equal(t, map[string]int{api.ServiceDynamoDB: 62, api.ServiceStreams: 4}, services)
}

// TestForward: every operation goes through Do, with its name, its request and an empty answer to fill.
func TestForward(t *testing.T) {
	fails := errors.New("fails")
	for _, op := range api.Operations() {
		var given, filled any
		var fail error
		f := api.Forward{Do: func(ctx context.Context, operation string, in, out any) error {
			require.Equal(t, op.Name, operation)
			require.Equal(t, t.Context(), ctx)
			given, filled = in, out
			return fail
		}}
		m := reflect.ValueOf(api.Service(f)).MethodByName(op.Name)
		in := reflect.New(m.Type().In(1).Elem())
		args := []reflect.Value{reflect.ValueOf(t.Context()), in}
		out := m.Call(args)
		require.Same(t, in.Interface(), given)
		require.Same(t, filled, out[0].Interface())
		require.Nil(t, out[1].Interface())
		fail = fails
		out = m.Call(args)
		require.True(t, out[0].IsNil())
		require.Equal(t, fails, out[1].Interface())
	}
}

func TestErrors(t *testing.T) {
	e := api.Errorf(api.Validation, "a %s: %d%%", "text", 5)
	require.Equal(t, "a text: 5%", e.Message)
	require.Equal(t, api.Validation, api.CodeOf(fmt.Errorf("wrapped: %w", e)))
	require.Equal(t, api.InternalServerError, api.CodeOf(errors.New("x")))
	require.Equal(t, api.Code(""), api.CodeOf(nil))
	require.EqualError(t, api.Errorf(api.UnknownOperation, ""), "UnknownOperationException")
}

func TestOpt(t *testing.T) {
	require.Equal(t, 5, api.Opt[int]{}.Or(5))
	require.Equal(t, 0, api.Some(0).Or(5))
}
