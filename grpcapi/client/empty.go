package client

import (
	"github.com/keystone-db/kstone/engine/api"
)

// withLists gives an answer the empty lists that every answer of its operation has and that a message
// cannot tell from absent ones. Shape by shape it is then the answer of the other doors.
func withLists(in, out any) {
	switch out := out.(type) {
	case *api.QueryOutput:
		if in.(*api.QueryInput).Select.Value != api.SelectCount {
			out.Items = orEmpty(out.Items)
		}
	case *api.ScanOutput:
		if in.(*api.ScanInput).Select.Value != api.SelectCount {
			out.Items = orEmpty(out.Items)
		}
	case *api.ExecuteStatementOutput:
		out.Items = orEmpty(out.Items)
	case *api.BatchGetItemOutput:
		out.Responses = orEmpty(out.Responses)
		out.UnprocessedKeys = orEmpty(out.UnprocessedKeys)
		for i := range out.Responses {
			out.Responses[i].Value = orEmpty(out.Responses[i].Value)
		}
	case *api.BatchWriteItemOutput:
		out.UnprocessedItems = orEmpty(out.UnprocessedItems)
	case *api.TransactGetItemsOutput:
		out.Responses = orEmpty(out.Responses)
	case *api.ListTablesOutput:
		out.TableNames = orEmpty(out.TableNames)
	case *api.ListStreamsOutput:
		out.Streams = orEmpty(out.Streams)
	case *api.DescribeStreamOutput:
		if out.StreamDescription != nil {
			out.StreamDescription.Shards = orEmpty(out.StreamDescription.Shards)
		}
	}
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
