package engine

import (
	"context"
	"errors"
	"io"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/plan"
	"github.com/keystone-db/kstone/engine/transfer"
	"github.com/keystone-db/kstone/engine/transfer/input"
	"github.com/keystone-db/kstone/engine/validate"
)

// A step of an import or bulk put reads no more records, or about so many bytes of items.
const (
	loadRecords = 2048
	loadBytes   = 2 << 20
	// loadConditions is the most puts with a condition in one update, each of which may note the item that
	// is there.
	loadConditions = 128
)

// segment is a run of records with different keys, which one update puts.
type segment struct {
	writes []plan.Write
	at     []recordPlace // of each put
	faults []fault
	// replaced counts puts of an import whose place a later one of the same key took.
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

// loader reads the records of one step.
type loader struct {
	db    *core
	table *catalog.Table
	room  plan.Room
	bytes int
	segs  []*segment
	seen  map[string]int // the puts of the last segment by key
	// replace lets a later put of a key take the place of an earlier one. Without it both are done.
	replace bool
	conds   int // puts with a condition in it
}

// readSegments reads records until they are enough for a step, or there are no more.
func (db *core) readSegments(ctx context.Context, t *catalog.Table, in *input.Input, replace bool) (list []*segment, end bool, err error) {
	l := &loader{db: db, table: t, replace: replace, room: plan.NewRoom(db.opts.loadRecords)}
	l.begin(in.Cursor())
	for n := 0; n < db.opts.loadRecords && l.bytes < loadBytes; n++ {
		if err := ctx.Err(); err != nil {
			return nil, false, err
		}
		before := in.Cursor()
		rec, object, index, err := in.Next()
		if errors.Is(err, io.EOF) {
			l.last().cursor = in.Cursor()
			return l.segs, true, nil
		}
		if err = l.take(rec, recordPlace{object, index}, before, err); err != nil {
			return nil, false, err
		}
		l.last().records++
		l.last().cursor = in.Cursor()
	}
	return l.segs, false, nil
}

func (l *loader) begin(at input.Cursor) {
	l.segs = append(l.segs, &segment{cursor: at})
	l.seen, l.conds = make(map[string]int), 0
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
	i, twice := l.seen[string(w.Key)]
	if s := l.last(); twice && l.replace {
		s.writes[i], s.at[i] = w, at
		s.replaced++
		return
	}
	if twice || l.conds == loadConditions {
		l.begin(before)
	}
	if w.Condition != nil {
		l.conds++
	}
	s := l.last()
	l.seen[string(w.Key)] = len(s.writes)
	s.writes, s.at = append(s.writes, w), append(s.at, at)
}

// bind checks a record as PutItem does and makes a put of it.
func (l *loader) bind(rec *transfer.Record) (plan.Write, error) {
	in := &api.PutItemInput{TableName: api.Some(l.table.Table.Name), Item: rec.Item, Bad: rec.Bad}
	if !l.replace { // an import has no conditions
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
