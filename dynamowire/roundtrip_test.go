package dynamowire

import (
	"context"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/dynamowire/codec"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// TestRoundTrip: whatever a client sends of any operation the service gets, and whatever it answers the
// client gets.
func TestRoundTrip(t *testing.T) {
	service := reflect.TypeFor[api.Service]()
	longest := 0
	for seed, op := range api.Operations() {
		m, _ := service.MethodByName(op.Name)
		c := filler{t, rand.New(rand.NewPCG(uint64(seed), 6))}
		for range 100 {
			in, out := reflect.New(m.Type.In(1).Elem()), reflect.New(m.Type.Out(0).Elem())
			c.fill(in.Elem(), 0)
			c.fill(out.Elem(), 0)
			body, err := codec.AppendRequest([]byte("x"), op.Name, in.Interface())
			require.NoError(t, err)
			longest = max(longest, len(body))
			called := false
			svc := api.Forward{Do: func(_ context.Context, operation string, got, answer any) error {
				called = true
				require.Equal(t, op.Name, operation)
				require.Equal(t, in.Interface(), got, "%s", body)
				reflect.ValueOf(answer).Elem().Set(out.Elem())
				return nil
			}}
			answer, err := Call(t.Context(), svc, op.Name, body[1:])
			require.NoError(t, err, "%s: %s", op.Name, body)
			require.True(t, called)
			got := reflect.New(out.Type().Elem())
			require.NoError(t, codec.DecodeAnswer(op.Name, answer, got.Interface()), "%s: %s", op.Name, answer)
			shown := string(answer)
			clear(answer) // what was decoded does not live in it
			require.Equal(t, out.Interface(), got.Interface(), "%s: %s", op.Name, shown)
		}
	}
	require.Greater(t, longest, 1000)
}

// TestRoundTripErrors: every error that a service returns the client gets, but for what is internal.
func TestRoundTripErrors(t *testing.T) {
	c := filler{t, rand.New(rand.NewPCG(1, 6))}
	codes := []api.Code{
		api.ConditionalCheckFailed, api.TransactionCanceled, api.Throttling, api.ProvisionedThroughputExceeded, api.Validation,
		api.Serialization, api.Unavailable, api.InternalServerError, api.AccessDenied, api.TrimmedDataAccess,
	}
	for range 300 {
		e := &api.Error{}
		c.fill(reflect.ValueOf(e).Elem(), 0)
		e.Code = codes[c.rnd.IntN(len(codes))]
		got := codec.DecodeError(e.Code.Class().Status, codec.AppendError(nil, e))
		require.Equal(t, e, got)
	}
	e := api.Errorf(api.DataLoss, "text")
	require.Equal(t, api.Errorf(api.InternalServerError, "text"), codec.DecodeError(500, codec.AppendError(nil, e)))
}

// filler fills structs of the contract with what the wire can carry.
type filler struct {
	t   *testing.T
	rnd *rand.Rand
}

// fill sets some members; deeper ones are rarer, so that requests stay small.
func (c filler) fill(v reflect.Value, depth int) {
	switch v.Interface().(type) {
	case attr.Item:
		v.SetBytes(c.item())
		return
	case attr.Value:
		v.SetBytes(c.value(0))
		return
	case time.Time:
		v.Set(reflect.ValueOf(time.UnixMilli(c.rnd.Int64N(4e12) - 1e12).UTC()))
		return
	case []api.BadValue:
		return // no client can send them
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(c.text())
	case reflect.Int64:
		v.SetInt(int64(c.rnd.Uint64()) >> c.rnd.IntN(64))
	case reflect.Float64:
		v.SetFloat(math.Ldexp(c.rnd.Float64()-0.5, c.rnd.IntN(60)-20))
	case reflect.Bool:
		v.SetBool(c.rnd.IntN(2) == 0)
	case reflect.Pointer:
		if c.rnd.IntN(2+depth) < 2 {
			v.Set(reflect.New(v.Type().Elem()))
			c.fill(v.Elem(), depth+1)
		}
	case reflect.Slice:
		c.fillSlice(v, depth)
	case reflect.Struct:
		c.fillStruct(v, depth)
	default:
		c.t.Fatalf("no member of the contract has the type %s", v.Type())
	}
}

func (c filler) fillStruct(v reflect.Value, depth int) {
	if set := v.FieldByName("Set"); set.IsValid() { // Opt
		if c.rnd.IntN(2) == 0 {
			set.SetBool(true)
			c.fill(v.FieldByName("Value"), depth)
		}
		return
	}
	for _, field := range v.Fields() {
		if _, item := reflect.TypeAssert[attr.Item](field); item && c.rnd.IntN(3) == 0 {
			continue // absent
		}
		if _, value := reflect.TypeAssert[attr.Value](field); value && c.rnd.IntN(3) == 0 && v.NumField() > 2 {
			continue // absent; entries of maps have values
		}
		c.fill(field, depth)
	}
}

// fillSlice fills lists, and maps in the way of the contract: sorted by key, each key once.
func (c filler) fillSlice(v reflect.Value, depth int) {
	n := c.rnd.IntN(4-min(depth/2, 2)) - 1
	if n < 0 {
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), n, n))
	for i := range n {
		c.fill(v.Index(i), depth+1)
	}
	if !isEntry(v.Type().Elem()) {
		return
	}
	for i := range n { // the wire cannot say that one has no value
		if value := v.Index(i).Field(1); value.Kind() == reflect.Slice && value.IsNil() {
			value.Set(reflect.MakeSlice(value.Type(), 0, 0))
		}
	}
	keys := make([]string, n)
	for i := range keys {
		keys[i] = c.text() + strings.Repeat("k", i) // no text ends with it
	}
	slices.Sort(keys)
	for i := range keys {
		v.Index(i).Field(0).SetString(keys[i])
	}
}

func isEntry(t reflect.Type) bool {
	return strings.HasSuffix(t.Name(), "Entry") || t == reflect.TypeFor[api.Name]() || t == reflect.TypeFor[api.NamedValue]()
}

func (c filler) text() string {
	return []string{
		"", "plain", "\"\\\n\x01/ä\u2028\x7f", "longer than a word of eight bytes", "Orders", "#a", ":v", "😀\x00",
	}[c.rnd.IntN(8)]
}

func (c filler) item() attr.Item {
	b := attr.NewItem()
	for i := range c.rnd.IntN(4) {
		b.Value(c.text()+strings.Repeat("n", i+1), c.value(0))
	}
	it, err := b.Build()
	require.NoError(c.t, err)
	if it == nil {
		return attr.Item{}
	}
	return it
}

// value is one of every type that the wire has.
func (c filler) value(depth int) attr.Value {
	b := attr.NewItem()
	const name = "v"
	kinds := 8
	if depth < 3 {
		kinds = 10
	}
	switch c.rnd.IntN(kinds) {
	case 0:
		b.S(name, c.text())
	case 1:
		b.N(name, []string{"0", "-1.50", "1e125", "-9.9999999999999999999999999999999999999E+125", "1e-130"}[c.rnd.IntN(5)])
	case 2:
		b.B(name, []byte(c.text()))
	case 3:
		b.Bool(name, c.rnd.IntN(2) == 0)
	case 4:
		b.Null(name)
	case 5:
		b.SS(name, "", "b", c.text()+"x")
	case 6:
		b.NS(name, "1", "-2.5")
	case 7:
		b.BS(name, []byte{}, []byte{0, 255})
	case 8:
		list := make([]attr.Value, c.rnd.IntN(3))
		for i := range list {
			list[i] = c.value(depth + 1)
		}
		b.L(name, list...)
	case 9:
		b.M(name, c.item())
	}
	it, err := b.Build()
	require.NoError(c.t, err)
	return it.Get(name).Clone()
}
