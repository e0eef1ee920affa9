package build

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
)

// TagKey is the key of the struct tags that are always read.
const TagKey = "dynamodbav"

// options are what the tag of a field asks for beside its name.
type options uint16

const (
	omitEmpty options = 1 << iota
	omitEmptyElem
	nullEmpty
	nullEmptyElem
	asString
	asUnixTime
	asTs
	asVector
	asStringSet
	asNumberSet
	asBinarySet
)

// optionOf finds an option by its word, 0 for one that is not known.
func optionOf(word string) options {
	switch word {
	case "omitempty":
		return omitEmpty
	case "omitemptyelem":
		return omitEmptyElem
	case "nullempty":
		return nullEmpty
	case "nullemptyelem":
		return nullEmptyElem
	case "string":
		return asString
	case "unixtime":
		return asUnixTime
	case "ts":
		return asTs
	case "vector":
		return asVector
	case "stringset":
		return asStringSet
	case "numberset":
		return asNumberSet
	case "binaryset":
		return asBinarySet
	}
	return 0
}

func (o options) has(one options) bool { return o&one != 0 }

// elem gives the options of the elements of a list, set or map: omitemptyelem reaches all the way
// down, nullemptyelem one level.
func (o options) elem() options {
	var e options
	if o.has(omitEmptyElem) {
		e |= omitEmpty | omitEmptyElem
	}
	if o.has(nullEmptyElem) {
		e |= nullEmpty
	}
	return e
}

// tag is what the tags of a field say.
type tag struct {
	name   string
	ignore bool
	opts   options
}

// read adds what one key says. A later key decides about the name, even when it gives none;
// options only ever add up.
func (t *tag) read(text string) {
	if text == "" {
		return
	}
	name, rest, _ := strings.Cut(text, ",")
	t.name, t.ignore = name, false
	if name == "-" {
		t.name, t.ignore = "", true
	}
	for word := range strings.SplitSeq(rest, ",") {
		t.opts |= optionOf(word)
	}
}

// tagOf reads the tags of a field; extra is a second key that wins over TagKey, or "".
func tagOf(text reflect.StructTag, extra string) tag {
	var t tag
	t.read(text.Get(TagKey))
	if extra != "" && extra != TagKey {
		t.read(text.Get(extra))
	}
	return t
}

// field is a field of a struct, or one that an embedded struct lends it.
type field struct {
	name  string
	bytes []byte // name
	fit   bool   // name may be one of an attribute
	named bool   // by a tag
	index []int
	typ   reflect.Type
	opts  options
	plan  *plan
}

// embedded is a struct whose fields are still to be looked at.
type embedded struct {
	typ   reflect.Type
	index []int
	twice bool // embedded more than once at this depth: its fields hide each other
}

// fieldsOf lists the fields of a struct that are mapped, in the order in which they are declared.
// Fields of embedded structs count as fields of the outer one unless a tag names the embedded
// field; which of several of the same name is taken is decided as encoding/json does it.
func fieldsOf(t reflect.Type, tagKey string) []field {
	var all []field
	seen := map[reflect.Type]bool{}
	for level := []embedded{{typ: t}}; len(level) > 0; {
		var next []embedded
		for _, e := range level {
			if seen[e.typ] {
				continue // a shallower one hides all its fields
			}
			seen[e.typ] = true
			all, next = e.fields(tagKey, all, next)
		}
		level = next
	}
	return dominant(all)
}

// fields appends the fields of one struct to all, and the structs that it embeds to next.
func (e *embedded) fields(tagKey string, all []field, next []embedded) ([]field, []embedded) {
	for i := range e.typ.NumField() {
		sf := e.typ.Field(i)
		t := tagOf(sf.Tag, tagKey)
		if t.ignore || !sf.IsExported() && !sf.Anonymous {
			continue
		}
		typ := sf.Type
		if typ.Name() == "" && typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		isStruct := typ.Kind() == reflect.Struct
		if !sf.IsExported() && !isStruct {
			continue // reflection may not touch it
		}
		index := append(slices.Clip(e.index), i)
		if sf.Anonymous && t.name == "" && isStruct {
			if at := slices.IndexFunc(next, func(n embedded) bool { return n.typ == typ }); at >= 0 {
				next[at].twice = true
			} else {
				next = append(next, embedded{typ: typ, index: index})
			}
			continue
		}
		f := field{name: sf.Name, index: index, typ: sf.Type, opts: t.opts}
		if t.name != "" {
			f.name, f.named = t.name, true
		}
		all = append(all, f)
		if e.twice {
			all = append(all, f)
		}
	}
	return all, next
}

// dominant keeps of each name the one field that the rules of embedding choose: the shallowest; of
// several there, the one that a tag names; none when that does not decide.
func dominant(all []field) []field {
	slices.SortFunc(all, func(a, b field) int {
		named := 0
		if a.named != b.named {
			named = 1
			if a.named {
				named = -1
			}
		}
		return cmp.Or(strings.Compare(a.name, b.name), cmp.Compare(len(a.index), len(b.index)), named)
	})
	var out []field
	for i := 0; i < len(all); {
		end := i + 1
		for end < len(all) && all[end].name == all[i].name {
			end++
		}
		rival := i + 1
		if rival == end || len(all[rival].index) > len(all[i].index) || all[rival].named != all[i].named {
			out = append(out, all[i])
		}
		i = end
	}
	slices.SortFunc(out, func(a, b field) int { return slices.Compare(a.index, b.index) })
	return out
}
