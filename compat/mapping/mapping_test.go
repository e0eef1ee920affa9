package mapping

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/keystone-db/kstone/engine/attr"
)

const (
	typeDepth = 4
	fillDepth = 5
)

// compare makes a type and a value of it from the bytes, marshals it with both packages, and unmarshals
// the outcome, and another value, with both.
func (c *tally) compare(t *testing.T, data []byte) {
	t.Helper()
	s := &source{data: data}
	marshal, unmarshal := s.n(marshalBits), s.n(unmarshalBits)
	typ := s.typ(typeDepth)
	v := reflect.New(typ)
	s.fill(v.Elem(), fillDepth)
	values := []attr.Value{c.compareMarshal(t, v.Interface(), marshal), c.compareMarshal(t, v.Elem().Interface(), marshal)}
	values = append(values, s.value(3))

	rest := s.data
	filled := func() reflect.Value {
		s := &source{data: rest, held: true}
		v := reflect.New(typ)
		s.fill(v.Elem(), fillDepth)
		return v
	}
	other := (&source{data: rest}).typ(typeDepth)
	for _, a := range values {
		if a == nil {
			continue
		}
		c.compareUnmarshal(t, a, func() reflect.Value { return reflect.New(typ) }, unmarshal)
		c.compareUnmarshal(t, a, filled, unmarshal)
		c.compareUnmarshal(t, a, func() reflect.Value { return reflect.New(other) }, unmarshal)
	}
}

// FuzzMapping lets the fuzzer steer the types, values and options.
func FuzzMapping(f *testing.F) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		f.Add(bytesOf(random, 200))
	}
	f.Fuzz(func(t *testing.T, data []byte) { new(tally).compare(t, data) })
}

func bytesOf(random *rand.Rand, n int) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(random.Uint32())
	}
	return data
}

// TestRandomTypes compares the same few thousand types in every run.
func TestRandomTypes(t *testing.T) {
	rounds := 3000
	if testing.Short() {
		rounds = 600
	}
	var c tally
	random := rand.New(rand.NewPCG(3, 4))
	for range rounds {
		c.compare(t, bytesOf(random, 300))
	}
	t.Logf("%+v", c)
	assert.Greater(t, c.values, rounds)
	assert.Positive(t, c.absent)
	assert.Greater(t, c.refusals, rounds/20)
	assert.Greater(t, c.unsendable, rounds/20)
	assert.Greater(t, c.decoded, 2*rounds)
	assert.Greater(t, c.undecodable, rounds)
}
