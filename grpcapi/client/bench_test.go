package client_test

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/grpcapi"
	"github.com/keystone-db/kstone/grpcapi/client"
)

// dialTCP serves a database with the table orders, with or without a stream, on a socket of the loopback
// and gives a client of it.
func dialTCP(b *testing.B, stream bool) *client.Client {
	b.Helper()
	db := openDB(b)
	in := tableInput()
	in.LocalSecondaryIndexes, in.AttributeDefinitions = nil, in.AttributeDefinitions[:2]
	if !stream {
		in.StreamSpecification = nil
	}
	_, err := db.CreateTable(b.Context(), in)
	require.NoError(b, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	server := grpcapi.NewServer(db, grpcapi.Options{})
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	c, err := client.Dial(l.Addr().String(), client.Options{})
	require.NoError(b, err)
	b.Cleanup(func() {
		require.NoError(b, c.Close())
		server.Stop()
		require.NoError(b, <-done)
	})
	return c
}

// item400 is an item of 400 bytes in ten attributes.
func item400(b *testing.B, sk string) attr.Item {
	b.Helper()
	v := map[string]any{"pk": "customer#0001", "sk": sk}
	for i := range 8 {
		v[fmt.Sprintf("attribute%d", i)] = strings.Repeat("x", 35)
	}
	return item(b, v)
}

func BenchmarkGetItem(b *testing.B) {
	c := dialTCP(b, false)
	require.NoError(b, c.Table("orders").Put(item400(b, "a")).Run(b.Context()))
	in := &api.GetItemInput{TableName: some("orders"), Key: key(b, "customer#0001", "a")}
	s := c.Service()
	b.Run("one caller", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if out, err := s.GetItem(b.Context(), in); err != nil || out.Item == nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("many callers", func(b *testing.B) {
		b.ReportAllocs()
		b.SetParallelism(16)
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				if out, err := s.GetItem(b.Context(), in); err != nil || out.Item == nil {
					b.Error(err)
					return
				}
			}
		})
	})
	b.Run("by key values", func(b *testing.B) {
		b.ReportAllocs()
		t := c.Table("orders")
		for b.Loop() {
			if it, err := t.Get("customer#0001", "a").Item(b.Context()); err != nil || it == nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkPutItem(b *testing.B) {
	s := dialTCP(b, false).Service()
	in := &api.PutItemInput{TableName: some("orders"), Item: item400(b, "a")}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.PutItem(b.Context(), in); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkScan reads 20,000 items of 400 bytes, by pages of 1 MB.
func BenchmarkScan(b *testing.B) {
	c := dialTCP(b, false)
	const items = 20_000
	batch := c.BatchWrite()
	for i := range items {
		batch.Put("orders", item400(b, fmt.Sprint(i)))
	}
	require.NoError(b, batch.Run(b.Context()))
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for _, err := range c.Scan("orders").Items(b.Context()) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		require.Equal(b, items, n)
	}
}

// BenchmarkFeed: how long a change of an item of 400 bytes takes to be delivered when many are there, and
// how long it takes from the beginning of a put to its delivery when it is the only one.
func BenchmarkFeed(b *testing.B) {
	c := dialTCP(b, true)
	const items = 10_000
	batch := c.BatchWrite()
	for i := range items {
		batch.Put("orders", item400(b, fmt.Sprint(i)))
	}
	require.NoError(b, batch.Run(b.Context()))
	b.Run("many", func(b *testing.B) {
		b.ReportAllocs()
		for left := b.N; left > 0; {
			n := 0
			for _, err := range c.Table("orders").Changes().FromStart().PageSize(1000).Records(b.Context()) {
				if err != nil {
					b.Fatal(err)
				}
				if n, left = n+1, left-1; n == items || left == 0 {
					break
				}
			}
		}
	})
	serial := 0
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		// A put that changes nothing is no change, so each has another key.
		puts := make([]api.PutItemInput, b.N+1)
		for i := range puts {
			puts[i] = api.PutItemInput{TableName: some("orders"), Item: item400(b, fmt.Sprint("new", serial))}
			serial++
		}
		b.ResetTimer()
		done := 0
		for out, err := range c.Table("orders").Changes().Deliveries(b.Context()) {
			if err != nil {
				b.Fatal(err)
			}
			if done += len(out.Records); done == b.N {
				break
			}
			if _, err := c.Service().PutItem(b.Context(), &puts[done]); err != nil {
				b.Fatal(err)
			}
		}
	})
}
