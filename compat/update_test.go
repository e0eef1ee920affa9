package compat

import (
	"fmt"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestUpdateEvaluation pins wire-facts §5.10.
func TestUpdateEvaluation(t *testing.T) {
	for i, tt := range []struct {
		expression   string
		values       item
		before, want item
	}{
		{"SET a = b, b = a", nil, item{"a": num("1"), "b": num("2")}, item{"a": num("2"), "b": num("1")}},
		{"SET n = n - :v", item{":v": num("0.1")}, item{"n": num("1")}, item{"n": num("0.9")}},
		{"SET n = if_not_exists(n, :v) + :v", item{":v": num("1")}, item{}, item{"n": num("2")}},
		{"SET l = list_append(:v, l)", item{":v": list(num("0"))}, item{"l": list(num("1"))}, item{"l": list(num("0"), num("1"))}},
		{"SET l[9] = :v", item{":v": num("2")}, item{"l": list(num("1"))}, item{"l": list(num("1"), num("2"))}},
		{"REMOVE l[0], l[2]", nil, item{"l": list(num("0"), num("1"), num("2"))}, item{"l": list(num("1"))}},
		{"REMOVE a, m.x", nil, item{"a": num("1"), "m": object(item{"x": num("1"), "y": num("2")})}, item{"m": object(item{"y": num("2")})}},
		{"ADD n :v, s :s", item{":v": num("5"), ":s": strSet("b")}, item{"s": strSet("a")}, item{"n": num("5"), "s": strSet("a", "b")}},
		{"DELETE s :s", item{":s": strSet("a")}, item{"s": strSet("a", "b")}, item{"s": strSet("b")}},
		{"DELETE s :s", item{":s": strSet("a", "b")}, item{"s": strSet("a", "b")}, item{}},
		{"SET m.x = :v REMOVE m.y", item{":v": num("1")}, item{"m": object(item{"y": num("2")})}, item{"m": object(item{"x": num("1")})}},
	} {
		t.Run(tt.expression, func(t *testing.T) {
			key := item{"pk": str(fmt.Sprint(t.Name(), i))}
			put(t, hashTable, with(key, tt.before))
			_, err := db.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
				TableName: aws.String(hashTable), Key: key, UpdateExpression: &tt.expression, ExpressionAttributeValues: tt.values,
			})
			require.NoError(t, err)
			assert.Equal(t, with(key, tt.want), get(t, hashTable, key))
		})
	}
}

func TestUpdateErrors(t *testing.T) {
	key := hashKey(t)
	put(t, hashTable, with(key, item{"s": str("x"), "n": num("1"), "big": num("9E125")}))
	for _, tt := range []struct {
		expression string
		values     item
		text       string
		bare       bool // needs the table or the item: no prefix of 2026
	}{
		{"SET a = 1", nil, `Invalid UpdateExpression: Syntax error; token: "1", near: "= 1"`, false},
		{"", nil, "Invalid UpdateExpression: The expression can not be empty;", false},
		{"SET a = :v SET b = :v", item{":v": num("1")}, `Invalid UpdateExpression: The "SET" section can only be used once in an update expression;`, false},
		{"SET a = :v", nil, "Invalid UpdateExpression: An expression attribute value used in expression is not defined; attribute value: :v", false},
		{"SET size = :v", item{":v": num("1")}, "Invalid UpdateExpression: Attribute name is a reserved keyword; reserved keyword: size", false},
		{"SET a = :v", item{":v": num("1"), ":w": num("2")}, "Value provided in ExpressionAttributeValues unused in expressions: keys: {:w}", false},
		{"SET a.b = :v, a.b.c = :v", item{":v": num("1")}, "Invalid UpdateExpression: Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a, b], path two: [a, b, c]", false},
		{"ADD a :v", item{":v": str("x")}, "Invalid UpdateExpression: Incorrect operand type for operator or function; operator: ADD, operand type: STRING, typeSet: ALLOWED_FOR_ADD_OPERAND", false},
		{"DELETE a :v", item{":v": num("1")}, "Invalid UpdateExpression: Incorrect operand type for operator or function; operator: DELETE, operand type: NUMBER, typeSet: ALLOWED_FOR_DELETE_OPERAND", false},
		{"SET a = shout(b)", nil, "Invalid UpdateExpression: Invalid function name; function: shout", false},
		{"SET pk = :v", item{":v": str("x")}, "One or more parameter values were invalid: Cannot update attribute pk. This attribute is part of the key", true},
		{"SET a = nowhere", nil, "The provided expression refers to an attribute that does not exist in the item", true},
		{"SET a = s + :v", item{":v": num("1")}, "An operand in the update expression has an incorrect data type", true},
		{"ADD s :v", item{":v": num("1")}, "An operand in the update expression has an incorrect data type", true},
		{"SET a.b = :v", item{":v": num("1")}, "The document path provided in the update expression is invalid for update", true},
		{"SET big = big + big", nil, "Number overflow. Attempting to store a number with magnitude larger than supported range", true},
	} {
		t.Run(tt.expression, func(t *testing.T) {
			_, err := db.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
				TableName: aws.String(hashTable), Key: key, UpdateExpression: &tt.expression, ExpressionAttributeValues: tt.values,
			})
			if !tt.bare {
				tt.text = modern + tt.text
			}
			wantError(t, err, validation, tt.text)
		})
	}
	assert.Equal(t, with(key, item{"s": str("x"), "n": num("1"), "big": num("9E125")})["n"], get(t, hashTable, key)["n"])
}

func TestUpdateUpserts(t *testing.T) {
	key := hashKey(t)
	_, err := db.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{TableName: aws.String(hashTable), Key: key})
	require.NoError(t, err)
	assert.Equal(t, key, get(t, hashTable, key), "an update without expression makes an item of its key")
}

// TestCounterLosesNothing: concurrent updates of one item are serialized.
func TestCounterLosesNothing(t *testing.T) {
	const workers, each = 8, 25
	key := hashKey(t)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range each {
				_, err := db.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
					TableName: aws.String(hashTable), Key: key, UpdateExpression: aws.String("ADD n :one"),
					ExpressionAttributeValues: item{":one": num("1")},
				})
				assert.NoError(t, err)
			}
		})
	}
	wg.Wait()
	assert.Equal(t, intNum(workers*each), get(t, hashTable, key)["n"])
}
