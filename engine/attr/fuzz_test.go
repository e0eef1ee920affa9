package attr

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func sample(t testing.TB) Item {
	return build(t, NewItem().S("pk", "user#1").N("sk", "-12.5").B("bin", []byte{0, 255}).Bool("t", true).
		Null("nul").L("list", Int(1), List(Null()), String("x")).M("map", build(t, NewItem().S("a", "b"))).
		SS("ss", "b", "", "a").NS("ns", "1", "-2", "0").BS("bs", []byte{1}, nil).
		Vec("vec", 1, -2.5).Ts("ts", 1767225600000))
}

// reencode writes a checked item once more, entry by entry from the back.
func reencode(e *Encoder, v Value) {
	switch v.Type() {
	case L:
		e.BeginList()
		for r := ListReader(v); r.Next(); {
			reencode(e, r.Value())
		}
		e.EndList()
	case M:
		e.BeginMap()
		reencodeEntries(e, MapReader(v))
		e.EndMap()
	case SS, BS, NS:
		e.BeginSet(v.Type())
		var members [][]byte
		for r := SetReader(v); r.Next(); {
			members = append(members, r.Bytes())
		}
		for i := range members {
			e.Member(members[len(members)-1-i])
		}
		e.EndSet()
	default:
		e.Value(v)
	}
}

func reencodeEntries(e *Encoder, r Reader) {
	name, v, ok := r.Next()
	if !ok {
		return
	}
	reencodeEntries(e, r)
	e.Name(name)
	reencode(e, v)
}

func FuzzCheckItem(f *testing.F) {
	f.Add([]byte(sample(f)))
	f.Add([]byte{})
	f.Add([]byte{1, 'a', 5})
	f.Add([]byte{1, 'a', 0xf1, 0x8f, 0x00})
	f.Fuzz(func(t *testing.T, p []byte) {
		it := Item(p)
		// Nothing panics on any bytes.
		it.Size()
		it.Count()
		it.Get("pk").Len()
		ItemDepth(it)
		for r := it.Read(); ; {
			_, v, ok := r.Next()
			if !ok {
				break
			}
			Equal(v, it.Get("pk"))
			SetHas(v, it.Get("pk"))
			SetUnion(v, it.Get("pk"))
			v.Float32s(nil)
			v.Millis()
			_ = CheckValue(v)
		}
		if CheckItem(p) != nil {
			return
		}
		var e Encoder
		e.BeginItem()
		reencodeEntries(&e, it.Read())
		require.Equal(t, []byte(it), append([]byte{}, e.EndItem()...), "accepted bytes are canonical")
		require.Equal(t, []byte(it), []byte(Item{}.Merge(it)))
	})
}

func TestNoAllocation(t *testing.T) {
	it := sample(t)
	var e Encoder
	e.BeginItem()
	reencodeEntries(&e, it.Read())
	e.EndItem()
	buf := make([]byte, 0, 2*len(it))
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		it.Size()
		it.Get("ts")
		it.Count()
		_ = CheckItem(it)
		for r := SetReader(it.Get("ss")); r.Next(); {
			_ = r.Bytes()
		}
		e.Reset(buf)
		e.BeginItem()
		for _, n := range namesUnsorted {
			e.Name(n)
			e.Number(n)
		}
		e.EndItem()
	}))
}

var namesUnsorted = [][]byte{[]byte("3"), []byte("1"), []byte("2")}

func BenchmarkSize(b *testing.B) {
	it := sample(b)
	b.ReportAllocs()
	for b.Loop() {
		it.Size()
	}
}

func BenchmarkPageSize(b *testing.B) {
	it, sort := sample(b), []string{"sk"}
	b.ReportAllocs()
	for b.Loop() {
		it.PageSize(sort)
	}
}

func BenchmarkGetLast(b *testing.B) {
	it := sample(b)
	b.ReportAllocs()
	for b.Loop() {
		it.Get("vec")
	}
}

func BenchmarkCheckItem(b *testing.B) {
	it := sample(b)
	b.ReportAllocs()
	for b.Loop() {
		_ = CheckItem(it)
	}
}
