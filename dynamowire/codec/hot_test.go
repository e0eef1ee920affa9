package codec

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// benchItem is an item of about 400 bytes as JSON.
const benchItem = `{"pk":{"S":"user#0000012345"},"sk":{"S":"order#2026-01-01T00:00:00Z"},"name":{"S":"A name of ordinary length"},` +
	`"count":{"N":"12345"},"price":{"N":"99.95"},"active":{"BOOL":true},"tags":{"SS":["red","green","blue"]},` +
	`"address":{"M":{"street":{"S":"Long Street 17"},"zip":{"S":"12345"},"city":{"S":"Town"}}},"list":{"L":[{"N":"1"},{"N":"2"},{"S":"three"}]}}`

const benchPut = `{"TableName":"Pets","Item":` + benchItem + `}`

func BenchmarkDecodePutItem(b *testing.B) {
	d := new(Decoder)
	body := []byte(benchPut)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.PutItem(body); err != nil {
			b.Fatal(err)
		}
		d.Release()
	}
}

func BenchmarkDecodeGetItem(b *testing.B) {
	d := new(Decoder)
	body := []byte(`{"TableName":"Pets","Key":{"pk":{"S":"user#0000012345"},"sk":{"S":"order#1"}}}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.GetItem(body); err != nil {
			b.Fatal(err)
		}
		d.Release()
	}
}

func batchGetBody(n int) []byte {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf(`{"pk":{"S":"user#%010d"}}`, i)
	}
	return []byte(`{"RequestItems":{"Pets":{"Keys":[` + strings.Join(keys, ",") + `]}}}`)
}

func BenchmarkDecodeBatchGet100(b *testing.B) {
	d := new(Decoder)
	body := batchGetBody(100)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.BatchGetItem(body); err != nil {
			b.Fatal(err)
		}
		d.Release()
	}
}

func BenchmarkAppendItem(b *testing.B) {
	in, err := new(Decoder).PutItem([]byte(benchPut))
	if err != nil {
		b.Fatal(err)
	}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendItem(buf[:0], in.Item)
	}
}

// TestAllocations: the constant number of allocations is a promise (DESIGN §8).
func TestAllocations(t *testing.T) {
	d := new(Decoder)
	get := []byte(`{"TableName":"Pets","Key":{"pk":{"S":"a"}},"ExpressionAttributeNames":{"#a":"b"}}`)
	query := []byte(`{"TableName":"Pets","KeyConditionExpression":"pk = :a","ExpressionAttributeValues":{":a":{"S":"b"}}}`)
	statement := []byte(`{"Statement":"SELECT * FROM Pets WHERE pk=?","Parameters":[{"S":"a"}],"Limit":1}`)
	statements := []byte(`{"Statements":[{"Statement":"SELECT","Parameters":[{"S":"a"},{"N":"1"}]},{"Statement":"SELECT"}]}`)
	records := []byte(`{"ShardIterator":"arn|1|AAAA","Limit":100}`)
	for name, c := range map[string]struct {
		most float64
		run  func() error
	}{
		"Statement":  {1, func() error { _, err := d.ExecuteStatement(statement); return err }},
		"Statements": {1, func() error { _, err := d.BatchExecuteStatement(statements); return err }},
		"GetRecords": {1, func() error { _, err := d.GetRecords(records); return err }},
		"GetItem":    {1, func() error { _, err := d.GetItem(get); return err }},
		"PutItem":    {1, func() error { _, err := d.PutItem([]byte(benchPut)); return err }},
		"Query":      {1, func() error { _, err := d.Query(query); return err }},
		"BatchGet":   {2, func() error { _, err := d.BatchGetItem(batchBody); return err }},
	} {
		got := testing.AllocsPerRun(50, func() {
			if err := c.run(); err != nil {
				t.Error(err)
			}
			d.Release()
		})
		// The conversion of benchPut counts for one more.
		require.LessOrEqual(t, got, c.most+1, name)
	}
}

var batchBody = batchGetBody(100)

func FuzzDecode(f *testing.F) {
	for _, s := range []string{benchPut, `{}`, `{"Item":{"a":{"B":"AA=="},"b":{"NULL":true}}}`, `[`, "\"\\ud800",
		`{"RequestItems":{"T":[{"PutRequest":{"Item":{}}}]}}`, `{"RequestItems":{"T":{"Keys":[{"k":{"S":""}}]}}}`,
		`{"TransactItems":[{"Put":{"Item":{"a":{"SS":["a","a"]}}}}]}`, `{"Key":{"a":{"N":"1e5"}}}`,
		`{"ExclusiveStartKey":{"a":{"L":[{"M":{}}]}},"Limit":1.5}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		d := new(Decoder)
		_, _ = d.GetItem(body)
		_, _ = d.UpdateItem(body)
		_, _ = d.DeleteItem(body)
		_, _ = d.Query(body)
		_, _ = d.Scan(body)
		_, _ = d.BatchGetItem(body)
		_, _ = d.BatchWriteItem(body)
		_, _ = d.TransactGetItems(body)
		_, _ = d.TransactWriteItems(body)
		_, _ = d.ExecuteStatement(body)
		_, _ = d.BatchExecuteStatement(body)
		_, _ = d.ExecuteTransaction(body)
		_, _ = d.GetRecords(body)
		in, err := d.PutItem(body)
		if err != nil {
			require.IsType(t, &api.Error{}, err)
			return
		}
		require.True(t, Valid(body))
		require.True(t, json.Valid(body))
		if in.Item == nil || len(in.Bad) > 0 {
			return
		}
		require.NoError(t, attr.CheckItem(in.Item))
		once := append(AppendItem([]byte(`{"Item":`), in.Item), '}')
		kept := in.Item.Clone()
		again, err := d.PutItem(once)
		require.NoError(t, err)
		require.Empty(t, again.Bad)
		require.Equal(t, kept, again.Item, "decode(encode(x)) = x")
	})
}
