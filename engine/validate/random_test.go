package validate

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// filler fills structs of the contract at random.
type filler struct {
	*rand.Rand
	item attr.Item
}

// words are strings that pass many constraints, and some that pass none.
var words = []string{
	"Table", "abc", "", "a", "HASH", "RANGE", "S", "B", "N", "ALL", "KEYS_ONLY", "INCLUDE", "NONE", "TOTAL",
	"PROVISIONED", "PAY_PER_REQUEST", "#a", ":a", "arn:aws:dynamodb:us-east-1:123456789012:table/abc", "x y",
}

var valueType, itemType = reflect.TypeFor[attr.Value](), reflect.TypeFor[attr.Item]()

func (f filler) fill(v reflect.Value, depth int) {
	switch v.Type() {
	case valueType:
		v.SetBytes(attr.String("x"))
		return
	case itemType:
		if f.IntN(4) > 0 {
			v.SetBytes(f.item)
		}
		return
	case reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Unix(int64(f.IntN(1000)), 0)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(words[f.IntN(len(words))])
	case reflect.Int64:
		v.SetInt(int64(f.IntN(8)) - 2)
	case reflect.Float64:
		v.SetFloat(float64(f.IntN(8)) / 2)
	case reflect.Bool:
		v.SetBool(f.IntN(2) == 0)
	case reflect.Uint8:
		v.SetUint(uint64(f.IntN(8)))
	case reflect.Pointer:
		if f.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			f.fill(v.Elem(), depth+1)
		}
	case reflect.Slice:
		if f.IntN(3) > 0 && depth < 8 {
			n := f.IntN(4)
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			for i := range n {
				f.fill(v.Index(i), depth+1)
			}
		}
	case reflect.Struct:
		for _, field := range v.Fields() {
			if f.IntN(4) > 0 {
				f.fill(field, depth+1)
			}
		}
	}
}

// checks are the functions of this package by operation.
func checks() map[string]any {
	return map[string]any{
		opPutItem: PutItem, opGetItem: GetItem, opUpdateItem: UpdateItem, opDeleteItem: DeleteItem,
		opQuery: Query, opScan: Scan, opBatchGetItem: BatchGetItem, opBatchWriteItem: BatchWriteItem,
		opTransactWriteItems: TransactWriteItems, opTransactGetItems: TransactGetItems,
		opCreateTable: CreateTable, opUpdateTable: UpdateTable, opDeleteTable: DeleteTable,
		opDescribeTable: DescribeTable, opListTables: ListTables, opTagResource: TagResource,
		opUntagResource: UntagResource, opListTags: ListTagsOfResource,
		opListStreams: ListStreams, opDescribeStream: DescribeStream,
		opGetShardIterator: GetShardIterator, opGetRecords: GetRecords,
		opImportTable: ImportTable, opDescribeImport: DescribeImport, opListImports: ListImports,
		opExportTable: ExportTable, opDescribeExport: DescribeExport, opListExports: ListExports,
		opStartBulk: StartBulkPutItems, opDescribeBulk: DescribeBulkOperation,
		opCancelBulk: CancelBulkOperation, opListBulk: ListBulkOperations,
		opUpdateTimeToLive: UpdateTimeToLive, opDescribeTimeToLive: DescribeTimeToLive,
	}
}

// No request makes a check panic, every error is one that a client may see, and no check takes what
// the constraints refuse.
func TestRandomRequests(t *testing.T) {
	const rounds, seed = 300, 11
	f := filler{rand.New(rand.NewPCG(seed, seed)), item(t, "a", "b")}
	service := reflect.TypeFor[api.Service]()
	good := 0
	for _, op := range api.Operations() {
		m, ok := service.MethodByName(op.Name)
		require.True(t, ok)
		check := reflect.ValueOf(checks()[op.Name])
		for range rounds {
			in := reflect.New(m.Type.In(1).Elem())
			f.fill(in.Elem(), 0)
			constraints := Constraints(op.Name, in.Interface())
			requireClientError(t, constraints)
			if !check.IsValid() {
				continue
			}
			out := check.Call([]reflect.Value{in, reflect.ValueOf(Options{})})
			err, _ := out[0].Interface().(error)
			requireClientError(t, err)
			if err == nil {
				good++
				require.NoError(t, constraints, "%s %+v", op.Name, in.Interface())
			}
		}
	}
	require.Positive(t, good)
}

func requireClientError(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	e, ok := err.(*api.Error)
	require.True(t, ok, "%T", err)
	require.True(t, e.Code.Known())
	require.NotEmpty(t, e.Message)
	require.NotContains(t, e.Message, "%!", "a verb without argument")
}
