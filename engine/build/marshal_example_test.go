package build_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/build"
)

// Reading is what a sensor says.
type Reading struct {
	Sensor string     `dynamodbav:"pk"`
	At     time.Time  `dynamodbav:"at,ts"`
	Values []float32  `dynamodbav:"values,vector"`
	Flags  []string   `dynamodbav:"flags,stringset,omitempty"`
	Note   string     `dynamodbav:"note,omitempty"`
	Ends   *time.Time `dynamodbav:"ends,unixtime"`
}

func ExampleMarshal() {
	it, err := build.Marshal(Reading{
		Sensor: "roof", At: time.UnixMilli(1767323045678), Values: []float32{20.5, 0.25}, Flags: []string{"calibrated"},
	})
	check(err)
	for r := it.Read(); ; {
		name, v, ok := r.Next()
		if !ok {
			return
		}
		fmt.Println(string(name), v.Type())
	}
	// Output:
	// at Ts
	// ends NULL
	// flags SS
	// pk S
	// values VecF32
}

func ExampleUnmarshal() {
	it, err := attr.NewItem().S("pk", "roof").Ts("at", 1767323045678).Vec("values", 20.5, 0.25).Build()
	check(err)
	var reading Reading
	check(build.Unmarshal(it, &reading))
	fmt.Println(reading.Sensor, reading.At.Format(time.StampMilli), reading.Values)
	// Output: roof Jan  2 03:04:05.678 [20.5 0.25]
}

func ExampleUnmarshalList() {
	one, err := build.Marshal(map[string]any{"pk": "roof", "note": "cold"})
	check(err)
	two, err := build.Marshal(map[string]any{"pk": "cellar"})
	check(err)
	var readings []Reading
	check(build.UnmarshalList([]attr.Item{one, two}, &readings))
	for _, r := range readings {
		fmt.Printf("%s %q\n", r.Sensor, r.Note)
	}
	// Output:
	// roof "cold"
	// cellar ""
}

func ExampleMarshalValue() {
	v, err := build.MarshalValue([]int{1, 2})
	check(err)
	fmt.Println(v.Type(), v.Len())
	// Output: L 2
}

func ExampleUnmarshalValue() {
	var doc any
	list, err := build.MarshalValue([]any{"a", 1.5, true, nil})
	check(err)
	check(build.UnmarshalValue(list, &doc))
	fmt.Println(doc)
	// Output: [a 1.5 true <nil>]
}

func ExampleMarshalOptions() {
	type user struct {
		Name string `json:"name"`
		Age  int    `json:"age,omitempty"`
	}
	it, err := build.MarshalOptions{TagKey: "json"}.Marshal(user{Name: "Ada"})
	check(err)
	fmt.Println(it.Get("name").Text(), it.Has("age"))
	// Output: Ada false
}

func ExampleUnmarshalOptions() {
	it, err := attr.NewItem().N("total", "12345678901234567890.12").Build()
	check(err)
	var doc map[string]any
	check(build.UnmarshalOptions{UseNumber: true}.Unmarshal(it, &doc))
	fmt.Println(doc["total"])
	// Output: 12345678901234567890.12
}

// Tags is a list that is kept as one string.
type Tags []string

// MarshalValue gives an S.
func (t Tags) MarshalValue() (attr.Value, error) { return attr.String(strings.Join(t, " ")), nil }

// UnmarshalValue takes an S.
func (t *Tags) UnmarshalValue(v attr.Value) error {
	*t = strings.Fields(v.Text())
	return nil
}

func ExampleMarshaler() {
	it, err := build.Marshal(map[string]Tags{"tags": {"new", "red"}})
	check(err)
	var back map[string]Tags
	check(build.Unmarshal(it, &back))
	fmt.Printf("%s %q\n", it.Get("tags").Text(), back["tags"])
	// Output: new red ["new" "red"]
}

func ExampleNumber() {
	it, err := build.Marshal(map[string]build.Number{"n": "0.10000000000000000000000000000000000001"})
	check(err)
	var back map[string]build.Number
	check(build.Unmarshal(it, &back))
	fmt.Println(back["n"])
	// Output: 0.10000000000000000000000000000000000001
}
