package cache

// bufferMax is the largest buffer that is kept for the next reader.
const bufferMax = 64 << 10

// Scratch lends a buffer of n bytes, with any content, for a block that is read and decoded into
// another place. Give it back with Release. A nil *Cache makes a new one each time.
func (c *Cache) Scratch(n int) *[]byte {
	if c != nil {
		if p, ok := c.scratch.Get().(*[]byte); ok && cap(*p) >= n {
			*p = (*p)[:n]
			return p
		}
	}
	p := make([]byte, n, max(n, 8<<10))
	return &p
}

// Release takes a buffer back; nobody may use it any more.
func (c *Cache) Release(p *[]byte) {
	if c != nil && cap(*p) <= bufferMax {
		c.scratch.Put(p)
	}
}
