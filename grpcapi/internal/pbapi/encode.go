package pbapi

import (
	"reflect"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/grpcapi/internal/pbitem"
)

// Encoder writes messages. The zero Encoder writes items natively and no flags.
type Encoder struct {
	// JSON writes items as DynamoDB JSON.
	JSON bool
	// Flags of a request.
	Flags Flags
}

// Append appends the message of the struct that in points to.
func (e *Encoder) Append(dst []byte, c *Codec, in any) []byte {
	return e.message(dst, c, reflect.ValueOf(in).Elem())
}

func (e *Encoder) message(dst []byte, c *Codec, v reflect.Value) []byte {
	for i := range c.fields {
		f := &c.fields[i]
		if f.index >= 0 {
			dst = f.kind.append(e, dst, f, v.Field(f.index))
		} else {
			dst = f.kind.append(e, dst, f, reflect.Value{})
		}
	}
	return dst
}

// messageGuess is a length that most messages without items do not reach.
const messageGuess = 100

// sub appends a field that holds a message.
func (e *Encoder) sub(dst []byte, f *field, c *Codec, v reflect.Value) []byte {
	dst, m := pbitem.Open(f.tag(dst), messageGuess)
	return pbitem.Close(e.message(dst, c, v), m)
}

// item appends the content of an Item and its length.
func (e *Encoder) item(dst []byte, it attr.Item) []byte {
	dst, m := pbitem.Open(dst, len(it)+len(it)/2)
	if e.JSON {
		return pbitem.Close(pbitem.AppendItemJSON(dst, it), m)
	}
	return pbitem.Close(pbitem.AppendItem(dst, it), m)
}

// tag appends the head of a field.
func (f *field) tag(dst []byte) []byte {
	if f.num < 16 {
		return append(dst, byte(f.num)<<3|byte(f.wire))
	}
	return protowire.AppendTag(dst, f.num, f.wire)
}
