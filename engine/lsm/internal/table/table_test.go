package table

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/cache"
	"github.com/keystone-db/kstone/engine/lsm/internal/crypt"
	"github.com/keystone-db/kstone/engine/storage"
)

var testID = DatabaseID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}

const testNum = base.ObjectNum(3<<base.CounterBits | 77)

// itemKey is a key as engine/key makes them: head, partition part, sort key.
func itemKey(table byte, partition uint32, sort string) []byte {
	k := []byte{0x10, 0, 0, 0, 0, 0, 0, table, 0, 0, 0, 0}
	k = binary.BigEndian.AppendUint32(k, 7<<24|partition*2654435761>>8)
	k = append(k, 0, 4)
	k = binary.BigEndian.AppendUint32(k, partition)
	return append(k, sort...)
}

// randomEntries returns n versions in order, of about n/2 keys.
func randomEntries(r *rand.Rand, n, valueMax int) []base.Entry {
	var es []base.Entry
	for i := range n {
		e := base.Entry{
			Key: itemKey(byte(r.IntN(3)), uint32(r.IntN(n/4+1)), fmt.Sprintf("s%02d", r.IntN(3))),
			LSN: base.MakeLSN(base.Epoch(1+i*3/n), uint64(i+1)), Kind: base.KindPut,
		}
		if r.IntN(5) == 0 {
			e.Kind = base.KindTombstone
		} else {
			e.Value = bytes.Repeat([]byte{byte(i), byte(r.IntN(256))}, r.IntN(valueMax/2+1))
		}
		es = append(es, e)
	}
	return sorted(es)
}

func sorted(es []base.Entry) []base.Entry {
	slices.SortFunc(es, func(a, b base.Entry) int { return base.Compare(a.Key, a.LSN, b.Key, b.LSN) })
	return es
}

func build(t testing.TB, es []base.Entry, opts WriterOptions) ([]byte, Meta) {
	t.Helper()
	var buf bytes.Buffer
	opts.DatabaseID, opts.Num = testID, testNum
	w := NewWriter(&buf, opts)
	for _, e := range es {
		require.NoError(t, w.Add(e))
	}
	size := w.Size()
	meta, err := w.Finish()
	require.NoError(t, err)
	require.Equal(t, int64(buf.Len()), meta.Length)
	require.InDelta(t, meta.Length, size, float64(meta.Length)/2+70000) // one block is not yet compressed
	return buf.Bytes(), meta
}

// fileOffset is where the tests put the table in its file.
const fileOffset = 4096

func open(file []byte, c *cache.Cache, res *Resident) *Reader { return openWith(file, nil, c, res) }

func openWith(file []byte, keys *crypt.Keys, c *cache.Cache, res *Resident) *Reader {
	at := append(make([]byte, fileOffset, fileOffset+len(file)), file...)
	return NewReader(ReaderOptions{
		DatabaseID: testID, Num: testNum, File: bytes.NewReader(at),
		Offset: fileOffset, Length: int64(len(file)), Keys: keys, Cache: c, Resident: res,
	})
}

func same(t *testing.T, want, got base.Entry) {
	t.Helper()
	require.Equal(t, want.Key, got.Key)
	require.Equal(t, want.LSN, got.LSN)
	require.Equal(t, want.Kind, got.Kind)
	require.Equal(t, string(want.Value), string(got.Value))
}

func current(it base.Iterator) base.Entry {
	return base.Entry{Key: it.Key(), LSN: it.LSN(), Kind: it.Kind(), Value: it.Value()}
}

// lower is the first entry whose key is at or after key.
func lower(es []base.Entry, key []byte) int {
	i, _ := slices.BinarySearchFunc(es, key, func(e base.Entry, k []byte) int {
		return bytes.Compare(e.Key, k)
	})
	return i
}

func walk(t *testing.T, r *rand.Rand, it base.Iterator, es []base.Entry, seekKey func() []byte) {
	pos := -1
	for range 3000 {
		var ok bool
		switch op := r.IntN(100); {
		case op < 2:
			ok, pos = it.First(), 0
		case op < 4:
			ok, pos = it.Last(), len(es)-1
		case op < 8:
			k := seekKey()
			ok, pos = it.SeekGE(k), lower(es, k)
		case op < 12:
			k := seekKey()
			ok, pos = it.SeekLT(k), lower(es, k)-1
		case pos < 0 || pos >= len(es):
			continue
		case op < 55:
			ok, pos = it.Next(), pos+1
		default:
			ok, pos = it.Prev(), pos-1
		}
		require.NoError(t, it.Err())
		in := pos >= 0 && pos < len(es)
		require.Equal(t, in, ok)
		require.Equal(t, in, it.Valid())
		if in {
			same(t, es[pos], current(it))
		}
	}
}

func TestRoundTrip(t *testing.T) {
	for _, c := range []struct {
		n, valueMax int
		opts        WriterOptions
	}{
		{1, 10, WriterOptions{}},
		{9, 0, WriterOptions{}},
		{300, 100, WriterOptions{BlockBytes: 200}},
		{300, 100, WriterOptions{BlockBytes: 1}}, // a block for each entry
		{3000, 500, WriterOptions{}},
		{3000, 500, WriterOptions{Compression: CompressNone}},
		{3000, 500, WriterOptions{Compression: CompressZstd, BlockBytes: 16 << 10}},
		{40, 60000, WriterOptions{}},
	} {
		t.Run(fmt.Sprintf("%d of %d, block %d", c.n, c.valueMax, c.opts.BlockBytes), func(t *testing.T) {
			r := rand.New(rand.NewPCG(uint64(c.n), uint64(c.valueMax)))
			es := randomEntries(r, c.n, c.valueMax)
			file, meta := build(t, es, c.opts)
			rd := open(file, cache.New(1<<20), NewResident(0))
			require.NoError(t, rd.Verify(context.Background()))
			require.Equal(t, es[0].Key, meta.Smallest)
			require.Equal(t, es[len(es)-1].Key, meta.Largest)
			require.Equal(t, int64(len(es)), meta.Entries)
			checkProperties(t, rd, es)
			key := func() []byte {
				k := bytes.Clone(es[r.IntN(len(es))].Key)
				switch r.IntN(4) {
				case 0:
					k[len(k)-1]++
				case 1:
					k = k[:r.IntN(len(k)+1)]
				case 2:
					k = append(k, 0)
				}
				return k
			}
			walk(t, r, rd.NewIterWith(IterOptions{NoFill: true}), es, key)
			checkGets(t, r, rd, es, key)
			walk(t, r, rd.NewIter(), es, key)
		})
	}
}

func checkGets(t *testing.T, r *rand.Rand, rd *Reader, es []base.Entry, key func() []byte) {
	for i, e := range es {
		got, ok, err := rd.Get(e.Key, e.LSN, nothing)
		require.NoError(t, err)
		require.True(t, ok)
		same(t, e, got)
		got, ok, err = rd.Get(e.Key, e.LSN-1, nothing)
		require.NoError(t, err)
		older := i+1 < len(es) && bytes.Equal(es[i+1].Key, e.Key)
		require.Equal(t, older, ok)
		if ok {
			same(t, es[i+1], got)
		}
		has, err := rd.MayContainPrefix(storage.FilterPrefix(e.Key))
		require.NoError(t, err)
		require.True(t, has)
	}
	for range 1000 {
		k := key()
		i := lower(es, k)
		got, ok, err := rd.Get(k, base.LSN(1)<<63, nothing)
		require.NoError(t, err)
		require.Equal(t, i < len(es) && bytes.Equal(es[i].Key, k), ok)
		if ok {
			same(t, es[i], got)
		}
	}
}

func checkProperties(t *testing.T, rd *Reader, es []base.Entry) {
	p, err := rd.Properties()
	require.NoError(t, err)
	var want Properties
	want.MinLSN = es[0].LSN
	prefixes := map[string]bool{}
	for i, e := range es {
		prefixes[string(e.Key[:12])] = true
		want.Entries++
		want.MinLSN, want.MaxLSN = min(want.MinLSN, e.LSN), max(want.MaxLSN, e.LSN)
		if i > 0 && bytes.Equal(es[i-1].Key, e.Key) {
			continue
		}
		if e.Kind == base.KindPut {
			want.Keys++
		} else {
			want.Tombstones++
		}
		want.Bytes += int64(len(e.Key) + len(e.Value))
	}
	want.Smallest, want.Largest, want.Prefixes = es[0].Key, es[len(es)-1].Key, p.Prefixes
	require.Equal(t, want, *p)
	require.Len(t, p.Prefixes, len(prefixes))
}

func TestWriterRefuses(t *testing.T) {
	entry := func(key string, lsn base.LSN) base.Entry {
		return base.Entry{Key: []byte(key), LSN: lsn, Kind: base.KindPut}
	}
	for _, c := range []struct {
		name string
		es   []base.Entry
		err  error
	}{
		{"keys backward", []base.Entry{entry("b", 1), entry("a", 2)}, errOrder},
		{"versions oldest first", []base.Entry{entry("a", 1), entry("a", 2)}, errOrder},
		{"the same version twice", []base.Entry{entry("a", 1), entry("a", 1)}, errOrder},
		{"key too long", []base.Entry{entry(string(make([]byte, storage.KeyMaxBytes+1)), 1)}, errTooLarge},
		{"nothing", nil, errEmpty},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := NewWriter(&bytes.Buffer{}, WriterOptions{})
			for _, e := range c.es {
				_ = w.Add(e)
			}
			_, err := w.Finish()
			require.ErrorIs(t, err, c.err)
		})
	}
	w := NewWriter(failingSink{}, WriterOptions{})
	require.ErrorIs(t, w.Add(entry("a", 1)), errSink)
}

var errSink = errors.New("sink")

type failingSink struct{}

func (failingSink) Write([]byte) (int, error) { return 0, errSink }

func TestLargestEntry(t *testing.T) {
	k := bytes.Repeat([]byte{0xff}, storage.KeyMaxBytes)
	v := make([]byte, storage.ValueMaxBytes)
	rand.NewChaCha8([32]byte{}).Read(v)
	es := []base.Entry{
		{Key: []byte("a"), LSN: 1, Kind: base.KindPut, Value: []byte("small")},
		{Key: k, LSN: 2, Kind: base.KindPut, Value: v},
	}
	file, _ := build(t, es, WriterOptions{})
	rd := open(file, nil, nil)
	for _, e := range es {
		got, ok, err := rd.Get(e.Key, 5, nothing)
		require.NoError(t, err)
		require.True(t, ok)
		same(t, e, got)
	}
}

func TestFilter(t *testing.T) {
	const n = 20000
	var hashes []uint64
	for i := range n {
		hashes = append(hashes, filterHash(fmt.Appendf(nil, "in%d", i)))
	}
	f := appendFilter(nil, hashes)
	require.InDelta(t, n*filterBitsPerKey/8, len(f), filterLineBytes)
	wrong := 0
	for i := range n {
		require.True(t, filterHas(f, hashes[i]))
		if filterHas(f, filterHash(fmt.Appendf(nil, "out%d", i))) {
			wrong++
		}
	}
	rate := float64(wrong) / n
	t.Logf("false positives: %.2f %%", rate*100)
	require.Less(t, rate, 0.015)
}

func TestFilterRange(t *testing.T) {
	k := itemKey(1, 5, "")
	last := bytes.Clone(k)
	last[len(last)-1]++
	ff := append(append(make([]byte, 0, 20), itemKey(1, 5, "")[:18]...), 0xff, 0xff, 0xff, 0xff)
	carry := bytes.Clone(ff[:18])
	carry[17]++ // the length byte
	for _, c := range []struct {
		name       string
		start, end []byte
		want       bool
	}{
		{"whole partition", k, last, true},
		{"sort range", append(bytes.Clone(k), 'a'), append(bytes.Clone(k), 'b'), true},
		{"from a sort key on", append(bytes.Clone(k), 'a'), last, true},
		{"two partitions", k, append(bytes.Clone(last), 'a'), false},
		{"no end", k, nil, false},
		{"head only", k[:16], last, false},
		{"cut partition", k[:len(k)-1], last, false},
		{"all ff, end carried", ff, carry, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, ok := FilterRange(storage.Range{Start: c.start, End: c.end})
			require.Equal(t, c.want, ok)
			if ok {
				require.Equal(t, storage.FilterPrefix(c.start), p)
			}
		})
	}
}

// TestFiguresPushNothingOut: who asks for the properties of many tables gets them, and the tables that
// are read stay as they are.
func TestFiguresPushNothingOut(t *testing.T) {
	for _, n := range []int{2000, 20_000} { // in the second the index does not fit into what is read first
		es := randomEntries(rand.New(rand.NewPCG(1, 1)), n, 100)
		file, _ := build(t, es, WriterOptions{})
		one := NewResident(0)
		want, err := open(file, nil, one).Properties()
		require.NoError(t, err)
		res := NewResident(3*one.Bytes() + 1)
		var read []*Reader
		for range 3 {
			read = append(read, open(file, nil, res))
			_, ok, err := read[len(read)-1].Get(es[0].Key, es[0].LSN, nothing)
			require.NoError(t, err)
			require.True(t, ok)
		}
		for range 10 {
			p, err := open(file, nil, res).Properties()
			require.NoError(t, err)
			require.Equal(t, want, p)
		}
		for _, rd := range read {
			require.NotNil(t, rd.resident.Load())
		}
		require.Equal(t, 3*one.Bytes(), res.Bytes())
	}
}

func TestResidentBound(t *testing.T) {
	es := randomEntries(rand.New(rand.NewPCG(1, 1)), 2000, 100)
	file, _ := build(t, es, WriterOptions{})
	one := NewResident(0)
	_, err := open(file, nil, one).Properties()
	require.NoError(t, err)
	each := one.Bytes()
	require.Positive(t, each)

	res := NewResident(3*each + each/2)
	var rds []*Reader
	for range 10 {
		rds = append(rds, open(file, nil, res))
	}
	for round := range 3 {
		for i, rd := range rds {
			e := es[(round*37+i)%len(es)]
			_, ok, err := rd.Get(e.Key, e.LSN, nothing)
			require.NoError(t, err)
			require.True(t, ok)
			require.LessOrEqual(t, res.Bytes(), 3*each+each/2)
		}
	}
	require.Equal(t, 3*each, res.Bytes())
	for _, rd := range rds {
		rd.Forget()
	}
	require.Zero(t, res.Bytes())
}
