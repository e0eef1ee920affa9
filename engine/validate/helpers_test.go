package validate

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

func str(s string) api.Opt[string] { return api.Some(s) }

func num(n int64) api.Opt[int64] { return api.Some(n) }

func item(t testing.TB, pairs ...string) attr.Item {
	t.Helper()
	b := attr.NewItem()
	for i := 0; i < len(pairs); i += 2 {
		b.S(pairs[i], pairs[i+1])
	}
	it, err := b.Build()
	require.NoError(t, err)
	return it
}

// bad is a request's list of bad values with one entry.
func bad(place string, kind attr.ErrorKind) []api.BadValue {
	return []api.BadValue{{Place: place, Err: attr.ValueError{Kind: kind}}}
}

// requireText checks code and text; "" wants no error.
func requireText(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" {
		require.NoError(t, err)
		return
	}
	require.Error(t, err)
	e, ok := err.(*api.Error)
	require.True(t, ok, "%T", err)
	require.Equal(t, want, e.Message)
	require.Equal(t, api.Validation, e.Code)
}

// cv is one constraint error.
func cv(value, path, constraint string) string {
	return "Value " + value + " at '" + path + "' failed to satisfy constraint: " + constraint
}

func ve(errs ...string) string {
	if len(errs) == 1 {
		return "1 validation error detected: " + errs[0]
	}
	return string(rune('0'+len(errs))) + " validation errors detected: " + strings.Join(errs, "; ")
}

const null = "Member must not be null"
