package mapping

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestEveryOption compares every type that a field can end in under every tag option and every pair
// of them, with each option of marshalling and unmarshalling.
func TestEveryOption(t *testing.T) {
	var c tally
	random := rand.New(rand.NewPCG(5, 6))
	for _, leaf := range append(leaves, reflect.TypeFor[[]Gives](), reflect.TypeFor[[]Renders](), reflect.TypeFor[[]Color](),
		reflect.TypeFor[map[string][]string](), reflect.TypeFor[[]*string](), reflect.TypeFor[*[]string](),
		reflect.TypeFor[[2]float64](), reflect.TypeFor[[]clock](), reflect.TypeFor[[]**string](), reflect.TypeFor[[][3]byte]()) {
		for _, options := range optionPairs(testing.Short()) {
			typ := reflect.StructOf([]reflect.StructField{{
				Name: "F", Type: leaf, Tag: reflect.StructTag(`dynamodbav:"f` + options + `"`),
			}})
			c.everyOption(t, typ, random)
		}
	}
	t.Logf("%+v", c)
	assert.Greater(t, c.values, 10000)
	assert.Greater(t, c.refusals, 100)
	assert.Greater(t, c.decoded, 10000)
}

// optionPairs lists no option, each one, and unless it is to be short each two.
func optionPairs(short bool) []string {
	pairs := []string{""}
	for i, a := range tagOptions {
		pairs = append(pairs, ","+a)
		for _, b := range tagOptions[:i] {
			if !short {
				pairs = append(pairs, ","+a+","+b)
			}
		}
	}
	return pairs
}

// everyOption compares a type by three values under each option alone, none and all.
func (c *tally) everyOption(t *testing.T, typ reflect.Type, random *rand.Rand) {
	t.Helper()
	for round := range 3 {
		v := reflect.New(typ)
		if round > 0 {
			(&source{data: bytesOf(random, 40)}).fill(v.Elem(), fillDepth)
		}
		place := func() reflect.Value { return reflect.New(typ) }
		for _, bits := range []int{0, 1, 2, 4, 8, 64, 15, marshalBits - 1} {
			if got := c.compareMarshal(t, v.Interface(), bits); got != nil {
				c.compareUnmarshal(t, got, place, random.IntN(unmarshalBits))
			}
		}
	}
}
