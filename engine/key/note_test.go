package key_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/keystone-db/kstone/engine/key"
)

func TestTaskNotes(t *testing.T) {
	k := key.AppendTaskNote(nil, "export/01", 258)
	assert.Equal(t, "export/01\x00\x00\x00\x00\x00\x00\x00\x01\x02", string(k[16:]))
	r := key.TaskNotes("export/01", 258)
	assert.Equal(t, k, r.Start)
	for _, other := range []string{"export/0", "export/010", "export/02", "import/01"} {
		o := key.AppendTaskNote(nil, other, 300)
		assert.False(t, string(o) >= string(r.Start) && string(o) < string(r.End), other)
	}
	in := key.AppendTaskNote(nil, "export/01", 1<<63)
	assert.True(t, string(in) >= string(r.Start) && string(in) < string(r.End))
}
