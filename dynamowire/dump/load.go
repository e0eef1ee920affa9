package dump

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/keystone-db/kstone/dynamowire/codec"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// LoadOptions say how a dump is read.
type LoadOptions struct {
	// Table is where the items of a text without a header go, such as an export to S3; it must be there.
	Table string
	// Beside puts items beside what tables of the same name and key have, which is how a load that was
	// cut off is taken up again. Without it such tables are refused before anything is written.
	Beside bool
	// Bad, if not nil, is told of each line that cannot be loaded, with its number from 1, and the load
	// goes on; nil ends the load there.
	Bad func(line int64, err error)
	// Wait, if not nil, is called between two looks at a table that is not active yet.
	Wait func(context.Context) error
	// Progress, if not nil, is called now and then.
	Progress func(Counts)
}

// LineError is the first line of a dump that cannot be loaded. Nothing of it was done, and all lines before it
// are loaded.
type LineError struct {
	Line int64 // from 1
	Err  error
	// Behind is the last line behind it that is loaded; 0, but where only the service could find the fault.
	Behind int64
}

func (e *LineError) Error() string {
	text := fmt.Sprintf("line %d: %v", e.Line, e.Err)
	if e.Behind > 0 {
		text += fmt.Sprintf(" (behind it some up to line %d are loaded)", e.Behind)
	}
	return text
}

func (e *LineError) Unwrap() error { return e.Err }

// ErrCutOff: the last line of a dump is missing. What stood before it was loaded.
var ErrCutOff = errors.New("the dump was cut off: it has no last line")

// Load reads a dump, makes its tables and writes its items. Items are written in batches, several at
// once, those of a line whole or not at all. A *LineError ends it at the first line that cannot be loaded:
// what comes before is in, nothing behind it. Any other error is svc's or that of reading: then some of the
// lines that were read are in. Streams of tables are enabled after their items.
func Load(ctx context.Context, svc api.Service, in io.Reader, opts LoadOptions) (Counts, error) {
	l := &loader{svc: svc, opts: opts}
	l.puts = newPutter(ctx, svc, l.bad)
	err := l.read(ctx, bufio.NewReaderSize(in, bufferBytes))
	err = l.puts.wait(err)
	l.counts.Items = l.puts.count()
	if err == nil {
		err = l.finish(ctx)
	}
	return l.counts, err
}

type loader struct {
	svc    api.Service
	opts   LoadOptions
	counts Counts
	puts   *putter
	line   int64
	header bool
	ended  bool
	items  int64 // lines of items
	tables []*table
	made   bool
	into   *table
	dec    codec.Decoder
}

// table of a dump.
type table struct {
	create   *api.CreateTableInput
	name     string
	keys     []string
	typed    []api.AttributeDefinition // of keys, indexes' too
	ttl      string
	stream   *api.StreamSpecification
	existing bool
}

// bad is told of a line.
func (l *loader) bad(line int64, err error) error {
	if l.opts.Bad == nil {
		return &LineError{Line: line, Err: err}
	}
	l.opts.Bad(line, err)
	return nil
}

// read takes line by line.
func (l *loader) read(ctx context.Context, in *bufio.Reader) error {
	for {
		text, err := readLine(in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		l.line++
		if err == nil && len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		if err == nil {
			err = l.take(ctx, text)
		}
		if fault, ok := errors.AsType[lineFault](err); ok {
			err = l.bad(l.line, fault.error)
		}
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// lineFault is an error of a line's own.
type lineFault struct{ error }

func faultf(format string, args ...any) error { return lineFault{fmt.Errorf(format, args...)} }

// readLine returns a line without its end.
func readLine(in *bufio.Reader) ([]byte, error) {
	var long []byte
	for {
		piece, err := in.ReadSlice('\n')
		if len(long)+len(piece) > LineMaxBytes {
			return nil, fmt.Errorf("a line of more than %d bytes", LineMaxBytes)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			long = append(long, piece...)
			continue
		case errors.Is(err, io.EOF) && len(long)+len(piece) > 0:
			return append(long, piece...), nil
		case err != nil:
			return nil, err
		}
		if long == nil {
			return piece, nil
		}
		return append(long, piece...), nil
	}
}

// take does what a line says.
func (l *loader) take(ctx context.Context, text []byte) error {
	if !utf8.Valid(text) {
		return faultf("not UTF-8")
	}
	var raw rawLine
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&raw); err != nil {
		if !l.header && l.opts.Table == "" {
			return errNoHeader
		}
		return faultf("no line of a dump: %w", err)
	}
	if d.More() {
		return faultf("more than one object")
	}
	switch {
	case l.ended:
		return faultf("it stands behind the last line")
	case raw.KstoneDump != nil:
		return l.begin(*raw.KstoneDump)
	case raw.Item != nil:
		return l.item(ctx, &raw)
	case !l.header:
		return errNoHeader
	case raw.Table != nil:
		return l.addTable(&raw)
	case raw.Items != nil:
		return l.enter(ctx, *raw.Items)
	case raw.End != nil:
		return l.end(ctx, raw.End)
	}
	return faultf("no line of a dump: want one of Table, Items, Item, End")
}

var errNoHeader = errors.New(`no dump: its first line is {"KstoneDump":1}`)

func (l *loader) begin(version int) error {
	switch {
	case l.header || l.line > 1:
		return faultf("a second first line: load one dump at a time")
	case version < 1:
		return fmt.Errorf("no dump: version %d", version)
	case version > Version:
		return fmt.Errorf("the dump has version %d, this program knows %d: use a newer kstone", version, Version)
	}
	l.header = true
	return nil
}

func (l *loader) addTable(raw *rawLine) error {
	if l.made {
		return fmt.Errorf("line %d: a table behind the first items", l.line)
	}
	in, err := codec.DecodeSlow("CreateTable", raw.Table)
	if err != nil {
		return fmt.Errorf("line %d: no request of CreateTable: %w", l.line, err)
	}
	t := &table{create: in.(*api.CreateTableInput)}
	t.name = t.create.TableName.Value
	if raw.TimeToLive != nil && raw.TimeToLive.Enabled {
		t.ttl = raw.TimeToLive.AttributeName
	}
	if l.find(t.name) != nil {
		return fmt.Errorf("line %d: table %s a second time", l.line, t.name)
	}
	t.stream, t.create.StreamSpecification = t.create.StreamSpecification, nil
	t.keys, t.typed = keysOf(t.create.KeySchema), t.create.AttributeDefinitions
	l.tables = append(l.tables, t)
	return nil
}

func (l *loader) find(name string) *table {
	for _, t := range l.tables {
		if t.name == name {
			return t
		}
	}
	return nil
}

func keysOf(schema []api.KeySchemaElement) (names []string) {
	for _, k := range schema {
		names = append(names, k.AttributeName.Value)
	}
	return names
}

// enter begins the items of a table.
func (l *loader) enter(ctx context.Context, name string) error {
	if err := l.makeTables(ctx); err != nil {
		return err
	}
	if l.into = l.find(name); l.into == nil {
		return fmt.Errorf("line %d: items of table %s, of which no line says what it is", l.line, name)
	}
	return nil
}

// item hands an item on.
func (l *loader) item(ctx context.Context, raw *rawLine) error {
	if !l.header && l.into == nil {
		if err := l.enterAlone(ctx); err != nil {
			return err
		}
	}
	if l.into == nil {
		return fmt.Errorf("line %d: an item before a line that names its table", l.line)
	}
	l.items++
	it, fault, err := l.dec.Item(raw.Item)
	if err != nil {
		return faultf("no DynamoDB JSON: %w", messageOf(err))
	}
	if fault != nil {
		return faultf("%s", fault.Message())
	}
	it = bytes.Clone(it)
	if len(raw.Native) > 0 {
		if it, err = withNatives(it, raw.Native); err != nil {
			return lineFault{err}
		}
	}
	err = l.puts.put(l.into, it, l.line)
	if l.items%progressEvery == 0 && l.opts.Progress != nil {
		l.opts.Progress(Counts{Tables: l.counts.Tables, Items: l.puts.count()})
	}
	return err
}

// progressEvery is how many items are between two calls of Progress.
const progressEvery = 4096

// messageOf leaves out the code, which stands for a fault of a request.
func messageOf(err error) error {
	if e, ok := errors.AsType[*api.Error](err); ok && e.Message != "" {
		return errors.New(e.Message)
	}
	return err
}

// enterAlone begins the items of a text without tables.
func (l *loader) enterAlone(ctx context.Context) error {
	name := l.opts.Table
	if name == "" {
		return fmt.Errorf("%w; say which table the items of another text go to", errNoHeader)
	}
	out, err := l.svc.DescribeTable(ctx, &api.DescribeTableInput{TableName: api.Some(name)})
	if err != nil {
		return fmt.Errorf("table %s: %w", name, err)
	}
	l.into = &table{
		name: name, keys: keysOf(out.Table.KeySchema), typed: out.Table.AttributeDefinitions, existing: true,
	}
	l.made = true
	return nil
}

// end takes the last line.
func (l *loader) end(ctx context.Context, e *endOf) error {
	if err := l.makeTables(ctx); err != nil {
		return err
	}
	l.ended = true
	if e.Items != nil && *e.Items != l.items || e.Tables != nil && *e.Tables != int64(len(l.tables)) {
		return fmt.Errorf("%w: the last line counts others than %d tables and %d items", ErrCutOff, len(l.tables), l.items)
	}
	return nil
}

// makeTables makes all tables before the first item; or none when one is there that must not be.
func (l *loader) makeTables(ctx context.Context) error {
	if l.made {
		return nil
	}
	l.made = true
	for _, t := range l.tables {
		if err := l.look(ctx, t); err != nil {
			return err
		}
	}
	for _, t := range l.tables {
		if t.existing {
			continue
		}
		if _, err := l.svc.CreateTable(ctx, t.create); err != nil {
			return fmt.Errorf("table %s: %w", t.name, err)
		}
		l.counts.Tables++
	}
	for _, t := range l.tables {
		if err := l.settle(ctx, t); err != nil {
			return fmt.Errorf("table %s: %w", t.name, err)
		}
	}
	return nil
}

// look refuses a table that is there and must not be.
func (l *loader) look(ctx context.Context, t *table) error {
	out, err := l.svc.DescribeTable(ctx, &api.DescribeTableInput{TableName: t.create.TableName})
	switch {
	case api.CodeOf(err) == api.ResourceNotFound:
		return nil
	case err != nil:
		return fmt.Errorf("table %s: %w", t.name, err)
	case !l.opts.Beside:
		return fmt.Errorf("table %s: %w", t.name, ErrExists)
	case !sameKey(t.create, out.Table):
		return fmt.Errorf("table %s is there and has another key than in the dump", t.name)
	}
	t.existing, t.typed = true, out.Table.AttributeDefinitions
	return nil
}

// ErrExists: a table of the dump is there, and nothing was written.
var ErrExists = errors.New("it is there already")

// settle waits until a table can be used, and turns its time to live on.
func (l *loader) settle(ctx context.Context, t *table) error {
	for {
		out, err := l.svc.DescribeTable(ctx, &api.DescribeTableInput{TableName: t.create.TableName})
		if err != nil {
			return err
		}
		if s := out.Table.TableStatus.Value; s == api.TableStatusActive || s == api.TableStatusUpdating {
			break
		}
		if l.opts.Wait != nil {
			if err := l.opts.Wait(ctx); err != nil {
				return err
			}
		}
	}
	if t.ttl == "" {
		return nil
	}
	now, err := l.svc.DescribeTimeToLive(ctx, &api.DescribeTimeToLiveInput{TableName: t.create.TableName})
	if err != nil || now.TimeToLiveDescription != nil && timeToLiveOn(now.TimeToLiveDescription) {
		return err
	}
	_, err = l.svc.UpdateTimeToLive(ctx, &api.UpdateTimeToLiveInput{
		TableName: t.create.TableName,
		TimeToLiveSpecification: &api.TimeToLiveSpecification{
			Enabled: api.Some(true), AttributeName: api.Some(t.ttl),
		},
	})
	return err
}

// finish enables streams, once all items are in.
func (l *loader) finish(ctx context.Context) error {
	if l.header && !l.ended {
		return ErrCutOff
	}
	if l.line == 0 {
		return errNoHeader
	}
	for _, t := range l.tables {
		if t.stream == nil || !t.stream.StreamEnabled.Value {
			continue
		}
		out, err := l.svc.DescribeTable(ctx, &api.DescribeTableInput{TableName: t.create.TableName})
		if err == nil && (out.Table.StreamSpecification == nil || !out.Table.StreamSpecification.StreamEnabled.Value) {
			_, err = l.svc.UpdateTable(ctx, &api.UpdateTableInput{TableName: t.create.TableName, StreamSpecification: t.stream})
		}
		if err != nil {
			return fmt.Errorf("table %s: %w", t.name, err)
		}
	}
	return nil
}

// keyOf is what tells the items of a table apart.
func (t *table) keyOf(it attr.Item) string {
	var b []byte
	for _, name := range t.keys {
		b = append(b, it.Get(name)...)
	}
	return string(b)
}
