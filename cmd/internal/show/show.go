// Package show writes what commands answer, as tables for people and as JSON for programs.
package show

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/keystone-db/kstone/cmd/internal/items"
	"github.com/keystone-db/kstone/dynamowire/codec"
	"github.com/keystone-db/kstone/engine/attr"
)

// Format is a format of output.
type Format int

// The formats.
const (
	// JSON is one document over several lines: an object for an item, an array for rows.
	JSON Format = iota
	// JSONLines is one row a line.
	JSONLines
	// Compact is JSON without blanks.
	Compact
	// Table is for people.
	Table
)

// Names of the formats, as flags give them.
const (
	nameTable   = "table"
	nameJSON    = "json"
	nameLines   = "jsonl"
	nameCompact = "compact"
)

// FormatNames are the names that ParseFormat takes.
func FormatNames() []string { return []string{nameTable, nameJSON, nameLines, nameCompact} }

// ParseFormat gives the format of a name.
func ParseFormat(name string) (Format, error) {
	switch name {
	case nameTable:
		return Table, nil
	case nameJSON:
		return JSON, nil
	case nameLines:
		return JSONLines, nil
	case nameCompact:
		return Compact, nil
	}
	return JSON, fmt.Errorf("%q: want %s, %s, %s or %s", name, nameTable, nameJSON, nameLines, nameCompact)
}

// factsWidth is the width of descriptions where there is no terminal.
const factsWidth = 1 << 16

// indent is one step of JSON.
const indent = "  "

// Options say how to write.
type Options struct {
	Format Format
	// Form of the items in JSON.
	Form items.Form
	// Keys are the columns that come first in a table.
	Keys []string
	// Width is that of the terminal in columns; 0 when there is none, and then nothing is cut.
	Width int
}

// appendItem appends an item on one line.
func (o Options) appendItem(dst []byte, it attr.Item) []byte {
	if o.Form == items.DynamoDB {
		return codec.AppendItem(dst, it)
	}
	return items.AppendPlain(dst, it)
}

// Item writes one item.
func Item(w io.Writer, o Options, it attr.Item) error {
	if o.Format == Table {
		names := columns([]attr.Item{it}, o.Keys)
		cells := make([]string, len(names))
		for i, name := range names {
			cells[i] = o.cell(it.Get(name))
		}
		return writeTable(w, names, [][]string{cells}, o.Width)
	}
	return Document(w, o, o.appendItem(nil, it))
}

// Document writes one JSON text, which comes without blanks.
func Document(w io.Writer, o Options, text []byte) error {
	if o.Format == JSON {
		var b bytes.Buffer
		if err := json.Indent(&b, text, "", indent); err != nil {
			return err
		}
		text = b.Bytes()
	}
	_, err := w.Write(append(text, '\n'))
	return err
}

// Names writes a list of names of what.
func Names(w io.Writer, o Options, what string, names []string) error {
	switch o.Format {
	case Table:
		cells := make([][]string, len(names))
		for i, name := range names {
			cells[i] = []string{name}
		}
		if len(names) > 0 {
			if err := writeTable(w, []string{what}, cells, o.Width); err != nil {
				return err
			}
		}
		_, err := io.WriteString(w, rowsText(int64(len(names))))
		return err
	case JSONLines:
		for _, name := range names {
			if _, err := w.Write(append(codec.AppendJSONString(nil, name), '\n')); err != nil {
				return err
			}
		}
		return nil
	case JSON, Compact:
	}
	text := []byte{'['}
	for i, name := range names {
		if i > 0 {
			text = append(text, ',')
		}
		text = codec.AppendJSONString(text, name)
	}
	return Document(w, o, append(text, ']'))
}

// Fact is a line of a description.
type Fact struct{ Name, Value string }

// Facts writes a description as a table.
func Facts(w io.Writer, o Options, facts []Fact) error {
	names, values := make(table.Row, len(facts)), make([]string, len(facts))
	for i, f := range facts {
		names[i], values[i] = printable(f.Name), printable(f.Value)
	}
	width := o.Width
	if width == 0 {
		width = factsWidth
	}
	return writeUpright(w, names, [][]string{values}, width)
}
