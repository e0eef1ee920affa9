package engine

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// salvageItems is how many items the file has.
const salvageItems = 120

// fullFile makes a file with everything that has cross-references, and returns its path and the clock that
// it was made by.
func fullFile(t *testing.T, key []byte) (path string, now func() time.Time) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "full.keystone")
	c := newClock(time.Unix(1_800_000_000, 0))
	opts := Options{NoBackground: true, Clock: c.Now, EncryptionKey: key}
	db, err := Open(path, opts)
	require.NoError(t, err)
	d := &testDB{DB: db, t: t, clock: c}
	d.events("NEW_AND_OLD_IMAGES")
	name := api.Some("orders")
	_, err = d.UpdateTimeToLive(t.Context(), &api.UpdateTimeToLiveInput{
		TableName:               name,
		TimeToLiveSpecification: &api.TimeToLiveSpecification{Enabled: api.Some(true), AttributeName: api.Some("end")},
	})
	require.NoError(t, err)
	for i := range salvageItems {
		d.put(attr.NewItem().S("pk", fmt.Sprint("p", i%30)).N("sk", fmt.Sprint(i)).S("g", fmt.Sprint("g", i%7)).N("h", "1").
			S("l", fmt.Sprint(i)).N("end", "4000000000"))
	}
	_, err = d.TransactWriteItems(t.Context(), &api.TransactWriteItemsInput{
		ClientRequestToken: api.Some("token"),
		TransactItems: []api.TransactWriteItem{{Put: &api.Put{
			TableName: name, Item: d.build(attr.NewItem().S("pk", "p0").N("sk", "0").S("g", "moved").N("h", "2")),
		}}},
	})
	require.NoError(t, err)
	require.NoError(t, db.Close())
	return path, c.Now
}

// TestVerifyOfAFullFile finds everything right, encrypted or not.
func TestVerifyOfAFullFile(t *testing.T) {
	for _, key := range [][]byte{nil, []byte("0123456789abcdef0123456789abcdef")} {
		path, now := fullFile(t, key)
		r, err := Verify(t.Context(), path, VerifyOptions{Clock: now, EncryptionKey: key})
		require.NoError(t, err)
		require.True(t, r.OK, "%v %v", r.Faults, r.Unchecked)
		require.Empty(t, r.Faults)
		n := r.Counts
		require.Equal(t, []int64{1, salvageItems, 1}, []int64{n.ItemTables, n.Items, n.Tokens})
		require.GreaterOrEqual(t, n.StreamRecords, int64(salvageItems))
		require.Equal(t, int64(2*salvageItems-1), n.IndexEntries)

		_, err = Verify(t.Context(), path, VerifyOptions{EncryptionKey: []byte("another key, of as many bytes___")})
		require.Error(t, err)
	}
}

// TestSalvageAfterRandomDamage: the new file is always right, has no item that was never written, and lists
// what is lost.
func TestSalvageAfterRandomDamage(t *testing.T) {
	for seed := range uint64(8) {
		key := []byte(nil)
		if seed%4 == 3 {
			key = []byte("0123456789abcdef0123456789abcdef")
		}
		path, now := fullFile(t, key)
		whole, err := os.ReadFile(path)
		require.NoError(t, err)
		rng := rand.New(rand.NewPCG(seed, 1))
		var tables []int
		for at := 8192; at < len(whole); at += 4096 {
			if bytes.HasPrefix(whole[at:], []byte("kstntbl\x01")) {
				tables = append(tables, at)
			}
		}
		require.Greater(t, len(tables), 20)
		for range 2 + rng.IntN(12) {
			at := tables[rng.IntN(len(tables))] + 80 + rng.IntN(200)
			for i := range 1 + rng.IntN(200) {
				whole[min(at+i, len(whole)-1)] ^= byte(1 + rng.IntN(255))
			}
		}
		if seed%2 == 0 {
			copy(whole[:4096], make([]byte, 4096))
		}
		require.NoError(t, os.WriteFile(path, whole, 0o600))
		before, err := Verify(t.Context(), path, VerifyOptions{Clock: now, EncryptionKey: key})
		require.NoError(t, err)
		require.NotEmpty(t, before.Faults, "seed %d", seed)

		fresh := filepath.Join(t.TempDir(), "new.keystone")
		r, err := Salvage(t.Context(), path, fresh, SalvageOptions{Clock: now, EncryptionKey: key})
		require.NoError(t, err, "seed %d", seed)
		require.True(t, r.Verified.OK, "seed %d: %v", seed, r.Verified.Faults)
		require.NotZero(t, r.LossCount)
		require.LessOrEqual(t, r.Items, int64(salvageItems))
		t.Logf("seed %d: %d items of %d, %d losses, %d repairs", seed, r.Items, salvageItems, r.LossCount, r.RepairCount)

		db, err := Open(fresh, Options{NoBackground: true, Clock: now, EncryptionKey: key})
		require.NoError(t, err)
		if r.Tables > 0 {
			names, err := db.ListTables(context.Background(), &api.ListTablesInput{})
			require.NoError(t, err)
			// Its definition may be lost, and guessed.
			require.Contains(t, []string{"orders", "recovered-16"}, names.TableNames[0])
			out, err := db.Scan(context.Background(), &api.ScanInput{TableName: api.Some(names.TableNames[0])})
			require.NoError(t, err)
			require.Len(t, out.Items, int(r.Items))
		}
		require.NoError(t, db.Close())
	}
}
