package cache

const (
	// bufferMax is the largest buffer that is kept for the next reader.
	bufferMax = 64 << 10
	// bufferMin is how large a buffer is made at least: most blocks fit.
	bufferMin = 8 << 10
)

// Buffers are lent to one reader of blocks: where it reads a block as it is stored, and where it
// decodes one that is not kept. What they hold at first is anything.
type Buffers struct {
	Stored, Raw []byte
}

// Lend gives buffers. Give them back with Return. A nil *Cache makes new ones each time.
func (c *Cache) Lend() *Buffers {
	if c != nil {
		if b, ok := c.buffers.Get().(*Buffers); ok {
			return b
		}
	}
	return &Buffers{}
}

// Return takes buffers back; nobody may use what is in them any more.
func (c *Cache) Return(b *Buffers) {
	if c != nil && b != nil && cap(b.Stored) <= bufferMax && cap(b.Raw) <= bufferMax {
		c.buffers.Put(b)
	}
}

// StoredRoom returns n bytes of Stored, which grows if it must.
func (b *Buffers) StoredRoom(n int) []byte {
	if cap(b.Stored) < n {
		b.Stored = make([]byte, max(n, bufferMin))
	}
	b.Stored = b.Stored[:n]
	return b.Stored
}
