package mapping

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/keystone-db/kstone/engine/attr"
)

// What reflection cannot make at run time: embedding by name, unexported structs, promoted methods.

type (
	tagged  struct{ X int }
	tagWins struct {
		X int `dynamodbav:"X"`
	}
	promoted struct{ Renders }
	stringed interface{ String() string }

	embedsTwo struct {
		tagged
		Two tagWins
	}
	conflict struct {
		tagged
		tagWins
	}
	bothTagged struct {
		tagWins
		Y int `dynamodbav:"X"`
		Z int `dynamodbav:"X"`
	}
	shadow struct {
		tagged
		X string
	}
	diamond struct {
		Left
		Right
	}
	renamed struct {
		Base   `dynamodbav:"base"`
		hidden `dynamodbav:"hid"`
	}
	ignored struct {
		Base `dynamodbav:"-"`
		Rest int
	}
	optioned struct {
		Base `dynamodbav:",omitempty"`
	}
	embedsTime struct {
		time.Time
		N int
	}
	embedsKinds struct {
		Color
		Stringed stringed
	}
	pointers struct {
		*Base
		P  *Renders
		PP **Renders
		A  *Addressed
		I  any
		T  *time.Time
		TT **time.Time
	}
	twoKeys struct {
		A string `dynamodbav:"a,omitempty" json:"b"`
		B string `json:",omitempty"`
		C string `dynamodbav:"-" json:"c"`
		D string `json:"-" dynamodbav:"d"`
		E int    `json:"e,string,omitempty"`
	}
	foldsCase struct {
		ABC  int
		Abc  string `dynamodbav:"abc"`
		Kelv string `dynamodbav:"K"`
	}
	unexported struct {
		a, b int
		C    int
	}
	setOfTexts struct {
		Words  []Word      `dynamodbav:",stringset"`
		Points []*Point    `dynamodbav:",stringset"`
		Times  []time.Time `dynamodbav:",stringset"`
		Blobs  []Blob      `dynamodbav:",binaryset"`
		Arrays [2][3]byte  `dynamodbav:",binaryset"`
		Nums   [2]float32  `dynamodbav:",numberset"`
	}
)

// cases are values, each compared under all options.
func cases() []any {
	base := Base{ID: "1", Name: "base", Deep: Deep{Level: 3, Name: "deep"}}
	now := time.Date(2026, 2, 3, 4, 5, 6, 7, time.UTC)
	return []any{
		nil, 0, "", "text", true, []byte(nil), []byte{}, []byte("b"), [0]int{}, []int{}, map[string]int{}, struct{}{},
		(*int)(nil), new(0), new(new(0)), new((*int)(nil)), new(any(1)), new(any(nil)), new(any(new(0))),
		[]any{nil, 1, "a", []any{}, map[string]any{"": 1}}, map[string]any{"a": nil, "b": map[string]any{"c": []any{1.5}}},
		map[any]int{Word("x"): 1}, map[any]int{1: 1}, map[any]int{}, map[*Point]int{{1, 2}: 3}, map[time.Time]int{now: 1},
		map[[2]int]int{}, map[complex64]int{1: 2}, map[uintptr]int{1: 2}, map[float64]string{1e21: "a", 0.000001: "b"},
		map[Color]int{3: 1}, map[Fault]int{"x": 1}, map[bool]*int{true: nil},
		embedsTwo{tagged{1}, tagWins{2}}, conflict{tagged{1}, tagWins{2}}, bothTagged{tagWins{1}, 2, 3}, shadow{tagged{1}, "x"},
		diamond{Left{base, "l"}, Right{&base, "r"}}, diamond{}, renamed{base, hidden{1, "h"}}, ignored{base, 1}, optioned{base},
		optioned{}, embedsTime{now, 1}, &embedsTime{now, 1}, embedsKinds{3, Color(4)}, embedsKinds{}, promoted{Renders{"p"}},
		&promoted{}, &pointers{}, &pointers{&base, new(Renders{"a"}), new(new(Renders{"b"})), &Addressed{"c"}, &Addressed{"d"}, &now, new(&now)},
		pointers{I: Addressed{"x"}, A: &Addressed{}}, []Addressed{{"a"}}, [1]Addressed{{"a"}}, &[1]Addressed{{"a"}},
		map[string]Addressed{"k": {"a"}}, []*Addressed{nil, {"a"}}, new((*Addressed)(nil)), []any{(*Addressed)(nil)},
		twoKeys{"a", "b", "c", "d", 5}, twoKeys{}, foldsCase{1, "x", "k"}, unexported{1, 2, 3}, Outer{}, Tree{Leaves: []Tree{{}}},
		Outer{Left: Left{base, "l"}, Right: &Right{nil, "r"}, hidden: hidden{7, "h"}, Named: Deep{1, "n"}, Own: "o"},
		setOfTexts{}, setOfTexts{[]Word{"x", "y"}, []*Point{{1, 2}}, []time.Time{now}, []Blob{{1}}, [2][3]byte{{1}, {2}}, [2]float32{1, 2}},
		[][]byte{}, [][]byte{nil}, [][]byte{{}, {1}}, [][]byte{{1}, {1}}, make(chan int), func() {}, complex(1, 2), uintptr(7),
		Gives("12"), Gives("a"), Gives("x"), struct {
			G Gives `dynamodbav:",omitempty"`
		}{"x"},
		now, &now, new(&now), clock(now), []any{now, &now, clock(now)},
	}
}

// TestCases compares each case under every combination of options, and what becomes of it in a place of
// its own type and in those of all the others.
func TestCases(t *testing.T) {
	var c tally
	all := cases()
	for i, v := range all {
		t.Run(fmt.Sprintf("%d %T", i, v), func(t *testing.T) {
			for bits := range marshalBits {
				got := c.compareMarshal(t, v, bits)
				if got == nil || bits > 15 {
					continue
				}
				for j, other := range all {
					if other != nil && (bits == 0 || i == j) {
						typ := reflect.TypeOf(other)
						c.compareUnmarshal(t, got, func() reflect.Value { return reflect.New(typ) }, (bits+j)%unmarshalBits)
					}
				}
			}
		})
	}
	t.Logf("%+v", c)
	assert.Greater(t, c.values, 5000)
	assert.Greater(t, c.decoded, 1000)
}

// TestPlaces compares where a value goes in places that hold something already.
func TestPlaces(t *testing.T) {
	values := []attr.Value{
		attr.Null(), attr.String("s"), attr.Int(5), attr.Bool(true), attr.Binary([]byte("abc")), attr.List(), attr.List(attr.Int(1)),
		attr.List(attr.Int(1), attr.Null(), attr.Int(3)), attr.Map(attr.Item{}),
		attr.Map(must(attr.NewItem().S("a", "x").Null("b").Int("ID", 4).S("name", "n").Int("LEVEL", 2).Build())),
		must(attr.StringSet("a", "b")), must(attr.NumberSet("1", "2.5")), must(attr.BinarySet([]byte("abc"), nil)),
	}
	places := map[string]func() any{
		"slice with elements":     func() any { return new([]int{7, 8, 9, 10}) },
		"slice with room":         func() any { s := make([]any, 1, 4); return &s },
		"slice of pointers":       func() any { n := 5; return new([]*int{&n, &n, &n}) },
		"slice of maps":           func() any { return new([]map[string]int{{"a": 1}}) },
		"array":                   func() any { return new([2]int{1, 2}) },
		"array of bytes":          func() any { return new([3]byte{1, 2, 3}) },
		"bytes with room":         func() any { b := make([]byte, 5, 9); return &b },
		"bytes of the length":     func() any { return new([]byte("xyz")) },
		"map":                     func() any { return new(map[string]any{"a": 1, "z": 2}) },
		"map of structs":          func() any { return new(map[string]Deep{"a": {Level: 1}}) },
		"struct":                  func() any { return &Base{ID: "old", Deep: Deep{Level: 9}} },
		"embedded nil pointer":    func() any { return new(Right) },
		"pointer":                 func() any { return new(new(3)) },
		"pointers":                func() any { return new(new(new("x"))) },
		"interface with pointer":  func() any { return new(any(new("x"))) },
		"interface with pointers": func() any { return new(any(new(new(3)))) },
		"interface with map":      func() any { return new(any(map[string]any{"q": 1})) },
		"nil interface":           func() any { return new(any(nil)) },
		"unmarshaler":             func() any { return &Renders{"had;"} },
		"pointer to unmarshaler":  func() any { return new(&Renders{"had;"}) },
		"nil unmarshaler":         func() any { return new((*Renders)(nil)) },
		"set of unmarshalers":     func() any { return new([]Renders) },
		"array of unmarshalers":   func() any { return new([1]*Renders) },
		"struct of unmarshalers": func() any {
			return new(struct {
				A, B *Renders
				ID   Renders
			})
		},
		"words":           func() any { return new([]Word) },
		"times":           func() any { return new([]time.Time) },
		"map of words":    func() any { return new(map[Word]string) },
		"map of points":   func() any { return new(map[Point]string) },
		"map of ints":     func() any { return new(map[int]string) },
		"map of anything": func() any { return new(map[any]string) },
		"set as a map":    func() any { return new(map[string]struct{}) },
	}
	var c tally
	for name, place := range places {
		t.Run(name, func(t *testing.T) {
			for _, v := range values {
				for bits := range unmarshalBits {
					c.compareUnmarshal(t, v, func() reflect.Value { return reflect.ValueOf(place()) }, bits)
				}
			}
		})
	}
	assert.Greater(t, c.decoded, 2000)
	assert.Greater(t, c.undecodable, 2000)
}
