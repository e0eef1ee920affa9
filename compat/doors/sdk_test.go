package doors_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	"github.com/stretchr/testify/require"
)

// unvalidated lets a request reach the server that the SDK would refuse itself. Operations without
// required members have no such step, and nothing to remove.
func unvalidated(stack *middleware.Stack) error {
	const step = "OperationInputValidation"
	if _, ok := stack.Initialize.Get(step); ok {
		_, err := stack.Initialize.Remove(step)
		return err
	}
	return nil
}

// sdkDoor calls operations with the clients of the AWS SDK.
type sdkDoor struct {
	items   *dynamodb.Client
	streams *dynamodbstreams.Client
}

// call makes the SDK's request of a JSON, sends it and makes a JSON of the answer.
func (d sdkDoor) call(ctx context.Context, t *testing.T, operation string, body []byte) answer {
	method := reflect.ValueOf(d.items).MethodByName(operation)
	if !method.IsValid() {
		method = reflect.ValueOf(d.streams).MethodByName(operation)
	}
	require.True(t, method.IsValid(), "the SDK has no %s", operation)
	in := reflect.New(method.Type().In(1).Elem())
	fill(t, in.Elem(), decodeJSON(t, body), operation)
	results := method.Call([]reflect.Value{reflect.ValueOf(ctx), in})
	if err, _ := results[1].Interface().(error); err != nil {
		return sdkFailure(t, err)
	}
	return answer{body: plain(results[0])}
}

// sdkFailure is an error of the SDK as the test compares it.
func sdkFailure(t *testing.T, err error) answer {
	var e smithy.APIError
	require.ErrorAs(t, err, &e)
	a := answer{code: e.ErrorCode(), message: e.ErrorMessage()}
	if v := reflect.Indirect(reflect.ValueOf(e)); v.Kind() == reflect.Struct {
		a.details = map[string]any{}
		for _, name := range []string{"Item", "CancellationReasons", "ThrottlingReasons"} {
			if f := v.FieldByName(name); f.IsValid() && !f.IsZero() {
				a.details[name] = plain(f)
			}
		}
	}
	return a
}

// fill sets a value of the SDK from a JSON value.
func fill(t *testing.T, dst reflect.Value, from any, at string) { //nolint:funlen // one flat switch
	if from == nil {
		return
	}
	switch dst.Interface().(type) {
	case time.Time:
		seconds, err := from.(json.Number).Float64()
		require.NoError(t, err)
		dst.Set(reflect.ValueOf(time.UnixMilli(int64(math.Round(seconds * 1000)))))
		return
	case []byte:
		b, err := base64.StdEncoding.DecodeString(from.(string))
		require.NoError(t, err)
		dst.SetBytes(b)
		return
	}
	switch dst.Kind() {
	case reflect.Pointer:
		dst.Set(reflect.New(dst.Type().Elem()))
		fill(t, dst.Elem(), from, at)
	case reflect.Interface:
		require.Equal(t, reflect.TypeFor[types.AttributeValue](), dst.Type(), at)
		dst.Set(reflect.ValueOf(union(t, from, at)))
	case reflect.Struct:
		for name, v := range from.(map[string]any) {
			f := dst.FieldByName(name)
			require.True(t, f.IsValid(), "the SDK has no %s.%s", at, name)
			fill(t, f, v, at+"."+name)
		}
	case reflect.Slice:
		list := from.([]any)
		dst.Set(reflect.MakeSlice(dst.Type(), len(list), len(list)))
		for i, v := range list {
			fill(t, dst.Index(i), v, fmt.Sprintf("%s.%d", at, i))
		}
	case reflect.Map:
		dst.Set(reflect.MakeMap(dst.Type()))
		for name, v := range from.(map[string]any) {
			entry := reflect.New(dst.Type().Elem()).Elem()
			fill(t, entry, v, at+"."+name)
			dst.SetMapIndex(reflect.ValueOf(name).Convert(dst.Type().Key()), entry)
		}
	case reflect.String:
		dst.SetString(from.(string))
	case reflect.Bool:
		dst.SetBool(from.(bool))
	case reflect.Int32, reflect.Int64:
		n, err := from.(json.Number).Int64()
		require.NoError(t, err, at)
		dst.SetInt(n)
	case reflect.Float64:
		n, err := from.(json.Number).Float64()
		require.NoError(t, err, at)
		dst.SetFloat(n)
	default:
		t.Fatalf("%s: no way to set a %s", at, dst.Type())
	}
}

// union is an attribute value of the SDK.
func union(t *testing.T, from any, at string) types.AttributeValue {
	for name, v := range from.(map[string]any) {
		member := unionMember(name)
		require.NotNil(t, member, "%s: no type %s", at, name)
		value := reflect.ValueOf(member)
		fill(t, value.Elem().FieldByName("Value"), v, at)
		return member
	}
	t.Fatalf("%s: a value without a type", at)
	return nil
}

func unionMember(name string) types.AttributeValue {
	switch name {
	case "S":
		return new(types.AttributeValueMemberS)
	case "N":
		return new(types.AttributeValueMemberN)
	case "B":
		return new(types.AttributeValueMemberB)
	case "BOOL":
		return new(types.AttributeValueMemberBOOL)
	case "NULL":
		return new(types.AttributeValueMemberNULL)
	case "L":
		return new(types.AttributeValueMemberL)
	case "M":
		return new(types.AttributeValueMemberM)
	case "SS":
		return new(types.AttributeValueMemberSS)
	case "NS":
		return new(types.AttributeValueMemberNS)
	case "BS":
		return new(types.AttributeValueMemberBS)
	}
	return nil
}

// wireNames are the members whose name on the wire is not that of the SDK's field.
var wireNames = map[string]map[string]string{
	"Record": {
		"Dynamodb": "dynamodb", "EventID": "eventID", "EventName": "eventName", "EventSource": "eventSource",
		"EventVersion": "eventVersion", "AwsRegion": "awsRegion", "UserIdentity": "userIdentity",
	},
}

// plain is a value of the SDK as what its JSON on the wire decodes to; nil for what is absent.
func plain(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		if name, ok := strings.CutPrefix(reflect.Indirect(v.Elem()).Type().Name(), "AttributeValueMember"); ok && v.Kind() == reflect.Interface {
			return map[string]any{name: plain(v.Elem().Elem().FieldByName("Value"))}
		}
		return plain(v.Elem())
	case reflect.Struct:
		if moment, ok := v.Interface().(time.Time); ok {
			return float64(moment.UnixMilli()) / 1000
		}
		return plainStruct(v)
	case reflect.Slice:
		if v.IsNil() {
			return nil
		}
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return base64.StdEncoding.EncodeToString(v.Bytes())
		}
		list := make([]any, v.Len())
		for i := range list {
			list[i] = plain(v.Index(i))
		}
		return list
	case reflect.Map:
		if v.IsNil() {
			return nil
		}
		entries := map[string]any{}
		for _, key := range v.MapKeys() {
			entries[key.String()] = plain(v.MapIndex(key))
		}
		return entries
	case reflect.String:
		if v.Len() == 0 && v.Type() != reflect.TypeFor[string]() {
			return nil // an enum that is absent
		}
		return v.String()
	case reflect.Int32, reflect.Int64:
		return float64(v.Int())
	}
	return v.Interface()
}

func plainStruct(v reflect.Value) any {
	members := map[string]any{}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.IsExported() || f.Name == "ResultMetadata" {
			continue
		}
		name := f.Name
		if wire, ok := wireNames[v.Type().Name()][name]; ok {
			name = wire
		}
		if member := plain(v.Field(i)); member != nil {
			members[name] = member
		}
	}
	return members
}
