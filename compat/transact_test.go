package compat

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func transact(t *testing.T, actions ...types.TransactWriteItem) error {
	t.Helper()
	_, err := db.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{TransactItems: actions})
	return err
}

func txPut(table string, it item) types.TransactWriteItem {
	return types.TransactWriteItem{Put: &types.Put{TableName: &table, Item: it}}
}

func txCheck(key item, condition string) types.TransactWriteItem {
	return types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{TableName: aws.String(hashTable), Key: key, ConditionExpression: &condition}}
}

func txUpdate(key item, expression string, values item) types.TransactWriteItem {
	return types.TransactWriteItem{Update: &types.Update{
		TableName: aws.String(hashTable), Key: key, UpdateExpression: &expression, ExpressionAttributeValues: values,
	}}
}

func txDelete(key item) types.TransactWriteItem {
	return types.TransactWriteItem{Delete: &types.Delete{TableName: aws.String(hashTable), Key: key}}
}

func TestTransactWriteAndGet(t *testing.T) {
	put(t, hashTable, with(numbered(t, 1), item{"n": num("1")}))
	put(t, hashTable, numbered(t, 2))
	put(t, hashTable, numbered(t, 3))
	other := item{"pk": str(t.Name()), "sk": num("1")}
	require.NoError(t, transact(t,
		txPut(rangeTable, with(other, item{"v": str("x")})),
		txUpdate(numbered(t, 1), "ADD n :one", item{":one": num("1")}),
		txDelete(numbered(t, 2)), txCheck(numbered(t, 3), "attribute_exists(pk)")))
	out, err := db.TransactGetItems(t.Context(), &dynamodb.TransactGetItemsInput{TransactItems: []types.TransactGetItem{
		{Get: &types.Get{TableName: aws.String(rangeTable), Key: other, ProjectionExpression: aws.String("v")}},
		{Get: &types.Get{TableName: aws.String(hashTable), Key: numbered(t, 1)}},
		{Get: &types.Get{TableName: aws.String(hashTable), Key: numbered(t, 2)}},
	}})
	require.NoError(t, err)
	require.Len(t, out.Responses, 3)
	assert.Equal(t, item{"v": str("x")}, item(out.Responses[0].Item))
	assert.Equal(t, num("2"), out.Responses[1].Item["n"])
	assert.Nil(t, out.Responses[2].Item)
}

// TestTransactCancels pins wire-facts §6.13: a reason for each action, and nothing is written.
func TestTransactCancels(t *testing.T) {
	put(t, hashTable, with(numbered(t, 1), item{"s": str("x")}))
	failing := txCheck(numbered(t, 1), "attribute_not_exists(pk)")
	failing.ConditionCheck.ReturnValuesOnConditionCheckFailure = types.ReturnValuesOnConditionCheckFailureAllOld
	put(t, hashTable, with(numbered(t, 4), item{"s": str("x")}))
	err := transact(t, txPut(hashTable, numbered(t, 2)), failing, txCheck(numbered(t, 3), "attribute_exists(pk)"),
		txUpdate(numbered(t, 4), "SET n = s + :one", item{":one": num("1")}))
	var cancelled *types.TransactionCanceledException
	require.True(t, errors.As(err, &cancelled), "%v", err)
	assert.Equal(t, "Transaction cancelled, please refer cancellation reasons for specific reasons "+
		"[None, ConditionalCheckFailed, ConditionalCheckFailed, ValidationError]", cancelled.ErrorMessage())
	require.Len(t, cancelled.CancellationReasons, 4)
	assert.Equal(t, "None", *cancelled.CancellationReasons[0].Code)
	assert.Nil(t, cancelled.CancellationReasons[0].Message)
	assert.Equal(t, "The conditional request failed", *cancelled.CancellationReasons[1].Message)
	assert.Equal(t, str("x"), cancelled.CancellationReasons[1].Item["s"])
	assert.Nil(t, cancelled.CancellationReasons[2].Item)
	assert.Equal(t, "An operand in the update expression has an incorrect data type", *cancelled.CancellationReasons[3].Message)
	assert.Nil(t, get(t, hashTable, numbered(t, 2)))
}

func TestTransactErrors(t *testing.T) {
	const many = 101
	var actions []types.TransactWriteItem
	for i := range many {
		actions = append(actions, txPut(hashTable, numbered(t, i)))
	}
	require.ErrorContains(t, transact(t, actions...), "at 'transactItems' failed to satisfy constraint: Member must have length less than or equal to 100")
	require.NoError(t, transact(t, actions[:100]...))
	wantError(t, transact(t, txPut(hashTable, numbered(t, 1)), txDelete(numbered(t, 1))), validation,
		"Transaction request cannot include multiple operations on one item")
	wantError(t, transact(t, types.TransactWriteItem{}), validation, "TransactItems can only contain one of Check, Put, Update or Delete")
	wantError(t, transact(t, txPut("no-such-table", numbered(t, 1)), txCheck(numbered(t, 1), "attribute_not_exists(pk)")), notFound, "Requested resource not found")
	_, err := db.TransactGetItems(t.Context(), &dynamodb.TransactGetItemsInput{TransactItems: []types.TransactGetItem{
		{Get: &types.Get{TableName: aws.String(hashTable), Key: numbered(t, 1)}},
		{Get: &types.Get{TableName: aws.String(hashTable), Key: numbered(t, 1)}},
	}})
	wantError(t, err, validation, "Transaction request cannot include multiple operations on one item")
	wantError(t, transact(t, txUpdate(numbered(t, 1), "SET a = :v", nil)), validation,
		"Invalid UpdateExpression: An expression attribute value used in expression is not defined; attribute value: :v")
}

// TestTransactTokens: of calls with one token exactly one executes, concurrent ones too.
func TestTransactTokens(t *testing.T) {
	key := hashKey(t)
	in := &dynamodb.TransactWriteItemsInput{
		ClientRequestToken: aws.String("token-" + t.Name()),
		TransactItems:      []types.TransactWriteItem{txUpdate(key, "ADD n :one", item{":one": num("1")})},
	}
	// While one executes the others are told to come again, which the SDK does.
	patient := shared.as("any", "key", "", func(o *dynamodb.Options) {
		o.Retryer = retry.NewStandard(func(r *retry.StandardOptions) {
			r.MaxAttempts, r.MaxBackoff, r.RateLimiter = 1000, time.Second, ratelimit.None
		})
	})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			_, err := patient.TransactWriteItems(t.Context(), in)
			assert.NoError(t, err)
		})
	}
	wg.Wait()
	assert.Equal(t, num("1"), get(t, hashTable, key)["n"])
	in.TransactItems = []types.TransactWriteItem{txUpdate(key, "ADD n :one", item{":one": num("2")})}
	_, err := db.TransactWriteItems(t.Context(), in)
	var mismatch *types.IdempotentParameterMismatchException
	require.True(t, errors.As(err, &mismatch), "%v", err)
}

// TestTransfers moves money between accounts at the same time as readers sum it up.
func TestTransfers(t *testing.T) {
	const accounts, movers, moves = 4, 4, 25
	for i := range accounts {
		put(t, hashTable, with(numbered(t, i), item{"money": num("100")}))
	}
	var reads []types.TransactGetItem
	for i := range accounts {
		reads = append(reads, types.TransactGetItem{Get: &types.Get{TableName: aws.String(hashTable), Key: numbered(t, i)}})
	}
	var wg sync.WaitGroup
	for m := range movers {
		wg.Go(func() {
			for i := range moves {
				from, to := (m+i)%accounts, (m+i+1)%accounts
				err := transact(t, txUpdate(numbered(t, from), "ADD money :v", item{":v": num("-1")}),
					txUpdate(numbered(t, to), "ADD money :v", item{":v": num("1")}))
				if err != nil && !strings.Contains(err.Error(), "TransactionConflict") {
					assert.NoError(t, err)
				}
				out, err := db.TransactGetItems(t.Context(), &dynamodb.TransactGetItemsInput{TransactItems: reads})
				if err != nil {
					assert.ErrorContains(t, err, "TransactionConflict")
					continue
				}
				sum := 0
				for _, r := range out.Responses {
					var n int
					_, _ = fmt.Sscan(r.Item["money"].(*types.AttributeValueMemberN).Value, &n)
					sum += n
				}
				assert.Equal(t, accounts*100, sum)
			}
		})
	}
	wg.Wait()
}
