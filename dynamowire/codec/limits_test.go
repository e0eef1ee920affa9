package codec

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
)

// TestManyElements: a small body cannot become structures of many times its size, nor many bad values,
// each of which is compared with all before it.
func TestManyElements(t *testing.T) {
	list := func(member, element string, n int) string {
		return `{"` + member + `":[` + strings.Repeat(element+",", n-1) + element + `]}`
	}
	names := func(member, value string, n int) string {
		var b strings.Builder
		b.WriteString(`{"` + member + `":{"a":` + value)
		for i := range n - 1 {
			b.WriteString(`,"`)
			for ; i > 0; i /= 26 {
				b.WriteByte(byte('a' + i%26))
			}
			b.WriteString(`x":` + value)
		}
		b.WriteString(`}}`)
		return b.String()
	}
	hot := func(body string) error {
		_, err := new(Decoder).TransactWriteItems([]byte(body))
		return err
	}
	update := func(body string) error {
		_, err := new(Decoder).UpdateItem([]byte(body))
		return err
	}
	slow := func(body string) error {
		_, err := DecodeSlow("CreateTable", []byte(body))
		return err
	}
	for name, c := range map[string]struct {
		err  error
		text string
	}{
		"most actions":       {hot(list("TransactItems", "{}", elementsMax-1)), ""},
		"actions":            {hot(list("TransactItems", "{}", elementsMax+1)), msgManyElements},
		"indexes":            {slow(list("GlobalSecondaryIndexes", "{}", elementsMax)), msgManyElements},
		"absent indexes":     {slow(list("GlobalSecondaryIndexes", "null", elementsMax+1)), msgManyElements},
		"expected":           {update(names("Expected", "{}", elementsMax+1)), msgManyElements},
		"most bad values":    {update(names("ExpressionAttributeValues", "{}", badMax)), ""},
		"bad values":         {update(names("ExpressionAttributeValues", "{}", badMax+1)), msgManyBad},
		"items of an answer": {DecodeAnswer("Scan", []byte(list("Items", "{}", 2*elementsMax)), &api.ScanOutput{}), ""},
	} {
		if c.text == "" {
			assert.NoError(t, c.err, name)
			continue
		}
		var e *api.Error
		require.ErrorAs(t, c.err, &e, name)
		assert.Equal(t, api.Serialization, e.Code, name)
		assert.Equal(t, c.text, e.Message, name)
	}
}
