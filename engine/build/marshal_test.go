package build

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/attr"
)

type address struct {
	Street string
	City   string `dynamodbav:"city,omitempty"`
}

type order struct {
	address
	ID      string            `dynamodbav:"pk"`
	Count   int               `dynamodbav:"n,omitempty"`
	Price   float64           `dynamodbav:"price"`
	Tags    []string          `dynamodbav:"tags,stringset"`
	Made    time.Time         `dynamodbav:"made,unixtime"`
	Seen    time.Time         `dynamodbav:"seen,ts"`
	Vec     []float32         `dynamodbav:"vec,vector"`
	Notes   map[string]string `dynamodbav:"notes"`
	Any     any               `dynamodbav:"any"`
	Next    *order            `dynamodbav:"next,omitempty"`
	Raw     []byte
	Skipped string `dynamodbav:"-"`
}

func TestMarshalThereAndBack(t *testing.T) {
	in := order{
		address: address{Street: "Main St", City: "Rome"}, ID: "o#1", Count: 3, Price: 2.5,
		Tags: []string{"b", "a"}, Made: time.Unix(1700000000, 0), Seen: time.UnixMilli(1700000000123).UTC(),
		Vec: []float32{1, -2.5}, Notes: map[string]string{"x": "y"}, Any: []any{"s", 1.5, nil, true},
		Next: &order{ID: "o#2"}, Raw: []byte{0, 1}, Skipped: "no",
	}
	it, err := Marshal(&in)
	require.NoError(t, err)
	require.NoError(t, attr.CheckItem(it))
	assert.Equal(t, attr.VecF32, it.Get("vec").Type())
	assert.Equal(t, attr.Ts, it.Get("seen").Type())
	assert.Equal(t, attr.SS, it.Get("tags").Type())
	assert.Nil(t, it.Get("Skipped"))

	var out order
	require.NoError(t, Unmarshal(it, &out))
	in.Tags = []string{"a", "b"}
	in.Skipped = ""
	in.Next = out.Next
	assert.Equal(t, in, out)
	assert.Equal(t, "o#2", out.Next.ID)
}
