package engine

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"slices"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/plan"
	"github.com/keystone-db/kstone/engine/transfer"
	"github.com/keystone-db/kstone/engine/transfer/input"
	"github.com/keystone-db/kstone/engine/validate"
)

const (
	// A round of an import or bulk put has no more records, or about so many bytes of items.
	loadRecords = 8192
	loadBytes   = 4 << 20
	// loadConditions is the most puts with a condition in one update, each of which may note the item that
	// is there.
	loadConditions = 128
)

// segment is a run of records with different keys, which one update puts.
type segment struct {
	writes []plan.Write
	at     []recordPlace // of each put
	faults []fault
	// replaced counts puts of an import that are left out because a later one has their key.
	replaced int64
	// records that were read, faults among them.
	records int64
	// cursor is behind the last of them.
	cursor input.Cursor
}

// recordPlace is where a record came from.
type recordPlace struct {
	object string
	index  int64
}

// fault is a record that cannot be put.
type fault struct {
	at      recordPlace
	message string
	// item is nil when the record has none.
	item attr.Item
}

// loader reads the records of one round.
type loader struct {
	db    *core
	table *catalog.Table
	room  plan.Room
	bytes int
	segs  []*segment
	// unordered: of the puts of a key only the last is done. Without it all are, one after the other.
	unordered bool
	seen      map[string]bool // the keys of the last segment, when ordered
	conds     int             // puts with a condition in it
}

// readRound reads records until they are enough for a round, or there are no more.
func (db *core) readRound(ctx context.Context, t *catalog.Table, in *input.Input, opts *roundOptions) (*round, error) {
	l := &loader{db: db, table: t, unordered: opts.unordered, room: plan.NewRoom(opts.records)}
	r := &round{from: in.Cursor()}
	l.begin(r.from)
	for n := 0; n < opts.records && l.bytes < loadBytes && !r.end; n++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		before := in.Cursor()
		rec, object, index, err := in.Next()
		if r.end = errors.Is(err, io.EOF); !r.end {
			if err = l.take(rec, recordPlace{object, index}, before, err); err != nil {
				return nil, err
			}
			l.last().records++
		}
		l.last().cursor = in.Cursor()
	}
	if r.segs = l.segs; opts.unordered {
		l.last().sort()
	}
	return r, nil
}

func (l *loader) begin(at input.Cursor) {
	l.segs = append(l.segs, &segment{cursor: at})
	l.conds = 0
	if !l.unordered {
		l.seen = make(map[string]bool)
	}
}

// sort puts the puts into the order of their keys, which is quicker to write, and leaves of those of one key
// only the last.
func (s *segment) sort() {
	order := make([]int, len(s.writes))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(bytes.Compare(s.writes[a].Key, s.writes[b].Key), cmp.Compare(a, b))
	})
	writes, at := make([]plan.Write, 0, len(order)), make([]recordPlace, 0, len(order))
	for i, n := range order {
		if i+1 < len(order) && bytes.Equal(s.writes[n].Key, s.writes[order[i+1]].Key) {
			s.replaced++
			continue
		}
		writes, at = append(writes, s.writes[n]), append(at, s.at[n])
	}
	s.writes, s.at = writes, at
}

func (l *loader) last() *segment { return l.segs[len(l.segs)-1] }

// take makes a put or a fault of what was read behind before.
func (l *loader) take(rec *transfer.Record, at recordPlace, before input.Cursor, err error) error {
	if err == nil {
		var w plan.Write
		if w, err = l.bind(rec); err == nil {
			l.put(w, at, before)
			return nil
		}
	}
	f := fault{at: at}
	own, refused := errors.AsType[*api.Error](err)
	switch {
	case refused:
		f.message = own.Message
		if l.bytes += len(rec.Item); len(rec.Item) <= attr.BinaryMaxBytes && len(rec.Bad) == 0 {
			f.item = rec.Item
		}
	case input.Lost(err):
		f.message = err.Error()
	default:
		return err
	}
	l.last().faults = append(l.last().faults, f)
	return nil
}

// put adds a put to the last segment, or begins another one when that cannot take it.
func (l *loader) put(w plan.Write, at recordPlace, before input.Cursor) {
	l.bytes += len(w.Item) + len(w.Key)
	if !l.unordered {
		if l.seen[string(w.Key)] || l.conds == loadConditions {
			l.begin(before)
		}
		l.seen[string(w.Key)] = true
	}
	if w.Condition != nil {
		l.conds++
	}
	s := l.last()
	s.writes, s.at = append(s.writes, w), append(s.at, at)
}

// bind checks a record as PutItem does and makes a put of it.
func (l *loader) bind(rec *transfer.Record) (plan.Write, error) {
	in := &api.PutItemInput{TableName: api.Some(l.table.Table.Name), Item: rec.Item, Bad: rec.Bad}
	if !l.unordered { // an import has no conditions
		in.ConditionExpression, in.ExpressionAttributeNames = rec.Condition, rec.Names
		in.ExpressionAttributeValues = rec.Values
	}
	if err := validate.PutItem(in, validate.Options{ClassicErrors: true}); err != nil {
		return plan.Write{}, err
	}
	var x plan.Expressions
	if in.ConditionExpression.Set {
		var err error
		if x, err = l.db.compiler.Compile(&plan.Texts{Condition: rec.Condition, Names: rec.Names, Values: rec.Values}); err != nil {
			return plan.Write{}, err
		}
	}
	w, err := plan.Put(&l.room, &l.table.Table, rec.Item, x.Condition)
	w.ReturnOnFailure = true
	return w, err
}
