package partiql

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCache: what comes out is what Parse gives, kept when it can be.
func TestCache(t *testing.T) {
	var c Cache
	first, err := c.Parse("SELECT * FROM t")
	require.NoError(t, err)
	again, err := c.Parse("SELECT * FROM t")
	require.NoError(t, err)
	require.Same(t, first, again)
	_, err = c.Parse("SELECT")
	require.Error(t, err)
	long := "SELECT * FROM t" + strings.Repeat(" ", cacheTextMax)
	first, err = c.Parse(long)
	require.NoError(t, err)
	again, err = c.Parse(long)
	require.NoError(t, err)
	require.NotSame(t, first, again)
}

// TestCacheConcurrently: places that many texts share give each its own statement.
func TestCacheConcurrently(t *testing.T) {
	var c Cache
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 4 * cacheEntries {
				table := fmt.Sprintf("t%d", (i*7+g)%(3*cacheEntries))
				p, err := c.Parse("DELETE FROM " + table)
				if err != nil || p.Statement.Source().Table != table {
					t.Errorf("%s: got %v, %v", table, p, err)
					return
				}
			}
		})
	}
	wg.Wait()
}
