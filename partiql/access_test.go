package partiql

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAccess(t *testing.T) {
	for text, want := range map[string]string{
		"SELECT * FROM Pets.byG":                               "PartiQLSelect",
		"INSERT INTO Pets VALUE {'a': ?}":                      "PartiQLInsert",
		`UPDATE "Pets" SET a = 1 WHERE b = 2`:                  "PartiQLUpdate",
		"FROM Pets WHERE b = 2 REMOVE a":                       "PartiQLUpdate",
		"DELETE FROM Pets WHERE a = 1":                         "PartiQLDelete",
		"EXISTS(SELECT * FROM Pets WHERE a = 1)":               "PartiQLSelect",
		"EXPLAIN DELETE FROM Pets WHERE a = 1":                 "PartiQLSelect",
		"/* SELECT * FROM x */ DELETE FROM Pets -- FROM other": "PartiQLDelete",
	} {
		table, _, right, ok := Access(text)
		require.True(t, ok, text)
		require.Equal(t, "Pets", table, text)
		require.Equal(t, want, right, text)
	}
	_, index, _, ok := Access("SELECT * FROM Pets.byG")
	require.True(t, ok)
	require.Equal(t, "byG", index)
	_, _, _, ok = Access("DELETE Pets")
	require.False(t, ok)
}
