package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keystone-db/kstone/cmd/internal/items"
	"github.com/keystone-db/kstone/cmd/internal/show"
	"github.com/keystone-db/kstone/dynamowire/codec"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/build"
)

// scanFlags are those of scan.
type scanFlags struct {
	expressions
	filter, attributes, index string
	limit, segment, segments  int64
	consistent                bool
}

func newScan() *cobra.Command {
	var f scanFlags
	cmd := newData(dataCommand{
		use: "scan [TABLE]", most: 1, reads: true,
		short: "Print all items of a table",
		long: `TABLE is "items" if it is left out. Items are printed as they are read, page by page, whatever the size of
the table.`,
		run: func(s *session, args []string) error { return scan(s, &f, tableArgument(args)) },
	})
	flags := cmd.Flags()
	f.addPlaceholders(cmd)
	flags.StringVar(&f.filter, "filter", "", "print only items for which this holds, such as 'age > :a' (a FilterExpression)")
	flags.StringVar(&f.attributes, "attributes", "", "print only these, such as 'name, address.city' (a ProjectionExpression)")
	flags.StringVar(&f.index, "index", "", "read this index of the table")
	flags.Int64Var(&f.limit, "limit", 0, "print at most so many items; 0 is all")
	flags.BoolVar(&f.consistent, "consistent", false, "read what was written last (of a local file and a kstone server, every read does)")
	flags.Int64Var(&f.segments, "segments", 0, "divide the table into so many parts and read one, for several commands at once")
	flags.Int64Var(&f.segment, "segment", 0, "which part to read, from 0")
	return cmd
}

func scan(s *session, f *scanFlags, table string) error {
	if f.limit < 0 {
		return usage(fmt.Errorf("--limit %d: want no negative one", f.limit))
	}
	names, values, err := f.placeholders(s)
	if err != nil {
		return err
	}
	if s.out.Format == show.Table { // whose first columns are the key
		if _, err := s.describe(table); err != nil {
			return err
		}
	}
	in := &api.ScanInput{
		TableName: api.Some(table), IndexName: text(f.index), FilterExpression: text(f.filter),
		ProjectionExpression: text(f.attributes), ExpressionAttributeNames: names,
		ExpressionAttributeValues: values,
		ConsistentRead:            api.Opt[bool]{Value: f.consistent, Set: f.consistent},
	}
	if s.cmd.Flags().Changed("segments") || s.cmd.Flags().Changed("segment") {
		in.TotalSegments, in.Segment = api.Some(f.segments), api.Some(f.segment)
	}
	rows := show.NewRows(s.cmd.OutOrStdout(), s.out)
	for {
		if f.limit > 0 && f.filter == "" {
			in.Limit = api.Some(f.limit - rows.Count())
		}
		out, err := s.Scan(s.ctx(), in)
		if err != nil {
			return errors.Join(inTable(table, err), rows.Flush())
		}
		for _, it := range out.Items {
			if f.limit > 0 && rows.Count() == f.limit {
				break
			}
			if err := rows.Add(it); err != nil {
				return err
			}
		}
		if out.LastEvaluatedKey == nil || f.limit > 0 && rows.Count() >= f.limit {
			return rows.Close()
		}
		if err := rows.Flush(); err != nil {
			return err
		}
		in.ExclusiveStartKey = out.LastEvaluatedKey
	}
}

func newTables() *cobra.Command {
	return newData(dataCommand{
		use: "tables", reads: true,
		short: "Print the names of the tables",
		long:  "As JSON, a list of strings; as jsonl, a string a line.",
		run: func(s *session, _ []string) error {
			var all []string
			for name, err := range build.New(s).Tables(s.ctx()) {
				if err != nil {
					return err
				}
				all = append(all, name)
			}
			return show.Names(s.cmd.OutOrStdout(), s.out, "table", all)
		},
	})
}

func newDescribe() *cobra.Command {
	return newData(dataCommand{
		use: "describe [TABLE]", most: 1, reads: true,
		short: "Print what a table is",
		long:  `TABLE is "items" if it is left out. As JSON, this is the Table of the service's DescribeTable.`,
		run: func(s *session, args []string) error {
			table, err := s.describe(tableArgument(args))
			if err != nil {
				return err
			}
			if s.out.Format == show.Table {
				return show.Facts(s.cmd.OutOrStdout(), s.out, tableFacts(table))
			}
			var body struct{ Table json.RawMessage }
			answer := codec.AppendSlow(nil, "DescribeTable", &api.DescribeTableOutput{Table: table})
			if err := json.Unmarshal(answer, &body); err != nil {
				return err
			}
			return show.Document(s.cmd.OutOrStdout(), s.out, body.Table)
		},
	})
}

// tableFacts are what people want to know of a table; JSON has the rest.
func tableFacts(t *api.TableDescription) []show.Fact {
	facts := []show.Fact{
		{Name: "table", Value: t.TableName.Value},
		{Name: "status", Value: t.TableStatus.Value},
		{Name: "key", Value: items.DescribeKey(t, t.KeySchema)},
		{Name: "items", Value: strconv.FormatInt(t.ItemCount.Value, 10)},
		{Name: "bytes", Value: strconv.FormatInt(t.TableSizeBytes.Value, 10)},
		{Name: "billing", Value: billing(t)},
	}
	if t.CreationDateTime.Set {
		facts = append(facts, show.Fact{Name: "created", Value: t.CreationDateTime.Value.UTC().Format(time.RFC3339)})
	}
	if t.StreamSpecification != nil {
		facts = append(facts, show.Fact{Name: "stream", Value: t.StreamSpecification.StreamViewType.Value})
	}
	for _, x := range t.GlobalSecondaryIndexes {
		facts = append(facts, show.Fact{Name: "global index", Value: strings.Join([]string{
			x.IndexName.Value, items.DescribeKey(t, x.KeySchema), x.IndexStatus.Value,
		}, ": ")})
	}
	for _, x := range t.LocalSecondaryIndexes {
		facts = append(facts, show.Fact{Name: "local index", Value: x.IndexName.Value + ": " + items.DescribeKey(t, x.KeySchema)})
	}
	return append(facts, show.Fact{Name: "arn", Value: t.TableArn.Value})
}

func billing(t *api.TableDescription) string {
	if t.BillingModeSummary != nil && t.BillingModeSummary.BillingMode.Value == api.BillingModePayPerRequest {
		return "on demand"
	}
	p := t.ProvisionedThroughput
	if p == nil {
		return ""
	}
	return fmt.Sprintf("provisioned, %d read and %d write units", p.ReadCapacityUnits.Value, p.WriteCapacityUnits.Value)
}
