package client

import (
	"sync"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/grpcapi/internal/pbapi"
	"github.com/keystone-db/kstone/grpcapi/keystonev1"
)

// call is a call of the protocol.
type call struct {
	method          string
	request, answer *pbapi.Codec
	// parts is how the parts of an answer become one, for calls that stream theirs.
	parts func(out any) joiner
}

// callOf describes a call by its name and the structs that go with its messages.
func callOf[In, Out any](name protoreflect.Name) call {
	service := keystonev1.File_keystonev1_keystone_proto.Services().ByName("KeystoneDb")
	m := service.Methods().ByName(name)
	return call{
		method:  "/" + string(service.FullName()) + "/" + string(name),
		request: pbapi.New(m.Input(), *new(In)),
		answer:  pbapi.New(m.Output(), *new(Out)),
	}
}

// streamed says how the answer of a call is joined.
func (c call) streamed(parts func(out any) joiner) call {
	c.parts = parts
	return c
}

// calls are the operations that have a call of their own.
var calls = sync.OnceValue(func() map[string]call {
	return map[string]call{
		"PutItem":            callOf[api.PutItemInput, api.PutItemOutput]("Put"),
		"GetItem":            callOf[api.GetItemInput, api.GetItemOutput]("Get"),
		"DeleteItem":         callOf[api.DeleteItemInput, api.DeleteItemOutput]("Delete"),
		"UpdateItem":         callOf[api.UpdateItemInput, api.UpdateItemOutput]("Update"),
		"Query":              callOf[api.QueryInput, api.QueryOutput]("Query"),
		"Scan":               callOf[api.ScanInput, api.ScanOutput]("Scan").streamed(scanParts),
		"BatchGetItem":       callOf[api.BatchGetItemInput, api.BatchGetItemOutput]("BatchGet"),
		"BatchWriteItem":     callOf[api.BatchWriteItemInput, api.BatchWriteItemOutput]("BatchWrite"),
		"TransactGetItems":   callOf[api.TransactGetItemsInput, api.TransactGetItemsOutput]("TransactGet"),
		"TransactWriteItems": callOf[api.TransactWriteItemsInput, api.TransactWriteItemsOutput]("TransactWrite"),
		"ExecuteStatement":   callOf[api.ExecuteStatementInput, api.ExecuteStatementOutput]("ExecuteStatement").streamed(statementParts),
		"CreateTable":        callOf[api.CreateTableInput, api.CreateTableOutput]("CreateTable"),
		"UpdateTable":        callOf[api.UpdateTableInput, api.UpdateTableOutput]("UpdateTable"),
		"DescribeTable":      callOf[api.DescribeTableInput, api.DescribeTableOutput]("DescribeTable"),
		"ListTables":         callOf[api.ListTablesInput, api.ListTablesOutput]("ListTables"),
		"DeleteTable":        callOf[api.DeleteTableInput, api.DeleteTableOutput]("DeleteTable"),
		"ListStreams":        callOf[api.ListStreamsInput, api.ListStreamsOutput]("ListStreams"),
		"DescribeStream":     callOf[api.DescribeStreamInput, api.DescribeStreamOutput]("DescribeStream"),
		"UpdateTimeToLive":   callOf[api.UpdateTimeToLiveInput, api.UpdateTimeToLiveOutput]("UpdateTimeToLive"),
		"DescribeTimeToLive": callOf[api.DescribeTimeToLiveInput, api.DescribeTimeToLiveOutput]("DescribeTimeToLive"),
	}
})

// subscribeCall is Subscribe, which is no operation of api.Service.
var subscribeCall = sync.OnceValue(func() call {
	return callOf[api.SubscribeInput, api.SubscribeOutput]("Subscribe")
})

// callRequest and callAnswer are the messages of Call.
type (
	callRequest struct {
		Operation string
		Body      []byte
	}
	callAnswer struct{ Body []byte }
)

// jsonCall is Call, for the operations that have no call of their own.
var jsonCall = sync.OnceValue(func() call {
	return callOf[callRequest, callAnswer]("Call")
})

// joiner makes one answer of its parts: all items, and of the last part the rest.
type joiner struct {
	part any    // where the next part goes, empty
	take func() // takes the part that was read
}

func scanParts(out any) joiner {
	part := new(api.ScanOutput)
	return joiner{part, func() {
		whole, _ := out.(*api.ScanOutput)
		items := append(whole.Items, part.Items...)
		*whole, *part = *part, api.ScanOutput{}
		whole.Items = items
	}}
}

func statementParts(out any) joiner {
	part := new(api.ExecuteStatementOutput)
	return joiner{part, func() {
		whole, _ := out.(*api.ExecuteStatementOutput)
		items := append(whole.Items, part.Items...)
		*whole, *part = *part, api.ExecuteStatementOutput{}
		whole.Items = items
	}}
}
