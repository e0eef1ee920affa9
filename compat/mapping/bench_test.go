package mapping

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"

	"github.com/keystone-db/kstone/engine/build"
)

// invoice is a record as programs have them: some 20 attributes, 500 bytes.
type invoice struct {
	PK       string    `dynamodbav:"pk"`
	SK       string    `dynamodbav:"sk"`
	Number   int64     `dynamodbav:"number"`
	Total    float64   `dynamodbav:"total"`
	Paid     bool      `dynamodbav:"paid"`
	Made     time.Time `dynamodbav:"made"`
	Expires  time.Time `dynamodbav:"expires,unixtime"`
	Note     *string   `dynamodbav:"note,omitempty"`
	Tags     []string  `dynamodbav:"tags,stringset"`
	Lines    []line    `dynamodbav:"lines"`
	Address  address   `dynamodbav:"address"`
	Labels   map[string]string
	Checksum []byte
}

type line struct {
	Article string `dynamodbav:"article"`
	Count   int    `dynamodbav:"count"`
	Price   float64
}

type address struct{ Street, City, Country string }

func newInvoice() *invoice {
	note := "leave it at the door"
	made := time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)
	return &invoice{
		PK: "customer#8421", SK: "invoice#2026-01-02#991", Number: 20260102991, Total: 129.95, Paid: true,
		Made: made, Expires: made.AddDate(1, 0, 0), Note: &note, Tags: []string{"export", "express", "gift"},
		Lines:    []line{{"A-100", 2, 19.95}, {"B-7", 1, 70.05}, {"C-55", 4, 5}},
		Address:  address{"Rua Augusta 12", "Lisboa", "PT"},
		Labels:   map[string]string{"channel": "web", "campaign": "winter"},
		Checksum: []byte("0123456789abcdef"),
	}
}

func BenchmarkMarshal(b *testing.B) {
	in := newInvoice()
	b.Run("build", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := build.Marshal(in); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("attributevalue", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := attributevalue.MarshalMap(in); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkUnmarshal(b *testing.B) {
	it := must(build.Marshal(newInvoice()))
	b.Run("build", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var out invoice
			if err := build.Unmarshal(it, &out); err != nil {
				b.Fatal(err)
			}
		}
	})
	m := itemToSDK(it)
	b.Run("attributevalue", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var out invoice
			if err := attributevalue.UnmarshalMap(m, &out); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkAny(b *testing.B) {
	it := must(build.Marshal(newInvoice()))
	var doc map[string]any
	if err := build.Unmarshal(it, &doc); err != nil {
		b.Fatal(err)
	}
	m := itemToSDK(it)
	b.Run("marshal/build", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			must(build.Marshal(doc))
		}
	})
	b.Run("marshal/attributevalue", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			must(attributevalue.MarshalMap(doc))
		}
	})
	b.Run("unmarshal/build", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var out map[string]any
			if err := build.Unmarshal(it, &out); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("unmarshal/attributevalue", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var out map[string]any
			if err := attributevalue.UnmarshalMap(m, &out); err != nil {
				b.Fatal(err)
			}
		}
	})
}
