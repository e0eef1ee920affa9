package expr

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/attr"
)

func TestNames(t *testing.T) {
	assert.Equal(t, "begins_with", KeyBeginsWith.String())
	assert.Equal(t, "<=", KeyLE.String())
	assert.Equal(t, "?", KeyOp(200).String())
	assert.Equal(t, "?", Op(200).String())
	assert.Equal(t, "?", Action(200).String())
	assert.Equal(t, "Kind(9)", Kind(9).String())
	assert.Equal(t, msgEvalDepthForTest, evalErr(EvalDepth).Error())
}

const msgEvalDepthForTest = "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"

// TestNestedPathsAreFlat: what a nested path reaches has the last name of the path and the indexes behind
// it; what does not resolve leaves no trace, and of equal names the last that resolves stays.
func TestNestedPathsAreFlat(t *testing.T) {
	name := func(s string) Step { return Step{Name: s} }
	at := func(i int) Step { return Step{Index: i, IsIndex: true} }
	inner, err := attr.NewItem().L("l", attr.Int(1), attr.List(attr.Int(2), attr.String("x"))).S("b", "m").Build()
	require.NoError(t, err)
	item, err := attr.NewItem().M("m", inner).Int("a", 7).L("l", attr.Int(3)).Build()
	require.NoError(t, err)
	p := NewProjection([]Path{
		{name("m"), name("l"), at(1), at(0)}, {name("a")}, {name("m"), name("b")},
		{name("l"), at(0)}, {name("m"), name("none")}, {name("a"), name("b")}, {name("l"), at(5)},
	}).Flat()
	want, err := attr.NewItem().Int("l[1][0]", 2).Int("a", 7).S("b", "m").Int("l[0]", 3).Build()
	require.NoError(t, err)
	require.Equal(t, want, p.Apply(nil, item))
	require.Equal(t, []string{"a", "l", "m"}, p.TopLevel())

	twice := NewProjection([]Path{{name("m"), name("b")}, {name("x"), name("b")}}).Flat()
	other, err := attr.NewItem().M("m", inner).M("x", inner).Build()
	require.NoError(t, err)
	require.Equal(t, 1, twice.Apply(nil, other).Count())
}
