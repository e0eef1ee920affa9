package show

import (
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"unicode"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/keystone-db/kstone/cmd/internal/items"
	"github.com/keystone-db/kstone/dynamowire/codec"
	"github.com/keystone-db/kstone/engine/attr"
)

const (
	// blockRows is how many rows one table has: its columns are known when its rows are, and memory
	// is bounded.
	blockRows = 500
	// blockBytes bounds the items of one table.
	blockBytes = 4 << 20
	// columnMin is the least width to which a column is cut.
	columnMin = 8
	// columnFrame is the width that a column adds to its content: two blanks and a rule.
	columnFrame = 3
	// cut stands where a cell was cut.
	cut = "…"
)

// addToTable gathers rows until there are enough for a table.
func (r *Rows) addToTable(it attr.Item) error {
	r.block = append(r.block, it)
	r.blockBytes += len(it)
	if len(r.block) < blockRows && r.blockBytes < blockBytes {
		return nil
	}
	return r.writeBlock()
}

// writeBlock writes the rows that are gathered.
func (r *Rows) writeBlock() error {
	if len(r.block) == 0 {
		return nil
	}
	names := columns(r.block, r.o.Keys)
	cells := make([][]string, len(r.block))
	for i, it := range r.block {
		cells[i] = make([]string, len(names))
		for j, name := range names {
			cells[i][j] = r.o.cell(it.Get(name))
		}
	}
	r.block, r.blockBytes = r.block[:0], 0
	return writeTable(r.w, names, cells, r.o.Width)
}

// columns are the names of all attributes in the order of their bytes, those of the key first.
func columns(rows []attr.Item, keys []string) []string {
	seen := map[string]bool{}
	for _, it := range rows {
		r := it.Read()
		for name, _, ok := r.Next(); ok; name, _, ok = r.Next() {
			seen[string(name)] = true
		}
	}
	var first []string
	for _, name := range keys {
		if seen[name] {
			first = append(first, name)
			delete(seen, name)
		}
	}
	return append(first, slices.Sorted(maps.Keys(seen))...)
}

// cell is the text of a value: a string as it is, a binary as base64, others as JSON; an absent value is empty.
func (o Options) cell(v attr.Value) string {
	switch {
	case v == nil:
		return ""
	case o.Form == items.DynamoDB:
		return string(codec.AppendValue(nil, v))
	case v.Type() == attr.S:
		return printable(v.Text())
	case v.Type() == attr.B:
		return base64.StdEncoding.EncodeToString(v.Payload())
	}
	return printable(string(items.AppendPlainValue(nil, v)))
}

// printable escapes what a terminal would obey instead of showing.
func printable(s string) string {
	var out []byte
	for i, c := range s {
		switch {
		case unicode.IsPrint(c):
			if out != nil {
				out = append(out, string(c)...)
			}
			continue
		case out == nil:
			out = append(out, s[:i]...)
		}
		quoted := strconv.QuoteRune(c)
		out = append(out, quoted[1:len(quoted)-1]...)
	}
	if out == nil {
		return s
	}
	return string(out)
}

// writeTable writes a table with a row for each item or, where the terminal is too narrow for its
// columns, one with a line for each attribute.
func writeTable(w io.Writer, names []string, cells [][]string, width int) error {
	header := make(table.Row, len(names))
	for i, name := range names {
		header[i] = printable(name)
	}
	widths, fits := fit(natural(header, cells), width)
	if !fits {
		return writeUpright(w, header, cells, width)
	}
	t := newTable()
	t.AppendHeader(shorten(header, widths))
	for _, row := range cells {
		out := make(table.Row, len(row))
		for i, cell := range row {
			out[i] = cell
		}
		t.AppendRow(shorten(out, widths))
	}
	return render(w, t)
}

// writeUpright writes each row as a table of two columns, in which long values are wrapped.
func writeUpright(w io.Writer, header table.Row, cells [][]string, width int) error {
	left := 0
	for _, name := range header {
		left = max(left, text.StringWidth(name.(string)))
	}
	left = min(left, width/2)
	for _, row := range cells {
		t := newTable()
		t.SetColumnConfigs([]table.ColumnConfig{
			{Number: 1, WidthMax: left, WidthMaxEnforcer: text.WrapHard},
			{Number: 2, WidthMax: max(width-left-2*columnFrame-1, columnMin), WidthMaxEnforcer: text.WrapHard},
		})
		for i, cell := range row {
			if cell != "" {
				t.AppendRow(table.Row{header[i], cell})
			}
		}
		if err := render(w, t); err != nil {
			return err
		}
	}
	return nil
}

func newTable() table.Writer {
	t := table.NewWriter()
	t.SetStyle(table.StyleDefault)
	t.Style().Format.Header = text.FormatDefault // names of attributes differ by case
	return t
}

func render(w io.Writer, t table.Writer) error {
	_, err := fmt.Fprintln(w, t.Render())
	return err
}

// natural are the widths that the columns need.
func natural(header table.Row, cells [][]string) []int {
	out := make([]int, len(header))
	for i, name := range header {
		out[i] = text.StringWidth(name.(string))
	}
	for _, row := range cells {
		for i, cell := range row {
			out[i] = max(out[i], text.StringWidth(cell))
		}
	}
	return out
}

// fit shares a terminal's width among columns: those that need less than an even share get what
// they need, the others share the rest. It reports false when one would be cut to less than
// columnMin.
func fit(need []int, width int) ([]int, bool) {
	rest := width - 1 - columnFrame*len(need)
	total := 0
	for _, n := range need {
		total += n
	}
	if width == 0 || total <= rest {
		return need, true
	}
	out := slices.Clone(need)
	order := make([]int, len(need))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return need[a] - need[b] })
	for i, column := range order {
		share := rest / (len(order) - i)
		if need[column] > share {
			if share < columnMin {
				return nil, false
			}
			out[column] = share
		}
		rest -= out[column]
	}
	return out, true
}

// shorten cuts what is wider than its column.
func shorten(row table.Row, widths []int) table.Row {
	for i, cell := range row {
		if s := cell.(string); text.StringWidth(s) > widths[i] {
			row[i] = text.Snip(s, widths[i], cut)
		}
	}
	return row
}
