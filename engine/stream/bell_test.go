package stream

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/storage"
)

// called says whether a listener was woken, and takes the call back.
func called(l *Listener) bool {
	select {
	case <-l.Wake():
		return true
	default:
		return false
	}
}

// TestBell: a listener is woken by updates that concern its slots, when they are over, and knows
// of them before.
func TestBell(t *testing.T) {
	b := new(Bell)
	b.Note(3, 5)
	b.Ring(5)
	all, one := b.Listen(0, 4), b.Listen(2, 1)
	noted := make([]storage.Seq, 4)
	require.Equal(t, heard{changed: 5, rung: 5, first: true}, all.heard(noted))
	require.Equal(t, []storage.Seq{5, 5, 5, 5}, noted, "what was missed may be anywhere")
	one.heard(noted[:1])
	require.False(t, called(all))

	b.Note(1, 9)
	b.Note(1, 8)
	require.False(t, called(all), "it is not over")
	require.Equal(t, heard{lowest: 8, changed: 5, rung: 5}, all.heard(noted))
	require.Equal(t, []storage.Seq{5, 9, 5, 5}, noted)
	require.Equal(t, heard{changed: 5, rung: 5}, all.heard(noted))
	b.Ring(9)
	require.True(t, called(all))
	require.False(t, called(one))
	b.Ring(8)
	require.False(t, called(all), "who waits for 9 waits for 8")
	require.Equal(t, storage.Seq(9), all.heard(noted).rung)

	b.NoteChange(12)
	b.Ring(12)
	require.True(t, called(all))
	require.True(t, called(one), "a change of the stream is for all")
	require.Equal(t, heard{changed: 12, rung: 12}, one.heard(noted[:1]))
	b.Ring(13)
	require.False(t, called(one), "nothing was noted")

	one.Close()
	b.Note(2, 20)
	b.Ring(20)
	require.False(t, called(one))
	require.True(t, called(all))
	all.Close()
	b.Ring(20)
	require.False(t, called(all))
}

// TestBellIsCheap: without listeners nothing is allocated, and neither with one.
func TestBellIsCheap(t *testing.T) {
	b := new(Bell)
	seq := storage.Seq(0)
	write := func() {
		seq++
		b.Note(0, seq)
		b.Ring(seq)
	}
	require.Zero(t, testing.AllocsPerRun(100, write))
	l := b.Listen(0, 1)
	defer l.Close()
	require.Zero(t, testing.AllocsPerRun(100, write))
}

func BenchmarkBell(b *testing.B) {
	for name, listeners := range map[string]int{"nobody": 0, "100": 100} {
		b.Run(name, func(b *testing.B) {
			bell, seq := new(Bell), storage.Seq(0)
			for range listeners {
				defer bell.Listen(0, 1).Close()
			}
			for b.Loop() {
				seq++
				bell.Note(0, seq)
				bell.Ring(seq)
			}
		})
	}
}
