package grpcapi

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/mem"

	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/grpcapi/internal/pbapi"
)

// BenchmarkUnary is what a call takes beside gRPC itself: decode, serve, encode.
func BenchmarkUnary(b *testing.B) {
	db, err := engine.Open("", engine.Options{InMemory: true})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, db.Close()) })
	_, err = db.CreateTable(b.Context(), &api.CreateTableInput{TableName: api.Some("Tab"),
		BillingMode:          api.Some("PAY_PER_REQUEST"),
		AttributeDefinitions: []api.AttributeDefinition{{AttributeName: api.Some("pk"), AttributeType: api.Some("S")}},
		KeySchema:            []api.KeySchemaElement{{AttributeName: api.Some("pk"), KeyType: api.Some("HASH")}}})
	require.NoError(b, err)
	items := attr.NewItem().S("pk", "customer#000001")
	for i := range 8 {
		items.S("attribute"+strconv.Itoa(i), strings.Repeat("x", 30))
	}
	it, err := items.Build()
	require.NoError(b, err)
	key, err := attr.NewItem().S("pk", "customer#000001").Build()
	require.NoError(b, err)
	put := &api.PutItemInput{TableName: api.Some("Tab"), Item: it}
	_, err = db.PutItem(b.Context(), put)
	require.NoError(b, err)

	s := NewServer(db, Options{})
	b.Cleanup(s.Stop)
	var enc pbapi.Encoder
	for _, m := range unaryMethods() {
		var message []byte
		switch m.name {
		case "Get":
			in, _ := codecsOf[api.GetItemInput, api.GetItemOutput]("Get")()
			message = enc.Append(nil, in, &api.GetItemInput{TableName: api.Some("Tab"), Key: key})
		case "Put":
			in, _ := codecsOf[api.PutItemInput, api.PutItemOutput]("Put")()
			message = enc.Append(nil, in, put)
		default:
			continue
		}
		b.Run(m.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				out, err := s.unary(b.Context(), m, &frame{mem.BufferSlice{mem.SliceBuffer(message)}})
				if err != nil {
					b.Fatal(err)
				}
				out.(*frame).buffers.Free()
			}
		})
	}
	b.Run("engine", func(b *testing.B) {
		b.ReportAllocs()
		in := &api.GetItemInput{TableName: api.Some("Tab"), Key: key}
		for b.Loop() {
			if _, err := db.GetItem(b.Context(), in); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("engine put", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := db.PutItem(b.Context(), put); err != nil {
				b.Fatal(err)
			}
		}
	})
}
