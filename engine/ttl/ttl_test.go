package ttl

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/attr"
)

func TestExpired(t *testing.T) {
	now := time.UnixMilli(1_800_000_000_500)
	for _, c := range []struct {
		name string
		item *attr.Builder
		want bool
	}{
		{"just past", attr.NewItem().N("ttl", "1800000000"), true},
		{"same half second", attr.NewItem().N("ttl", "1800000000.5"), false},
		{"a fraction past", attr.NewItem().N("ttl", "1800000000.4"), true},
		{"future", attr.NewItem().N("ttl", "1800000001"), false},
		{"five years", attr.NewItem().N("ttl", fmt.Sprint(1_800_000_001-HorizonSeconds)), true},
		{"more than five years", attr.NewItem().N("ttl", fmt.Sprint(1_800_000_000-HorizonSeconds)), false},
		{"milliseconds by mistake", attr.NewItem().N("ttl", "1700000000000"), false},
		{"zero", attr.NewItem().N("ttl", "0"), false},
		{"negative", attr.NewItem().N("ttl", "-1"), false},
		{"huge", attr.NewItem().N("ttl", "9E125"), false},
		{"text", attr.NewItem().S("ttl", "1799999999"), false},
		{"absent", attr.NewItem().N("other", "1799999999"), false},
		{"time", attr.NewItem().Ts("ttl", 1_800_000_000_499), true},
		{"time to come", attr.NewItem().Ts("ttl", 1_800_000_000_501), false},
	} {
		it, err := c.item.Build()
		require.NoError(t, err)
		require.Equal(t, c.want, Expired("ttl", it, now), c.name)
	}
	require.False(t, Expired("ttl", nil, now))
}

// TestMillis: whoever sweeps looks at the items whose time in whole milliseconds is before now.
func TestMillis(t *testing.T) {
	for _, c := range []struct {
		item *attr.Builder
		want int64
		ok   bool
	}{
		{attr.NewItem().N("ttl", "1800000000"), 1_800_000_000_000, true},
		{attr.NewItem().N("ttl", "1800000000.9999"), 1_800_000_000_999, true},
		{attr.NewItem().Ts("ttl", 1_800_000_000_499), 1_800_000_000_499, true},
		{attr.NewItem().N("ttl", "-1"), 0, false},
		{attr.NewItem().N("ttl", "9E125"), 0, false},
		{attr.NewItem().S("ttl", "1800000000"), 0, false},
	} {
		it, err := c.item.Build()
		require.NoError(t, err)
		got, ok := Millis("ttl", it)
		require.Equal(t, c.ok, ok, it)
		require.Equal(t, c.want, got, it)
	}
}
