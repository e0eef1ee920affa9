package compat

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// exchange sends one request of a program that is no SDK.
func exchange(t *testing.T, method, operation string, body io.Reader, headers map[string]string) (*http.Response, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, shared.url, body)
	require.NoError(t, err)
	if operation != "" {
		request.Header.Set("Content-Type", "application/x-amz-json-1.0")
		request.Header.Set("X-Amz-Target", "DynamoDB_20120810."+operation)
		request.Header.Set("X-Amz-Date", "20260101T000000Z")
		request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=any/20260101/us-east-1/dynamodb/aws4_request, "+
			"SignedHeaders=host;x-amz-date;x-amz-target, Signature=0123")
	}
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	// No compression of its own: the bytes are to be seen as they came.
	answer, err := (&http.Transport{DisableCompression: true}).RoundTrip(request)
	require.NoError(t, err)
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	return answer, text
}

// TestBrowsers: wire-facts §1.6.
func TestBrowsers(t *testing.T) {
	const origin = "http://console.example"
	answer, body := exchange(t, http.MethodOptions, "", nil, map[string]string{
		"Origin": origin, "Access-Control-Request-Method": "POST",
		"Access-Control-Request-Headers": "authorization,content-type,x-amz-date,x-amz-target",
	})
	assert.Equal(t, http.StatusOK, answer.StatusCode)
	assert.Empty(t, body)
	assert.Equal(t, "*", answer.Header.Get("Access-Control-Allow-Origin"))
	assert.Equal(t, "172800", answer.Header.Get("Access-Control-Max-Age"))
	assert.Equal(t, "POST", answer.Header.Get("Access-Control-Allow-Methods"))
	assert.Equal(t, "authorization,content-type,x-amz-date,x-amz-target", answer.Header.Get("Access-Control-Allow-Headers"))

	for operation, status := range map[string]int{"ListTables": http.StatusOK, "NoSuchOperation": http.StatusBadRequest} {
		answer, _ = exchange(t, http.MethodPost, operation, strings.NewReader("{}"), map[string]string{"Origin": origin})
		assert.Equal(t, status, answer.StatusCode)
		assert.Equal(t, "*", answer.Header.Get("Access-Control-Allow-Origin"), operation)
		assert.Contains(t, answer.Header.Get("Access-Control-Expose-Headers"), "x-amzn-requestid")
	}
	answer, _ = exchange(t, http.MethodPost, "ListTables", strings.NewReader("{}"), nil)
	assert.Empty(t, answer.Header.Get("Access-Control-Allow-Origin"), "only browsers are told")
	answer, _ = exchange(t, http.MethodOptions, "", nil, nil)
	assert.Equal(t, http.StatusNotFound, answer.StatusCode)
}

// TestCompressionBothWays: wire-facts §1.7. The checksum is that of the bytes as sent.
func TestCompressionBothWays(t *testing.T) {
	long := strings.Repeat("long ", 4000)
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	_, err := fmt.Fprintf(zip, `{"TableName":%q,"Item":{"pk":{"S":%q},"v":{"S":%q}}}`, hashTable, t.Name(), long)
	require.NoError(t, err)
	require.NoError(t, zip.Close())
	answer, body := exchange(t, http.MethodPost, "PutItem", &packed, map[string]string{"Content-Encoding": "gzip"})
	require.Equal(t, http.StatusOK, answer.StatusCode, string(body))

	get := fmt.Sprintf(`{"TableName":%q,"Key":{"pk":{"S":%q}}}`, hashTable, t.Name())
	answer, body = exchange(t, http.MethodPost, "GetItem", strings.NewReader(get), map[string]string{"Accept-Encoding": "gzip"})
	require.Equal(t, http.StatusOK, answer.StatusCode)
	require.Equal(t, "gzip", answer.Header.Get("Content-Encoding"))
	assert.Less(t, len(body), len(long)/2)
	assert.Equal(t, fmt.Sprint(crc32.ChecksumIEEE(body)), answer.Header.Get("x-amz-crc32"))
	assert.Equal(t, fmt.Sprint(len(body)), answer.Header.Get("Content-Length"))
	unzip, err := gzip.NewReader(bytes.NewReader(body))
	require.NoError(t, err)
	plain, err := io.ReadAll(unzip)
	require.NoError(t, err)
	assert.JSONEq(t, fmt.Sprintf(`{"Item":{"pk":{"S":%q},"v":{"S":%q}}}`, t.Name(), long), string(plain))

	answer, body = exchange(t, http.MethodPost, "GetItem", strings.NewReader(get), map[string]string{"Accept-Encoding": "identity"})
	assert.Empty(t, answer.Header.Get("Content-Encoding"))
	assert.Equal(t, fmt.Sprint(crc32.ChecksumIEEE(body)), answer.Header.Get("x-amz-crc32"))
}
