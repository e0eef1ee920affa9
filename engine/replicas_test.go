package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// away is a replica that can be out of reach.
type away struct {
	api.Replicator
	gone atomic.Bool
}

var errAway = errors.New("out of reach")

func (a *away) Replicate(ctx context.Context, in *api.ReplicateInput) (*api.ReplicateOutput, error) {
	if a.gone.Load() {
		return nil, errAway
	}
	return a.Replicator.Replicate(ctx, in)
}

// group are databases of several regions that know each other, all without background work.
type group struct {
	t    *testing.T
	dbs  []*engine.DB
	ways map[[2]int]*away
}

func regionOf(i int) string { return fmt.Sprintf("region-%d", i) }

func newGroup(t *testing.T, n int, opts engine.Options) *group {
	g := &group{t: t, ways: map[[2]int]*away{}}
	for i := range n {
		o := opts
		o.InMemory, o.NoBackground, o.Region = true, true, regionOf(i)
		db, err := engine.Open("", o)
		require.NoError(t, err)
		t.Cleanup(func() { _ = db.Close() })
		g.dbs = append(g.dbs, db)
	}
	for i := range n {
		for j := range n {
			if i != j {
				g.ways[[2]int{i, j}] = &away{Replicator: g.dbs[j]}
				require.NoError(t, g.dbs[i].Connect(regionOf(j), g.ways[[2]int{i, j}]))
			}
		}
	}
	return g
}

// settle has all background work done until nothing is left.
func (g *group) settle() {
	g.t.Helper()
	for range 6 {
		for _, db := range g.dbs {
			require.NoError(g.t, db.Work(g.t.Context()))
		}
	}
}

// table makes a table in the first database and replicas of it in all others.
func (g *group) table(name string) {
	g.t.Helper()
	_, err := g.dbs[0].CreateTable(g.t.Context(), &api.CreateTableInput{
		TableName: api.Some(name), BillingMode: api.Some(api.BillingModePayPerRequest),
		AttributeDefinitions: []api.AttributeDefinition{{AttributeName: api.Some("id"), AttributeType: api.Some("S")}},
		KeySchema:            []api.KeySchemaElement{{AttributeName: api.Some("id"), KeyType: api.Some("HASH")}},
	})
	require.NoError(g.t, err)
	for i := 1; i < len(g.dbs); i++ {
		g.replica(0, i, name)
	}
}

func createIn(name, region string) *api.UpdateTableInput {
	return &api.UpdateTableInput{TableName: api.Some(name), ReplicaUpdates: []api.ReplicationGroupUpdate{{
		Create: &api.CreateReplicationGroupMemberAction{RegionName: api.Some(region)},
	}}}
}

func (g *group) replica(from, to int, name string) {
	g.t.Helper()
	_, err := g.dbs[from].UpdateTable(g.t.Context(), createIn(name, regionOf(to)))
	require.NoError(g.t, err)
	g.settle()
}

func (g *group) put(i int, table, id string, v int) {
	g.t.Helper()
	_, err := g.dbs[i].PutItem(g.t.Context(), &api.PutItemInput{TableName: api.Some(table), Item: numbered(id, v)})
	require.NoError(g.t, err)
}

func numbered(id string, v int) attr.Item {
	item, err := attr.NewItem().S("id", id).N("v", fmt.Sprint(v)).Build()
	if err != nil {
		panic(err)
	}
	return item
}

// all are the items of a table as text.
func (g *group) all(i int, table string) map[string]string {
	g.t.Helper()
	items := map[string]string{}
	in := &api.ScanInput{TableName: api.Some(table)}
	for {
		out, err := g.dbs[i].Scan(g.t.Context(), in)
		require.NoError(g.t, err)
		for _, item := range out.Items {
			items[string(item.Get("id").Payload())] = item.String()
		}
		if out.LastEvaluatedKey == nil {
			return items
		}
		in.ExclusiveStartKey = out.LastEvaluatedKey
	}
}

func (g *group) equal(table string) {
	g.t.Helper()
	for i := 1; i < len(g.dbs); i++ {
		require.Equal(g.t, g.all(0, table), g.all(i, table), "region %d", i)
	}
}

func TestReplicasFollow(t *testing.T) {
	g := newGroup(t, 3, engine.Options{})
	g.table("tab")
	g.put(0, "tab", "a", 1)
	g.put(1, "tab", "b", 2)
	g.put(2, "tab", "c", 3)
	g.settle()
	g.equal("tab")
	require.Len(t, g.all(0, "tab"), 3)
}

// TestReplicasConverge: random writes on all sides, with ways that fail now and then, end in the same tables.
func TestReplicasConverge(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 7))
			var ms atomic.Int64
			ms.Store(1_800_000_000_000)
			g := newGroup(t, 3, engine.Options{Clock: func() time.Time { return time.UnixMilli(ms.Load()) }})
			g.indexed("tab")
			for range 400 {
				if rng.IntN(3) == 0 {
					ms.Add(int64(rng.IntN(3)))
				}
				i := rng.IntN(3)
				switch rng.IntN(12) {
				case 0:
					require.NoError(t, g.dbs[i].Work(t.Context()))
				case 1:
					w := g.ways[[2]int{i, (i + 1 + rng.IntN(2)) % 3}]
					w.gone.Store(!w.gone.Load())
				default:
					g.random(rng, i, "tab")
				}
			}
			for _, w := range g.ways {
				w.gone.Store(false)
			}
			g.settle()
			g.equal("tab")
			require.NotEmpty(t, g.all(0, "tab"))
			for i := range g.dbs {
				require.Equal(t, g.index(0, "tab"), g.index(i, "tab"), "entries in region %d", i)
			}
		})
	}
}

// indexed makes a table with an index and replicas of it.
func (g *group) indexed(name string) {
	g.t.Helper()
	_, err := g.dbs[0].CreateTable(g.t.Context(), &api.CreateTableInput{
		TableName: api.Some(name), BillingMode: api.Some(api.BillingModePayPerRequest),
		AttributeDefinitions: []api.AttributeDefinition{
			{AttributeName: api.Some("id"), AttributeType: api.Some("S")}, {AttributeName: api.Some("v"), AttributeType: api.Some("N")},
		},
		KeySchema: []api.KeySchemaElement{{AttributeName: api.Some("id"), KeyType: api.Some("HASH")}},
		GlobalSecondaryIndexes: []api.GlobalSecondaryIndex{{
			IndexName: api.Some("byV"), Projection: &api.Projection{ProjectionType: api.Some("ALL")},
			KeySchema: []api.KeySchemaElement{{AttributeName: api.Some("v"), KeyType: api.Some("HASH")}},
		}},
	})
	require.NoError(g.t, err)
	for i := 1; i < len(g.dbs); i++ {
		g.replica(0, i, name)
	}
}

func (g *group) index(i int, table string) map[string]string {
	g.t.Helper()
	entries := map[string]string{}
	out, err := g.dbs[i].Scan(g.t.Context(), &api.ScanInput{TableName: api.Some(table), IndexName: api.Some("byV")})
	require.NoError(g.t, err)
	for _, item := range out.Items {
		entries[string(item.Get("id").Payload())] = item.String()
	}
	return entries
}

// random does one write of any kind.
func (g *group) random(rng *rand.Rand, i int, table string) {
	g.t.Helper()
	id, v := fmt.Sprint("id", rng.IntN(12)), rng.IntN(1000)
	key, err := attr.NewItem().S("id", id).Build()
	require.NoError(g.t, err)
	db, ctx, name := g.dbs[i], g.t.Context(), api.Some(table)
	switch rng.IntN(5) {
	case 0:
		_, err = db.DeleteItem(ctx, &api.DeleteItemInput{TableName: name, Key: key})
	case 1:
		_, err = db.UpdateItem(ctx, &api.UpdateItemInput{TableName: name, Key: key, UpdateExpression: api.Some("ADD v :n"),
			ExpressionAttributeValues: []api.NamedValue{{Placeholder: ":n", Value: numbered("", v).Get("v")}}})
	case 2:
		other := numbered(fmt.Sprint("id", 12+rng.IntN(4)), v)
		_, err = db.TransactWriteItems(ctx, &api.TransactWriteItemsInput{TransactItems: []api.TransactWriteItem{
			{Put: &api.Put{TableName: name, Item: other}}, {Delete: &api.Delete{TableName: name, Key: key}},
		}})
	case 3:
		_, err = db.BatchWriteItem(ctx, &api.BatchWriteItemInput{RequestItems: []api.BatchWriteItemRequestMapEntry{{
			Key: table, Value: []api.WriteRequest{{PutRequest: &api.PutRequest{Item: numbered(id, v)}}},
		}}})
	default:
		_, err = db.PutItem(ctx, &api.PutItemInput{TableName: name, Item: numbered(id, v)})
	}
	require.NoError(g.t, err)
}

// TestTheLaterWriteWins: whatever the clocks say, who has seen a write and writes over it wins.
func TestTheLaterWriteWins(t *testing.T) {
	var early, late atomic.Int64
	early.Store(1_800_000_000_000)
	late.Store(1_800_000_900_000)
	g := newGroup(t, 2, engine.Options{})
	clocks := []*atomic.Int64{&late, &early}
	for i := range g.dbs {
		db, err := engine.Open("", engine.Options{
			InMemory: true, NoBackground: true, Region: regionOf(i),
			Clock: func() time.Time { return time.UnixMilli(clocks[i].Load()) },
		})
		require.NoError(t, err)
		t.Cleanup(func() { _ = db.Close() })
		g.dbs[i] = db
	}
	require.NoError(t, g.dbs[0].Connect(regionOf(1), g.dbs[1]))
	require.NoError(t, g.dbs[1].Connect(regionOf(0), g.dbs[0]))
	g.table("tab")
	g.put(0, "tab", "a", 1)
	g.settle()
	g.put(1, "tab", "a", 2) // its clock is a quarter of an hour behind
	g.settle()
	g.equal("tab")
	require.Contains(t, g.all(0, "tab")["a"], "2")
	g.put(1, "tab", "a", 3)
	late.Add(1)
	g.put(0, "tab", "a", 4) // neither knows of the other: the clock decides
	g.settle()
	g.equal("tab")
	require.Contains(t, g.all(1, "tab")["a"], "4")
}

// TestANewReplicaIsFilled: with what was there before, what was deleted is not, and with what a third one wrote
// meanwhile.
func TestANewReplicaIsFilled(t *testing.T) {
	g := newGroup(t, 3, engine.Options{})
	all := g.dbs
	g.dbs = all[:1]
	g.table("tab")
	for i := range 2500 {
		g.put(0, "tab", fmt.Sprint(i), i)
	}
	g.dbs = all[:2]
	g.replica(0, 1, "tab")
	require.Len(t, g.all(1, "tab"), 2500)
	g.ways[[2]int{1, 0}].gone.Store(true)
	g.put(1, "tab", "late", 1)
	g.dbs = all
	g.replica(0, 2, "tab")
	require.Contains(t, g.all(2, "tab"), "late")
	g.ways[[2]int{1, 0}].gone.Store(false)
	g.settle()
	g.equal("tab")
	d, err := g.dbs[2].DescribeTable(t.Context(), &api.DescribeTableInput{TableName: api.Some("tab")})
	require.NoError(t, err)
	require.Equal(t, "ACTIVE", d.Table.TableStatus.Value)
	require.Len(t, d.Table.Replicas, 2)
	for _, r := range d.Table.Replicas {
		require.Equal(t, "ACTIVE", r.ReplicaStatus.Value)
	}
}

// TestReplicateRefuses: what no other database asks for is refused, and changes nothing.
func TestReplicateRefuses(t *testing.T) {
	g := newGroup(t, 2, engine.Options{})
	g.table("tab")
	ok := api.ReplicateInput{Version: api.ReplicateVersion, Step: api.ReplicateItems, From: regionOf(1), Table: "tab"}
	there, err := g.dbs[0].Replicate(t.Context(), &api.ReplicateInput{
		Version: api.ReplicateVersion, Step: api.ReplicateDescribe, From: regionOf(1), Table: "tab",
	})
	require.NoError(t, err)
	mine, err := g.dbs[1].Replicate(t.Context(), &api.ReplicateInput{
		Version: api.ReplicateVersion, Step: api.ReplicateDescribe, From: regionOf(0), Table: "tab",
	})
	require.NoError(t, err)
	ok.ID, ok.Session = there.ID, mine.Session
	greet := ok
	greet.Step = api.ReplicateGreet
	met, err := g.dbs[0].Replicate(t.Context(), &greet)
	require.NoError(t, err)
	ok.To = met.Session
	_, err = g.dbs[0].Replicate(t.Context(), &ok)
	require.NoError(t, err)
	for what, change := range map[string]func(*api.ReplicateInput){
		"another version": func(in *api.ReplicateInput) { in.Version++ },
		"no table":        func(in *api.ReplicateInput) { in.Table = "" },
		"its own region":  func(in *api.ReplicateInput) { in.From = regionOf(0) },
		"no such step":    func(in *api.ReplicateInput) { in.Step = "dance" },
		"settings":        func(in *api.ReplicateInput) { in.Settings = []byte("{") },
		"an impossible key": func(in *api.ReplicateInput) {
			in.Items = []api.ReplicatedItem{{Key: []byte("abc"), Region: "r", Micros: 1}}
		},
		"another global table": func(in *api.ReplicateInput) { in.ID = "other" },
		"a stranger":           func(in *api.ReplicateInput) { in.From = "eu-west-1" },
		"another database":     func(in *api.ReplicateInput) { in.Step, in.Session = api.ReplicateGreet, "another" },
		"nothing shared":       func(in *api.ReplicateInput) { in.Step = api.ReplicateShare },
		"nobody joins":         func(in *api.ReplicateInput) { in.Step = api.ReplicateJoin },
	} {
		in := ok
		change(&in)
		_, err := g.dbs[0].Replicate(t.Context(), &in)
		code := api.CodeOf(err)
		require.True(t, code == api.Validation || code == api.GlobalTableNotFound, "%s: %v", what, err)
	}
	g.ways[[2]int{0, 1}].gone.Store(true)
	_, err = g.dbs[0].UpdateTable(t.Context(), &api.UpdateTableInput{TableName: api.Some("tab"), ReplicaUpdates: []api.ReplicationGroupUpdate{{
		Delete: &api.DeleteReplicationGroupMemberAction{RegionName: api.Some(regionOf(1))},
	}}})
	require.Equal(t, api.Unavailable, api.CodeOf(err))
	require.Error(t, g.dbs[0].Connect(regionOf(0), g.dbs[1]))
	g.equal("tab")
}

// TestReplicasShareSettings: indexes, time to live and billing follow from any region; what a replica has of its own stays.
func TestReplicasShareSettings(t *testing.T) {
	var ms atomic.Int64
	ms.Store(1_800_000_000_000)
	g := newGroup(t, 2, engine.Options{Clock: func() time.Time { return time.UnixMilli(ms.Load()) }})
	g.indexed("tab")
	for i := range 30 {
		g.put(0, "tab", fmt.Sprint(i), i)
	}
	name := api.Some("tab")
	_, err := g.dbs[1].UpdateTable(t.Context(), &api.UpdateTableInput{TableName: name, GlobalSecondaryIndexUpdates: []api.GlobalSecondaryIndexUpdate{
		{Delete: &api.DeleteGlobalSecondaryIndexAction{IndexName: api.Some("byV")}},
	}})
	require.NoError(t, err)
	g.settle()
	_, err = g.dbs[0].UpdateTable(t.Context(), &api.UpdateTableInput{
		TableName:            name,
		AttributeDefinitions: []api.AttributeDefinition{{AttributeName: api.Some("v"), AttributeType: api.Some("N")}},
		GlobalSecondaryIndexUpdates: []api.GlobalSecondaryIndexUpdate{{Create: &api.CreateGlobalSecondaryIndexAction{
			IndexName: api.Some("byV"), Projection: &api.Projection{ProjectionType: api.Some("KEYS_ONLY")},
			KeySchema: []api.KeySchemaElement{{AttributeName: api.Some("v"), KeyType: api.Some("HASH")}},
		}}},
	})
	require.NoError(t, err)
	g.settle()
	require.Len(t, g.index(1, "tab"), 30)
	require.Equal(t, g.index(0, "tab"), g.index(1, "tab"))
	_, err = g.dbs[1].UpdateTimeToLive(t.Context(), &api.UpdateTimeToLiveInput{TableName: name, TimeToLiveSpecification: &api.TimeToLiveSpecification{
		AttributeName: api.Some("v"), Enabled: api.Some(true),
	}})
	require.NoError(t, err)
	_, err = g.dbs[1].UpdateTable(t.Context(), &api.UpdateTableInput{TableName: name, DeletionProtectionEnabled: api.Some(true)})
	require.NoError(t, err)
	g.settle()
	g.put(0, "tab", "ends", int(ms.Load()/1000)+10)
	g.settle()
	require.Contains(t, g.all(1, "tab"), "ends")
	ms.Add(20_000)
	g.settle()
	g.equal("tab")
	require.NotContains(t, g.all(0, "tab"), "ends")
	require.NotContains(t, g.all(1, "tab"), "ends")
	for i, protected := range []bool{false, true} {
		d, err := g.dbs[i].DescribeTable(t.Context(), &api.DescribeTableInput{TableName: name})
		require.NoError(t, err)
		require.Equal(t, protected, d.Table.DeletionProtectionEnabled.Value, "protection is each region's own")
		require.Equal(t, int64(30), d.Table.ItemCount.Value)
	}
}

// TestReplicaChangesAreInStreams: what comes from elsewhere is in the stream here, once.
func TestReplicaChangesAreInStreams(t *testing.T) {
	g := newGroup(t, 2, engine.Options{})
	g.table("tab")
	g.put(0, "tab", "a", 1)
	g.settle()
	g.put(0, "tab", "a", 2)
	g.put(1, "tab", "b", 3)
	g.settle()
	for i := range g.dbs {
		require.Equal(t, []string{"INSERT a", "MODIFY a", "INSERT b"}, sortedEvents(t, g.dbs[i]))
	}
}

func sortedEvents(t *testing.T, db *engine.DB) (events []string) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := db.Subscribe(ctx, &api.SubscribeInput{TableName: api.Some("tab"), StartingPosition: api.Some(api.StartTrimHorizon)}, func(out *api.SubscribeOutput) error {
		for _, r := range out.Records {
			events = append(events, r.EventName.Value+" "+string(r.Dynamodb.Keys.Get("id").Payload()))
		}
		if len(events) == 3 {
			cancel()
		}
		return nil
	})
	require.ErrorIs(t, err, context.Canceled)
	slices.SortStableFunc(events, func(a, b string) int { return strings.Compare(a[7:], b[7:]) })
	return events
}

// TestDisassociate: each side has what the other wrote, and both go on alone.
func TestDisassociate(t *testing.T) {
	g := newGroup(t, 2, engine.Options{})
	g.table("tab")
	g.ways[[2]int{0, 1}].gone.Store(true)
	g.put(0, "tab", "a", 1)
	g.put(1, "tab", "b", 2)
	name := api.Some("tab")
	_, err := g.dbs[1].UpdateTable(t.Context(), &api.UpdateTableInput{TableName: name, DisassociationProtectionEnabled: api.Some(false)})
	require.NoError(t, err)
	_, err = g.dbs[1].UpdateTable(t.Context(), &api.UpdateTableInput{TableName: name, ReplicaUpdates: []api.ReplicationGroupUpdate{{
		Disassociate: &api.DisassociateReplicationGroupMemberAction{
			RegionName: api.Some(regionOf(1)), DisassociationMode: api.Some("WAIT_FOR_REPLICATION"),
		},
	}}})
	require.NoError(t, err)
	require.NoError(t, g.dbs[1].Work(t.Context()))
	d, err := g.dbs[1].DescribeTable(t.Context(), &api.DescribeTableInput{TableName: name})
	require.NoError(t, err)
	require.Len(t, d.Table.Replicas, 1, "it waits for what the other wrote")
	g.ways[[2]int{0, 1}].gone.Store(false)
	g.settle()
	g.equal("tab")
	require.Len(t, g.all(0, "tab"), 2)
	g.put(0, "tab", "c", 3)
	g.settle()
	require.NotContains(t, g.all(1, "tab"), "c")
	for _, db := range g.dbs {
		d, err := db.DescribeTable(t.Context(), &api.DescribeTableInput{TableName: name})
		require.NoError(t, err)
		require.Empty(t, d.Table.Replicas)
		require.False(t, d.Table.GlobalTableVersion.Set)
	}
}

// TestReplicasSurviveARestart: what was written and not sent is sent after the database is opened again, and its file
// verifies.
func TestReplicasSurviveARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "one.keystone")
	other, err := engine.Open("", engine.Options{InMemory: true, NoBackground: true, Region: regionOf(1)})
	require.NoError(t, err)
	t.Cleanup(func() { _ = other.Close() })
	way := &away{Replicator: other}
	open := func() *engine.DB {
		db, err := engine.Open(path, engine.Options{NoBackground: true, Region: regionOf(0), Replicas: map[string]api.Replicator{regionOf(1): way}})
		require.NoError(t, err)
		require.NoError(t, other.Connect(regionOf(0), db))
		return db
	}
	g := &group{t: t, dbs: []*engine.DB{open(), other}}
	g.table("tab")
	way.gone.Store(true)
	for i := range 50 {
		g.put(0, "tab", fmt.Sprint(i), i)
	}
	require.NoError(t, g.dbs[0].Work(t.Context()))
	require.NoError(t, g.dbs[0].Close())
	report, err := engine.Verify(t.Context(), path, engine.VerifyOptions{})
	require.NoError(t, err)
	require.Empty(t, report.Faults)
	g.dbs[0] = open()
	defer func() { require.NoError(t, g.dbs[0].Close()) }()
	way.gone.Store(false)
	g.settle()
	g.equal("tab")
	require.Len(t, g.all(1, "tab"), 50)
}

// TestScaling: throughput follows what is consumed, between its bounds, in all replicas; reads in their own.
func TestScaling(t *testing.T) {
	var ms atomic.Int64
	ms.Store(1_800_000_000_000)
	g := newGroup(t, 2, engine.Options{Throttle: true, Clock: func() time.Time { return time.UnixMilli(ms.Load()) }})
	g.table("tab")
	name := api.Some("tab")
	units := func(read, write int64) *api.ProvisionedThroughput {
		return &api.ProvisionedThroughput{ReadCapacityUnits: api.Some(read), WriteCapacityUnits: api.Some(write)}
	}
	_, err := g.dbs[0].UpdateTable(t.Context(), &api.UpdateTableInput{
		TableName: name, BillingMode: api.Some("PROVISIONED"), ProvisionedThroughput: units(20, 10),
	})
	require.NoError(t, err)
	g.settle()
	policy := &api.AutoScalingSettingsUpdate{
		MinimumUnits: api.Some[int64](5), MaximumUnits: api.Some[int64](12),
		ScalingPolicyUpdate: &api.AutoScalingPolicyUpdate{
			TargetTrackingScalingPolicyConfiguration: &api.AutoScalingTargetTrackingScalingPolicyConfigurationUpdate{TargetValue: api.Some(50.0)},
		},
	}
	_, err = g.dbs[0].UpdateTableReplicaAutoScaling(t.Context(), &api.UpdateTableReplicaAutoScalingInput{
		TableName: name, ProvisionedWriteCapacityAutoScalingUpdate: policy,
		ReplicaUpdates: []api.ReplicaAutoScalingUpdate{{RegionName: api.Some(regionOf(1)), ReplicaProvisionedReadCapacityAutoScalingUpdate: policy}},
	})
	require.NoError(t, err)
	g.settle()
	has := func(i int) (read, write int64) {
		d, err := g.dbs[i].DescribeTable(t.Context(), &api.DescribeTableInput{TableName: name})
		require.NoError(t, err)
		return d.Table.ProvisionedThroughput.ReadCapacityUnits.Value, d.Table.ProvisionedThroughput.WriteCapacityUnits.Value
	}
	minute := func(writes int) {
		for i := range writes {
			g.put(0, "tab", "busy", i)
			ms.Add(60_000 / int64(writes))
		}
		ms.Add(60_000 - 60_000/int64(max(writes, 1))*int64(writes))
		g.settle()
	}
	minute(0) // begins the window
	minute(0)
	read, _ := has(1)
	require.Equal(t, int64(12), read, "what is above the bound comes down, where it is so")
	read, write := has(0)
	require.Equal(t, []int64{20, 10}, []int64{read, write})
	for range 3 {
		minute(360)
	}
	for i := range g.dbs {
		_, write := has(i)
		require.Equal(t, int64(12), write, "region %d", i)
	}
	for range 17 {
		minute(0)
	}
	for i := range g.dbs {
		_, write := has(i)
		require.Equal(t, int64(5), write, "region %d", i)
	}
	read, _ = has(0)
	require.Equal(t, int64(20), read, "what a replica has of its own stays there")
}
