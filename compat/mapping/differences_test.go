package mapping

import (
	"errors"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/build"
)

// The differences that are meant. The documentation of MarshalValue and UnmarshalValue names them; here is
// what both packages do, so that a change on either side is seen.

type (
	inner     string
	namedByte byte
	noMethods struct{ N int }
	onlySDK   struct{ N int }
)

func (onlySDK) MarshalDynamoDBAttributeValue() (types.AttributeValue, error) {
	return &types.AttributeValueMemberS{Value: "sdk"}, nil
}

// panics says whether the SDK panics.
func panics(call func() error) bool {
	_, _, panicked := theirs(func() (int, error) { return 0, call() })
	return panicked
}

func marshalPanics(v any) bool {
	return panics(func() error { _, err := attributevalue.Marshal(v); return err })
}

func TestMarshalWhereTheSDKPanics(t *testing.T) {
	embeds := struct {
		inner
		N int
	}{"x", 1}
	for _, c := range []struct {
		name string
		in   any
		want attr.Value
	}{
		{"an embedded field of an unexported type that is no struct", embeds, attr.Map(must(attr.NewItem().Int("N", 1).Build()))},
		{"a slice of a named byte type", []namedByte{1, 2}, attr.Binary([]byte{1, 2})},
		{"an array of a named byte type", [2]namedByte{1, 2}, attr.Binary([]byte{1, 2})},
		{"a method of a value that is not there", new((*Renders)(nil)), attr.Null()},
		{"the same in an interface", []any{(*Renders)(nil)}, attr.List(attr.Null())},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.True(t, marshalPanics(c.in), "the SDK has learned it: compare it instead")
			got, err := build.MarshalValue(c.in)
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
		})
	}
}

func TestMethodsOfTheSDKAreNotKnown(t *testing.T) {
	theirs, err := attributevalue.Marshal(onlySDK{3})
	require.NoError(t, err)
	assert.IsType(t, &types.AttributeValueMemberS{}, theirs)
	ours, err := build.MarshalValue(onlySDK{3})
	require.NoError(t, err)
	assert.Equal(t, attr.M, ours.Type())
}

func TestWhatIsNoItem(t *testing.T) {
	for _, in := range []any{nil, "text", 5, []string{"a"}, []byte("b"), time.Unix(0, 0), (*noMethods)(nil), Gives("x"), make(chan int)} {
		m, err := attributevalue.MarshalMap(in)
		require.NoError(t, err)
		assert.Empty(t, m)
		it, err := build.Marshal(in)
		assert.IsType(t, &build.MarshalError{}, err)
		assert.Nil(t, it)
	}
}

func TestWhatNoItemCanHold(t *testing.T) {
	deep := any("x")
	for range attr.DepthMax {
		deep = []any{deep}
	}
	for _, c := range []struct {
		name string
		in   any
		want attr.ErrorKind // 0: not UTF-8
	}{
		{"not a number", math.NaN(), attr.NotNumber},
		{"infinity", float32(math.Inf(-1)), attr.NotNumber},
		{"too large", 1e126, attr.Overflow},
		{"too small", 1e-131, attr.Underflow},
		{"39 digits", attributevalue.Number(strings.Repeat("7", 39)), attr.Precision},
		{"no number", build.Number("seven"), attr.NotNumber},
		{"bytes as text", "\xff", 0},
		{"bytes as a name", map[string]int{"\xff": 1}, 0},
		{"a long name", map[string]int{strings.Repeat("n", attr.NameMaxBytes+1): 1}, attr.NameTooLong},
		{"duplicate strings", struct {
			S []string `dynamodbav:",stringset"`
		}{[]string{"a", "b", "a"}}, attr.DupSS},
		{"duplicate numbers", struct {
			S []float64 `dynamodbav:",numberset"`
		}{[]float64{1, 1}}, attr.DupNS},
		{"duplicate binaries", [][]byte{{1}, {1}}, attr.DupBS},
		{"a set emptied by omitemptyelem", struct {
			S []string `dynamodbav:",stringset,omitemptyelem"`
		}{[]string{""}}, attr.EmptySS},
		{"nested too deep", deep, attr.TooDeep},
	} {
		t.Run(c.name, func(t *testing.T) {
			sdk, err := attributevalue.Marshal(c.in)
			require.NoError(t, err)
			_, err = fromSDK(sdk)
			assert.Error(t, err, "an item can hold it")

			_, err = build.MarshalValue(c.in)
			require.ErrorAs(t, err, new(*build.MarshalError))
			if c.want == 0 {
				require.ErrorIs(t, err, build.ErrNotUTF8)
				return
			}
			bad, ok := errors.AsType[*attr.ValueError](err)
			require.True(t, ok, "%v", err)
			assert.Equal(t, c.want, bad.Kind)
		})
	}
}

func TestEmptySetsAreRefusedByOption(t *testing.T) {
	in := struct {
		S []string `dynamodbav:",stringset"`
	}{[]string{}}
	sdk, err := attributevalue.MarshalWithOptions(in, func(o *attributevalue.EncoderOptions) { o.NullEmptySets = false })
	require.NoError(t, err)
	assert.Equal(t, map[string]types.AttributeValue{"S": &types.AttributeValueMemberSS{Value: []string{}}},
		sdk.(*types.AttributeValueMemberM).Value)
	_, err = build.MarshalOptions{RefuseEmptySets: true}.Marshal(in)
	bad, ok := errors.AsType[*attr.ValueError](err)
	require.True(t, ok)
	assert.Equal(t, attr.EmptySS, bad.Kind)
}

func TestUnmarshalWhereTheSDKPanics(t *testing.T) {
	type embedsPointer struct{ *noMethods }
	for _, c := range []struct {
		name string
		v    attr.Value
		dst  any
	}{
		{"more bytes than an array has room for", attr.Binary([]byte("abcd")), new([3]byte)},
		{"fewer bytes than an array has room for", attr.Binary([]byte("ab")), new([3]byte)},
		{"an interface with methods", attr.String("x"), new(stringed)},
		{"an embedded nil pointer to an unexported type", attr.Map(must(attr.NewItem().Int("N", 1).Build())), new(embedsPointer)},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.True(t, panics(func() error { return attributevalue.Unmarshal(toSDK(c.v), c.dst) }),
				"the SDK has learned it: compare it instead")
			err := build.UnmarshalValue(c.v, c.dst)
			assert.IsType(t, &build.UnmarshalTypeError{}, err)
		})
	}
}

func TestWhatAnInterfaceHoldsIsReplaced(t *testing.T) {
	for _, held := range []any{"old", 5, []int{1}, noMethods{1}, [1]int{2}, map[string]int(nil)} {
		dst, sdk := held, held
		failed := panics(func() error { return attributevalue.Unmarshal(toSDK(attr.String("new")), &sdk) }) || reflect.DeepEqual(held, sdk)
		assert.True(t, failed, "the SDK has learned it: compare it instead")
		require.NoError(t, build.UnmarshalValue(attr.String("new"), &dst))
		assert.Equal(t, "new", dst)

		// NULL leaves it alone in both.
		dst, sdk = held, held
		require.NoError(t, attributevalue.Unmarshal(toSDK(attr.Null()), &sdk))
		require.NoError(t, build.UnmarshalValue(attr.Null(), &dst))
		assert.Equal(t, held, sdk)
		assert.Equal(t, held, dst)
	}
}

func TestTheExactNameWins(t *testing.T) {
	var dst struct {
		Name  string
		Other string `dynamodbav:"other"`
	}
	it := must(attr.NewItem().S("NAME", "upper").S("Name", "exact").S("name", "lower").S("OTHER", "1").S("Other", "2").Build())
	for range 20 { // the SDK takes the last in the order of a map
		require.NoError(t, build.Unmarshal(it, &dst))
		assert.Equal(t, "exact", dst.Name)
		assert.Equal(t, "2", dst.Other)
	}
}

func TestErrorsOfNumbersHaveOneType(t *testing.T) {
	for text, dst := range map[string]any{
		"1.5": new(int), "-1": new(uint), "1e30": new(int64), "300": new(int8), "70000": new(uint16), "1e100": new(float32),
	} {
		v := must(attr.Number(text))
		sdkErr := attributevalue.Unmarshal(toSDK(v), dst)
		err := build.UnmarshalValue(v, dst)
		require.ErrorAs(t, err, new(*build.UnmarshalTypeError))
		if errors.As(sdkErr, new(*strconv.NumError)) { // theirs is this alone; ours has it as its cause
			require.ErrorAs(t, err, new(*strconv.NumError))
			continue
		}
		require.ErrorAs(t, sdkErr, new(*attributevalue.UnmarshalTypeError))
		assert.Contains(t, err.Error(), "number overflow")
	}
}

func TestDestinations(t *testing.T) {
	for _, dst := range []any{nil, 5, (*int)(nil), map[string]any{}} {
		assert.IsType(t, &attributevalue.InvalidUnmarshalError{}, attributevalue.Unmarshal(toSDK(attr.Null()), dst))
		assert.IsType(t, &build.InvalidUnmarshalError{}, build.UnmarshalValue(attr.Null(), dst))
		assert.IsType(t, &build.InvalidUnmarshalError{}, build.Unmarshal(attr.Item{}, dst))
		assert.IsType(t, &build.InvalidUnmarshalError{}, build.UnmarshalList(nil, dst))
	}
}

func TestUnixTimeTypes(t *testing.T) {
	now := time.Unix(1700000000, 0)
	theirs, err := attributevalue.Marshal(attributevalue.UnixTime(now))
	require.NoError(t, err)
	ours, err := build.MarshalValue(build.UnixTime(now))
	require.NoError(t, err)
	assert.Equal(t, must(fromSDK(theirs)), ours)
	for _, v := range []attr.Value{ours, attr.Null(), attr.String("x"), must(attr.Number("1.5"))} {
		var a attributevalue.UnixTime
		var b build.UnixTime
		sdkErr, err := attributevalue.Unmarshal(toSDK(v), &a), build.UnmarshalValue(v, &b)
		assert.Equal(t, sdkErr == nil, err == nil)
		assert.Equal(t, time.Time(a), time.Time(b))
	}
}
