package compat

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// everyType is an item with each type of the service, nested and empty ones too.
func everyType(key item) item {
	return with(key, item{
		"s": str("text ü €"), "empty": str(""), "n": num("-12.5"), "big": num("99999999999999999999999999999999999999"),
		"b": &types.AttributeValueMemberB{Value: []byte{0, 1, 255}}, "t": boolean(true), "nothing": null(),
		"ss": strSet("a", "b"), "ns": numSet("1", "2.5"), "bs": &types.AttributeValueMemberBS{Value: [][]byte{{1}, {2}}},
		"l": list(str("x"), num("1"), list(), object(item{"deep": boolean(false)})), "m": object(item{}),
	})
}

func TestPutGetEveryType(t *testing.T) {
	key := hashKey(t)
	want := everyType(key)
	put(t, hashTable, want)
	assert.Equal(t, want, get(t, hashTable, key))
}

// TestNumbersComeBackCanonical pins wire-facts §4.4.
func TestNumbersComeBackCanonical(t *testing.T) {
	for in, want := range map[string]string{
		"1.0": "1", "1E3": "1000", "-0": "0", "0.10": "0.1", "00012": "12", ".5": "0.5", "1e-3": "0.001",
		"1E-130": "0." + strings.Repeat("0", 129) + "1", "9.9E125": "99" + strings.Repeat("0", 124),
	} {
		key := with(hashKey(t), item{"pk": str(t.Name() + in)})
		put(t, hashTable, with(key, item{"n": num(in)}))
		assert.Equal(t, num(want), get(t, hashTable, key)["n"], in)
	}
	// 1, 1.0 and 1e0 address the same item.
	put(t, rangeTable, item{"pk": str(t.Name()), "sk": num("1.0"), "v": str("x")})
	assert.Equal(t, str("x"), get(t, rangeTable, item{"pk": str(t.Name()), "sk": num("1e0")})["v"])
}

func TestPutReturnValues(t *testing.T) {
	key := hashKey(t)
	in := &dynamodb.PutItemInput{TableName: aws.String(hashTable), Item: with(key, item{"v": num("1")}), ReturnValues: types.ReturnValueAllOld}
	out, err := db.PutItem(t.Context(), in)
	require.NoError(t, err)
	assert.Nil(t, out.Attributes, "nothing was replaced")
	in.Item = with(key, item{"w": num("2")})
	out, err = db.PutItem(t.Context(), in)
	require.NoError(t, err)
	assert.Equal(t, with(key, item{"v": num("1")}), item(out.Attributes))
	assert.Equal(t, in.Item, get(t, hashTable, key), "a put replaces the whole item")
	in.ReturnValues = types.ReturnValueAllNew
	_, err = db.PutItem(t.Context(), in)
	var api interface{ ErrorMessage() string }
	require.ErrorAs(t, err, &api)
	assert.Contains(t, []string{"ReturnValues can only be ALL_OLD or NONE", modern + "ReturnValues can only be ALL_OLD or NONE"}, api.ErrorMessage())
}

func TestDeleteReturnValues(t *testing.T) {
	key := hashKey(t)
	put(t, hashTable, with(key, item{"v": num("1")}))
	in := &dynamodb.DeleteItemInput{TableName: aws.String(hashTable), Key: key, ReturnValues: types.ReturnValueAllOld}
	out, err := db.DeleteItem(t.Context(), in)
	require.NoError(t, err)
	assert.Equal(t, with(key, item{"v": num("1")}), item(out.Attributes))
	out, err = db.DeleteItem(t.Context(), in)
	require.NoError(t, err)
	assert.Nil(t, out.Attributes)
	assert.Nil(t, get(t, hashTable, key))
}

func TestGetProjection(t *testing.T) {
	key := hashKey(t)
	put(t, hashTable, everyType(key))
	read := func(expression string, names map[string]string) item {
		out, err := db.GetItem(t.Context(), &dynamodb.GetItemInput{
			TableName: aws.String(hashTable), Key: key, ProjectionExpression: &expression, ExpressionAttributeNames: names,
		})
		require.NoError(t, err)
		require.NotNil(t, out.Item)
		return out.Item
	}
	assert.Equal(t, item{"s": str("text ü €"), "n": num("-12.5")}, read("s, n", nil))
	// Wire-facts §5.6: list elements in index order, compacted.
	assert.Equal(t, item{"l": list(str("x"), object(item{"deep": boolean(false)}))}, read("#l[3].deep, #l[0]", map[string]string{"#l": "l"}))
	assert.Empty(t, read("nowhere", nil), "nothing resolves: an empty item, not none")
}

func TestUpdateReturnValues(t *testing.T) {
	update := func(key item, expression string, values item, what types.ReturnValue) item {
		t.Helper()
		out, err := db.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
			TableName: aws.String(hashTable), Key: key, UpdateExpression: &expression,
			ExpressionAttributeValues: values, ReturnValues: what,
		})
		require.NoError(t, err)
		return out.Attributes
	}
	key := hashKey(t)
	one, two := item{":v": num("1")}, item{":v": num("2")}
	assert.Nil(t, update(key, "SET a = :v", one, types.ReturnValueAllOld), "there was no item")
	assert.Nil(t, update(key, "SET b = :v", one, types.ReturnValueUpdatedOld), "there was no value")
	assert.Nil(t, update(key, "SET b = :v", one, types.ReturnValueNone))
	assert.Equal(t, item{"a": num("1")}, update(key, "SET a = :v", two, types.ReturnValueUpdatedOld))
	assert.Equal(t, item{"a": num("1")}, update(key, "SET a = :v", one, types.ReturnValueUpdatedNew))
	assert.Equal(t, with(key, item{"a": num("1"), "b": num("1")}), update(key, "SET a = :v", two, types.ReturnValueAllOld))
	assert.Equal(t, with(key, item{"a": num("3"), "b": num("1")}), update(key, "SET a = a + :v", one, types.ReturnValueAllNew))
	assert.Nil(t, update(key, "REMOVE a", nil, types.ReturnValueUpdatedNew), "nothing is left")
	// Nested paths come back in their containers.
	update(key, "SET m = :v", item{":v": object(item{"x": num("1"), "y": num("2")})}, types.ReturnValueNone)
	assert.Equal(t, item{"m": object(item{"x": num("9")})}, update(key, "SET m.x = :v", item{":v": num("9")}, types.ReturnValueUpdatedNew))
	update(key, "SET l = :v", item{":v": list(num("1"), num("2"), num("3"))}, types.ReturnValueNone)
	assert.Equal(t, item{"l": list(num("9"))}, update(key, "SET l[2] = :v", item{":v": num("9")}, types.ReturnValueUpdatedNew))
}

func TestConditionFails(t *testing.T) {
	key := hashKey(t)
	put(t, hashTable, with(key, item{"v": num("1")}))
	in := &dynamodb.PutItemInput{
		TableName: aws.String(hashTable), Item: with(key, item{"v": num("2")}),
		ConditionExpression: aws.String("attribute_not_exists(pk)"),
	}
	_, err := db.PutItem(t.Context(), in)
	wantError(t, err, checkFailed, "The conditional request failed")
	var failed *types.ConditionalCheckFailedException
	require.True(t, errors.As(err, &failed))
	assert.Nil(t, failed.Item)
	in.ReturnValuesOnConditionCheckFailure = types.ReturnValuesOnConditionCheckFailureAllOld
	_, err = db.PutItem(t.Context(), in)
	require.True(t, errors.As(err, &failed))
	assert.Equal(t, with(key, item{"v": num("1")}), item(failed.Item))
	assert.Equal(t, num("1"), get(t, hashTable, key)["v"])

	_, err = db.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{
		TableName: aws.String(hashTable), Key: key, ConditionExpression: aws.String("v > :v"),
		ExpressionAttributeValues:           item{":v": num("1")},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	require.True(t, errors.As(err, &failed))
	assert.Equal(t, num("1"), failed.Item["v"])
	// Wire-facts §6.33: the condition comes before arithmetic.
	_, err = db.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName: aws.String(hashTable), Key: key, UpdateExpression: aws.String("SET v = gone + :v"),
		ConditionExpression: aws.String("attribute_not_exists(pk)"), ExpressionAttributeValues: item{":v": num("1")},
	})
	wantError(t, err, checkFailed, "The conditional request failed")
}

func TestPutErrors(t *testing.T) {
	deep := str("x")
	for range 32 {
		deep = list(deep)
	}
	const invalid = "One or more parameter values were invalid: "
	for _, tt := range []struct {
		label, table string
		item         item
		text         string
		bare         bool // needs the table, so without the prefix of 2026
		section      string
	}{
		{"missing key", rangeTable, item{"pk": str("a")}, invalid + "Missing the key sk in the item", true, "4.2"},
		{"key type", hashTable, item{"pk": num("1")}, invalid + "Type mismatch for key pk expected: S actual: N", true, "4.2"},
		{"empty key", hashTable, item{"pk": str("")}, "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: pk", true, "4.1"},
		{"long hash key", hashTable, item{"pk": str(strings.Repeat("k", 2049))}, invalid + "Size of hashkey has exceeded the maximum size limit of2048 bytes", true, "4.2"},
		{"long range key", indexedTable, item{"pk": str("k"), "sk": str(strings.Repeat("k", 1025))}, invalid + "Aggregated size of all range keys has exceeded the size limit of 1024 bytes", true, "4.2"},
		{"index key type", indexedTable, item{"pk": str("k"), "sk": str("k"), "grp": num("1"), "num": num("1")}, invalid + "Type mismatch for Index Key grp Expected: S Actual: N IndexName: by-group", true, "4.2"},
		{"empty index key", indexedTable, item{"pk": str("k"), "sk": str("k"), "tag": str("")}, "One or more parameter values are not valid. A value specified for a secondary index key is not supported. The AttributeValue for a key attribute cannot contain an empty string value. IndexName: by-tag, IndexKey: tag", true, "4.1"},
		{"empty set", hashTable, item{"pk": str("k"), "v": strSet()}, invalid + "An string set  may not be empty", false, "4.1"},
		{"empty number set", hashTable, item{"pk": str("k"), "v": numSet()}, invalid + "An number set  may not be empty", false, "4.1"},
		{"duplicates", hashTable, item{"pk": str("k"), "v": strSet("a", "b", "a")}, invalid + "Input collection [a, b, a] contains duplicates.", false, "4.1"},
		{"equal numbers", hashTable, item{"pk": str("k"), "v": numSet("1", "1.0")}, "Input collection contains duplicates", false, "4.1"},
		{"no number", hashTable, item{"pk": str("k"), "v": num("one")}, "The parameter cannot be converted to a numeric value: one", false, "4.1"},
		{"empty number", hashTable, item{"pk": str("k"), "v": num("")}, "The parameter cannot be converted to a numeric value", false, "4.1"},
		{"overflow", hashTable, item{"pk": str("k"), "v": num("1E126")}, "Number overflow. Attempting to store a number with magnitude larger than supported range", false, "4.1"},
		{"underflow", hashTable, item{"pk": str("k"), "v": num("1E-131")}, "Number underflow. Attempting to store a number with magnitude smaller than supported range", false, "4.1"},
		{"39 digits", hashTable, item{"pk": str("k"), "v": num(strings.Repeat("1", 39))}, "Attempting to store more than 38 significant digits in a Number", false, "4.1"},
		{"false null", hashTable, item{"pk": str("k"), "v": &types.AttributeValueMemberNULL{}}, invalid + "Null attribute value types must have the value of true", false, "4.1"},
		{"too deep", hashTable, item{"pk": str("k"), "v": deep}, "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit", false, "4.1"},
		{"too large", "no-such-table", item{"pk": str("k"), "v": str(strings.Repeat("x", 409600))}, "Item size has exceeded the maximum allowed size", false, "4.3"},
	} {
		t.Run(tt.label, func(t *testing.T) {
			_, err := db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &tt.table, Item: tt.item})
			if !tt.bare {
				tt.text = modern + tt.text
			}
			wantError(t, err, validation, tt.text)
		})
	}
	_, err := db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("no-such-table"), Item: item{"other": str("k")}})
	wantError(t, err, notFound, "Requested resource not found")
}

// TestClassicErrors: the flag leaves the prefix of 2026 out.
func TestClassicErrors(t *testing.T) {
	c := newServer(t, "--in-memory", "--classic-errors").client()
	_, err := c.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("some-table"), Item: item{"pk": strSet()}})
	wantError(t, err, validation, "One or more parameter values were invalid: An string set  may not be empty")
}

func TestLargestItem(t *testing.T) {
	key := item{"pk": str("k" + t.Name()[:9])}
	// 409,600 bytes with names and the key: pk (2) + 10 + v (1) + text.
	largest := with(key, item{"v": str(strings.Repeat("x", 409600-2-10-1))})
	put(t, hashTable, largest)
	assert.Equal(t, largest, get(t, hashTable, key))
	_, err := db.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName: aws.String(hashTable), Key: key, UpdateExpression: aws.String("SET w = :w"),
		ExpressionAttributeValues: item{":w": str("")},
	})
	wantError(t, err, validation, "Item size to update has exceeded the maximum allowed size")
}

func TestGetErrors(t *testing.T) {
	for _, key := range []item{{"pk": num("1")}, {"other": str("a")}, {"pk": str("a"), "more": str("b")}, {}} {
		_, err := db.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String(hashTable), Key: key})
		wantError(t, err, validation, "The provided key element does not match the schema")
	}
	_, err := db.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String("no-such-table"), Key: item{}})
	wantError(t, err, notFound, "Requested resource not found")
	_, err = db.GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: aws.String(hashTable), Key: hashKey(t), ProjectionExpression: aws.String("a, a.b"),
	})
	wantError(t, err, validation, "Invalid ProjectionExpression: Two document paths overlap with each other; must remove or "+
		"rewrite one of these paths; path one: [a], path two: [a, b]")
}
