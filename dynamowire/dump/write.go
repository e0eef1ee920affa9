package dump

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/keystone-db/kstone/dynamowire/codec"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// WriteOptions say what to write.
type WriteOptions struct {
	// Tables are the only ones; none means all.
	Tables []string
	// Progress, if not nil, is called after each page.
	Progress func(Counts)
}

// bufferBytes is how much is written at once.
const bufferBytes = 256 << 10

// Write writes a dump of what svc has. A database that is written to meanwhile is not at one moment in
// it: dump a fork, a snapshot's copy or a file that nobody writes. An error of svc comes back with the
// name of its table.
func Write(ctx context.Context, svc api.Service, out io.Writer, opts WriteOptions) (Counts, error) {
	w := &writer{svc: svc, out: bufio.NewWriterSize(out, bufferBytes), opts: opts}
	names := slices.Clone(opts.Tables)
	if len(names) == 0 {
		var err error
		if names, err = tableNames(ctx, svc); err != nil {
			return w.counts, err
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	w.line(fmt.Appendf(nil, `{"KstoneDump":%d}`, Version))
	for _, name := range names {
		if err := w.table(ctx, name); err != nil {
			return w.counts, fmt.Errorf("table %s: %w", name, err)
		}
	}
	for _, name := range names {
		if err := w.items(ctx, name); err != nil {
			return w.counts, fmt.Errorf("table %s: %w", name, err)
		}
	}
	w.line(fmt.Appendf(nil, `{"End":{"Tables":%d,"Items":%d}}`, w.counts.Tables, w.counts.Items))
	if w.err == nil {
		w.err = w.out.Flush()
	}
	return w.counts, w.err
}

func tableNames(ctx context.Context, svc api.Service) (names []string, err error) {
	in := &api.ListTablesInput{}
	for {
		out, err := svc.ListTables(ctx, in)
		if err != nil {
			return nil, err
		}
		names = append(names, out.TableNames...)
		if !out.LastEvaluatedTableName.Set {
			return names, nil
		}
		in.ExclusiveStartTableName = out.LastEvaluatedTableName
	}
}

type writer struct {
	svc    api.Service
	out    *bufio.Writer
	opts   WriteOptions
	counts Counts
	buf    []byte
	err    error // of out
}

func (w *writer) line(text []byte) {
	if w.err == nil {
		_, w.err = w.out.Write(append(text, '\n'))
	}
}

// table writes the definition of a table.
func (w *writer) table(ctx context.Context, name string) error {
	out, err := w.svc.DescribeTable(ctx, &api.DescribeTableInput{TableName: api.Some(name)})
	if err != nil {
		return err
	}
	create := createOf(out.Table)
	if create.Tags, err = tagsOf(ctx, w.svc, out.Table.TableArn); err != nil {
		return err
	}
	ttl, err := w.svc.DescribeTimeToLive(ctx, &api.DescribeTimeToLiveInput{TableName: api.Some(name)})
	if err != nil {
		return err
	}
	text, err := codec.AppendRequest([]byte(`{"Table":`), "CreateTable", create)
	if err != nil {
		return err
	}
	if d := ttl.TimeToLiveDescription; d != nil && timeToLiveOn(d) {
		text = append(text, `,"TimeToLive":{"Enabled":true,"AttributeName":`...)
		text = append(codec.AppendJSONString(text, d.AttributeName.Value), '}')
	}
	w.line(append(text, '}'))
	w.counts.Tables++
	return w.err
}

func timeToLiveOn(d *api.TimeToLiveDescription) bool {
	s := d.TimeToLiveStatus.Value
	return s == api.TimeToLiveStatusEnabled || s == api.TimeToLiveStatusEnabling
}

// tagsOf lists the tags of a table, sorted.
func tagsOf(ctx context.Context, svc api.Service, arn api.Opt[string]) (tags []api.Tag, err error) {
	in := &api.ListTagsOfResourceInput{ResourceArn: arn}
	for {
		out, err := svc.ListTagsOfResource(ctx, in)
		if err != nil {
			return nil, err
		}
		tags = append(tags, out.Tags...)
		if !out.NextToken.Set {
			break
		}
		in.NextToken = out.NextToken
	}
	slices.SortFunc(tags, func(a, b api.Tag) int { return cmp.Compare(a.Key.Value, b.Key.Value) })
	return tags, nil
}

// items writes the items of a table.
func (w *writer) items(ctx context.Context, name string) error {
	w.line(append(codec.AppendJSONString([]byte(`{"Items":`), name), '}'))
	in := &api.ScanInput{TableName: api.Some(name), ConsistentRead: api.Some(true)}
	for {
		out, err := w.svc.Scan(ctx, in)
		if err != nil {
			return err
		}
		for _, it := range out.Items {
			w.item(it)
		}
		w.counts.Items += int64(len(out.Items))
		if w.opts.Progress != nil {
			w.opts.Progress(w.counts)
		}
		if w.err != nil || out.LastEvaluatedKey == nil {
			return w.err
		}
		in.ExclusiveStartKey = out.LastEvaluatedKey
	}
}

func (w *writer) item(it attr.Item) {
	w.buf = codec.AppendItem(append(w.buf[:0], `{"Item":`...), it)
	if pointers := natives(nil, nil, it.Read()); len(pointers) > 0 {
		w.buf = append(w.buf, `,"Native":[`...)
		for i, p := range pointers {
			if i > 0 {
				w.buf = append(w.buf, ',')
			}
			w.buf = codec.AppendJSONString(w.buf, p)
		}
		w.buf = append(w.buf, ']')
	}
	w.line(append(w.buf, '}'))
}

// natives appends pointers to the values of an item or map that have types of their own.
func natives(dst []string, at []byte, r attr.Reader) []string {
	for name, v, ok := r.Next(); ok; name, v, ok = r.Next() {
		dst = nativesOf(dst, appendPart(append(at, '/'), name), v)
	}
	return dst
}

func nativesOf(dst []string, at []byte, v attr.Value) []string {
	switch v.Type() {
	case attr.VecF32, attr.Ts:
		return append(dst, string(at))
	case attr.M:
		return natives(dst, at, attr.MapReader(v))
	case attr.L:
		elems := attr.ListReader(v)
		for i := 0; elems.Next(); i++ {
			dst = nativesOf(dst, strconv.AppendInt(append(at, '/'), int64(i), 10), elems.Value())
		}
	}
	return dst
}

// appendPart appends a name as a part of a JSON pointer.
func appendPart(dst, name []byte) []byte {
	for _, c := range name {
		switch c {
		case '~':
			dst = append(dst, "~0"...)
		case '/':
			dst = append(dst, "~1"...)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// endOf is what the last line says.
type endOf struct{ Tables, Items *int64 }

// rawLine is one line, taken apart.
type rawLine struct {
	KstoneDump *int
	Table      json.RawMessage
	TimeToLive *struct {
		Enabled       bool
		AttributeName string
	}
	Items  *string
	Item   json.RawMessage
	Native []string
	End    *endOf
}
