package serve

import (
	"net"
	"sync"

	"github.com/keystone-db/kstone/dynamowire"
)

// boundTCP gives its slot back when it is closed. It keeps the half-close of TCP, by which the server
// lets a client read an answer before the end, and is a dynamowire.Gatherer.
type boundTCP struct {
	*net.TCPConn
	release func()
	more    int     // announced and not yet given to Write; one goroutine announces and writes
	held    *[]byte // what Write has put off
}

// heldRoom has memory for the beginnings of answers.
var heldRoom = sync.Pool{New: func() any {
	b := make([]byte, 0, dynamowire.GatherMinBytes)
	return &b
}}

func (c *boundTCP) Close() error {
	defer c.release()
	return c.TCPConn.Close()
}

// Gather announces that at least n bytes follow: the first write of them may wait for the second.
func (c *boundTCP) Gather(n int) { c.more = n }

// Write puts off what is surely followed by more; an error comes with that then.
func (c *boundTCP) Write(p []byte) (int, error) {
	switch {
	case c.held != nil:
		return c.writeHeld(p)
	case len(p) < c.more && len(p) <= dynamowire.GatherMinBytes:
		c.more -= len(p)
		c.held = heldRoom.Get().(*[]byte)
		*c.held = append(*c.held, p...)
		return len(p), nil
	}
	c.more = 0
	return c.TCPConn.Write(p)
}

// writeHeld writes what was put off and p in one piece.
func (c *boundTCP) writeHeld(p []byte) (int, error) {
	pieces := net.Buffers{*c.held, p}
	first := len(*c.held)
	n, err := pieces.WriteTo(c.TCPConn)
	*c.held = (*c.held)[:0]
	heldRoom.Put(c.held)
	c.held, c.more = nil, 0
	return max(0, int(n)-first), err
}
