package build

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/attr"
)

// FuzzUnmarshal maps any bytes, which need not be a value, into places of many kinds: it may fail but
// not panic. What is a value comes back unchanged from a place that can hold every one.
func FuzzUnmarshal(f *testing.F) {
	for _, v := range []attr.Value{attr.String("a"), attr.Int(-12), attr.Bool(true), attr.Null(), attr.List(attr.Int(1)), {0xff, 0xff, 1}} {
		f.Add([]byte(v))
	}
	it, err := Marshal(order{ID: "o#1", Tags: []string{"a"}, Vec: []float32{1}, Any: map[string]any{"k": []any{nil}}})
	require.NoError(f, err)
	f.Add([]byte(attr.Map(it)))
	f.Fuzz(func(t *testing.T, data []byte) {
		v := attr.Value(data)
		for _, dst := range []any{
			new(order), new(native), new(any), new(string), new(float32), new([]byte), new([]order), new(map[int]string), new([2]any),
		} {
			_ = UnmarshalValue(v, dst)
			_ = Unmarshal(attr.Item(data), dst)
		}
		if attr.CheckValue(v) != nil {
			return
		}
		var same attr.Value
		require.NoError(t, UnmarshalValue(v, &same))
		require.Equal(t, v, same)
	})
}
