package items

import (
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// KeyNames are the names of a table's key attributes: the partition key, then the sort key if there
// is one.
func KeyNames(table *api.TableDescription) []string {
	var out []string
	for _, kind := range [...]string{api.KeyTypeHash, api.KeyTypeRange} {
		for _, e := range table.KeySchema {
			if e.KeyType.Value == kind {
				out = append(out, e.AttributeName.Value)
			}
		}
	}
	return out
}

// Key makes a key of its parts as typed: the text of an S, the digits of an N, the base64 of a B.
func Key(table *api.TableDescription, parts []string) (attr.Item, error) {
	names := KeyNames(table)
	if len(parts) != len(names) {
		return nil, fmt.Errorf("the key of table %s is %s: give %s", table.TableName.Value,
			DescribeKey(table, table.KeySchema), count(len(names)))
	}
	b := attr.NewItem()
	for i, name := range names {
		v, err := keyValue(parts[i], typeOf(table, name))
		if err != nil {
			return nil, fmt.Errorf("key %s %q: %w", name, parts[i], err)
		}
		b.Value(name, v)
	}
	return b.Build()
}

func keyValue(text, typ string) (attr.Value, error) {
	switch typ {
	case api.ScalarAttributeTypeN:
		return attr.Number(text)
	case api.ScalarAttributeTypeB:
		p, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, fmt.Errorf("want base64, since its type is B: %w", err)
		}
		return attr.Binary(p), nil
	}
	if !utf8.ValidString(text) {
		return nil, errNotUTF8
	}
	return attr.String(text), nil
}

// typeOf is the type of a key attribute: S, N or B.
func typeOf(table *api.TableDescription, name string) string {
	for _, d := range table.AttributeDefinitions {
		if d.AttributeName.Value == name {
			return d.AttributeType.Value
		}
	}
	return ""
}

// DescribeKey is the key of the table or one of its indexes as people read it: "pk (S), sk (N)".
func DescribeKey(table *api.TableDescription, schema []api.KeySchemaElement) string {
	out := make([]string, len(schema))
	for i, e := range schema {
		out[i] = e.AttributeName.Value + " (" + typeOf(table, e.AttributeName.Value) + ")"
	}
	return strings.Join(out, ", ")
}

func count(parts int) string {
	if parts == 1 {
		return "one value"
	}
	return "two values"
}

// WithKey puts the key's attributes into an item, which need not have them but must not disagree.
func WithKey(it, key attr.Item) (attr.Item, error) {
	r := key.Read()
	for name, v, ok := r.Next(); ok; name, v, ok = r.Next() {
		if has := it.Get(string(name)); has != nil && !attr.Equal(has, v) {
			return nil, fmt.Errorf("the item's %s is %s and the key's %s: leave it out of the item",
				name, AppendPlainValue(nil, has), AppendPlainValue(nil, v))
		}
	}
	return it.Merge(key), nil
}
