package dynamowire

import (
	"context"
	"sync"

	"github.com/keystone-db/kstone/dynamowire/codec"
	"github.com/keystone-db/kstone/engine/api"
)

// operation is one operation of the wire: bytes in, bytes out.
type operation struct {
	// prefix of the target.
	prefix string
	// name of the operation; register sets it.
	name string
	// call decodes body, asks whether the caller may do that, calls the service and appends the answer
	// to dst. A nil caller may do everything.
	call func(ctx context.Context, svc api.Service, who *caller, body, dst []byte) ([]byte, error)
}

// decoders are shared by the hot operations: a Decoder serves one request at a time.
type decoders struct{ pool sync.Pool }

// hot makes an operation with a hand-written codec. The request belongs to the decoder, so the
// decoder goes back only when the answer, which may share the request's memory, is written.
func hot[In, Out any](
	d *decoders, prefix string, decode func(*codec.Decoder, []byte) (*In, error),
	serve func(api.Service, context.Context, *In) (*Out, error), encode func([]byte, *Out) []byte,
) *operation {
	return &operation{
		prefix: prefix,
		call: func(ctx context.Context, svc api.Service, who *caller, body, dst []byte) ([]byte, error) {
			dec := d.pool.Get().(*codec.Decoder)
			defer func() {
				dec.Release()
				d.pool.Put(dec)
			}()
			in, err := decode(dec, body)
			if err == nil && who != nil {
				ctx, err = who.may(ctx, in)
			}
			if err != nil {
				return dst, err
			}
			out, err := serve(svc, ctx, in)
			if err != nil {
				return dst, err
			}
			return encode(dst, out), nil
		},
	}
}

// slow makes an operation with the generic codec.
func slow[In, Out any](
	prefix, name string, serve func(api.Service, context.Context, *In) (*Out, error),
) *operation {
	return &operation{
		prefix: prefix,
		call: func(ctx context.Context, svc api.Service, who *caller, body, dst []byte) ([]byte, error) {
			in, err := codec.DecodeSlow(name, body)
			if err == nil && who != nil {
				ctx, err = who.may(ctx, in)
			}
			if err != nil {
				return dst, err
			}
			out, err := serve(svc, ctx, in.(*In))
			if err != nil {
				return dst, err
			}
			if emptyAnswer(name) {
				return dst, nil
			}
			return codec.AppendSlow(dst, name, out), nil
		},
	}
}

// emptyAnswer says which operations answer with no body at all: DynamoDB does this (TestEmptyAnswer).
func emptyAnswer(name string) bool { return name == "TagResource" || name == "UntagResource" }

// operations is the table of all operations by their names, made once.
var operations = sync.OnceValue(register)

// register makes the table of all operations. One that the service does not serve in this version
// answers so itself.
func register() map[string]*operation { //nolint:funlen // one line an operation
	d := &decoders{pool: sync.Pool{New: func() any { return new(codec.Decoder) }}}
	ops := map[string]*operation{
		"BatchExecuteStatement":               hot(d, prefixDynamoDB, (*codec.Decoder).BatchExecuteStatement, api.Service.BatchExecuteStatement, codec.AppendBatchExecuteStatement),
		"BatchGetItem":                        hot(d, prefixDynamoDB, (*codec.Decoder).BatchGetItem, api.Service.BatchGetItem, codec.AppendBatchGetItem),
		"BatchWriteItem":                      hot(d, prefixDynamoDB, (*codec.Decoder).BatchWriteItem, api.Service.BatchWriteItem, codec.AppendBatchWriteItem),
		"CancelBulkOperation":                 slow(prefixDynamoDB, "CancelBulkOperation", api.Service.CancelBulkOperation),
		"CreateBackup":                        slow(prefixDynamoDB, "CreateBackup", api.Service.CreateBackup),
		"CreateGlobalTable":                   slow(prefixDynamoDB, "CreateGlobalTable", api.Service.CreateGlobalTable),
		"CreateTable":                         slow(prefixDynamoDB, "CreateTable", api.Service.CreateTable),
		"DeleteBackup":                        slow(prefixDynamoDB, "DeleteBackup", api.Service.DeleteBackup),
		"DeleteItem":                          hot(d, prefixDynamoDB, (*codec.Decoder).DeleteItem, api.Service.DeleteItem, codec.AppendDeleteItem),
		"DeleteResourcePolicy":                slow(prefixDynamoDB, "DeleteResourcePolicy", api.Service.DeleteResourcePolicy),
		"DeleteTable":                         slow(prefixDynamoDB, "DeleteTable", api.Service.DeleteTable),
		"DescribeBackup":                      slow(prefixDynamoDB, "DescribeBackup", api.Service.DescribeBackup),
		"DescribeBulkOperation":               slow(prefixDynamoDB, "DescribeBulkOperation", api.Service.DescribeBulkOperation),
		"DescribeContinuousBackups":           slow(prefixDynamoDB, "DescribeContinuousBackups", api.Service.DescribeContinuousBackups),
		"DescribeContributorInsights":         slow(prefixDynamoDB, "DescribeContributorInsights", api.Service.DescribeContributorInsights),
		"DescribeEndpoints":                   slow(prefixDynamoDB, "DescribeEndpoints", api.Service.DescribeEndpoints),
		"DescribeExport":                      slow(prefixDynamoDB, "DescribeExport", api.Service.DescribeExport),
		"DescribeGlobalTable":                 slow(prefixDynamoDB, "DescribeGlobalTable", api.Service.DescribeGlobalTable),
		"DescribeGlobalTableSettings":         slow(prefixDynamoDB, "DescribeGlobalTableSettings", api.Service.DescribeGlobalTableSettings),
		"DescribeImport":                      slow(prefixDynamoDB, "DescribeImport", api.Service.DescribeImport),
		"DescribeKinesisStreamingDestination": slow(prefixDynamoDB, "DescribeKinesisStreamingDestination", api.Service.DescribeKinesisStreamingDestination),
		"DescribeLimits":                      slow(prefixDynamoDB, "DescribeLimits", api.Service.DescribeLimits),
		"DescribeStream":                      slow(prefixStreams, "DescribeStream", api.Service.DescribeStream),
		"DescribeTable":                       slow(prefixDynamoDB, "DescribeTable", api.Service.DescribeTable),
		"DescribeTableReplicaAutoScaling":     slow(prefixDynamoDB, "DescribeTableReplicaAutoScaling", api.Service.DescribeTableReplicaAutoScaling),
		"DescribeTimeToLive":                  slow(prefixDynamoDB, "DescribeTimeToLive", api.Service.DescribeTimeToLive),
		"DisableKinesisStreamingDestination":  slow(prefixDynamoDB, "DisableKinesisStreamingDestination", api.Service.DisableKinesisStreamingDestination),
		"EnableKinesisStreamingDestination":   slow(prefixDynamoDB, "EnableKinesisStreamingDestination", api.Service.EnableKinesisStreamingDestination),
		"ExecuteStatement":                    hot(d, prefixDynamoDB, (*codec.Decoder).ExecuteStatement, api.Service.ExecuteStatement, codec.AppendExecuteStatement),
		"ExecuteTransaction":                  hot(d, prefixDynamoDB, (*codec.Decoder).ExecuteTransaction, api.Service.ExecuteTransaction, codec.AppendExecuteTransaction),
		"ExportTableToPointInTime":            slow(prefixDynamoDB, "ExportTableToPointInTime", api.Service.ExportTableToPointInTime),
		"GetItem":                             hot(d, prefixDynamoDB, (*codec.Decoder).GetItem, api.Service.GetItem, codec.AppendGetItem),
		"GetRecords":                          hot(d, prefixStreams, (*codec.Decoder).GetRecords, api.Service.GetRecords, codec.AppendGetRecords),
		"GetResourcePolicy":                   slow(prefixDynamoDB, "GetResourcePolicy", api.Service.GetResourcePolicy),
		"GetShardIterator":                    slow(prefixStreams, "GetShardIterator", api.Service.GetShardIterator),
		"ImportTable":                         slow(prefixDynamoDB, "ImportTable", api.Service.ImportTable),
		"ListBackups":                         slow(prefixDynamoDB, "ListBackups", api.Service.ListBackups),
		"ListBulkOperations":                  slow(prefixDynamoDB, "ListBulkOperations", api.Service.ListBulkOperations),
		"ListContributorInsights":             slow(prefixDynamoDB, "ListContributorInsights", api.Service.ListContributorInsights),
		"ListExports":                         slow(prefixDynamoDB, "ListExports", api.Service.ListExports),
		"ListGlobalTables":                    slow(prefixDynamoDB, "ListGlobalTables", api.Service.ListGlobalTables),
		"ListImports":                         slow(prefixDynamoDB, "ListImports", api.Service.ListImports),
		"ListStreams":                         slow(prefixStreams, "ListStreams", api.Service.ListStreams),
		"ListTables":                          slow(prefixDynamoDB, "ListTables", api.Service.ListTables),
		"ListTagsOfResource":                  slow(prefixDynamoDB, "ListTagsOfResource", api.Service.ListTagsOfResource),
		"PutItem":                             hot(d, prefixDynamoDB, (*codec.Decoder).PutItem, api.Service.PutItem, codec.AppendPutItem),
		"PutResourcePolicy":                   slow(prefixDynamoDB, "PutResourcePolicy", api.Service.PutResourcePolicy),
		"Query":                               hot(d, prefixDynamoDB, (*codec.Decoder).Query, api.Service.Query, codec.AppendQuery),
		"RestoreTableFromBackup":              slow(prefixDynamoDB, "RestoreTableFromBackup", api.Service.RestoreTableFromBackup),
		"RestoreTableToPointInTime":           slow(prefixDynamoDB, "RestoreTableToPointInTime", api.Service.RestoreTableToPointInTime),
		"Scan":                                hot(d, prefixDynamoDB, (*codec.Decoder).Scan, api.Service.Scan, codec.AppendScan),
		"SearchVectors":                       slow(prefixDynamoDB, "SearchVectors", api.Service.SearchVectors),
		"StartBulkPutItems":                   slow(prefixDynamoDB, "StartBulkPutItems", api.Service.StartBulkPutItems),
		"TagResource":                         slow(prefixDynamoDB, "TagResource", api.Service.TagResource),
		"TransactGetItems":                    hot(d, prefixDynamoDB, (*codec.Decoder).TransactGetItems, api.Service.TransactGetItems, codec.AppendTransactGetItems),
		"TransactWriteItems":                  hot(d, prefixDynamoDB, (*codec.Decoder).TransactWriteItems, api.Service.TransactWriteItems, codec.AppendTransactWriteItems),
		"UntagResource":                       slow(prefixDynamoDB, "UntagResource", api.Service.UntagResource),
		"UpdateContinuousBackups":             slow(prefixDynamoDB, "UpdateContinuousBackups", api.Service.UpdateContinuousBackups),
		"UpdateContributorInsights":           slow(prefixDynamoDB, "UpdateContributorInsights", api.Service.UpdateContributorInsights),
		"UpdateGlobalTable":                   slow(prefixDynamoDB, "UpdateGlobalTable", api.Service.UpdateGlobalTable),
		"UpdateGlobalTableSettings":           slow(prefixDynamoDB, "UpdateGlobalTableSettings", api.Service.UpdateGlobalTableSettings),
		"UpdateItem":                          hot(d, prefixDynamoDB, (*codec.Decoder).UpdateItem, api.Service.UpdateItem, codec.AppendUpdateItem),
		"UpdateKinesisStreamingDestination":   slow(prefixDynamoDB, "UpdateKinesisStreamingDestination", api.Service.UpdateKinesisStreamingDestination),
		"UpdateTable":                         slow(prefixDynamoDB, "UpdateTable", api.Service.UpdateTable),
		"UpdateTableReplicaAutoScaling":       slow(prefixDynamoDB, "UpdateTableReplicaAutoScaling", api.Service.UpdateTableReplicaAutoScaling),
		"UpdateTimeToLive":                    slow(prefixDynamoDB, "UpdateTimeToLive", api.Service.UpdateTimeToLive),
	}
	for name, op := range ops {
		op.name = name
	}
	return ops
}
