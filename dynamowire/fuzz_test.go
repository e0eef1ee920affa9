package dynamowire

import (
	"bytes"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/storage/memstore"
)

// fuzzTable has every kind of index, fuzzItem is in all of them.
const (
	fuzzTable = `{"TableName":"Fuzz","BillingMode":"PAY_PER_REQUEST",` +
		`"AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"},{"AttributeName":"sk","AttributeType":"N"},` +
		`{"AttributeName":"g","AttributeType":"B"},{"AttributeName":"l","AttributeType":"S"}],` +
		`"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"},{"AttributeName":"sk","KeyType":"RANGE"}],` +
		`"LocalSecondaryIndexes":[{"IndexName":"byL","KeySchema":[{"AttributeName":"pk","KeyType":"HASH"},` +
		`{"AttributeName":"l","KeyType":"RANGE"}],"Projection":{"ProjectionType":"KEYS_ONLY"}}],` +
		`"GlobalSecondaryIndexes":[{"IndexName":"byG","KeySchema":[{"AttributeName":"g","KeyType":"HASH"},` +
		`{"AttributeName":"l","KeyType":"RANGE"}],"Projection":{"ProjectionType":"INCLUDE","NonKeyAttributes":["m"]}}]}`
	fuzzItem = `{"TableName":"Fuzz","Item":{"pk":{"S":"a"},"sk":{"N":"1"},"g":{"B":"AAE="},"l":{"S":"x"},` +
		`"m":{"M":{"x":{"L":[{"N":"1"},{"SS":["a","b"]}]}}}}}`
)

// fuzzSeeds are requests of the operations that are built, beside those of the golden files.
var fuzzSeeds = []struct{ op, body string }{
	{"CreateTable", strings.Replace(fuzzTable, "Fuzz", "Other", 1)},
	{"CreateTable", `{"TableName":"Third","AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}],` +
		`"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}],"ProvisionedThroughput":{"ReadCapacityUnits":1,"WriteCapacityUnits":2},` +
		`"SSESpecification":{"Enabled":true,"SSEType":"KMS","KMSMasterKeyId":"k"},"Tags":[{"Key":"k","Value":"v"}],` +
		`"StreamSpecification":{"StreamEnabled":true,"StreamViewType":"NEW_IMAGE"},"TableClass":"STANDARD","DeletionProtectionEnabled":true}`},
	{"PutItem", fuzzItem},
	{"PutItem", `{"TableName":"Fuzz","Item":{"pk":{"S":"b"},"sk":{"N":"-1.5e10"},"z":{"BOOL":true},"y":{"NULL":true},"x":{"NS":["1","2"]},` +
		`"w":{"BS":["AA=="]}},"ConditionExpression":"attribute_not_exists(#p) OR size(z) > :n","ExpressionAttributeNames":{"#p":"pk"},` +
		`"ExpressionAttributeValues":{":n":{"N":"3"}},"ReturnValues":"ALL_OLD","ReturnConsumedCapacity":"INDEXES",` +
		`"ReturnItemCollectionMetrics":"SIZE","ReturnValuesOnConditionCheckFailure":"ALL_OLD"}`},
	{"UpdateItem", `{"TableName":"Fuzz","Key":{"pk":{"S":"a"},"sk":{"N":"1"}},"UpdateExpression":"SET m.x[0] = m.x[0] + :n, l = if_not_exists(q, :s) ` +
		`REMOVE m.x[1] ADD c :n DELETE d :t","ConditionExpression":"contains(m.x, :n) AND begins_with(l, :s)",` +
		`"ExpressionAttributeValues":{":n":{"N":"1"},":s":{"S":"x"},":t":{"SS":["a"]}},"ReturnValues":"UPDATED_NEW"}`},
	{"DeleteItem", `{"TableName":"Fuzz","Key":{"pk":{"S":"a"},"sk":{"N":"1"}},"ConditionExpression":"l IN (:a, :b)",` +
		`"ExpressionAttributeValues":{":a":{"S":"x"},":b":{"N":"1"}},"ReturnValues":"ALL_OLD"}`},
	{"GetItem", `{"TableName":"Fuzz","Key":{"pk":{"S":"a"},"sk":{"N":"1"}},"ProjectionExpression":"m.x[0], l","ConsistentRead":true}`},
	{"Query", `{"TableName":"Fuzz","KeyConditionExpression":"pk = :p AND sk BETWEEN :a AND :b","ExpressionAttributeValues":` +
		`{":p":{"S":"a"},":a":{"N":"0"},":b":{"N":"2"}},"FilterExpression":"attribute_exists(l)","Limit":1,"ScanIndexForward":false,` +
		`"ExclusiveStartKey":{"pk":{"S":"a"},"sk":{"N":"1"}}}`},
	{"Query", `{"TableName":"Fuzz","IndexName":"byG","KeyConditionExpression":"g = :g AND begins_with(l, :l)","ExpressionAttributeValues":` +
		`{":g":{"B":"AAE="},":l":{"S":"x"}},"ExclusiveStartKey":{"pk":{"S":"a"},"sk":{"N":"1"},"g":{"B":"AAE="},"l":{"S":"x"}},"Select":"COUNT"}`},
	{"Scan", `{"TableName":"Fuzz","IndexName":"byL","Segment":1,"TotalSegments":3,"Limit":2,"Select":"ALL_ATTRIBUTES","FilterExpression":"NOT a <> :a",` +
		`"ExpressionAttributeValues":{":a":{"L":[]}},"ExclusiveStartKey":{"pk":{"S":"a"},"sk":{"N":"1"},"l":{"S":"x"}}}`},
	{"BatchGetItem", `{"RequestItems":{"Fuzz":{"Keys":[{"pk":{"S":"a"},"sk":{"N":"1"}},{"pk":{"S":"b"},"sk":{"N":"1"}}],"ProjectionExpression":"l"}}}`},
	{"PutItem", strings.TrimSuffix(fuzzItem, "}") + `,"Expected":{"pk":{"Exists":false},"l":{"ComparisonOperator":"BETWEEN",` +
		`"AttributeValueList":[{"S":"a"},{"S":"z"}]},"m":{"Value":{"N":"1"}}},"ConditionalOperator":"OR"}`},
	{"UpdateItem", `{"TableName":"Fuzz","Key":{"pk":{"S":"a"},"sk":{"N":"1"}},"AttributeUpdates":{"l":{"Value":{"S":"y"}},"n":{"Action":"ADD",` +
		`"Value":{"N":"1"}},"m":{"Action":"DELETE"},"s":{"Action":"DELETE","Value":{"SS":["a"]}}},"Expected":{"no":{"Exists":false}},"ReturnValues":"UPDATED_NEW"}`},
	{"DeleteItem", `{"TableName":"Fuzz","Key":{"pk":{"S":"a"},"sk":{"N":"1"}},"Expected":{"l":{"ComparisonOperator":"IN","AttributeValueList":[{"S":"x"}]}}}`},
	{"Query", `{"TableName":"Fuzz","IndexName":"byL","KeyConditions":{"pk":{"ComparisonOperator":"EQ","AttributeValueList":[{"S":"a"}]},` +
		`"l":{"ComparisonOperator":"BEGINS_WITH","AttributeValueList":[{"S":"x"}]}},"QueryFilter":{"m":{"ComparisonOperator":"NOT_NULL"},` +
		`"sk":{"ComparisonOperator":"GE","AttributeValueList":[{"N":"0"}]}},"ConditionalOperator":"AND","AttributesToGet":["m","sk"]}`},
	{"Scan", `{"TableName":"Fuzz","ScanFilter":{"m":{"ComparisonOperator":"CONTAINS","AttributeValueList":[{"B":"AA=="}]},"l":{"ComparisonOperator":"NE",` +
		`"AttributeValueList":[{"L":[{"NULL":true}]}]}},"ConditionalOperator":"OR","AttributesToGet":["pk"]}`},
	{"GetItem", `{"TableName":"Fuzz","Key":{"pk":{"S":"a"},"sk":{"N":"1"}},"AttributesToGet":["l","m"]}`},
	{"BatchWriteItem", `{"RequestItems":{"Fuzz":[{"PutRequest":{"Item":{"pk":{"S":"c"},"sk":{"N":"1"}}}},{"DeleteRequest":{"Key":{"pk":{"S":"a"},"sk":{"N":"1"}}}}]}}`},
	{"TransactWriteItems", `{"ClientRequestToken":"t","TransactItems":[{"Put":` + fuzzItem + `},{"ConditionCheck":{"TableName":"Fuzz",` +
		`"Key":{"pk":{"S":"b"},"sk":{"N":"1"}},"ConditionExpression":"attribute_not_exists(pk)"}},{"Delete":{"TableName":"Fuzz",` +
		`"Key":{"pk":{"S":"c"},"sk":{"N":"1"}}}},{"Update":{"TableName":"Fuzz","Key":{"pk":{"S":"d"},"sk":{"N":"1"}},` +
		`"UpdateExpression":"SET n = :n","ExpressionAttributeValues":{":n":{"N":"1"}}}}]}`},
	{"TransactGetItems", `{"TransactItems":[{"Get":{"TableName":"Fuzz","Key":{"pk":{"S":"a"},"sk":{"N":"1"}}}}],"ReturnConsumedCapacity":"TOTAL"}`},
	{"UpdateTable", `{"TableName":"Fuzz","BillingMode":"PROVISIONED","ProvisionedThroughput":{"ReadCapacityUnits":1,"WriteCapacityUnits":2},` +
		`"GlobalSecondaryIndexUpdates":[{"Update":{"IndexName":"byG","ProvisionedThroughput":{"ReadCapacityUnits":1,"WriteCapacityUnits":2}}}]}`},
	{"UpdateTable", `{"TableName":"Fuzz","DeletionProtectionEnabled":true,"TableClass":"STANDARD_INFREQUENT_ACCESS"}`},
	{"DeleteTable", `{"TableName":"Fuzz"}`},
	{"DescribeTable", `{"TableName":"Fuzz"}`},
	{"ListTables", `{"Limit":1,"ExclusiveStartTableName":"Aaa"}`},
	{"TagResource", `{"ResourceArn":"arn:aws:dynamodb:us-east-1:123456789012:table/Fuzz","Tags":[{"Key":"k","Value":"v"}]}`},
	{"UntagResource", `{"ResourceArn":"arn:aws:dynamodb:us-east-1:123456789012:table/Fuzz","TagKeys":["k"]}`},
	{"ListTagsOfResource", `{"ResourceArn":"arn:aws:dynamodb:us-east-1:123456789012:table/Fuzz","NextToken":"0"}`},
	{"UpdateTimeToLive", `{"TableName":"Fuzz","TimeToLiveSpecification":{"AttributeName":"sk","Enabled":true}}`},
	{"DescribeTimeToLive", `{"TableName":"Fuzz"}`},
	{"ExecuteStatement", `{"Statement":"SELECT m.x[0] FROM Fuzz WHERE pk = ? AND sk > ?","Parameters":[{"S":"a"},{"N":"0"}],"Limit":1,` +
		`"ConsistentRead":true,"ReturnConsumedCapacity":"INDEXES"}`},
	{"ExecuteStatement", `{"Statement":"UPDATE Fuzz SET l = ? SET m.x[1] = ? WHERE pk = ? AND sk = 1 RETURNING ALL NEW *",` +
		`"Parameters":[{"S":"y"},{"L":[{"B":"AA=="}]},{"S":"a"}],"ReturnValuesOnConditionCheckFailure":"ALL_OLD"}`},
	{"BatchExecuteStatement", `{"Statements":[{"Statement":"INSERT INTO Fuzz VALUE {'pk':?,'sk':?,'l':'x'}","Parameters":[{"S":"b"},{"N":"2"}]},` +
		`{"Statement":"DELETE FROM Fuzz WHERE pk = 'a' AND sk = 1"}],"ReturnConsumedCapacity":"TOTAL"}`},
	{"ExecuteTransaction", `{"TransactStatements":[{"Statement":"EXISTS(SELECT * FROM Fuzz WHERE pk = 'a' AND sk = 1 AND l = ?)","Parameters":[{"S":"x"}]},` +
		`{"Statement":"INSERT INTO Fuzz VALUE {'pk':'b','sk':?}","Parameters":[{"N":"2"}]}],"ClientRequestToken":"t"}`},
	{"GetRecords", `{"ShardIterator":"arn:aws:dynamodb:us-east-1:123456789012:table/Fuzz/stream/2026-01-01T00:00:00.000|1|AAAA","Limit":1}`},
}

// goldenRequests are operation and body of the requests in the golden files.
func goldenRequests(f *testing.F, add func(op, body string)) {
	files, err := filepath.Glob("testdata/golden/*")
	require.NoError(f, err)
	require.NotEmpty(f, files)
	for _, name := range files {
		text, err := os.ReadFile(name)
		require.NoError(f, err)
		for _, part := range strings.Split(string(text), "\nhttp\n")[1:] {
			request, _, _ := strings.Cut(part, "\n----\n")
			head, body, _ := strings.Cut(request, "\n\n")
			if _, op, ok := strings.Cut(head, prefixDynamoDB+"."); ok {
				op, _, _ = strings.Cut(op, "\n")
				add(op, body)
			}
		}
	}
}

// wire is a database behind a handler; failures are what it logs.
type wire struct {
	db       *engine.DB
	h        *Handler
	failures bytes.Buffer
}

// wireTime is when an opened wire is, if nothing else is said: the beginning of 2026.
var wireTime = time.UnixMilli(1_767_225_600_000)

func openWire(t *testing.T, set ...func(*engine.Options)) *wire {
	t.Helper()
	store, err := memstore.Open(memstore.Options{})
	require.NoError(t, err)
	return openWireOn(t, store, set...)
}

func openWireOn(t *testing.T, store storage.Store, set ...func(*engine.Options)) *wire {
	t.Helper()
	opts := engine.Options{Clock: func() time.Time { return wireTime }, Rand: rand.NewChaCha8([32]byte{})}
	for _, f := range set {
		f(&opts)
	}
	db, err := engine.OpenStore(store, opts)
	require.NoError(t, err)
	w := &wire{db: db}
	w.h = NewHandler(db, Options{Clock: opts.Clock, Logger: zerolog.New(&w.failures)})
	return w
}

func (w *wire) send(op, body string) *httptest.ResponseRecorder {
	prefix := prefixDynamoDB
	if o := operations()[op]; o != nil {
		prefix = o.prefix
	}
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set(headerTarget, prefix+"."+op)
	r.Header.Set(headerType, contentTypeAmazon)
	r.Header.Set(headerAmzDate, "20260101T000000Z")
	r.Header.Set(headerAuthorization, "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=b, Signature=c")
	rec := httptest.NewRecorder()
	w.h.ServeHTTP(rec, r)
	return rec
}

// must sends a request that has to be answered as a client may expect: no internal error, JSON.
func (w *wire) must(t *testing.T, op, body string) *httptest.ResponseRecorder {
	t.Helper()
	rec := w.send(op, body)
	require.Less(t, rec.Code, http.StatusInternalServerError, "%s %s\n%s", op, body, w.failures.String())
	if rec.Code != http.StatusNotFound && rec.Body.Len() > 0 {
		require.True(t, json.Valid(rec.Body.Bytes()), "%s %s\n%s", op, body, rec.Body)
	}
	return rec
}

// FuzzRequests sends one body as it is or, with a seed, with its JSON changed here and there, so that
// changes reach deep into requests. Nothing that a client sends is an internal error, and the
// database answers afterwards.
func FuzzRequests(f *testing.F) {
	for _, s := range fuzzSeeds {
		for seed := range uint64(3) {
			f.Add(s.op, s.body, seed)
		}
	}
	goldenRequests(f, func(op, body string) { f.Add(op, body, uint64(0)) })
	for op := range operations() {
		f.Add(op, "{}", uint64(0))
	}
	f.Fuzz(sendChanged)
}

// TestChangedRequests does the same without the fuzzer, which is slow to reach deep into JSON.
func TestChangedRequests(t *testing.T) {
	seeds := uint64(20)
	if os.Getenv("KSTONE_NIGHT") != "" {
		seeds = 2_000
	}
	for _, s := range fuzzSeeds {
		for seed := range seeds {
			sendChanged(t, s.op, s.body, 1+seed)
		}
	}
}

// sendChanged changes a body as the seed says, not at all when it is 0, and sends it to a database of
// its own.
func sendChanged(t *testing.T, op, body string, seed uint64) {
	var tree any
	if seed != 0 && json.Unmarshal([]byte(body), &tree) == nil {
		m := mutator{rand.New(rand.NewPCG(seed, 5))}
		for range 1 + m.rnd.IntN(3) {
			tree = m.change(tree)
		}
		changed, err := json.Marshal(tree)
		require.NoError(t, err)
		body = string(changed)
	}
	w := openWire(t)
	defer func() { require.NoError(t, w.db.Close()) }()
	require.Equal(t, http.StatusOK, w.must(t, "CreateTable", fuzzTable).Code)
	require.Equal(t, http.StatusOK, w.must(t, "PutItem", fuzzItem).Code)
	w.must(t, op, body)
	for _, again := range fuzzLooks {
		w.must(t, again.op, again.body)
	}
}

// fuzzLooks are made after a request: whatever it left can be read.
var fuzzLooks = []struct{ op, body string }{
	{"Scan", `{"TableName":"Fuzz"}`},
	{"Scan", `{"TableName":"Fuzz","IndexName":"byL","Select":"ALL_ATTRIBUTES"}`},
	{"Scan", `{"TableName":"Fuzz","IndexName":"byG"}`},
	{"DescribeTable", `{"TableName":"Fuzz"}`},
	{"ListTables", `{}`},
}

// mutator changes JSON.
type mutator struct{ rnd *rand.Rand }

// value is one that is a little beyond what is expected somewhere.
func (m mutator) value() any {
	list := []any{
		nil, true, false, 0, -1, 1.5, 1e30, "", "x", "Fuzz", "byG", "byL", "pk", "#p", ":n", ":", "#",
		[]any{}, []any{nil}, map[string]any{}, map[string]any{"x": nil},
		map[string]any{"S": ""}, map[string]any{"S": "a"}, map[string]any{"N": "1"}, map[string]any{"N": ""},
		map[string]any{"N": "9.9999999999999999999999999999999999999E+125"}, map[string]any{"N": "1e-131"},
		map[string]any{"B": "AAAA"}, map[string]any{"B": "A"}, map[string]any{"NULL": false},
		map[string]any{"SS": []any{}}, map[string]any{"NS": []any{"1", "1.0"}}, map[string]any{"BS": []any{"AA==", ""}},
		map[string]any{"M": map[string]any{"": map[string]any{"S": ""}}}, map[string]any{"L": []any{map[string]any{}}},
		map[string]any{"S": strings.Repeat("\x00", 2048)}, map[string]any{"S": strings.Repeat("\x00", 1024)},
		map[string]any{"S": strings.Repeat("x", 1025)}, map[string]any{"S": strings.Repeat("x", 410_000)},
		map[string]any{"S": "a", "N": "1"}, deep(40), strings.Repeat("a.", 40) + "a", strings.Repeat("(", 400),
		"a[99999999999999999999]", "SET a = :n REMOVE a", "size(a) = :n AND size(b) > :n", "\x00", "\u2028", "ALL_OLD", "ALL_NEW",
	}
	return list[m.rnd.IntN(len(list))]
}

func deep(n int) any {
	if n == 0 {
		return map[string]any{"S": "x"}
	}
	return map[string]any{"L": []any{deep(n - 1)}}
}

// change changes one place of a tree.
func (m mutator) change(v any) any {
	if m.rnd.IntN(6) == 0 {
		return m.value()
	}
	switch v := v.(type) {
	case map[string]any:
		if len(v) == 0 {
			return map[string]any{"S": m.value()}
		}
		names := slices.Sorted(maps.Keys(v))
		name := names[m.rnd.IntN(len(names))]
		switch m.rnd.IntN(8) {
		case 0:
			delete(v, name)
		case 1:
			v[names[m.rnd.IntN(len(names))]] = v[name]
		case 2:
			if text, ok := m.value().(string); ok {
				v[text] = v[name]
			}
		default:
			v[name] = m.change(v[name])
		}
		return v
	case []any:
		if len(v) == 0 {
			return []any{m.value()}
		}
		at := m.rnd.IntN(len(v))
		switch m.rnd.IntN(6) {
		case 0:
			return append(v, v[at])
		case 1:
			return slices.Delete(v, at, at+1)
		}
		v[at] = m.change(v[at])
		return v
	case string:
		return m.text(v)
	}
	return m.value()
}

// text cuts, doubles or joins.
func (m mutator) text(s string) any {
	at := 0
	if len(s) > 0 {
		at = m.rnd.IntN(len(s))
	}
	switch m.rnd.IntN(6) {
	case 0:
		return s[:at]
	case 1:
		return s[:at] + " " + s[at:]
	case 2:
		return s + s
	case 3:
		return s[at:] + s[:at]
	case 4:
		return s + "\x00"
	}
	return m.value()
}
