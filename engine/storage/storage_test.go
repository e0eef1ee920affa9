package storage_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/keystone-db/kstone/engine/storage"
)

func TestFilterPrefix(t *testing.T) {
	head := "0123456789abcdef"
	for key, want := range map[string]string{
		"":                         "",
		head:                       head,
		head + "\x00":              head + "\x00",
		head + "\x00\x00":          head + "\x00\x00",
		head + "\x00\x02pksort":    head + "\x00\x02pk",
		head + "\x00\x02pk":        head + "\x00\x02pk",
		head + "\x00\x09too short": head + "\x00\x09too short",
		head + "\xff\xffno":        head + "\xff\xffno",
	} {
		assert.Equal(t, want, string(storage.FilterPrefix([]byte(key))), "%q", key)
	}
}

func TestRangeContains(t *testing.T) {
	r := storage.Range{Start: []byte("b"), End: []byte("d")}
	for key, want := range map[string]bool{"": false, "a": false, "b": true, "c\xff": true, "d": false} {
		assert.Equal(t, want, r.Contains([]byte(key)), key)
	}
	assert.True(t, storage.Range{}.Contains([]byte("\xff")))
}

func TestErrors(t *testing.T) {
	err := fmt.Errorf("wrapped: %w", &storage.ConflictError{Key: []byte("k"), Multi: true})
	assert.ErrorIs(t, err, storage.ErrConflict)
	var conflict *storage.ConflictError
	assert.True(t, errors.As(err, &conflict) && conflict.Multi)
	assert.NotErrorIs(t, err, storage.ErrUncertain)
	assert.ErrorIs(t, storage.ErrClosed, storage.ErrUnavailable)
}
