package expr

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/attr"
)

// randomValue makes a value of any type; containers grow past the short forms of their heads.
func randomValue(r *rand.Rand, depth int) attr.Value {
	kinds := 10
	if depth >= 4 {
		kinds = 8
	}
	switch r.IntN(kinds) {
	case 0:
		return attr.Null()
	case 1:
		return attr.Bool(r.IntN(2) == 0)
	case 2:
		return attr.Int(r.Int64N(2000) - 1000)
	case 3:
		return attr.Binary([]byte(strings.Repeat("\xff", r.IntN(20))))
	case 4:
		v, _ := attr.StringSet("a", strings.Repeat("b", r.IntN(30)))
		return v
	case 5:
		v, _ := attr.Vector([]float32{r.Float32(), 2})
		return v
	case 6:
		return attr.Timestamp(r.Int64N(1e12))
	case 7:
		return attr.String(strings.Repeat("s", r.IntN(200)))
	case 8:
		list := make([]attr.Value, r.IntN(5))
		for i := range list {
			list[i] = randomValue(r, depth+1)
		}
		return attr.List(list...)
	default:
		return attr.Map(randomItem(r, depth+1))
	}
}

func randomItem(r *rand.Rand, depth int) attr.Item {
	b := attr.NewItem()
	for range r.IntN(6) {
		b.Value(string(rune('a'+r.IntN(6))), randomValue(r, depth))
	}
	item, err := b.Build()
	if err != nil {
		panic(err) // a mistake of this file
	}
	return item
}

// randomPath makes the text of a path that may or may not resolve.
func randomPath(r *rand.Rand) string {
	var path strings.Builder
	path.WriteString(string(rune('a' + r.IntN(6))))
	for r.IntN(2) == 0 {
		if r.IntN(2) == 0 {
			path.WriteString(fmt.Sprintf("[%d]", r.IntN(5)))
		} else {
			path.WriteString("." + string(rune('a'+r.IntN(6))))
		}
	}
	return path.String()
}

// TestUpdateUndo sets a path to another value and back: the item must have its old bytes again,
// and in between the value must be at the path and every other attribute as it was.
func TestUpdateUndo(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	done := 0
	for i := range 20000 {
		item, text := randomItem(r, 1), randomPath(r)
		value := randomValue(r, 3)
		set := func(it attr.Item, v attr.Value) (*Update, attr.Item) {
			u, err := NewCache(1).Update("SET "+text+" = :v", NewBinder(nil, []Value{{":v", v}}))
			require.NoError(t, err)
			out, err := u.Apply(it, nil)
			require.NoError(t, err)
			require.NoError(t, attr.CheckItem(out), "%d: %s of %s", i, text, showItem(it))
			return u, out
		}
		p, err := ParseProjection(text)
		require.NoError(t, err)
		path := resolvePath(p.Paths[0], nil)
		old := path.Get(item)
		if old == nil || path[:len(path)-1].parentIsVector(item) {
			continue
		}
		done++
		u, changed := set(item, value)
		require.Equal(t, value, path.Get(changed), "%s of %s", text, showItem(item))
		require.Equal(t, item.Without(path[0].Name), changed.Without(path[0].Name))
		shown := u.Project(changed)
		require.Equal(t, 1, shown.Count())
		_, back := set(changed, old)
		require.Equal(t, item, back, "%s of %s", text, showItem(item))
	}
	require.Greater(t, done, 2000, "the paths must resolve often enough")
}

// parentIsVector tells whether the value at p is a VecF32, which an update turns into an L.
func (p Path) parentIsVector(item attr.Item) bool {
	return len(p) > 0 && p.Get(item).Type() == attr.VecF32
}

// TestRandomItems runs the fuzz target's expressions over random items.
func TestRandomItems(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 3000 {
		item := randomItem(r, 1)
		a, b, c := randomPath(r), randomPath(r), randomPath(r)
		runAny(t, "filter", fmt.Sprintf("%s = %s OR contains(%s, :v) OR size(%s) < %s", a, b, b, c, a), item)
		runAny(t, "projection", a+", "+b+", "+c, item)
		runAny(t, "update", fmt.Sprintf("SET %s = if_not_exists(%s, :m) REMOVE %s", a, b, c), item)
		runAny(t, "update", fmt.Sprintf("SET %s = list_append(%s, :vec) ADD %s :v", a, b, c), item)
		runAny(t, "update", fmt.Sprintf("SET %s = %s - :v DELETE %s :ss", a, b, c), item)
	}
}
