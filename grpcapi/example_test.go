package grpcapi_test

import (
	"context"
	"fmt"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/grpcapi"
	"github.com/keystone-db/kstone/grpcapi/keystonev1"
)

// A database in memory, served on a port of the loopback and asked by the generated client.
func Example() {
	db, err := engine.OpenInMemory(engine.Options{})
	if err != nil {
		panic(err)
	}
	defer db.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	server := grpcapi.NewServer(db, grpcapi.Options{})
	go func() { _ = server.Serve(l) }()
	defer server.GracefulStop()

	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	client := keystonev1.NewKeystoneDbClient(conn)
	_, err = client.CreateTable(context.Background(), &keystonev1.CreateTableRequest{
		TableName: new("Music"), BillingMode: new("PAY_PER_REQUEST"),
		AttributeDefinitions: []*keystonev1.AttributeDefinition{{AttributeName: new("Artist"), AttributeType: new("S")}},
		KeySchema:            []*keystonev1.KeySchemaElement{{AttributeName: new("Artist"), KeyType: new("HASH")}},
	})
	if err != nil {
		panic(err)
	}
	_, err = client.Put(context.Background(), &keystonev1.PutRequest{TableName: new("Music"), Item: &keystonev1.Item{
		DynamodbJson: []byte(`{"Artist":{"S":"Nina Simone"},"Songs":{"N":"312"}}`)}})
	if err != nil {
		panic(err)
	}
	out, err := client.Get(context.Background(), &keystonev1.GetRequest{TableName: new("Music"), Key: &keystonev1.Item{
		Attributes: map[string]*keystonev1.Value{"Artist": {Value: &keystonev1.Value_S{S: "Nina Simone"}}}}})
	if err != nil {
		panic(err)
	}
	fmt.Println(out.GetItem().GetAttributes()["Songs"].GetN())
	// Output: 312
}
