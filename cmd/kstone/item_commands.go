package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keystone-db/kstone/cmd/internal/items"
	"github.com/keystone-db/kstone/cmd/internal/show"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// textBytesMax bounds what is read from a file or stdin as one item, schema or script.
const textBytesMax = 64 << 20

// itemHelp says what ITEM may be.
const itemHelp = `ITEM is a JSON object, plain ({"name":"x","age":3}) or DynamoDB JSON ({"name":{"S":"x"},"age":{"N":"3"}}):
if every value is an object with one member that is the name of a type, it is taken for DynamoDB
JSON. --json plain or --json dynamodb decides what is not clear. "-" reads it from stdin, "@FILE" from
a file. Numbers keep all their digits, 38 at most. Plain JSON knows no binaries and no sets.`

// conditionHelp says what --if and --values are.
const conditionHelp = `--if, --names and --values are the service's ConditionExpression, ExpressionAttributeNames and
ExpressionAttributeValues; --values may be plain or DynamoDB JSON: --if 'age < :a' --values '{":a":30}'.`

// expressions are the flags around an expression.
type expressions struct {
	condition, names, values, returned string
}

func (e *expressions) add(cmd *cobra.Command, returns string) {
	f := cmd.Flags()
	f.StringVar(&e.condition, "if", "", "condition that must hold, such as 'attribute_not_exists(pk)'")
	e.addPlaceholders(cmd)
	f.StringVar(&e.returned, "return", "", "print attributes of the item: "+returns)
}

func (e *expressions) addPlaceholders(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&e.names, "names", "", `names for placeholders, such as '{"#n":"name"}'`)
	f.StringVar(&e.values, "values", "", `values for placeholders, such as '{":v":1}'; "@FILE" reads a file`)
}

// placeholders gives names and values as requests have them.
func (e *expressions) placeholders(s *session) (names []api.Name, values []api.NamedValue, err error) {
	if e.names != "" {
		var m map[string]string
		if err := json.Unmarshal([]byte(e.names), &m); err != nil {
			return nil, nil, usage(fmt.Errorf(`--names: want a JSON object of strings, such as {"#n":"name"}: %w`, err))
		}
		for placeholder, name := range m {
			names = append(names, api.Name{Placeholder: placeholder, Name: name})
		}
		slices.SortFunc(names, func(a, b api.Name) int { return strings.Compare(a.Placeholder, b.Placeholder) })
	}
	if e.values == "" {
		return names, nil, nil
	}
	it, err := s.readItem("--values", e.values)
	if err != nil {
		return nil, nil, err
	}
	// The entries of an item are sorted as those of a request must be.
	r := it.Read()
	for name, v, ok := r.Next(); ok; name, v, ok = r.Next() {
		values = append(values, api.NamedValue{Placeholder: string(name), Value: v})
	}
	return names, values, nil
}

// text is an expression or a keyword that is absent when it is empty.
func text(s string) api.Opt[string] { return api.Opt[string]{Value: s, Set: s != ""} }

// keyword is text as the service spells keywords.
func keyword(s string) api.Opt[string] { return text(strings.ToUpper(s)) }

// readItem reads an item that an argument or flag gives.
func (s *session) readItem(what, arg string) (attr.Item, error) {
	body, err := s.readText(arg)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	it, err := items.Read(body, s.out.Form)
	if err != nil {
		return nil, usage(fmt.Errorf("%s: %w", what, err))
	}
	return it, nil
}

// readText gives the text of an argument, of the file @FILE, or of stdin for "-".
func (s *session) readText(arg string) ([]byte, error) {
	if arg == "-" {
		return readAll(s.cmd.InOrStdin(), "stdin")
	}
	name, ok := strings.CutPrefix(arg, "@")
	if !ok {
		return []byte(arg), nil
	}
	return readFile(name)
}

// readFile reads a file, "-" for stdin being none of its names.
func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, usage(err)
	}
	defer f.Close()
	return readAll(f, name)
}

func readAll(r io.Reader, name string) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, textBytesMax+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	if len(body) > textBytesMax {
		return nil, usage(fmt.Errorf("%s is longer than %d bytes", name, textBytesMax))
	}
	return body, nil
}

// key makes the key of [TABLE] KEY.
func (s *session) key(table string, parts []string) (attr.Item, error) {
	desc, err := s.describe(table)
	if err != nil {
		return nil, err
	}
	key, err := items.Key(desc, parts)
	if err != nil {
		return nil, usage(err)
	}
	return key, nil
}

// returned prints what a write returns, if anything was asked for.
func (s *session) returned(it attr.Item) error {
	if it == nil {
		return nil
	}
	return show.Item(s.cmd.OutOrStdout(), s.out, it)
}

func newPut() *cobra.Command {
	var e expressions
	cmd := newData(dataCommand{
		use: "put [TABLE] KEY ITEM", least: 2, most: 2 + keyPartsMax,
		short: "Write an item, in place of the one that has its key",
		long: keyHelp + "\n\n" + itemHelp + "\nThe key's attributes need not be in it; if they are, they " +
			"must agree with KEY.\n\n" + conditionHelp,
		example: `  kstone put my.keystone alice '{"name":"Alice","age":30}'
  kstone put my.keystone Orders c1 7 @order.json --if 'attribute_not_exists(customer)'`,
		run: func(s *session, args []string) error { return put(s, &e, args) },
	})
	e.add(cmd, "all_old")
	return cmd
}

func put(s *session, e *expressions, args []string) error {
	table, parts, rest := keyArguments(args, 1)
	names, values, err := e.placeholders(s)
	if err != nil {
		return err
	}
	it, err := s.readItem("ITEM", rest[0])
	if err != nil {
		return err
	}
	key, err := s.key(table, parts)
	if err != nil {
		return err
	}
	if it, err = items.WithKey(it, key); err != nil {
		return usage(err)
	}
	out, err := s.PutItem(s.ctx(), &api.PutItemInput{
		TableName: api.Some(table), Item: it, ConditionExpression: text(e.condition),
		ExpressionAttributeNames: names, ExpressionAttributeValues: values, ReturnValues: keyword(e.returned),
	})
	if err != nil {
		return err
	}
	return s.returned(out.Attributes)
}

func newGet() *cobra.Command {
	var e expressions
	var consistent bool
	var attributes string
	cmd := newData(dataCommand{
		use: "get [TABLE] KEY", reads: true, least: 1, most: 1 + keyPartsMax,
		short: "Print an item",
		long:  keyHelp,
		example: `  kstone get my.keystone alice
  kstone get my.keystone Orders c1 7
  kstone get --endpoint http://localhost:8000 Orders c1 7`,
		run: func(s *session, args []string) error {
			table, parts, _ := keyArguments(args, 0)
			key, err := s.key(table, parts)
			if err != nil {
				return err
			}
			names, _, err := e.placeholders(s)
			if err != nil {
				return err
			}
			out, err := s.GetItem(s.ctx(), &api.GetItemInput{
				TableName: api.Some(table), Key: key, ConsistentRead: api.Some(consistent),
				ProjectionExpression: text(attributes), ExpressionAttributeNames: names,
			})
			switch {
			case err != nil:
				return err
			case out.Item == nil:
				return fmt.Errorf("table %s: %w", table, errAbsent)
			}
			return show.Item(s.cmd.OutOrStdout(), s.out, out.Item)
		},
	})
	f := cmd.Flags()
	f.BoolVar(&consistent, "consistent", false, "read what was written last (of a local file and a kstone server, every read does)")
	f.StringVar(&attributes, "attributes", "", "print only these, such as 'name, address.city' (a ProjectionExpression)")
	f.StringVar(&e.names, "names", "", `names for placeholders in --attributes, such as '{"#n":"name"}'`)
	return cmd
}

func newDelete() *cobra.Command {
	var e expressions
	cmd := newData(dataCommand{
		use: "delete [TABLE] KEY", least: 1, most: 1 + keyPartsMax,
		short: "Delete an item; that there is none is no failure",
		long:  keyHelp + "\n\n" + conditionHelp,
		run: func(s *session, args []string) error {
			table, parts, _ := keyArguments(args, 0)
			names, values, err := e.placeholders(s)
			if err != nil {
				return err
			}
			key, err := s.key(table, parts)
			if err != nil {
				return err
			}
			out, err := s.DeleteItem(s.ctx(), &api.DeleteItemInput{
				TableName: api.Some(table), Key: key, ConditionExpression: text(e.condition),
				ExpressionAttributeNames: names, ExpressionAttributeValues: values, ReturnValues: keyword(e.returned),
			})
			if err != nil {
				return err
			}
			return s.returned(out.Attributes)
		},
	})
	e.add(cmd, "all_old")
	return cmd
}

func newUpdate() *cobra.Command {
	var e expressions
	cmd := newData(dataCommand{
		use: "update [TABLE] KEY EXPRESSION", least: 2, most: 2 + keyPartsMax,
		short: "Change attributes of an item, which is made if it is not there",
		long: keyHelp + "\n\nEXPRESSION is the service's UpdateExpression, such as 'SET age = :a REMOVE nick ADD visits :n'.\n\n" +
			conditionHelp,
		example: `  kstone update my.keystone alice 'SET age = age + :n' --values '{":n":1}' --return updated_new`,
		run: func(s *session, args []string) error {
			table, parts, rest := keyArguments(args, 1)
			names, values, err := e.placeholders(s)
			if err != nil {
				return err
			}
			key, err := s.key(table, parts)
			if err != nil {
				return err
			}
			out, err := s.UpdateItem(s.ctx(), &api.UpdateItemInput{
				TableName: api.Some(table), Key: key, UpdateExpression: api.Some(rest[0]),
				ConditionExpression: text(e.condition), ExpressionAttributeNames: names,
				ExpressionAttributeValues: values, ReturnValues: keyword(e.returned),
			})
			if err != nil {
				return err
			}
			return s.returned(out.Attributes)
		},
	})
	e.add(cmd, "all_old, updated_old, all_new or updated_new")
	return cmd
}
