package build

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// FuzzPath: what is read as a path can be written again, and an escaped name is one name.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"a", "a.b[1]", `a\.b`, "", "a[0][1].c", `\\\[\]`, "a..b", "a[", "ü\x00 ", "[1]", "a]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		steps, ok := parsePath(s)
		if ok {
			again, ok := parsePath(printPath(steps))
			require.True(t, ok)
			assert.Equal(t, steps, again)
		}
		steps, ok = parsePath(Escape(s))
		require.Equal(t, s != "", ok)
		if ok {
			assert.Equal(t, []step{{name: s, index: -1}}, steps)
		}
	})
}

func printPath(steps []step) string {
	var b strings.Builder
	for i, s := range steps {
		switch {
		case s.index >= 0:
			b.WriteString("[" + strconv.Itoa(s.index) + "]")
		case i > 0:
			b.WriteString("." + Escape(s.name))
		default:
			b.WriteString(Escape(s.name))
		}
	}
	return b.String()
}
