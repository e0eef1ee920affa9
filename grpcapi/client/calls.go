package client

import (
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/grpcapi/internal/pbapi"
	pb "github.com/keystone-db/kstone/grpcapi/keystonev1"
)

// call is a call of the protocol.
type call struct {
	method          string
	request, answer *pbapi.Codec
	// parts is how the parts of an answer become one, for calls that stream theirs.
	parts func(out any) joiner
}

// newCall describes a call by its messages and the structs that go with them.
func newCall(method string, request, answer proto.Message, in, out any) call {
	return call{
		method:  method,
		request: pbapi.New(request.ProtoReflect().Descriptor(), in),
		answer:  pbapi.New(answer.ProtoReflect().Descriptor(), out),
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
		"PutItem": newCall(pb.KeystoneDb_Put_FullMethodName, &pb.PutRequest{}, &pb.PutResponse{},
			api.PutItemInput{}, api.PutItemOutput{}),
		"GetItem": newCall(pb.KeystoneDb_Get_FullMethodName, &pb.GetRequest{}, &pb.GetResponse{},
			api.GetItemInput{}, api.GetItemOutput{}),
		"DeleteItem": newCall(pb.KeystoneDb_Delete_FullMethodName, &pb.DeleteRequest{}, &pb.DeleteResponse{},
			api.DeleteItemInput{}, api.DeleteItemOutput{}),
		"UpdateItem": newCall(pb.KeystoneDb_Update_FullMethodName, &pb.UpdateRequest{}, &pb.UpdateResponse{},
			api.UpdateItemInput{}, api.UpdateItemOutput{}),
		"Query": newCall(pb.KeystoneDb_Query_FullMethodName, &pb.QueryRequest{}, &pb.QueryResponse{},
			api.QueryInput{}, api.QueryOutput{}),
		"Scan": newCall(pb.KeystoneDb_Scan_FullMethodName, &pb.ScanRequest{}, &pb.ScanResponse{},
			api.ScanInput{}, api.ScanOutput{}).streamed(scanParts),
		"BatchGetItem": newCall(pb.KeystoneDb_BatchGet_FullMethodName, &pb.BatchGetRequest{}, &pb.BatchGetResponse{},
			api.BatchGetItemInput{}, api.BatchGetItemOutput{}),
		"BatchWriteItem": newCall(pb.KeystoneDb_BatchWrite_FullMethodName, &pb.BatchWriteRequest{}, &pb.BatchWriteResponse{},
			api.BatchWriteItemInput{}, api.BatchWriteItemOutput{}),
		"TransactGetItems": newCall(pb.KeystoneDb_TransactGet_FullMethodName, &pb.TransactGetRequest{}, &pb.TransactGetResponse{},
			api.TransactGetItemsInput{}, api.TransactGetItemsOutput{}),
		"TransactWriteItems": newCall(pb.KeystoneDb_TransactWrite_FullMethodName, &pb.TransactWriteRequest{}, &pb.TransactWriteResponse{},
			api.TransactWriteItemsInput{}, api.TransactWriteItemsOutput{}),
		"ExecuteStatement": newCall(pb.KeystoneDb_ExecuteStatement_FullMethodName, &pb.ExecuteStatementRequest{}, &pb.ExecuteStatementResponse{},
			api.ExecuteStatementInput{}, api.ExecuteStatementOutput{}).streamed(statementParts),
		"CreateTable": newCall(pb.KeystoneDb_CreateTable_FullMethodName, &pb.CreateTableRequest{}, &pb.CreateTableResponse{},
			api.CreateTableInput{}, api.CreateTableOutput{}),
		"UpdateTable": newCall(pb.KeystoneDb_UpdateTable_FullMethodName, &pb.UpdateTableRequest{}, &pb.UpdateTableResponse{},
			api.UpdateTableInput{}, api.UpdateTableOutput{}),
		"DescribeTable": newCall(pb.KeystoneDb_DescribeTable_FullMethodName, &pb.DescribeTableRequest{}, &pb.DescribeTableResponse{},
			api.DescribeTableInput{}, api.DescribeTableOutput{}),
		"ListTables": newCall(pb.KeystoneDb_ListTables_FullMethodName, &pb.ListTablesRequest{}, &pb.ListTablesResponse{},
			api.ListTablesInput{}, api.ListTablesOutput{}),
		"DeleteTable": newCall(pb.KeystoneDb_DeleteTable_FullMethodName, &pb.DeleteTableRequest{}, &pb.DeleteTableResponse{},
			api.DeleteTableInput{}, api.DeleteTableOutput{}),
		"ListStreams": newCall(pb.KeystoneDb_ListStreams_FullMethodName, &pb.ListStreamsRequest{}, &pb.ListStreamsResponse{},
			api.ListStreamsInput{}, api.ListStreamsOutput{}),
		"DescribeStream": newCall(pb.KeystoneDb_DescribeStream_FullMethodName, &pb.DescribeStreamRequest{}, &pb.DescribeStreamResponse{},
			api.DescribeStreamInput{}, api.DescribeStreamOutput{}),
		"UpdateTimeToLive": newCall(pb.KeystoneDb_UpdateTimeToLive_FullMethodName, &pb.UpdateTimeToLiveRequest{}, &pb.UpdateTimeToLiveResponse{},
			api.UpdateTimeToLiveInput{}, api.UpdateTimeToLiveOutput{}),
		"DescribeTimeToLive": newCall(pb.KeystoneDb_DescribeTimeToLive_FullMethodName, &pb.DescribeTimeToLiveRequest{}, &pb.DescribeTimeToLiveResponse{},
			api.DescribeTimeToLiveInput{}, api.DescribeTimeToLiveOutput{}),
	}
})

// subscribeCall is Subscribe, which is no operation of api.Service.
var subscribeCall = sync.OnceValue(func() call {
	return newCall(pb.KeystoneDb_Subscribe_FullMethodName, &pb.SubscribeRequest{}, &pb.SubscribeResponse{},
		api.SubscribeInput{}, api.SubscribeOutput{})
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
	return newCall(pb.KeystoneDb_Call_FullMethodName, &pb.CallRequest{}, &pb.CallResponse{}, callRequest{}, callAnswer{})
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
