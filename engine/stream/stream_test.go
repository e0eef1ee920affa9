package stream

import (
	"bytes"
	"context"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/storage/memstore"
)

func item(t *testing.T, b *attr.Builder) attr.Item {
	t.Helper()
	it, err := b.Build()
	require.NoError(t, err)
	return it
}

func tableKey() schema.Key {
	return schema.Key{
		Hash: []schema.KeyAttr{{Name: "pk", Type: attr.S}}, Range: []schema.KeyAttr{{Name: "a", Type: attr.S}},
	}
}

// written collects what one update writes.
type written struct {
	seq  storage.Seq
	keys []string
	vals []string
}

func (w *written) Value(int) storage.Value { return storage.Value{} }
func (w *written) Delete([]byte)           {}
func (w *written) Seq() storage.Seq        { return w.seq }
func (w *written) Put(key, value []byte) {
	w.keys, w.vals = append(w.keys, hex.EncodeToString(key)), append(w.vals, hex.EncodeToString(value))
}

// TestFormat pins the bytes of the package comment.
func TestFormat(t *testing.T) {
	k := tableKey()
	old := item(t, attr.NewItem().S("pk", "p").S("a", "q").S("v", "1"))
	w := &written{seq: 0x0102030405060708}
	to := Target{ID: 5, Slots: 4, View: ViewBoth}
	c := &Change{Old: old, New: old.With("v", attr.String("2")), At: time.UnixMilli(0x0A0B0C), Part: 3}
	Write(w, to, &k, 0xC0000001, c)
	head := "0200000000000005" + "00000000" + "c0000000" + "0102030405060708" + "0003"
	require.Equal(t, []string{head + "00", head + "01", head + "02"}, w.keys)
	require.Equal(t, "01"+"02"+"00"+"00000000000a0b0c"+hex.EncodeToString(old.Project([]string{"a", "pk"})), w.vals[0])
	require.Equal(t, hex.EncodeToString(c.New), w.vals[1])
	require.Equal(t, hex.EncodeToString(old), w.vals[2])

	w = &written{seq: 1}
	Write(w, Target{ID: 5, Slots: 1, View: ViewNew}, &k, 0xFFFFFFFF, &Change{Old: old, Expired: true})
	require.Len(t, w.keys, 1, "a removal has no new image")
	require.True(t, strings.HasPrefix(w.keys[0], "0200000000000005"+"00000000"+"00000000"+"0000000000000001"))
	require.True(t, strings.HasPrefix(w.vals[0], "010301"))
}

func TestDecodeRefuses(t *testing.T) {
	_, err := decode(Position{}, make([]byte, headerBytes-1))
	require.ErrorIs(t, err, storage.ErrCorrupt)
	_, err = decode(Position{}, append([]byte{recordVersion + 1}, make([]byte, headerBytes)...))
	require.ErrorContains(t, err, "newer than this program")
	_, _, err = decodeKey(make([]byte, keyBytes-1))
	require.ErrorIs(t, err, storage.ErrCorrupt)
	store, err := memstore.Open(memstore.Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	key := appendKey(nil, 1, 0, 1, Position{Seq: 1}, kindNewImage)
	require.NoError(t, store.Update(t.Context(), []storage.Named{{Key: key}}, storage.UpdateOptions{}, func(tx storage.Tx) error {
		require.Equal(t, storage.Seq(1), tx.Seq())
		tx.Put(key, nil)
		return nil
	}))
	s := &schema.Stream{ID: 1, Slots: 1, Shards: []schema.Shard{{First: 1}}}
	_, err = Read(t.Context(), Source{Store: store, Find: func(context.Context, storage.Snapshot) (*schema.Stream, *schema.Shard, error) {
		return s, &s.Shards[0], nil
	}}, Position{}, 1)
	require.ErrorContains(t, err, "an image without its record")
	require.ErrorIs(t, err, storage.ErrCorrupt)
}

// TestSequenceNumbers: they order as positions do, and come back.
func TestSequenceNumbers(t *testing.T) {
	last := ""
	for _, p := range []Position{{}, {Part: 1}, {Part: 9999}, {Seq: 1}, {Seq: 1 << 40}, {Seq: 1<<64 - 1, Part: 9999}} {
		s := p.String()
		require.Less(t, last, s)
		require.Len(t, s, SequenceDigits)
		back, ok := ParsePosition(s)
		require.True(t, ok)
		require.Equal(t, p, back)
		last = s
	}
	require.Equal(t, Position{Seq: 2}, Position{Seq: 1, Part: 9999}.Next())
	for _, bad := range []string{
		"", "1", strings.Repeat("2", 25), "1" + strings.Repeat("9", 24), "1" + strings.Repeat("x", 24),
	} {
		_, ok := ParsePosition(bad)
		require.False(t, ok, bad)
	}
}

// TestEventIDs: 32 hex digits behind what is there, others for each record and stream, the same with
// and without room for scratch.
func TestEventIDs(t *testing.T) {
	const arn = "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2026-01-01T00:00:00.000"
	seen := map[string]bool{}
	for _, arn := range []string{"", arn, arn + "1"} {
		for _, at := range []Position{{Seq: 1}, {Seq: 1, Part: 1}, {Seq: 2}} {
			room := append(make([]byte, 0, 1+EventIDRoom(arn)), 'x')
			roomy := AppendEventID(room, arn, at)
			require.Same(t, &room[0], &roomy[0], "there was room enough")
			require.Equal(t, string(roomy), string(AppendEventID([]byte("x"), arn, at)))
			require.Regexp(t, "^x[0-9a-f]{32}$", string(roomy))
			require.False(t, seen[string(roomy)])
			seen[string(roomy)] = true
		}
	}
}

func TestIteratorText(t *testing.T) {
	it := Iterator{
		ARN:   "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2026-01-01T00:00:00.000",
		Shard: "shardId-00000001541626099285-f35f62ef", At: Position{Seq: 7, Part: 3}, MadeMs: 1_800_000_000_000,
	}
	text := it.String()
	back, ok := ParseIterator(text)
	require.True(t, ok)
	require.Equal(t, it, back)
	require.False(t, it.Horizon())
	for i := range text {
		changed := []byte(text)
		changed[i] ^= 1
		back, ok := ParseIterator(string(changed))
		require.False(t, ok && back != it, "byte %d changed: %+v", i, back)
	}
}

func FuzzParseIterator(f *testing.F) {
	f.Add((&Iterator{ARN: "a", Shard: "s", At: Position{Seq: 1}}).String())
	f.Add("a|1|")
	f.Add("a|1|AAAA")
	f.Fuzz(func(t *testing.T, s string) {
		if it, ok := ParseIterator(s); ok {
			back, ok := ParseIterator(it.String())
			require.True(t, ok)
			require.Equal(t, it, back)
		}
	})
}

func FuzzParsePosition(f *testing.F) {
	f.Add(Position{Seq: 1, Part: 2}.String())
	f.Fuzz(func(t *testing.T, s string) {
		if p, ok := ParsePosition(s); ok {
			require.Equal(t, s, p.String())
		}
	})
}

// TestExpiredFindsTheLine compares the bisection with a walk, for each time there is.
func TestExpiredFindsTheLine(t *testing.T) {
	ctx := context.Background()
	store, err := memstore.Open(memstore.Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	k := tableKey()
	it := item(t, attr.NewItem().S("pk", "p").S("a", "q"))
	s := &schema.Stream{ID: 1, Slots: 3}
	times := map[uint64]int64{}
	for i := range 40 {
		guard := storage.Named{Key: bytes.Repeat([]byte{byte(i)}, 20)}
		ms := int64(i / 3 * 10)
		hash := uint32(i*i) << 28
		var seq storage.Seq
		err := store.Update(ctx, []storage.Named{guard}, storage.UpdateOptions{}, func(tx storage.Tx) error {
			if seq = tx.Seq(); i%4 > 0 {
				Write(tx, Target{ID: 1, Slots: 3, View: ViewKeys}, &k, hash, &Change{New: it, At: time.UnixMilli(ms)})
			}
			return nil
		})
		require.NoError(t, err)
		if i%4 > 0 {
			times[uint64(seq)] = ms
		}
	}
	for before := int64(-5); before < 150; before += 5 {
		got, err := Expired(ctx, store, s, before)
		require.NoError(t, err)
		var want uint64
		for seq, ms := range times {
			if ms < before {
				want = max(want, seq)
			}
		}
		require.Equal(t, want, got, "before %d", before)
	}
}

// TestPassesOverSiblings: a read of a shard that was split looks at no more of what is not its own than
// the bound, and goes on there the next time.
func TestPassesOverSiblings(t *testing.T) {
	const siblings, size = 60, 300_000
	ctx := context.Background()
	store, err := memstore.Open(memstore.Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	k := tableKey()
	s := &schema.Stream{ID: 1, Slots: 1, Key: k}
	hash := func(pk string) uint32 { return hashOf(&k, item(t, attr.NewItem().S("pk", pk))) }
	low, high := "a", "b"
	if hash(low) > hash(high) {
		low, high = high, low
	}
	write := func(pk string) {
		it := item(t, attr.NewItem().S("pk", pk).S("a", "q").S("x", strings.Repeat("x", size)))
		guard := []storage.Named{{Key: []byte("guard of twenty bytes")}}
		require.NoError(t, store.Update(ctx, guard, storage.UpdateOptions{}, func(tx storage.Tx) error {
			Write(tx, Target{ID: 1, Slots: 1, View: ViewBoth}, &k, hash(pk), &Change{Old: it, New: it})
			return nil
		}))
	}
	for range siblings {
		write(low)
	}
	write(high)
	mine := schema.Shard{ID: "mine", From: uint64(hash(high)), To: 1 << 32}
	src := Source{Store: store, Find: func(context.Context, storage.Snapshot) (*schema.Stream, *schema.Shard, error) {
		return s, &mine, nil
	}}
	var at Position
	for pages := range 4 {
		page, err := Read(ctx, src, at, RecordsMax)
		require.NoError(t, err)
		require.True(t, at.Less(page.Next), "it gets on")
		at = page.Next
		if pages < 2 {
			require.Empty(t, page.Records, "36 MB lie before it")
			continue
		}
		require.Len(t, page.Records, 1)
		require.Equal(t, high, page.Records[0].Keys.Get("pk").Text())
		require.NotNil(t, page.Records[0].Old)
		break
	}
}
