package compat

import (
	"errors"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func statement(text string, params ...types.AttributeValue) *dynamodb.ExecuteStatementInput {
	return &dynamodb.ExecuteStatementInput{Statement: aws.String(text), Parameters: params}
}

// execute runs a statement and returns its items.
func execute(t *testing.T, text string, params ...types.AttributeValue) []map[string]types.AttributeValue {
	t.Helper()
	out, err := db.ExecuteStatement(t.Context(), statement(text, params...))
	require.NoError(t, err, text)
	return out.Items
}

// TestStatement is the life of an item told in PartiQL (wire-facts §6.15).
func TestStatement(t *testing.T) {
	pk := str(t.Name())
	table := `"` + rangeTable + `"`
	everything := everyType(item{"pk": pk, "sk": num("1")})
	insert := "INSERT INTO " + table + " VALUE ?"
	require.Empty(t, execute(t, insert, object(everything)))
	assert.Equal(t, everything, get(t, rangeTable, item{"pk": pk, "sk": num("1")}))

	in := statement(insert, object(everything))
	in.ReturnValuesOnConditionCheckFailure = types.ReturnValuesOnConditionCheckFailureAllOld
	_, err := db.ExecuteStatement(t.Context(), in)
	var duplicate *types.DuplicateItemException
	require.True(t, errors.As(err, &duplicate), "%v", err)
	assert.Equal(t, "Duplicate primary key exists in table", duplicate.ErrorMessage())

	read := "SELECT * FROM " + table + " WHERE pk = ? AND sk = 1"
	rows := execute(t, read, pk)
	require.Len(t, rows, 1)
	assert.Equal(t, everything, item(rows[0]))
	rows = execute(t, "SELECT s, l[3].deep FROM "+table+" WHERE pk = ? AND sk = 1 AND contains(ss, 'a')", pk)
	require.Len(t, rows, 1)
	assert.Equal(t, item{"s": str("text ü €"), "deep": boolean(false)}, item(rows[0]))

	rows = execute(t, "UPDATE "+table+" SET n = n + 1.5, ss = set_add(ss, <<'c'>>) REMOVE b WHERE pk = ? AND sk = 1 RETURNING MODIFIED NEW *", pk)
	require.Len(t, rows, 1)
	assert.Equal(t, item{"n": num("-11"), "ss": strSet("a", "b", "c")}, item(rows[0]))
	_, err = db.ExecuteStatement(t.Context(), statement("UPDATE "+table+" SET n = 1 WHERE pk = ? AND sk = 2", pk))
	wantError(t, err, checkFailed, "The conditional request failed")

	rows = execute(t, "DELETE FROM "+table+" WHERE pk = ? AND sk = 1 AND n < 0 RETURNING ALL OLD *", pk)
	require.Len(t, rows, 1)
	assert.Equal(t, num("-11"), rows[0]["n"])
	assert.Empty(t, execute(t, read, pk))
	assert.Empty(t, execute(t, "DELETE FROM "+table+" WHERE pk = ? AND sk = 1", pk), "a missing item is deleted without a word")
}

// TestStatementPages follows NextToken over one partition and over several, forwards and backwards.
func TestStatementPages(t *testing.T) {
	table := `"` + rangeTable + `"`
	a, b := str(t.Name()+"a"), str(t.Name()+"b")
	for i := range 6 {
		put(t, rangeTable, item{"pk": a, "sk": intNum(i)})
		put(t, rangeTable, item{"pk": b, "sk": intNum(i)})
	}
	for _, tt := range []struct {
		where  string
		params []types.AttributeValue
		limit  int32
		pages  []int
	}{
		{"pk = ? ORDER BY sk DESC", []types.AttributeValue{a}, 4, []int{4, 2}},
		{"pk = ? AND sk >= 1", []types.AttributeValue{a}, 0, []int{5}},
		{"pk IN [?, ?]", []types.AttributeValue{b, a}, 0, []int{10, 2}},
		{"pk IN [?, ?] AND sk > 2", []types.AttributeValue{b, a}, 5, []int{5, 1}},
	} {
		in := statement("SELECT pk, sk FROM "+table+" WHERE "+tt.where, tt.params...)
		if tt.limit > 0 {
			in.Limit = aws.Int32(tt.limit)
		}
		var pages []int
		seen := map[string]bool{}
		for {
			out, err := db.ExecuteStatement(t.Context(), in)
			require.NoError(t, err, tt.where)
			pages = append(pages, len(out.Items))
			for _, it := range out.Items {
				seen[fmt.Sprint(it["pk"], it["sk"])] = true
			}
			if in.NextToken = out.NextToken; in.NextToken == nil {
				require.Nil(t, out.LastEvaluatedKey)
				break
			}
		}
		assert.Equal(t, tt.pages, pages, tt.where)
	}
	first, err := db.ExecuteStatement(t.Context(), &dynamodb.ExecuteStatementInput{Statement: aws.String("SELECT * FROM " + table), Limit: aws.Int32(1)})
	require.NoError(t, err)
	in := statement("SELECT pk FROM " + table)
	in.NextToken = first.NextToken
	_, err = db.ExecuteStatement(t.Context(), in)
	wantError(t, err, validation, "NextToken does not match request")
}

// TestStatementErrors pins the texts of wire-facts §6.15 as an SDK sees them.
func TestStatementErrors(t *testing.T) {
	table := `"` + hashTable + `"`
	for text, want := range map[string]string{
		"SELEC 1":                             "Statement wasn't well formed, can't be processed: Expected data manipulation",
		"SELECT * FROM " + hashTable:          "Statement wasn't well formed, can't be processed: Expected data manipulation",
		"SELECT * FROM " + table + " LIMIT 1": fmt.Sprintf("Unsupported clause: LIMIT at 1:%d:5", 16+len(table)),
		"UPDATE " + table + " SET a = 1":      "Where clause does not contain a mandatory equality on all key attributes",
		"SELECT * FROM " + table + ".none":    "The table does not have the specified index",
	} {
		_, err := db.ExecuteStatement(t.Context(), statement(text))
		wantError(t, err, validation, want)
	}
	_, err := db.ExecuteStatement(t.Context(), statement("SELECT * FROM nowhere"))
	wantError(t, err, notFound, "Requested resource not found")
	status, body := raw(t, "ExecuteStatement", `{"Statement":"SELECT * FROM x WHERE a = ?","Parameters":[{"N":"x"}]}`)
	assert.Equal(t, 400, status)
	assert.Equal(t, `{"__type":"com.amazon.coral.validate#ValidationException","message":"The parameter cannot be converted to a numeric value: x"}`, body)
	_, body = raw(t, "ExecuteStatement", `{"Statement":"","Parameters":[],"Limit":0}`)
	assert.Contains(t, body, "3 validation errors detected: ")
	_, body = raw(t, "ExecuteStatement", `{"Statement":"SELECT * FROM x WHERE a = ?","Parameters":[null]}`)
	assert.Contains(t, body, "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
}

func TestStatementBatch(t *testing.T) {
	table := `"` + hashTable + `"`
	one, two := str(t.Name()+"1"), str(t.Name()+"2")
	write := func(text string, params ...types.AttributeValue) types.BatchStatementRequest {
		return types.BatchStatementRequest{Statement: aws.String(text), Parameters: params, ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld}
	}
	out, err := db.BatchExecuteStatement(t.Context(), &dynamodb.BatchExecuteStatementInput{Statements: []types.BatchStatementRequest{
		write("INSERT INTO "+table+" VALUE {'pk': ?, 'n': 1}", one),
		write("UPDATE "+table+" SET n = 1 WHERE pk = ?", two),
		write("INSERT INTO nowhere VALUE {'pk': 'x'}"),
	}, ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal})
	require.NoError(t, err)
	require.Len(t, out.Responses, 3)
	assert.Nil(t, out.Responses[0].Error)
	assert.Equal(t, hashTable, *out.Responses[0].TableName)
	assert.Equal(t, types.BatchStatementErrorCodeEnumConditionalCheckFailed, out.Responses[1].Error.Code)
	assert.Equal(t, types.BatchStatementErrorCodeEnumResourceNotFound, out.Responses[2].Error.Code)
	require.Len(t, out.ConsumedCapacity, 1)
	assert.Equal(t, 1.0, *out.ConsumedCapacity[0].CapacityUnits)

	out, err = db.BatchExecuteStatement(t.Context(), &dynamodb.BatchExecuteStatementInput{Statements: []types.BatchStatementRequest{
		{Statement: aws.String("SELECT n FROM " + table + " WHERE pk = ?"), Parameters: []types.AttributeValue{one}, ConsistentRead: aws.Bool(true)},
		{Statement: aws.String("SELECT n FROM " + table + " WHERE pk = ?"), Parameters: []types.AttributeValue{two}},
		{Statement: aws.String("SELECT n FROM " + table)},
	}})
	require.NoError(t, err)
	assert.Equal(t, item{"n": num("1")}, item(out.Responses[0].Item))
	assert.Nil(t, out.Responses[1].Item)
	assert.Equal(t, "Select statements within BatchExecuteStatement must specify the primary key in the where clause.", *out.Responses[2].Error.Message)
}

func TestStatementTransaction(t *testing.T) {
	table := `"` + hashTable + `"`
	one, two := str(t.Name()+"1"), str(t.Name()+"2")
	run := func(token string, list ...types.ParameterizedStatement) (*dynamodb.ExecuteTransactionOutput, error) {
		in := &dynamodb.ExecuteTransactionInput{TransactStatements: list}
		if token != "" {
			in.ClientRequestToken = aws.String(token)
		}
		return db.ExecuteTransaction(t.Context(), in)
	}
	step := func(text string, params ...types.AttributeValue) types.ParameterizedStatement {
		return types.ParameterizedStatement{Statement: aws.String(text), Parameters: params}
	}
	_, err := run("", step("INSERT INTO "+table+" VALUE {'pk': ?, 'n': 1}", one), step("INSERT INTO "+table+" VALUE {'pk': ?, 'n': 2}", two))
	require.NoError(t, err)
	add := step("UPDATE "+table+" SET n = n + 1 WHERE pk = ?", one)
	check := step("EXISTS(SELECT * FROM "+table+" WHERE pk = ? AND n = 2)", two)
	for range 2 { // the second is a replay
		_, err = run("token-1", add, check)
		require.NoError(t, err)
	}
	out, err := run("", step("SELECT * FROM "+table+" WHERE pk = ?", one), step("SELECT n FROM "+table+" WHERE pk = ?", two))
	require.NoError(t, err)
	require.Len(t, out.Responses, 2)
	assert.Equal(t, num("2"), out.Responses[0].Item["n"])
	assert.Equal(t, item{"n": num("2")}, item(out.Responses[1].Item))

	_, err = run("", step("INSERT INTO "+table+" VALUE {'pk': ?}", one), step("EXISTS(SELECT * FROM "+table+" WHERE pk = ? AND n = 9)", two))
	var cancelled *types.TransactionCanceledException
	require.True(t, errors.As(err, &cancelled), "%v", err)
	require.Len(t, cancelled.CancellationReasons, 2)
	assert.Equal(t, "DuplicateItem", *cancelled.CancellationReasons[0].Code)
	assert.Equal(t, "Duplicate primary key exists in table", *cancelled.CancellationReasons[0].Message)
	assert.Equal(t, "ConditionalCheckFailed", *cancelled.CancellationReasons[1].Code)
}

// TestStatementTools runs statements with aws-cli and boto3, whose serializers are others.
func TestStatementTools(t *testing.T) {
	needAWS(t)
	s := newServer(t, "--in-memory")
	out := shell(t, s.url, `
aws() { command aws --endpoint-url "$ENDPOINT" --output json dynamodb "$@"; }
aws create-table --table-name Music --billing-mode PAY_PER_REQUEST \
  --attribute-definitions AttributeName=Artist,AttributeType=S AttributeName=Song,AttributeType=S \
  --key-schema AttributeName=Artist,KeyType=HASH AttributeName=Song,KeyType=RANGE >/dev/null
aws execute-statement --statement "INSERT INTO Music VALUE {'Artist':'Nina','Song':?,'Year':1965}" --parameters '[{"S":"Sinnerman"}]' >/dev/null
aws batch-execute-statement --statements '[{"Statement":"INSERT INTO Music VALUE {'"'Artist':'Nina','Song':'Feeling Good'"'}"}]' >/dev/null
aws execute-transaction --transact-statements '[{"Statement":"UPDATE Music SET Plays = 1 WHERE Artist = ? AND Song = ?","Parameters":[{"S":"Nina"},{"S":"Sinnerman"}]}]' >/dev/null
aws execute-statement --statement "SELECT Song, Plays FROM Music WHERE Artist = 'Nina' ORDER BY Song DESC" --query 'Items[].[Song.S, Plays.N]'
`)
	assert.JSONEq(t, `[["Sinnerman","1"],["Feeling Good",null]]`, out)
	if botoPython() == "" {
		missing(t, "boto3")
	}
	out = shell(t, s.url, `"$PYTHON" - <<'END'
import os, boto3
c = boto3.client("dynamodb", endpoint_url=os.environ["ENDPOINT"])
c.execute_statement(Statement="UPDATE Music SET Tags = <<'jazz', 'soul'>> WHERE Artist = ? AND Song = ?", Parameters=[{"S": "Nina"}, {"S": "Sinnerman"}])
r = c.execute_statement(Statement="SELECT Tags FROM Music WHERE contains(Tags, 'soul')")
print(r["Items"])
try:
    c.execute_statement(Statement="INSERT INTO Music VALUE {'Artist': 'Nina', 'Song': 'Sinnerman'}")
except c.exceptions.DuplicateItemException as e:
    print(e.response["Error"]["Message"])
END
`)
	assert.Equal(t, "[{'Tags': {'SS': ['jazz', 'soul']}}]\nDuplicate primary key exists in table\n", out)
}
