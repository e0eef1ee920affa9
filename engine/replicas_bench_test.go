package engine_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// BenchmarkPutItemReplicas is what a put of 400 bytes costs in a table without anything, with a stream of both images,
// which replicas want, and with a replica that is fed elsewhere (away) or meanwhile (fed).
func BenchmarkPutItemReplicas(b *testing.B) {
	for _, what := range []string{"plain", "stream", "away", "fed"} {
		b.Run(what, func(b *testing.B) {
			ctx, name := context.Background(), api.Some("tab")
			way := &away{}
			opts := engine.Options{InMemory: true, Region: regionOf(0), NoBackground: what != "fed"}
			if what == "away" || what == "fed" {
				other, err := engine.Open("", engine.Options{InMemory: true, Region: regionOf(1), NoBackground: true})
				require.NoError(b, err)
				b.Cleanup(func() { _ = other.Close() })
				way.Replicator = other
				opts.Replicas = map[string]api.Replicator{regionOf(1): way}
			}
			db, err := engine.Open("", opts)
			require.NoError(b, err)
			b.Cleanup(func() { _ = db.Close() })
			in := &api.CreateTableInput{
				TableName: name, BillingMode: api.Some(api.BillingModePayPerRequest),
				AttributeDefinitions: []api.AttributeDefinition{{AttributeName: api.Some("id"), AttributeType: api.Some("S")}},
				KeySchema:            []api.KeySchemaElement{{AttributeName: api.Some("id"), KeyType: api.Some("HASH")}},
			}
			if what == "stream" {
				in.StreamSpecification = &api.StreamSpecification{StreamEnabled: api.Some(true), StreamViewType: api.Some("NEW_AND_OLD_IMAGES")}
			}
			_, err = db.CreateTable(ctx, in)
			require.NoError(b, err)
			if way.Replicator != nil {
				require.NoError(b, way.Replicator.(*engine.DB).Connect(regionOf(0), db))
				_, err = db.UpdateTable(ctx, createIn("tab", regionOf(1)))
				require.NoError(b, err)
				require.NoError(b, db.Work(ctx))
				require.NoError(b, db.Work(ctx))
			}
			const keys = 10_000
			items := make([]attr.Item, 2*keys) // a put of what is there already would be no change
			for i := range items {
				pad := strings.Repeat(string(rune('x'+i/keys)), 380)
				items[i], err = attr.NewItem().S("id", fmt.Sprint(i%keys)).S("x", pad).Build()
				require.NoError(b, err)
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				_, err := db.PutItem(ctx, &api.PutItemInput{TableName: name, Item: items[i%len(items)]})
				if err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}

// BenchmarkReplicaLag is how long after its put an item is in the replica of another database of the process.
func BenchmarkReplicaLag(b *testing.B) {
	ctx, name := context.Background(), api.Some("tab")
	arrived := make(chan struct{}, 1)
	other, err := engine.Open("", engine.Options{InMemory: true, Region: regionOf(1), NoBackground: true})
	require.NoError(b, err)
	b.Cleanup(func() { _ = other.Close() })
	db, err := engine.Open("", engine.Options{InMemory: true, Region: regionOf(0), Replicas: map[string]api.Replicator{regionOf(1): &tells{other, arrived}}})
	require.NoError(b, err)
	b.Cleanup(func() { _ = db.Close() })
	require.NoError(b, other.Connect(regionOf(0), db))
	_, err = db.CreateTable(ctx, &api.CreateTableInput{
		TableName: name, BillingMode: api.Some(api.BillingModePayPerRequest),
		AttributeDefinitions: []api.AttributeDefinition{{AttributeName: api.Some("id"), AttributeType: api.Some("S")}},
		KeySchema:            []api.KeySchemaElement{{AttributeName: api.Some("id"), KeyType: api.Some("HASH")}},
	})
	require.NoError(b, err)
	_, err = db.UpdateTable(ctx, createIn("tab", regionOf(1)))
	require.NoError(b, err)
	require.NoError(b, db.Work(ctx))
	require.NoError(b, db.Work(ctx))
	for b.Loop() {
		_, err := db.PutItem(ctx, &api.PutItemInput{TableName: name, Item: numbered("a", b.N)})
		require.NoError(b, err)
		<-arrived
	}
}

// tells says when items have arrived.
type tells struct {
	*engine.DB
	arrived chan struct{}
}

func (r *tells) Replicate(ctx context.Context, in *api.ReplicateInput) (*api.ReplicateOutput, error) {
	out, err := r.DB.Replicate(ctx, in)
	if in.Step == api.ReplicateItems && err == nil {
		select {
		case r.arrived <- struct{}{}:
		default:
		}
	}
	return out, err
}
