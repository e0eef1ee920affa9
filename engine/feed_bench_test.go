package engine

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/lsm"
)

// benchStream is a database in memory with a stream of both images, 400 bytes each.
func benchStream(b *testing.B, shards int) (db *DB, arn string, put func(i int)) {
	store, err := lsm.Open("", lsm.Options{InMemory: true})
	require.NoError(b, err)
	db, err = OpenStore(store, Options{StreamShards: shards})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, db.Close()) })
	out, err := db.CreateTable(b.Context(), &api.CreateTableInput{
		TableName: api.Some("bench"), BillingMode: api.Some(api.BillingModePayPerRequest),
		KeySchema:            []api.KeySchemaElement{{AttributeName: api.Some("pk"), KeyType: api.Some("HASH")}},
		AttributeDefinitions: []api.AttributeDefinition{{AttributeName: api.Some("pk"), AttributeType: api.Some("S")}},
		StreamSpecification: &api.StreamSpecification{
			StreamEnabled: api.Some(true), StreamViewType: api.Some("NEW_AND_OLD_IMAGES"),
		},
	})
	require.NoError(b, err)
	pad := strings.Repeat("x", 380)
	return db, out.TableDescription.LatestStreamArn.Value, func(i int) {
		it, err := attr.NewItem().S("pk", fmt.Sprint(i%1000)).S("x", pad).N("n", fmt.Sprint(i)).Build()
		require.NoError(b, err)
		_, err = db.PutItem(context.Background(), &api.PutItemInput{TableName: api.Some("bench"), Item: it})
		require.NoError(b, err)
	}
}

// BenchmarkSubscribe is what one record costs: of those that are there (backlog), and from the call of its
// write to its delivery (latency).
func BenchmarkSubscribe(b *testing.B) {
	for _, shards := range []int{1, 16, 1024} {
		b.Run(fmt.Sprint("backlog/", shards), func(b *testing.B) {
			const records = 20_000
			db, arn, put := benchStream(b, shards)
			for i := range records {
				put(i)
			}
			in := from(arn, api.StartTrimHorizon)
			in.Limit = api.Some[int64](1000)
			for b.Loop() {
				left := records
				err := db.Subscribe(b.Context(), in, func(out *api.SubscribeOutput) error {
					if left -= len(out.Records); left == 0 {
						return errEnough
					}
					return nil
				})
				require.Equal(b, errEnough, err)
			}
			b.ReportMetric(float64(b.N*records)/b.Elapsed().Seconds(), "records/s")
		})
		b.Run(fmt.Sprint("latency/", shards), func(b *testing.B) {
			db, arn, put := benchStream(b, shards)
			got := make(chan struct{}, 1)
			ctx, stop := context.WithCancel(b.Context())
			ended := make(chan error, 1)
			go func() {
				ended <- db.Subscribe(ctx, from(arn, api.StartLatest), func(*api.SubscribeOutput) error {
					got <- struct{}{}
					return nil
				})
			}()
			<-got
			i := 0
			for b.Loop() {
				put(i)
				<-got
				i++
			}
			stop()
			require.ErrorIs(b, <-ended, context.Canceled)
		})
	}
}

// BenchmarkPutWithStream is what a write costs its caller while so many feeds listen.
func BenchmarkPutWithStream(b *testing.B) {
	for _, feeds := range []int{0, 1, 100} {
		b.Run(fmt.Sprint(feeds), func(b *testing.B) {
			db, arn, put := benchStream(b, 1)
			ctx, stop := context.WithCancel(b.Context())
			begun, ended := make(chan struct{}), make(chan error)
			for range feeds {
				go func() {
					first := true
					ended <- db.Subscribe(ctx, from(arn, api.StartLatest), func(*api.SubscribeOutput) error {
						if first {
							first = false
							begun <- struct{}{}
						}
						return nil
					})
				}()
				<-begun
			}
			i := 0
			for b.Loop() {
				put(i)
				i++
			}
			stop()
			for range feeds {
				require.ErrorIs(b, <-ended, context.Canceled)
			}
		})
	}
}
