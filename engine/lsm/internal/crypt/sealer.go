package crypt

import (
	"crypto/cipher"
	"encoding/binary"
	"sync"
)

// Sealer seals and opens what belongs to one salt. Nil leaves everything as it is. Safe for concurrent
// use.
type Sealer struct {
	aead     cipher.AEAD
	database [databaseBytes]byte
	object   uint64
	places   *sync.Pool
	watch    func(number uint64, plain []byte) // nil but in tests
}

// Overhead is how many bytes sealing adds.
func (s *Sealer) Overhead() int {
	if s == nil {
		return 0
	}
	return TagBytes
}

// place is nonce and associated data of one call, kept in a pool: through the interface of a cipher both
// would be allocated each time.
type place struct {
	nonce [nonceBytes]byte
	data  [databaseBytes + 8 + 4 + 8]byte
}

func (s *Sealer) place(context uint32, number uint64) *place {
	p := s.places.Get().(*place)
	le := binary.LittleEndian
	le.PutUint64(p.nonce[nonceBytes-8:], number)
	copy(p.data[:], s.database[:])
	le.PutUint64(p.data[databaseBytes:], s.object)
	le.PutUint32(p.data[databaseBytes+8:], context)
	le.PutUint64(p.data[databaseBytes+12:], number)
	return p
}

// Seal encrypts buf in place, all but its last Overhead bytes, where the tag goes. A number is used once
// for a Sealer's salt, ever.
func (s *Sealer) Seal(buf []byte, context uint32, number uint64) {
	if s == nil {
		return
	}
	plain := buf[:len(buf)-TagBytes]
	if s.watch != nil {
		s.watch(number, plain)
	}
	p := s.place(context, number)
	s.aead.Seal(plain[:0], p.nonce[:], plain, p.data[:])
	s.places.Put(p)
}

// Open appends the plaintext of what Seal has made to dst, which overlaps sealed not at all or, empty,
// begins with it. ErrSealed if it is anything else. A nil Sealer appends sealed as it is.
func (s *Sealer) Open(dst, sealed []byte, context uint32, number uint64) ([]byte, error) {
	if s == nil {
		return append(dst, sealed...), nil
	}
	p := s.place(context, number)
	plain, err := s.aead.Open(dst, p.nonce[:], sealed, p.data[:])
	s.places.Put(p)
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}
