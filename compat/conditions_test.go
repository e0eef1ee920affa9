package compat

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestConditions evaluates conditions on one stored item (wire-facts §5.5), as the condition of a
// delete that is then undone by putting the item back.
func TestConditions(t *testing.T) {
	stored := everyType(hashKey(t))
	values := item{
		":one": num("1"), ":s": str("text ü €"), ":x": str("x"), ":S": str("S"), ":n": num("-12.50"), ":t": boolean(true),
		":ss": strSet("b", "a"), ":a": str("a"), ":text": str("text"), ":five": num("5"), ":eight": num("8"),
	}
	for _, tt := range []struct {
		condition string
		want      bool
	}{
		{"s = :s", true}, {"s <> :s", false}, {"n = :n", true}, {"n < :one", true}, {"n >= :one", false},
		{"s < :one", false}, {"ss = :ss", true}, {"t = :t", true}, {"gone = :s", false}, {"gone <> :s", true},
		{"attribute_exists(nothing)", true}, {"attribute_not_exists(gone)", true}, {"attribute_exists(l[3].deep)", true},
		{"attribute_type(s, :S)", true}, {"attribute_type(n, :S)", false}, {"begins_with(s, :text)", true},
		{"contains(s, :x)", true}, {"contains(ss, :a)", true}, {"contains(l, :one)", true}, {"contains(n, :one)", false},
		{"size(s) = :eight", true}, {"size(l) < :five", true}, {"size(n) = :one", false},
		{"n BETWEEN :n AND :one", true}, {"s IN (:x, :s)", true}, {"gone IN (:x)", false},
		{"NOT gone = :s", true}, {"s = :x OR n = :n AND t = :t", true}, {"(s = :x OR n = :n) AND NOT t = :t", false},
	} {
		t.Run(tt.condition, func(t *testing.T) {
			put(t, hashTable, stored)
			in := &dynamodb.DeleteItemInput{TableName: aws.String(hashTable), Key: item{"pk": stored["pk"]}, ConditionExpression: &tt.condition}
			for name, v := range values {
				if containsToken(tt.condition, name) {
					in.ExpressionAttributeValues = with(in.ExpressionAttributeValues, item{name: v})
				}
			}
			_, err := db.DeleteItem(t.Context(), in)
			if tt.want {
				require.NoError(t, err)
				return
			}
			wantError(t, err, checkFailed, "The conditional request failed")
		})
	}
}

// containsToken says whether the expression names the value, not just a longer one.
func containsToken(expression, name string) bool {
	return slices.Contains(strings.FieldsFunc(expression, func(r rune) bool { return strings.ContainsRune(" (),", r) }), name)
}

// TestConditionErrors pins wire-facts §5.1 to §5.4; they fire whatever the data.
func TestConditionErrors(t *testing.T) {
	const invalid = "Invalid ConditionExpression: "
	for _, tt := range []struct {
		condition string
		values    item
		text      string
	}{
		{"", nil, invalid + "The expression can not be empty;"},
		{"a =", nil, invalid + `Syntax error; token: "<EOF>", near: "="`},
		{"((a = :v))", item{":v": num("1")}, invalid + "The expression has redundant parentheses;"},
		{"shout(a)", nil, invalid + "Invalid function name; function: shout"},
		{"attribute_exists(a) = :v", item{":v": num("1")}, invalid + "The function is not allowed to be used this way in an expression; function: attribute_exists"},
		{"abort = :v", item{":v": num("1")}, invalid + "Attribute name is a reserved keyword; reserved keyword: abort"},
		{"#a = :v", item{":v": num("1")}, invalid + "An expression attribute name used in the document path is not defined; attribute name: #a"},
		{"a = :w", item{":v": num("1")}, invalid + "An expression attribute value used in expression is not defined; attribute value: :w"},
		{"a = a", nil, invalid + "The first operand must be distinct from the remaining operands for this operator or function; operator: =, first operand: [a]"},
		{"begins_with(a, :v)", item{":v": num("1")}, invalid + "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N"},
		{"attribute_type(a, :v)", item{":v": str("X")}, invalid + "Invalid attribute type name found; type: X, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}"},
		{"a BETWEEN :v AND :w", item{":v": num("5"), ":w": num("4")}, invalid + "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: {N:5}, upper bound operand: AttributeValue: {N:4}"},
		{"a BETWEEN :v AND :w", item{":v": str("a"), ":w": num("1")}, invalid + "The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: AttributeValue: {S:a}, upper bound operand: AttributeValue: {N:1}"},
		{"a = :v", item{":v": num("1"), ":w": num("2")}, "Value provided in ExpressionAttributeValues unused in expressions: keys: {:w}"},
		{"a = :v", item{":v": strSet()}, "ExpressionAttributeValues contains invalid value: One or more parameter values were invalid: An string set  may not be empty for key :v"},
	} {
		t.Run(tt.condition, func(t *testing.T) {
			_, err := db.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{
				TableName: aws.String("no-such-table"), Key: hashKey(t), ConditionExpression: &tt.condition, ExpressionAttributeValues: tt.values,
			})
			wantError(t, err, validation, tt.text)
		})
	}
	_, err := db.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{
		TableName: aws.String(hashTable), Key: hashKey(t), ExpressionAttributeValues: item{":v": num("1")},
	})
	wantError(t, err, validation, "ExpressionAttributeValues can only be specified when using expressions: ConditionExpression is null")
	assert.Empty(t, get(t, hashTable, hashKey(t)))
}
