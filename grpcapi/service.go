package grpcapi

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/keystone-db/kstone/dynamowire/sigv4"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/grpcapi/internal/pbapi"
	"github.com/keystone-db/kstone/grpcapi/keystonev1"
)

// serviceDescriptor describes the service.
func serviceDescriptor() protoreflect.ServiceDescriptor {
	return keystonev1.File_keystonev1_keystone_proto.Services().ByName("KeystoneDb")
}

// unaryMethods is the table of the unary calls.
func unaryMethods() []method {
	return []method{
		unary("Put", "PutItem", api.Service.PutItem),
		unary("Get", "GetItem", api.Service.GetItem),
		unary("Delete", "DeleteItem", api.Service.DeleteItem),
		unary("Update", "UpdateItem", api.Service.UpdateItem),
		unary("Query", "Query", api.Service.Query),
		unary("BatchGet", "BatchGetItem", api.Service.BatchGetItem),
		unary("BatchWrite", "BatchWriteItem", api.Service.BatchWriteItem),
		unary("TransactGet", "TransactGetItems", api.Service.TransactGetItems),
		unary("TransactWrite", "TransactWriteItems", api.Service.TransactWriteItems),
		unary("CreateTable", "CreateTable", api.Service.CreateTable),
		unary("UpdateTable", "UpdateTable", api.Service.UpdateTable),
		unary("DescribeTable", "DescribeTable", api.Service.DescribeTable),
		unary("ListTables", "ListTables", api.Service.ListTables),
		unary("DeleteTable", "DeleteTable", api.Service.DeleteTable),
		unary("ListStreams", "ListStreams", api.Service.ListStreams),
		unary("DescribeStream", "DescribeStream", api.Service.DescribeStream),
		unary("UpdateTimeToLive", "UpdateTimeToLive", api.Service.UpdateTimeToLive),
		unary("DescribeTimeToLive", "DescribeTimeToLive", api.Service.DescribeTimeToLive),
		callMethod(),
	}
}

// streams is the table of the calls that answer a stream.
func streams() []stream {
	return []stream{
		streaming("Scan", "Scan", scan),
		streaming("ExecuteStatement", "ExecuteStatement", executeStatement),
		streaming("Subscribe", "Subscribe", subscribe),
	}
}

// callRequest and callAnswer are the messages of Call. The bodies alias the message and the answer.
type (
	callRequest struct {
		Operation string
		Body      []byte
	}
	callAnswer struct{ Body []byte }
)

// callMethod is Call: any operation on its JSON.
func callMethod() method {
	const name = "Call"
	codecs := codecsOf[callRequest, callAnswer](name)
	return method{name: name, call: func(
		ctx context.Context, s *Server, key *sigv4.Key, message []byte,
	) (*frame, error) {
		in, out := codecs()
		var req request[callRequest]
		if err := req.dec.Decode(in, message, &req.in); err != nil {
			return nil, err
		}
		room, err := unaryRoom(ctx, req.in.Operation)
		if err != nil {
			return nil, err
		}
		defer room.free()
		body, err := s.opts.Access.Call(ctx, key, s.svc, req.in.Operation, req.in.Body)
		if err != nil {
			return nil, err
		}
		var enc pbapi.Encoder
		return s.buffers.answer(&room, func(dst []byte) []byte {
			return enc.Append(dst, out, &callAnswer{body})
		}), nil
	}}
}

// serviceDesc is the service under its public name with the calls of this package.
func serviceDesc() *grpc.ServiceDesc {
	public := &keystonev1.KeystoneDb_ServiceDesc
	desc := &grpc.ServiceDesc{ServiceName: public.ServiceName, HandlerType: (*any)(nil), Metadata: public.Metadata}
	for _, m := range unaryMethods() {
		desc.Methods = append(desc.Methods, m.desc("/"+public.ServiceName+"/"+m.name))
	}
	for _, m := range streams() {
		desc.Streams = append(desc.Streams, m.desc())
	}
	return desc
}
