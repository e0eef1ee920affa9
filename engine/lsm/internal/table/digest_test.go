package table

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/storage"
)

func TestCheckDigestFindsEveryFlippedByte(t *testing.T) {
	file, meta := build(t, vectorEntries(), WriterOptions{})
	id := open(file, nil, nil).opts.DatabaseID
	require.NoError(t, CheckDigest(t.Context(), bytes.NewReader(file), id, 0, meta))
	for i := range file {
		file[i] ^= 0x10
		err := CheckDigest(t.Context(), bytes.NewReader(file), id, 0, meta)
		require.ErrorIs(t, err, storage.ErrCorrupt, "byte %d", i)
		file[i] ^= 0x10
	}
	other := meta
	other.Digest++
	assert.ErrorIs(t, CheckDigest(t.Context(), bytes.NewReader(file), id, 0, other), storage.ErrCorrupt)
}
