package compat

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestNoSuchOperation: what no version of the service knows.
func TestNoSuchOperation(t *testing.T) {
	status, body := raw(t, "NoSuchOperation", "{}")
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Equal(t, `{"__type":"com.amazon.coral.service#UnknownOperationException"}`, body)
}

// TestWireErrors sends what no SDK would (wire-facts §1.4, §1.9, §2, §3).
func TestWireErrors(t *testing.T) {
	for _, tt := range []struct{ label, operation, body, want string }{
		{"no JSON", "GetItem", "{", `{"__type":"com.amazon.coral.service#SerializationException"}`},
		{"empty", "GetItem", "", `{"__type":"com.amazon.coral.service#SerializationException"}`},
		{"wrong type", "GetItem", `{"TableName":1}`, `{"__type":"com.amazon.coral.service#SerializationException","Message":"NUMBER_VALUE cannot be converted to String"}`},
		{"nothing", "PutItem", `{}`, `{"__type":"com.amazon.coral.validate#ValidationException","message":"2 validation errors detected: Value null at 'tableName' failed to satisfy constraint: Member must not be null; Value null at 'item' failed to satisfy constraint: Member must not be null"}`},
		{"unknown table", "DescribeTable", `{"TableName":"Pets"}`, `{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"Requested resource not found: Table: Pets not found"}`},
		{"two types", "PutItem", `{"TableName":"Pets","Item":{"a":{"S":"x","N":"1"}}}`, `{"__type":"com.amazon.coral.validate#ValidationException","message":"1 validation error detected: Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"}`},
		{"no type", "PutItem", `{"TableName":"Pets","Item":{"a":{}}}`, `{"__type":"com.amazon.coral.validate#ValidationException","message":"1 validation error detected: Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"}`},
	} {
		t.Run(tt.label, func(t *testing.T) {
			status, body := raw(t, tt.operation, tt.body)
			assert.Equal(t, http.StatusBadRequest, status)
			assert.Equal(t, tt.want, body)
		})
	}
	// Unknown members are ignored, null counts as absent.
	status, body := raw(t, "ListTables", `{"Bogus":[1,{"x":2}],"Limit":null}`)
	assert.Equal(t, http.StatusOK, status, body)
}

func TestUnsignedAndHealth(t *testing.T) {
	answer, err := http.Post(shared.url, "application/x-amz-json-1.0", strings.NewReader("{}"))
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	assert.Equal(t, http.StatusBadRequest, answer.StatusCode)
	for _, path := range []string{"/healthz", "/readyz", "/", "/any/path"} {
		answer, err := http.Get(shared.url + path)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		assert.Equal(t, http.StatusOK, answer.StatusCode, path)
	}
}
