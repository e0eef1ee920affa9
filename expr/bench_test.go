package expr

import (
	"testing"

	"github.com/keystone-db/kstone/engine/attr"
)

func benchItem(b *testing.B) attr.Item {
	return parseItem(b, `{pk: "customer#12345", sk: "order#2024-01-01", amount: 1234.56, count: 7,
		state: "OPEN", parts: [{sku: "a", n: 1}, {sku: "b", n: 2}], address: {city: "Oslo", zip: "0150"},
		note: "a text of some length that is here to be skipped over and copied", tags: ss("x", "y")}`)
}

func BenchmarkCondition(b *testing.B) {
	for _, c := range []struct{ name, text string }{
		{"not_exists", "attribute_not_exists(pk)"},
		{"compare", "#s = :s AND amount > :n"},
		{"complex", "(#s = :s OR contains(tags, :s)) AND size(parts) >= :n AND address.city <> :s AND NOT begins_with(note, :s)"},
	} {
		b.Run(c.name, func(b *testing.B) {
			item, cache, binder := benchItem(b), NewCache(64), new(Binder)
			names := []Name{{"#s", "state"}}
			values := []Value{{":n", attr.Int(2)}, {":s", attr.String("OPEN")}}
			b.ReportAllocs()
			for b.Loop() {
				ResetBinder(binder, names, values)
				cond, err := cache.Condition(c.text, binder)
				if err != nil {
					b.Fatal(err)
				}
				cond.Eval(item)
			}
		})
	}
}

func BenchmarkEval(b *testing.B) {
	item := benchItem(b)
	r := parseRequest(b, "#s = :s AND amount > :n\n#s -> state\n:s -> \"OPEN\"\n:n -> 2")
	c, err := NewCache(1).Filter(r.text, r.binder())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if !c.Eval(item) {
			b.Fatal("false")
		}
	}
}

func BenchmarkUpdate(b *testing.B) {
	for _, c := range []struct{ name, text string }{
		{"set", "SET #s = :s"},
		{"counter", "SET #s = :s, amount = amount + :n ADD hits :n"},
		{"nested", "SET #s = :s, address.zip = :s, parts[1].n = parts[0].n + :n REMOVE note"},
	} {
		b.Run(c.name, func(b *testing.B) {
			item, cache, binder := benchItem(b), NewCache(64), new(Binder)
			names := []Name{{"#s", "state"}}
			values := []Value{{":n", attr.Int(2)}, {":s", attr.String("CLOSED")}}
			b.ReportAllocs()
			for b.Loop() {
				ResetBinder(binder, names, values)
				u, err := cache.Update(c.text, binder)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := u.Apply(item, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkApply(b *testing.B) {
	item := benchItem(b)
	r := parseRequest(b, "SET amount = amount + :n, address.zip = :s\n:n -> 2\n:s -> \"x\"")
	u, err := NewCache(1).Update(r.text, r.binder())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := u.Apply(item, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkProject(b *testing.B) {
	item := benchItem(b)
	r := parseRequest(b, "pk, amount, address.city, parts[1].sku")
	p, err := NewCache(1).Projection(r.text, r.binder())
	if err != nil {
		b.Fatal(err)
	}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = p.Apply(buf[:0], item)
	}
}

func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		if _, err := ParseUpdate("SET #s = :s, address.zip = :s, parts[1].n = parts[0].n + :n REMOVE note"); err != nil {
			b.Fatal(err)
		}
	}
}
