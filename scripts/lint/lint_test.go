package lint

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestHouse holds the repository to its rules.
func TestHouse(t *testing.T) {
	found, err := Check(filepath.Join("..", ".."))
	require.NoError(t, err)
	for _, f := range found {
		t.Error(f)
	}
}

// TestPlanted makes sure that each rule finds its breach.
func TestPlanted(t *testing.T) {
	found, err := Check(filepath.Join("testdata", "bad"))
	require.NoError(t, err)
	var got []string
	for _, f := range found {
		got = append(got, f.Rule+" "+f.Pos)
	}
	assert.ElementsMatch(t, []string{
		"filelen engine/attr/attr.go:2",
		"funlen engine/attr/attr.go:4",
		"imports engine/mystery/util.go:2",
		"pkgname engine/mystery/util.go:2",
		"packagedoc engine/number/number.go:1",
		"modules engine/number/number.go:10",
		"imports engine/number/number.go:12",
		"init engine/number/number.go:15",
		"exported engine/number/number.go:17",
		"exported engine/number/number.go:19",
		"exported engine/number/number.go:21",
		"clock engine/number/number.go:21",
		"leftover engine/number/number.go:23",
		"print engine/number/number.go:25",
		"rand engine/number/number.go:25",
		"exit engine/number/number.go:26",
		"nolint engine/number/number.go:27",
		"exit engine/number/number.go:27",
		"sleep engine/number/number_test.go:5",
	}, got)
}

// TestCovers pins what an entry of the tables stands for.
func TestCovers(t *testing.T) {
	assert.True(t, covers("engine/...", "engine"))
	assert.True(t, covers("engine/...", "engine/attr"))
	assert.False(t, covers("engine/...", "enginex"))
	assert.False(t, covers("engine", "engine/attr"))
	assert.True(t, covers(anything, "compat"))
}
