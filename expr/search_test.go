package expr

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/attr"
)

// TestEquality: what a condition holds an attribute to.
func TestEquality(t *testing.T) {
	b := func() *Binder {
		return NewBinder([]Name{{"#h", "h"}}, []Value{{":a", attr.String("x")}, {":b", attr.String("y")}})
	}
	for _, c := range []struct {
		text  string
		value string // "" for none
		uses  int
		only  bool
	}{
		{"h = :a", "x", 1, true},
		{":a = #h", "x", 1, true},
		{"(h = :a)", "x", 1, true},
		{"h = :a AND f > :b", "x", 1, false},
		{"f < :b AND (h = :a AND (f = :b OR g = :b))", "x", 1, false},
		{"f = :a", "", 0, false},
		{"h > :a", "", 1, false},
		{"h = :a OR f = :b", "", 1, false},
		{"NOT h = :a", "", 1, false},
		{"h IN (:a)", "", 1, false},
		{"h BETWEEN :a AND :b", "", 1, false},
		{"attribute_exists(h)", "", 1, false},
		{"size(h) = :a", "", 1, false},
		{"h = f", "", 1, false},
		{"h.x = :a AND f = :b", "", 1, false},
		{"h = :a AND h = :b", "", 2, false},
		{"h = :a AND NOT (h = :b OR f = :b)", "", 2, false},
	} {
		tree, err := ParseCondition(KindSearch, c.text)
		require.NoError(t, err, c.text)
		condition, err := tree.Bind(KindSearch, b())
		require.NoError(t, err, c.text)
		value, uses, only := condition.Equality("h")
		require.Equal(t, c.uses, uses, c.text)
		require.Equal(t, c.only, only, c.text)
		if c.value == "" {
			require.Nil(t, value, c.text)
		} else {
			require.Equal(t, c.value, value.Text(), c.text)
		}
	}
	_, err := ParseCondition(KindSearch, "h =")
	require.ErrorContains(t, err, "Invalid SearchConditionExpression: ")
}
