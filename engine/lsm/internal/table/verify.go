package table

import (
	"bytes"
	"context"
	"fmt"

	"github.com/cespare/xxhash/v2"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/storage"
)

// Fault is a place of a table that does not verify, or that contradicts another one.
type Fault struct {
	// Part is "header", "data block", "filter", "index", "properties", "footer" or "table".
	Part string
	// Offset in the file, and Length in bytes.
	Offset, Length int64
	Reason         string
	// Lost: what the place holds cannot be read. It has keys from First to Last, both included; nil for
	// any key of the table.
	Lost        bool
	First, Last []byte
}

// Checked is what Check saw of a table.
type Checked struct {
	// Bytes and Blocks that were read.
	Bytes  int64
	Blocks int
	// Properties as the entries say, without what could not be read. The bounds are nil without entries.
	Properties Properties
	// Whole: every entry was read.
	Whole bool
}

// CheckOptions direct a Check. Fault is required.
type CheckOptions struct {
	// Meta is what the manifest says of the table, nil when nobody knows.
	Meta *Meta
	// Entry, if not nil, is asked about every entry that can be read, and says what is wrong with it; ""
	// for nothing.
	Entry func(base.Entry) string
	// Sealed: the blocks cannot be decoded for want of a key. Header, footer and the digest of all
	// bytes are checked, nothing else.
	Sealed bool
	// Quick leaves the data blocks and the digest out.
	Quick bool
	Fault func(Fault)
}

// Verify is Check for who wants to know only what is wrong first.
func (r *Reader) Verify(ctx context.Context) error {
	var first error
	_, err := r.Check(ctx, CheckOptions{Fault: func(f Fault) {
		if first == nil {
			first = r.corrupt(f.Offset-r.opts.Offset, "%s: %s", f.Part, f.Reason)
		}
	}})
	if first != nil {
		return first
	}
	return err
}

// Check reads every byte of the table from the file and checks every checksum, the order of its
// entries, and digest, index, filter and properties against them. It goes on behind what is damaged
// and reports all faults; an error is the context's only. Nothing of it goes through the cache, and
// nothing becomes resident.
func (r *Reader) Check(ctx context.Context, opts CheckOptions) (Checked, error) {
	c := checker{r: r, opts: opts, lender: lender{cache: r.opts.Cache}}
	defer c.giveBack()
	c.header()
	f, ok := c.footer()
	if !ok {
		c.out.Bytes = r.opts.Length
		return c.out, ctx.Err()
	}
	if opts.Sealed {
		return c.out, c.digest(ctx, f)
	}
	c.sections(f)
	if opts.Quick {
		c.quick()
		return c.out, ctx.Err()
	}
	if c.index == nil {
		return c.out, c.digest(ctx, f)
	}
	for i := range c.index.blocks {
		if err := ctx.Err(); err != nil {
			return c.out, err
		}
		c.block(i)
	}
	c.out.Whole = c.bad == 0
	c.bounds()
	return c.out, c.digest(ctx, f)
}

// checker goes through a table.
type checker struct {
	r    *Reader
	opts CheckOptions
	out  Checked

	index  *index
	filter []byte
	props  *Properties
	bad    int // data blocks that cannot be read
	key    []byte
	lsn    base.LSN
	lender
}

func (c *checker) fault(part string, s section, lost bool, format string, args ...any) {
	c.opts.Fault(Fault{
		Part: part, Offset: c.r.opts.Offset + int64(s.offset), Length: int64(s.length), Lost: lost,
		Reason: fmt.Sprintf(format, args...),
	})
}

func (c *checker) header() {
	s := section{0, headerBytes}
	var h [headerBytes]byte
	if err := c.r.readAt(h[:], 0); err != nil {
		c.fault("header", s, false, "%v", reasonOf(err))
		return
	}
	c.out.Bytes += headerBytes
	if wrong := checkHeader(h[:], c.r.sums); wrong != "" {
		c.fault("header", s, false, "%s", wrong)
	}
}

// reasonOf leaves out of an error what a Fault says in other fields.
func reasonOf(err error) string {
	if ce, ok := err.(*base.CorruptError); ok { //nolint:errorlint // Reader wraps none of its own
		if _, reason, ok := bytes.Cut([]byte(ce.Reason), []byte(": ")); ok {
			return string(reason)
		}
		return ce.Reason
	}
	return err.Error()
}

func (c *checker) footer() (footer, bool) {
	length := c.r.opts.Length
	at := max(0, length-footerBytes)
	s := section{uint32(at), footerBytes}
	f, _, err := c.r.readEnd(func(f footer) section { return section{offset: uint32(at)} })
	if err != nil {
		c.fault("footer", s, true, "%s", reasonOf(err))
		return footer{}, false
	}
	c.out.Bytes += footerBytes
	if m := c.opts.Meta; m != nil && m.Digest != f.digest {
		c.fault("footer", s, false, "the digest is another one than in the manifest")
	}
	return f, true
}

// sections reads what stands behind the data blocks. Without one of them nothing in the table can be
// read in the ordinary way.
func (c *checker) sections(f footer) {
	if raw, ok := c.section("filter", f.filter); ok {
		if len(raw) == 0 || len(raw)%filterLineBytes != 0 {
			c.fault("filter", f.filter, true, "malformed")
		} else {
			c.filter = raw
		}
	}
	if raw, ok := c.section("index", f.index); ok {
		if c.index, ok = parseIndex(raw, f.filter.offset); !ok {
			c.index = nil
			c.fault("index", f.index, true, "malformed")
		}
	}
	if raw, ok := c.section("properties", f.properties); ok {
		if c.props, ok = parseProperties(raw); !ok {
			c.props = nil
			c.fault("properties", f.properties, true, "malformed")
		}
	}
	x := c.index
	if x != nil && c.props != nil && (!bytes.Equal(c.props.Smallest, x.first(0)) ||
		!bytes.Equal(c.props.Largest, x.last(len(x.blocks)-1))) {
		c.fault("properties", f.properties, true, "bounds differ from the index")
	}
}

func (c *checker) section(part string, s section) ([]byte, bool) {
	stored := make([]byte, s.length)
	err := c.r.readAt(stored, int64(s.offset))
	var raw []byte
	if err == nil {
		raw, err = c.r.unseal(nil, s, stored, sectionRawMaxBytes)
	}
	if err != nil {
		c.fault(part, s, true, "%s", reasonOf(err))
		return nil, false
	}
	c.out.Bytes += int64(s.length)
	return raw, true
}

// digest reads all bytes again, in their order.
func (c *checker) digest(ctx context.Context, f footer) error {
	var d xxhash.Digest
	d.Reset()
	end := f.length - footerBytes
	buf := make([]byte, min(end, digestPieceBytes))
	for at := int64(0); at < end; at += int64(len(buf)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		piece := buf[:min(int64(len(buf)), end-at)]
		if err := c.r.readAt(piece, at); err != nil {
			c.fault("table", section{uint32(at), uint32(len(piece))}, c.opts.Sealed, "%s", reasonOf(err))
			return nil
		}
		_, _ = d.Write(piece) // never fails
	}
	if c.opts.Sealed {
		c.out.Bytes += end - headerBytes
	}
	if d.Sum64() != f.digest {
		c.fault("table", section{0, uint32(end)}, c.opts.Sealed, "its bytes do not have the digest that its footer names")
	}
	return nil
}

// lost reports a data block that cannot be read.
func (c *checker) lost(i int, reason string) {
	c.bad++
	s := c.index.blocks[i]
	c.opts.Fault(Fault{
		Part: "data block", Offset: c.r.opts.Offset + int64(s.offset), Length: int64(s.length), Reason: reason,
		Lost: true, First: bytes.Clone(c.index.first(i)), Last: bytes.Clone(c.index.last(i)),
	})
}

func (c *checker) block(i int) {
	raw, err := c.r.readBlock(c.index.blocks[i], &c.lender, true)
	if err != nil {
		c.lost(i, reasonOf(err))
		return
	}
	c.out.Bytes += int64(c.index.blocks[i].length)
	c.out.Blocks++
	b, ok := parseBlock(raw)
	if !ok || !c.wellFormed(i, &b) {
		c.lost(i, "malformed")
		return
	}
	c.entries(i, &b)
}

// wellFormed says whether all entries of a block can be decoded, from the first key to the last that the
// index names.
func (c *checker) wellFormed(i int, b *block) bool {
	restart := 0
	var key, prev []byte
	var e blockEntry
	for off := b.restart(0); off < len(b.data); off = e.next {
		isRestart := restart < b.n && off == b.restart(restart)
		if isRestart {
			restart++
		}
		if !b.entry(&e, off) || e.shared > len(prev) || isRestart && e.shared != 0 {
			return false
		}
		key = append(append(key[:0], prev[:e.shared]...), e.suffix...)
		if off == b.restart(0) && !bytes.Equal(key, c.index.first(i)) {
			return false
		}
		prev, key = key, prev
	}
	return restart == b.n && bytes.Equal(prev, c.index.last(i))
}

// entries checks the entries of a well-formed block. One fault of a kind is enough for a block.
func (c *checker) entries(i int, b *block) {
	said := map[string]bool{}
	say := func(what string) {
		if what != "" && !said[what] {
			said[what] = true
			c.fault("data block", c.index.blocks[i], false, "%s", what)
		}
	}
	var key []byte
	var e blockEntry
	for off := b.restart(0); off < len(b.data); off = e.next {
		b.entry(&e, off)
		key = append(key[:e.shared], e.suffix...)
		say(c.entry(base.Entry{Key: key, LSN: e.lsn, Kind: e.kind, Value: e.value}))
	}
}

// entry returns what is wrong with an entry; "" for nothing.
func (c *checker) entry(e base.Entry) (wrong string) {
	p := &c.out.Properties
	known := p.Entries > 0
	switch {
	case known && base.Compare(c.key, c.lsn, e.Key, e.LSN) >= 0:
		wrong = "entries out of order"
	case c.filter != nil && !c.knows(e.Key):
		wrong = "the filter does not know a key"
	case c.opts.Entry != nil:
		wrong = c.opts.Entry(e)
	}
	if !known {
		p.Smallest = bytes.Clone(e.Key)
	}
	p.count(e, !known || !bytes.Equal(c.key, e.Key))
	c.key, c.lsn = append(c.key[:0], e.Key...), e.LSN
	return wrong
}

func (c *checker) knows(key []byte) bool {
	if !filterHas(c.filter, filterHash(key)) {
		return false
	}
	p := storage.FilterPrefix(key)
	return len(p) == len(key) || filterHas(c.filter, filterHash(p))
}

// quick believes the properties, and compares only what the manifest says with them.
func (c *checker) quick() {
	if c.props == nil {
		return
	}
	c.out.Properties = *c.props
	c.manifest()
}

// bounds compares what was counted with what properties and manifest say.
func (c *checker) bounds() {
	p := &c.out.Properties
	p.Largest = bytes.Clone(c.key)
	p.sum()
	if !c.out.Whole {
		return
	}
	end := section{uint32(c.r.opts.Length - footerBytes), footerBytes}
	if c.props != nil && !p.equal(c.props) {
		c.fault("properties", end, false, "they differ from the entries")
	}
	c.manifest()
}

// manifest compares what the manifest says with the figures of the table.
func (c *checker) manifest() {
	m, p := c.opts.Meta, &c.out.Properties
	if m == nil {
		return
	}
	end := section{uint32(c.r.opts.Length - footerBytes), footerBytes}
	if m.Entries != p.Entries || m.Tombstones != p.Tombstones || m.MinLSN != p.MinLSN || m.MaxLSN != p.MaxLSN {
		c.fault("table", end, false, "the manifest says %d entries, %d tombstones, LSN %v to %v; there are %d, %d, %v to %v",
			m.Entries, m.Tombstones, m.MinLSN, m.MaxLSN, p.Entries, p.Tombstones, p.MinLSN, p.MaxLSN)
	}
	if bytes.Compare(m.Smallest, p.Smallest) > 0 || bytes.Compare(p.Largest, m.Largest) > 0 {
		c.fault("table", end, false, "keys outside the bounds that the manifest says")
	}
}

// equal compares all figures.
func (p *Properties) equal(o *Properties) bool {
	if p.MinLSN != o.MinLSN || p.MaxLSN != o.MaxLSN || len(p.Prefixes) != len(o.Prefixes) {
		return false
	}
	for i := range p.Prefixes {
		a, b := &p.Prefixes[i], &o.Prefixes[i]
		if !bytes.Equal(a.Prefix, b.Prefix) || a.Entries != b.Entries || a.Keys != b.Keys ||
			a.Tombstones != b.Tombstones || a.Bytes != b.Bytes {
			return false
		}
	}
	return true
}
