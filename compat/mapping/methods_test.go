package mapping

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/keystone-db/kstone/engine/attr"
)

// Types with the methods of both packages, which do the same.

type (
	// Renders is marshalled by its value and unmarshalled by its address. It renders what it is handed.
	Renders struct{ Text string }
	// Addressed has its methods on the address only.
	Addressed struct{ Text string }
	// Gives gives what its value asks for: nothing, NULL, or an error.
	Gives string
	// Word is a string with text methods.
	Word string
	// Blob has binary methods.
	Blob struct{ N uint8 }
	// Point is a key and value with text methods on the address for reading.
	Point struct{ X, Y int8 }
	// Color is an integer that prints as a word.
	Color int8
	// Fault is a string that is an error.
	Fault string
)

func (r Renders) MarshalDynamoDBAttributeValue() (types.AttributeValue, error) {
	return &types.AttributeValueMemberS{Value: "r:" + r.Text}, nil
}

func (r Renders) MarshalValue() (attr.Value, error) { return attr.String("r:" + r.Text), nil }

func (r *Renders) UnmarshalDynamoDBAttributeValue(av types.AttributeValue) error {
	v, err := fromSDK(av)
	if err != nil {
		return err
	}
	return r.UnmarshalValue(v)
}

func (r *Renders) UnmarshalValue(v attr.Value) error {
	if v.Type() == attr.BOOL {
		return errors.New("no bools here")
	}
	r.Text += fmt.Sprintf("%x;", []byte(v))
	return nil
}

func (a *Addressed) MarshalDynamoDBAttributeValue() (types.AttributeValue, error) {
	if a == nil {
		return &types.AttributeValueMemberS{Value: "nil"}, nil
	}
	return &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{
		a.Text + "!": &types.AttributeValueMemberN{Value: "7"},
	}}, nil
}

func (a *Addressed) MarshalValue() (attr.Value, error) {
	if a == nil {
		return attr.String("nil"), nil
	}
	it, err := attr.NewItem().N(a.Text+"!", "7").Build()
	return attr.Map(it), err
}

func (g Gives) MarshalDynamoDBAttributeValue() (types.AttributeValue, error) {
	switch {
	case g == "12":
		return nil, nil
	case g == "a":
		return nil, errors.New("refused")
	}
	return &types.AttributeValueMemberNULL{Value: true}, nil
}

func (g Gives) MarshalValue() (attr.Value, error) {
	switch {
	case g == "12":
		return nil, nil
	case g == "a":
		return nil, errors.New("refused")
	}
	return attr.Null(), nil
}

func (w Word) MarshalText() ([]byte, error) {
	if w == "a" {
		return nil, errors.New("no a")
	}
	return []byte("w" + string(w)), nil
}

func (w *Word) UnmarshalText(text []byte) error {
	rest, ok := strings.CutPrefix(string(text), "w")
	if !ok {
		return errors.New("no word")
	}
	*w = Word(rest)
	return nil
}

func (b Blob) MarshalBinary() ([]byte, error) { return []byte{b.N, 1}, nil }

func (b *Blob) UnmarshalBinary(p []byte) error {
	if len(p) != 2 {
		return errors.New("two bytes")
	}
	b.N = p[0]
	return nil
}

func (p Point) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%d/%d", p.X, p.Y), nil }

func (p *Point) UnmarshalText(text []byte) error {
	_, err := fmt.Sscanf(string(text), "%d/%d", &p.X, &p.Y)
	return err
}

func (c Color) String() string { return fmt.Sprintf("color%d", int8(c)) }

func (f Fault) Error() string { return "fault " + string(f) }

type (
	bytesName []byte
	flag      bool
	small     int8
	ratio     float32
	clock     time.Time
	list      []string
	dict      map[string]int
)
