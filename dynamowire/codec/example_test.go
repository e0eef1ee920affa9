package codec_test

import (
	"fmt"

	"github.com/keystone-db/kstone/dynamowire/codec"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// A client's side of one call.
func ExampleAppendRequest() {
	key, err := attr.NewItem().S("pk", "c#1").Build()
	if err != nil {
		panic(err)
	}
	body, err := codec.AppendRequest(nil, "GetItem", &api.GetItemInput{TableName: api.Some("Orders"), Key: key})
	fmt.Println(string(body), err)

	var out api.GetItemOutput
	err = codec.DecodeAnswer("GetItem", []byte(`{"Item":{"pk":{"S":"c#1"},"total":{"N":"12.50"}}}`), &out)
	fmt.Println(string(codec.AppendItem(nil, out.Item)), err)

	err = codec.DecodeError(400, []byte(`{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException",`+
		`"message":"Requested resource not found"}`))
	fmt.Println(api.CodeOf(err) == api.ResourceNotFound)
	// Output:
	// {"TableName":"Orders","Key":{"pk":{"S":"c#1"}}} <nil>
	// {"pk":{"S":"c#1"},"total":{"N":"12.5"}} <nil>
	// true
}
