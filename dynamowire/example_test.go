package dynamowire_test

import (
	"context"
	"fmt"

	"github.com/keystone-db/kstone/dynamowire"
	"github.com/keystone-db/kstone/engine"
)

// An embedding program makes any call of the service with its JSON.
func ExampleCall() {
	db, err := engine.Open("", engine.Options{InMemory: true})
	if err != nil {
		panic(err)
	}
	defer db.Close()

	for _, call := range []struct{ operation, body string }{
		{"CreateTable", `{"TableName":"Music","BillingMode":"PAY_PER_REQUEST",
			"AttributeDefinitions":[{"AttributeName":"Artist","AttributeType":"S"}],
			"KeySchema":[{"AttributeName":"Artist","KeyType":"HASH"}]}`},
		{"PutItem", `{"TableName":"Music","Item":{"Artist":{"S":"Nina Simone"},"Albums":{"N":"40"}}}`},
		{"GetItem", `{"TableName":"Music","Key":{"Artist":{"S":"Nina Simone"}}}`},
		{"GetItem", `{"TableName":"Books","Key":{"Title":{"S":"Emma"}}}`},
	} {
		answer, err := dynamowire.Call(context.Background(), db, call.operation, []byte(call.body))
		switch {
		case err != nil:
			fmt.Println(err) // an *api.Error
		case call.operation == "GetItem":
			fmt.Println(string(answer))
		}
	}
	// Output:
	// {"Item":{"Albums":{"N":"40"},"Artist":{"S":"Nina Simone"}}}
	// ResourceNotFoundException: Requested resource not found
}
