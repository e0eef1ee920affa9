package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/capacity"
	"github.com/keystone-db/kstone/engine/exec"
	"github.com/keystone-db/kstone/engine/plan"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/partiql"
)

// statementPageUnits ends a page that was read from several partitions, in blocks of consistent
// reads: 1 MB.
const statementPageUnits = 256

// selecting is one SELECT on its way.
type selecting struct {
	db    *core
	table handle
	bound *partiql.Bound
	in    *api.ExecuteStatementInput
	out   api.ExecuteStatementOutput
	meter capacity.Meter
	// read counts entries, units what they cost as consistent reads.
	read  int
	units float64
}

// run binds and runs the statement for one page.
func (s *selecting) run(ctx context.Context) (*api.ExecuteStatementOutput, error) {
	s.meter.TableName = s.bound.Statement.Source().Table
	s.out.Items = []attr.Item{}
	from, err := decodePosition(s.in)
	if err != nil {
		return nil, err
	}
	sel, err := s.bind(from)
	if err != nil {
		return nil, err
	}
	err = s.db.admitRead(s.table.Table, readIndex(sel), s.in.ConsistentRead.Value)
	s.note(sel, err)
	if err != nil {
		return nil, err
	}
	switch {
	case sel.Key != nil && s.in.NextToken.Set:
		err = api.Errorf(api.Validation, api.MsgNextToken)
	case sel.Key != nil:
		err = s.one(ctx, sel)
	default:
		err = s.pages(ctx, sel)
	}
	if err != nil {
		return nil, err
	}
	s.db.charge(s.table.Table, &s.meter, false)
	if wantsCapacity(s.in.ReturnConsumedCapacity) {
		s.out.ConsumedCapacity = s.meter.Consumed(s.in.ReturnConsumedCapacity.Value, capacity.Plain)
	}
	return &s.out, nil
}

// note counts the keys that a selection asks for.
func (s *selecting) note(sel *partiql.Selection, refused error) {
	if sel.Key != nil {
		s.db.note(s.table.Table, nil, sel.Key, true, refused)
	}
	for i := range sel.Reads {
		if r := &sel.Reads[i]; !r.Scan {
			s.db.note(s.table.Table, r.Index, r.Range.Start, false, refused)
		}
	}
}

func (s *selecting) bind(from partiql.Position) (*partiql.Selection, error) {
	sel, err := s.bound.Select(&s.table.Table.Table, &partiql.Options{
		Consistent: s.in.ConsistentRead.Value, Limit: int(s.in.Limit.Value), From: from,
	})
	return sel, statementError(err)
}

// readIndex is the index that a selection reads, nil for the table.
func readIndex(sel *partiql.Selection) *schema.Index {
	if len(sel.Reads) == 0 {
		return nil
	}
	return sel.Reads[0].Index
}

// one reads one item.
func (s *selecting) one(ctx context.Context, sel *partiql.Selection) error {
	item, stored, err := s.db.exec.Get(ctx, s.table.Table, sel.Key)
	if err != nil {
		return err
	}
	s.meter.Table += capacity.ReadUnits(sizeOf(stored), s.in.ConsistentRead.Value)
	if item = selected(item, sel); item != nil {
		s.out.Items = append(s.out.Items, item)
	}
	return nil
}

// selected is what a read of one item gives: nil when it is absent or the filter drops it.
func selected(item attr.Item, sel *partiql.Selection) attr.Item {
	if item == nil || sel.Filter != nil && !sel.Filter.Eval(item) {
		return nil
	}
	return project(item, sel.Projection)
}

// pages runs reads one after the other until the page is full, all on one snapshot.
func (s *selecting) pages(ctx context.Context, sel *partiql.Selection) error {
	return s.db.exec.ReadTogether(ctx, s.table.Table, func(read func(*plan.Read) (exec.Page, error)) error {
		s.start()
		return s.fill(*sel, read)
	})
}

// start forgets what was read from a snapshot that is gone.
func (s *selecting) start() {
	s.read, s.units = 0, 0
	s.meter = capacity.Meter{TableName: s.meter.TableName}
	s.out.Items = []attr.Item{}
}

func (s *selecting) fill(sel partiql.Selection, read func(*plan.Read) (exec.Page, error)) error {
	at := partiql.Position{Part: sel.First}
	for len(sel.Reads) > 0 {
		r := sel.Reads[0]
		if limit := int(s.in.Limit.Value); limit > 0 {
			r.Limit = limit - s.read
		}
		if rest := sel.ItemsMax - len(s.out.Items); sel.ItemsMax > 0 && (r.Limit == 0 || rest < r.Limit) {
			r.Limit = rest
		}
		page, err := read(&r)
		if err != nil {
			return err
		}
		s.count(r.Index, &page)
		s.out.Items = append(s.out.Items, page.Items...)
		if at.Start = page.LastKey; at.Start == nil {
			sel.Reads = sel.Reads[1:]
			at.Part++
			if len(sel.Reads) == 0 {
				return nil
			}
		}
		if s.full(&sel) {
			s.end(at)
			return nil
		}
		if at.Start == nil {
			continue
		}
		next, err := s.bind(at)
		if err != nil {
			return err
		}
		sel = *next
	}
	return nil
}

// count adds what one read consumed.
func (s *selecting) count(ix *schema.Index, page *exec.Page) {
	s.read += page.Scanned
	s.units += page.Units
	if ix == nil {
		s.meter.Table += page.Units
		return
	}
	s.meter.Table += page.FetchUnits
	s.meter.AddIndex(ix.Name, ix.Local, page.Units)
}

// full says whether the page ends here. One that is read from one range ends with its read.
func (s *selecting) full(sel *partiql.Selection) bool {
	limit := int(s.in.Limit.Value)
	most := float64(statementPageUnits)
	if !s.in.ConsistentRead.Value {
		most *= capacity.ReadUnits(0, false)
	}
	return sel.ItemsMax == 0 || limit > 0 && s.read >= limit || len(s.out.Items) >= sel.ItemsMax ||
		s.units >= most
}

// end says where the next page begins.
func (s *selecting) end(at partiql.Position) {
	s.out.LastEvaluatedKey = at.Start
	s.out.NextToken = api.Some(encodePosition(s.in, at))
}

// A NextToken is base64 of: version 1 · digest of the statement 8 · uvarint part · key of the last
// item (may be empty).
const (
	positionVersion     = 1
	positionDigestBytes = 8
)

func statementDigest(in *api.ExecuteStatementInput) []byte {
	h := sha256.New()
	var n [binary.MaxVarintLen64]byte
	write := func(b []byte) {
		h.Write(n[:binary.PutUvarint(n[:], uint64(len(b)))])
		h.Write(b)
	}
	write([]byte(in.Statement.Value))
	for _, v := range in.Parameters {
		write(v)
	}
	return h.Sum(nil)[:positionDigestBytes]
}

func encodePosition(in *api.ExecuteStatementInput, at partiql.Position) string {
	b := append([]byte{positionVersion}, statementDigest(in)...)
	b = binary.AppendUvarint(b, uint64(at.Part))
	return base64.StdEncoding.EncodeToString(append(b, at.Start...))
}

// decodePosition reads the request's token; it must be one that the same statement with the same parameters gave.
func decodePosition(in *api.ExecuteStatementInput) (partiql.Position, error) {
	var at partiql.Position
	if !in.NextToken.Set {
		return at, nil
	}
	bad := api.Errorf(api.Validation, api.MsgNextToken)
	b, err := base64.StdEncoding.DecodeString(in.NextToken.Value)
	if err != nil || len(b) <= 1+positionDigestBytes || b[0] != positionVersion {
		return at, bad
	}
	if !bytes.Equal(b[1:1+positionDigestBytes], statementDigest(in)) {
		return at, api.Errorf(api.Validation, api.MsgNextTokenOther)
	}
	part, n := binary.Uvarint(b[1+positionDigestBytes:])
	if n <= 0 || part > partiql.PartsMax {
		return at, bad
	}
	at.Part = int(part)
	if key := b[1+positionDigestBytes+n:]; len(key) > 0 {
		if attr.CheckItem(key) != nil {
			return at, bad
		}
		at.Start = attr.Item(key)
	}
	return at, nil
}
