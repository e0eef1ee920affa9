package mapping

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/number"
)

// toSDK gives a value as a client of the SDK gets it from a server.
func toSDK(v attr.Value) types.AttributeValue {
	switch v.Type() {
	case attr.S:
		return &types.AttributeValueMemberS{Value: v.Text()}
	case attr.N:
		return &types.AttributeValueMemberN{Value: string(number.AppendText(nil, v.Payload()))}
	case attr.B:
		return &types.AttributeValueMemberB{Value: append([]byte{}, v.Payload()...)}
	case attr.BOOL:
		return &types.AttributeValueMemberBOOL{Value: v.Bool()}
	case attr.NULL:
		return &types.AttributeValueMemberNULL{Value: true}
	case attr.L:
		l := &types.AttributeValueMemberL{Value: []types.AttributeValue{}}
		for r := attr.ListReader(v); r.Next(); {
			l.Value = append(l.Value, toSDK(r.Value()))
		}
		return l
	case attr.M:
		return &types.AttributeValueMemberM{Value: itemToSDK(v.MapItem())}
	case attr.SS:
		s := &types.AttributeValueMemberSS{}
		for r := attr.SetReader(v); r.Next(); {
			s.Value = append(s.Value, string(r.Bytes()))
		}
		return s
	case attr.NS:
		s := &types.AttributeValueMemberNS{}
		for r := attr.SetReader(v); r.Next(); {
			s.Value = append(s.Value, string(number.AppendText(nil, r.Bytes())))
		}
		return s
	case attr.BS:
		s := &types.AttributeValueMemberBS{}
		for r := attr.SetReader(v); r.Next(); {
			s.Value = append(s.Value, append([]byte{}, r.Bytes()...))
		}
		return s
	}
	return nil
}

func itemToSDK(it attr.Item) map[string]types.AttributeValue {
	m := map[string]types.AttributeValue{}
	for r := it.Read(); ; {
		name, v, ok := r.Next()
		if !ok {
			return m
		}
		m[string(name)] = toSDK(v)
	}
}

// fromSDK gives a value as the server would keep it; the error says why it would refuse it. A value that
// is absent stays so.
func fromSDK(av types.AttributeValue) (attr.Value, error) {
	v, err := convert(av)
	if err != nil || v == nil {
		return v, err
	}
	return v, attr.CheckValue(v)
}

func convert(av types.AttributeValue) (attr.Value, error) {
	switch av := av.(type) {
	case nil:
		return nil, nil
	case *types.AttributeValueMemberS:
		return attr.String(av.Value), nil
	case *types.AttributeValueMemberN:
		return attr.Number(av.Value)
	case *types.AttributeValueMemberB:
		return attr.Binary(av.Value), nil
	case *types.AttributeValueMemberBOOL:
		return attr.Bool(av.Value), nil
	case *types.AttributeValueMemberNULL:
		return attr.Null(), nil
	case *types.AttributeValueMemberSS:
		return attr.StringSet(av.Value...)
	case *types.AttributeValueMemberNS:
		return attr.NumberSet(av.Value...)
	case *types.AttributeValueMemberBS:
		return attr.BinarySet(av.Value...)
	case *types.AttributeValueMemberL:
		var values []attr.Value
		for _, elem := range av.Value {
			v, err := convert(elem)
			if err != nil {
				return nil, err
			}
			values = append(values, v)
		}
		return attr.List(values...), nil
	case *types.AttributeValueMemberM:
		var e attr.Encoder
		e.BeginMap()
		for name, elem := range av.Value {
			v, err := convert(elem)
			if err != nil {
				return nil, err
			}
			e.Name([]byte(name))
			e.Value(v)
		}
		e.EndMap()
		return attr.Value(e.Bytes()), nil
	}
	return nil, fmt.Errorf("unknown %T", av)
}

// ambiguous reports a map with two names that differ in case only: in a struct both may go to one field,
// and the SDK takes them in any order.
func ambiguous(v attr.Value) bool {
	var names []string
	for r := attr.MapReader(v); ; {
		name, elem, ok := r.Next()
		if !ok {
			break
		}
		for _, other := range names {
			if strings.EqualFold(other, string(name)) {
				return true
			}
		}
		if ambiguous(elem) {
			return true
		}
		names = append(names, string(name))
	}
	for r := attr.ListReader(v); r.Next(); {
		if ambiguous(r.Value()) {
			return true
		}
	}
	return false
}
