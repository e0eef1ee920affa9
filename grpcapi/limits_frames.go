package grpcapi

import "encoding/binary"

// What the count of messages must know of HTTP/2.
const (
	prefaceBytes   = 24 // before a client's first frame
	frameHeadBytes = 9

	frameData    = 0
	frameHeaders = 1
	frameReset   = 3 // those up to it begin or end an answer

	flagEndStream = 1
	flagPadded    = 8
)

// frameHead is the head of a frame.
type frameHead struct {
	kind, flags byte
	stream      uint32
	left        int // bytes of the payload that are still to come
}

// frames follows one direction of a connection, whatever pieces it comes in.
type frames struct {
	skip    int // bytes of no interest
	head    [frameHeadBytes]byte
	got     int // of the head
	at      frameHead
	padded  bool // the next byte of the payload is the length of the padding
	padding int
}

// follow takes the next bytes. frame is told of each head, data, unless nil, gets what DATA frames carry.
func (f *frames) follow(p []byte, frame func(*frameHead) error, data func([]byte) error) error {
	for len(p) > 0 {
		if f.skip > 0 {
			n := min(f.skip, len(p))
			f.skip -= n
			p = p[n:]
			continue
		}
		if f.at.left > 0 {
			rest, err := f.payload(p, data)
			if err != nil {
				return err
			}
			p = rest
			continue
		}
		n := copy(f.head[f.got:], p)
		f.got += n
		p = p[n:]
		if f.got < frameHeadBytes {
			continue
		}
		f.got = 0
		f.begin(data != nil)
		if err := frame(&f.at); err != nil {
			return err
		}
	}
	return nil
}

// begin reads a head that is whole.
func (f *frames) begin(data bool) {
	const lengthBytes, noReserved = 3, 1<<31 - 1
	f.at = frameHead{
		kind: f.head[lengthBytes], flags: f.head[lengthBytes+1],
		stream: binary.BigEndian.Uint32(f.head[lengthBytes+2:]) & noReserved,
		left:   int(f.head[0])<<16 | int(f.head[1])<<8 | int(f.head[2]),
	}
	f.padded, f.padding = f.at.kind == frameData && f.at.flags&flagPadded != 0, 0
	if !data || f.at.kind != frameData {
		f.skip, f.at.left = f.at.left, 0
	}
}

// payload takes what is there of a DATA frame's payload.
func (f *frames) payload(p []byte, data func([]byte) error) (rest []byte, err error) {
	if f.padded {
		f.padded = false
		f.padding = int(p[0])
		f.at.left--
		if f.padding > f.at.left { // gRPC ends the connection
			f.padding = f.at.left
		}
		return p[1:], nil
	}
	n := min(f.at.left, len(p))
	f.at.left -= n
	if content := min(n, n+f.at.left-f.padding); content > 0 {
		err = data(p[:content])
	}
	return p[n:], err
}
