package attr

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestString: what people see of items and values when they print them.
func TestString(t *testing.T) {
	inner, err := NewItem().Bool("t", true).Null("u").Build()
	require.NoError(t, err)
	it, err := NewItem().S("s", "a\"\x00é").N("n", "-1.50").B("b", []byte{0, 1}).SS("ss", "b", "", "a").NS("ns", "2", "1").
		BS("bs", []byte{7}).L("l", String("x"), Map(inner)).Vec("v", 1, 0.5).Ts("ts", 1000).Value("e", String("")).Build()
	require.NoError(t, err)
	assert.Equal(t, `{"b":{"B":"AAE="},"bs":{"BS":["Bw=="]},"e":{"S":""},"l":{"L":[{"S":"x"},{"M":{"t":{"BOOL":true},"u":{"NULL":true}}}]},`+
		`"n":{"N":"-1.5"},"ns":{"NS":["1","2"]},"s":{"S":"a\"\x00é"},"ss":{"SS":["","a","b"]},"ts":{"Ts":1000},"v":{"VecF32":[1,0.5]}}`,
		fmt.Sprint(it))
	assert.Equal(t, "{}", fmt.Sprint(Item{}))
	assert.Equal(t, "absent absent", fmt.Sprint(Item(nil), " ", Value(nil)))
	assert.Equal(t, "malformed malformed", fmt.Sprint(it[:len(it)-1], " ", Value{0x21}))
	assert.Equal(t, `{"N":"-1.5"}`, fmt.Sprintf("%v", it.Get("n")))
}

// TestScalar: keys as texts write them.
func TestScalar(t *testing.T) {
	n, err := Number("-1.50")
	require.NoError(t, err)
	for want, v := range map[string]Value{"ä": String("ä"), "-1.5": n, "AAE=": Binary([]byte{0, 1}), "": Bool(true)} {
		require.Equal(t, want, v.Scalar())
	}
}
