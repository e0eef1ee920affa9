package log

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestASuccessorIsOneInEveryRespect: each thing alone keeps a group of another lap, another history or
// another place from being read as the next one, however right its checksum is.
func TestASuccessorIsOneInEveryRespect(t *testing.T) {
	for name, change := range map[string]func(h *Header){
		"nothing is changed":    func(*Header) {},
		"a later seq":           func(h *Header) { h.Seq++ },
		"an earlier seq":        func(h *Header) { h.Seq-- },
		"another group before":  func(h *Header) { h.Digest++ },
		"an epoch before":       func(h *Header) { h.Epoch-- },
		"an epoch to come":      func(h *Header) { h.Epoch++ },
		"another log":           func(h *Header) { h.Ident.Log++ },
		"another database":      func(h *Header) { h.Ident.Database[15]++ },
		"another place":         func(h *Header) { h.Position += 512 },
		"frames of other LSNs":  func(h *Header) { h.FirstLSN++ },
		"more frames than has":  func(h *Header) { h.Count++ },
		"longer than its place": func(h *Header) { h.Length = testSegment },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 1)
			r.write(0, "a")
			r.reopen()
			r.write(1, "b")
			s, _ := r.seal(0, "next")
			h, ok := decodeHeader(s.Bytes)
			require.True(t, ok)
			change(&h)
			h.encode(s.Bytes)
			r.put(s, nil)
			want := []string{"a", "b"}
			if name == "nothing is changed" {
				want = append(want, "next")
			}
			got, _ := r.mustRead()
			require.Equal(t, want, got)
		})
	}
}
