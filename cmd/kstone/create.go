package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/keystone-db/kstone/dynamowire/codec"
	"github.com/keystone-db/kstone/engine/api"
)

const (
	// activeWait bounds the wait for a table to become ACTIVE, activePoll is the time between looks.
	activeWait = 5 * time.Minute
	activePoll = 200 * time.Millisecond
)

func newCreate() *cobra.Command {
	var schema string
	cmd := newData(dataCommand{
		use: "create", create: true,
		short: "Make a database",
		long: `The file must not be there yet. Without --schema the database has one table, "items", whose key is
pk, a string. FILE has the JSON of CreateTable requests, as aws dynamodb create-table takes it with
--cli-input-json: one object, several one after the other, or a list of them. With --endpoint the
tables are made on that server, and the command waits until they are active.`,
		example: "  kstone create my.keystone\n  kstone create shop.keystone --schema tables.json",
		run:     func(s *session, _ []string) error { return create(s, schema) },
	})
	cmd.Flags().StringVar(&schema, "schema", "", "JSON file of the tables to make; \"-\" reads stdin")
	return cmd
}

func create(s *session, schema string) error {
	tables := []*api.CreateTableInput{defaultTable()}
	if schema != "" {
		var err error
		if tables, err = readSchema(s, schema); err != nil {
			return err
		}
	}
	for _, in := range tables {
		if _, err := s.CreateTable(s.ctx(), in); err != nil {
			return fmt.Errorf("table %s: %w", in.TableName.Value, err)
		}
	}
	for _, in := range tables {
		if err := waitActive(s, in.TableName.Value); err != nil {
			return err
		}
	}
	return nil
}

func defaultTable() *api.CreateTableInput {
	return &api.CreateTableInput{
		TableName:   api.Some(tableDefault),
		BillingMode: api.Some(api.BillingModePayPerRequest),
		KeySchema: []api.KeySchemaElement{
			{AttributeName: api.Some(keyDefault), KeyType: api.Some(api.KeyTypeHash)},
		},
		AttributeDefinitions: []api.AttributeDefinition{
			{AttributeName: api.Some(keyDefault), AttributeType: api.Some(api.ScalarAttributeTypeS)},
		},
	}
}

// readSchema reads the requests of a file.
func readSchema(s *session, name string) ([]*api.CreateTableInput, error) {
	var body []byte
	var err error
	if name == "-" {
		body, err = readAll(s.cmd.InOrStdin(), "stdin")
	} else {
		body, err = readFile(name)
	}
	if err != nil {
		return nil, fmt.Errorf("--schema: %w", err)
	}
	out, err := parseSchema(body)
	if err != nil {
		return nil, usage(fmt.Errorf("--schema %s: %w", name, err))
	}
	return out, nil
}

func parseSchema(body []byte) ([]*api.CreateTableInput, error) {
	var texts []json.RawMessage
	d := json.NewDecoder(bytes.NewReader(body))
	for {
		var text json.RawMessage
		if err := d.Decode(&text); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("no JSON: %w", err)
		}
		var list []json.RawMessage
		if json.Unmarshal(text, &list) == nil {
			texts = append(texts, list...)
		} else {
			texts = append(texts, text)
		}
	}
	if len(texts) == 0 {
		return nil, errors.New("there is no table in it")
	}
	var out []*api.CreateTableInput
	for i, text := range texts {
		in, err := codec.DecodeSlow("CreateTable", text)
		if err != nil {
			return nil, fmt.Errorf("table %d is no request of CreateTable: %w", i+1, err)
		}
		out = append(out, in.(*api.CreateTableInput))
	}
	return out, nil
}

// waitActive waits until a table can be used: on a local file that is at once.
func waitActive(s *session, table string) error {
	for deadline := time.Now().Add(activeWait); ; {
		out, err := s.DescribeTable(s.ctx(), &api.DescribeTableInput{TableName: api.Some(table)})
		switch {
		case err != nil && api.CodeOf(err) != api.ResourceNotFound:
			return fmt.Errorf("table %s: %w", table, err)
		case err == nil && out.Table.TableStatus.Value == api.TableStatusActive:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("table %s was made and is not active after %s", table, activeWait)
		}
		time.Sleep(activePoll)
	}
}
