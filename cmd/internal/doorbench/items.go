package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"

	"github.com/keystone-db/kstone/grpcapi/keystonev1"
)

// Table and items of the measurements.
const (
	tableName = "bench"
	itemBytes = 400 // as DynamoDB charges them
)

// keyOf is the partition key of an item; all have the same length.
func keyOf(i int) string { return fmt.Sprintf("k%015d", i) }

func str(s string) *keystonev1.Value { return &keystonev1.Value{Value: &keystonev1.Value_S{S: s}} }
func num(s string) *keystonev1.Value { return &keystonev1.Value{Value: &keystonev1.Value_N{N: s}} }

// newItem is an item of itemBytes: strings, numbers, a boolean, a set, a map.
func newItem(key string) *keystonev1.Item {
	attributes := map[string]*keystonev1.Value{
		"pk":      str(key),
		"email":   str("somebody.else@mail.example"),
		"name":    str("Zoë Ångström-Miller"),
		"age":     num("42"),
		"score":   num("12345.678"),
		"active":  {Value: &keystonev1.Value_BOOL{BOOL: true}},
		"created": str("2026-01-02T03:04:05Z"),
		"tags":    {Value: &keystonev1.Value_SS{SS: &keystonev1.StringSet{Values: []string{"blue", "green", "red"}}}},
		"address": {Value: &keystonev1.Value_M{M: &keystonev1.Map{Entries: map[string]*keystonev1.Value{
			"city": str("Reykjavik"), "zip": str("10115"), "floor": num("3")}}}},
		"session": str("0123456789abcdef"),
	}
	const others = 211 // charged bytes of the rest, and of the name below
	attributes["payload"] = str(strings.Repeat("some text ", itemBytes)[:itemBytes-others])
	return &keystonev1.Item{Attributes: attributes}
}

// encode is a message as bytes.
func encode(message any) []byte {
	p, err := encoding.GetCodecV2(proto.Name).Marshal(message)
	if err != nil {
		panic(err) // messages of this file
	}
	return p.Materialize()
}

// jsonOf is an item as DynamoDB JSON.
func jsonOf(attributes map[string]*keystonev1.Value) map[string]any {
	out := map[string]any{}
	for name, v := range attributes {
		switch v := v.GetValue().(type) {
		case *keystonev1.Value_S:
			out[name] = map[string]any{"S": v.S}
		case *keystonev1.Value_N:
			out[name] = map[string]any{"N": v.N}
		case *keystonev1.Value_BOOL:
			out[name] = map[string]any{"BOOL": v.BOOL}
		case *keystonev1.Value_SS:
			out[name] = map[string]any{"SS": v.SS.GetValues()}
		case *keystonev1.Value_M:
			out[name] = map[string]any{"M": jsonOf(v.M.GetEntries())}
		}
	}
	return out
}

// encodeJSON is a body over HTTP.
func encodeJSON(body map[string]any) []byte {
	p, err := json.Marshal(body)
	if err != nil {
		panic(err) // maps of this file
	}
	return p
}

// workload is a call of every key: what is sent over each door.
type workload struct {
	name, operation string // over gRPC and HTTP
	echo            string // operation of the echo
	answerMin       int    // bytes of an answer
	grpc, echoed    [][]byte
	http            [][]byte // bodies
}

func gets(keys int) *workload {
	w := &workload{name: "Get", operation: "GetItem", echo: echoLarge, answerMin: itemBytes}
	for i := range keys {
		key := map[string]*keystonev1.Value{"pk": str(keyOf(i))}
		w.grpc = append(w.grpc, encode(&keystonev1.GetRequest{
			TableName: new(tableName), Key: &keystonev1.Item{Attributes: key}}))
		w.http = append(w.http, encodeJSON(map[string]any{"TableName": tableName, "Key": jsonOf(key)}))
	}
	w.echoAlike()
	return w
}

func puts(keys int) *workload {
	w := &workload{name: "Put", operation: "PutItem", echo: echoSmall}
	for i := range keys {
		it := newItem(keyOf(i))
		w.grpc = append(w.grpc, encode(&keystonev1.PutRequest{TableName: new(tableName), Item: it}))
		w.http = append(w.http, encodeJSON(map[string]any{
			"TableName": tableName, "Item": jsonOf(it.GetAttributes())}))
	}
	w.echoAlike()
	return w
}

// echoAlike makes requests of an echo that have the same lengths.
func (w *workload) echoAlike() {
	for _, p := range w.grpc {
		in := &keystonev1.CallRequest{Operation: w.echo, Body: make([]byte, len(p))}
		in.Body = in.GetBody()[:len(p)-(len(encode(in))-len(p))]
		w.echoed = append(w.echoed, encode(in))
	}
}
