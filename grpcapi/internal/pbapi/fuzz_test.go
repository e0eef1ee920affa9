package pbapi_test

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/grpcapi/internal/pbapi"
)

// FuzzDecode: whatever bytes come as whatever message, nothing panics; what is taken the generated code
// takes too, and it says the same when that or this package writes it anew.
func FuzzDecode(f *testing.F) {
	codecs := []*pbapi.Codec{}
	for _, pair := range pairs() {
		codecs = append(codecs, pbapi.New(pair.message.ProtoReflect().Descriptor(), pair.zero))
	}
	seed := filler{newRand(5)}
	for i, pair := range pairs() {
		in := reflect.New(reflect.TypeOf(pair.zero))
		seed.fill(in.Elem())
		var enc pbapi.Encoder
		f.Add(byte(i), enc.Append(nil, codecs[i], in.Interface()))
	}
	f.Fuzz(func(t *testing.T, which byte, wire []byte) {
		i := int(which) % len(codecs)
		pair := pairs()[i]
		out := reflect.New(reflect.TypeOf(pair.zero))
		var dec pbapi.Decoder
		if err := dec.Decode(codecs[i], wire, out.Interface()); err != nil {
			require.Equal(t, api.Serialization, api.CodeOf(err))
			return
		}
		if bad := out.Elem().FieldByName("Bad"); bad.IsValid() && bad.Len() > 0 {
			return // a bad value is not kept, and what is nested too deep not looked into
		}
		message := pair.message.ProtoReflect().New().Interface()
		require.NoError(t, proto.Unmarshal(wire, message), "what the generated code refuses is refused")
		same, err := proto.Marshal(message)
		require.NoError(t, err)
		var enc pbapi.Encoder
		said := enc.Append(nil, codecs[i], out.Interface())
		for _, form := range [][]byte{same, said} {
			again := reflect.New(reflect.TypeOf(pair.zero))
			require.NoError(t, dec.Decode(codecs[i], form, again.Interface()))
			require.Equal(t, said, enc.Append(nil, codecs[i], again.Interface()))
		}
	})
}
