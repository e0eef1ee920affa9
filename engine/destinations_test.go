package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/storage/memstore"
)

// sink is a place for data streams in memory.
type sink struct {
	mu      sync.Mutex
	checks  map[string]error
	fail    error
	records []DataStreamRecord
}

func (s *sink) Check(_ context.Context, arn string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err, ok := s.checks[arn]
	if !ok {
		return ErrNoDataStream
	}
	return err
}

func (s *sink) Put(_ context.Context, _ string, records []DataStreamRecord) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	s.records = append(s.records, records...)
	return nil
}

// told is what came: event, key, and the value of the new image.
func (s *sink) told() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []string
	for _, r := range s.records {
		var change struct {
			EventName string
			Dynamodb  struct {
				Keys, NewImage map[string]map[string]string
			}
		}
		if err := json.Unmarshal(r.Data, &change); err != nil {
			return err.Error()
		}
		lines = append(lines, fmt.Sprintf("%s %s %s", change.EventName, change.Dynamodb.Keys["pk"]["S"], change.Dynamodb.NewImage["v"]["S"]))
	}
	s.records = nil
	return strings.Join(lines, "\n")
}

const (
	streamOne = "arn:aws:kinesis:us-east-1:123456789012:stream/one"
	streamTwo = "arn:aws:kinesis:us-east-1:123456789012:stream/two"
)

func (d *testDB) enableKinesis(arn string) error {
	_, err := d.EnableKinesisStreamingDestination(d.t.Context(), &api.EnableKinesisStreamingDestinationInput{
		TableName: api.Some("orders"), StreamArn: api.Some(arn),
	})
	return err
}

func (d *testDB) disableKinesis(arn string) error {
	_, err := d.DisableKinesisStreamingDestination(d.t.Context(), &api.DisableKinesisStreamingDestinationInput{
		TableName: api.Some("orders"), StreamArn: api.Some(arn),
	})
	return err
}

func (d *testDB) updateKinesis(arn, precision string) error {
	_, err := d.UpdateKinesisStreamingDestination(d.t.Context(), &api.UpdateKinesisStreamingDestinationInput{
		TableName: api.Some("orders"), StreamArn: api.Some(arn),
		UpdateKinesisStreamingConfiguration: &api.UpdateKinesisStreamingConfiguration{ApproximateCreationDateTimePrecision: api.Some(precision)},
	})
	return err
}

// destinations are the streams with their states.
func (d *testDB) destinations() string {
	d.t.Helper()
	out, err := d.DescribeKinesisStreamingDestination(d.t.Context(), &api.DescribeKinesisStreamingDestinationInput{TableName: api.Some("orders")})
	require.NoError(d.t, err)
	var lines []string
	for _, k := range out.KinesisDataStreamDestinations {
		words := []string{k.StreamArn.Value[strings.LastIndex(k.StreamArn.Value, "/")+1:], k.DestinationStatus.Value}
		for _, more := range []api.Opt[string]{k.ApproximateCreationDateTimePrecision, k.DestinationStatusDescription} {
			if more.Set {
				words = append(words, more.Value)
			}
		}
		lines = append(lines, strings.Join(words, " "))
	}
	return strings.Join(lines, ", ")
}

func TestDestinationStates(t *testing.T) {
	s := &sink{checks: map[string]error{streamOne: nil, streamTwo: nil}}
	d, ctx := openTest(t, Options{DataStreams: s, TableDelay: time.Second}), t.Context()
	d.orders()
	requireError(t, d.enableKinesis(streamOne), api.ResourceInUse, fmt.Sprintf(api.MsgTableBusy, "created", "orders"))
	d.clock.add(time.Second)
	require.Empty(t, d.destinations())
	busy := func() {
		requireError(t, d.enableKinesis(streamOne), api.Validation, api.MsgKinesisBusy)
		requireError(t, d.enableKinesis(streamTwo), api.Validation, api.MsgKinesisBusy)
	}
	idle := func() {
		requireError(t, d.disableKinesis(streamOne), api.Validation, api.MsgKinesisDisable)
		requireError(t, d.updateKinesis(streamOne, "MICROSECOND"), api.Validation, fmt.Sprintf(api.MsgKinesisUpdateState, "orders"))
	}
	requireError(t, d.disableKinesis(streamOne), api.Validation, api.MsgKinesisDisable)
	requireError(t, d.updateKinesis(streamOne, "MICROSECOND"), api.Validation, fmt.Sprintf(api.MsgKinesisUpdateAbsent, streamOne, "orders"))

	d.put(item1("before", "1"))
	require.NoError(t, d.enableKinesis(streamOne))
	require.NoError(t, d.Work(ctx))
	require.Equal(t, "one ENABLING", d.destinations())
	busy()
	idle()
	d.clock.add(time.Second)
	require.NoError(t, d.Work(ctx))
	require.Equal(t, "one ACTIVE", d.destinations())
	busy()
	d.put(item1("a", "1"))
	d.put(item1("a", "2"))
	require.NoError(t, d.Work(ctx))
	require.Equal(t, "INSERT a 1\nMODIFY a 2", s.told())

	table, err := d.served.Load().catalog.Lookup(ctx, "orders")
	require.NoError(t, err)
	requireError(t, d.updateKinesis(streamOne, "MILLISECOND"), api.Validation, fmt.Sprintf(api.MsgKinesisUpdateSame, "MILLISECOND", table.UUID, streamOne))
	require.NoError(t, d.updateKinesis(streamOne, "MICROSECOND"))
	require.Equal(t, "one UPDATING MICROSECOND", d.destinations())
	busy()
	idle()
	d.clock.add(time.Second + 7*time.Microsecond)
	require.Equal(t, "one ACTIVE MICROSECOND", d.destinations())
	d.put(item1("a", "3"))
	require.NoError(t, d.Work(ctx))
	require.Contains(t, string(s.records[0].Data), fmt.Sprintf(`{"ApproximateCreationDateTime":%d,`, d.clock.Now().UnixMicro()))
	require.Equal(t, "MODIFY a 3", s.told())

	// What was written before is delivered, and nothing that comes later.
	d.put(item1("a", "4"))
	require.NoError(t, d.disableKinesis(streamOne))
	require.NoError(t, d.disableKinesis(streamOne), "again")
	require.Equal(t, "one DISABLING MICROSECOND", d.destinations())
	busy()
	d.clock.add(time.Second)
	require.NoError(t, d.Work(ctx))
	require.Equal(t, "one DISABLED MICROSECOND", d.destinations())
	idle()
	d.put(item1("a", "5"))
	require.NoError(t, d.Work(ctx))
	require.Equal(t, "MODIFY a 4", s.told())
	require.Empty(t, d.served.Load().catalog.Feeds())

	require.NoError(t, d.enableKinesis(streamTwo))
	d.clock.add(time.Second)
	require.NoError(t, d.Work(ctx))
	require.Equal(t, "two ACTIVE, one DISABLED MICROSECOND", d.destinations())
	requireError(t, d.enableKinesis(streamOne), api.Validation, api.MsgKinesisBusy)
	require.NoError(t, d.disableKinesis(streamTwo))
	d.clock.add(time.Second)
	require.NoError(t, d.Work(ctx))
	require.NoError(t, d.enableKinesis(streamOne))
	d.clock.add(time.Second)
	require.NoError(t, d.Work(ctx))
	require.Equal(t, "two DISABLED, one ACTIVE", d.destinations(), "without the precision of before")
}

// TestDestinationsThatFail: nothing is said to be enabled that nothing can be delivered to.
func TestDestinationsThatFail(t *testing.T) {
	none := openTest(t, Options{})
	none.orders()
	require.NoError(t, none.enableKinesis(streamOne))
	require.Equal(t, "one ENABLING", none.destinations())
	require.NoError(t, none.Work(t.Context()))
	require.Equal(t, "one ENABLE_FAILED "+api.KinesisNoStream, none.destinations())

	away := errors.New("away")
	s := &sink{checks: map[string]error{streamTwo: ErrDataStreamNotActive, streamOne: away}}
	d, ctx := openTest(t, Options{DataStreams: s}), t.Context()
	d.orders()
	for arn, want := range map[string]string{
		streamTwo: api.KinesisNotActive,
		"arn:aws:kinesis:us-east-1:123456789012:stream/three":  api.KinesisNoStream,
		"arn:aws:kinesis:eu-west-1:123456789012:stream/one":    api.KinesisRegion,
		"arn:aws:dynamodb:us-east-1:123456789012:table/orders": api.KinesisNoStream,
	} {
		require.NoError(t, d.enableKinesis(arn))
		require.NoError(t, d.Work(ctx))
		require.Regexp(t, "^[a-z]+ ENABLE_FAILED "+want, d.destinations())
	}
	require.NoError(t, d.enableKinesis(streamOne))
	require.NoError(t, d.Work(ctx))
	require.Regexp(t, "^one ENABLING", d.destinations())
	d.clock.add(enableWait)
	require.NoError(t, d.Work(ctx))
	require.Regexp(t, "^one ENABLE_FAILED", d.destinations())
	s.checks[streamOne] = nil
	require.NoError(t, d.enableKinesis(streamOne))
	require.NoError(t, d.Work(ctx))
	require.Regexp(t, "one ACTIVE", d.destinations())

	// One that takes nothing is disabled all the same, after a while.
	s.fail = away
	d.put(item1("a", "1"))
	require.ErrorIs(t, d.Work(ctx), away)
	require.NoError(t, d.disableKinesis(streamOne))
	require.ErrorIs(t, d.Work(ctx), away)
	require.Regexp(t, "one DISABLING", d.destinations())
	d.clock.add(disableWait)
	require.NoError(t, d.Work(ctx))
	require.Regexp(t, "one DISABLED", d.destinations())
}

// TestDestinationsGoOn: what was not delivered when the process ended is delivered by the next one, with the
// ids of before.
func TestDestinationsGoOn(t *testing.T) {
	store, err := memstore.Open(memstore.Options{})
	require.NoError(t, err)
	c, s := newClock(time.Unix(1_800_000_000, 0)), &sink{checks: map[string]error{streamOne: nil}}
	open := func() *testDB {
		db, err := OpenStore(store, Options{NoBackground: true, Clock: c.Now, DataStreams: s})
		require.NoError(t, err)
		return &testDB{DB: db, t: t, clock: c}
	}
	d, ctx := open(), t.Context()
	d.orders()
	require.NoError(t, d.enableKinesis(streamOne))
	require.NoError(t, d.Work(ctx))
	d.put(item1("a", "1"))
	require.NoError(t, d.Work(ctx))
	first := s.records
	require.Equal(t, "INSERT a 1", s.told())
	s.fail = errors.New("away")
	d.put(item1("a", "2"))
	require.ErrorIs(t, d.Work(ctx), s.fail)

	d, s.fail = open(), nil
	d.put(item1("a", "3"))
	require.NoError(t, d.Work(ctx))
	require.Equal(t, first[0].PartitionKey, s.records[0].PartitionKey)
	require.Equal(t, "MODIFY a 2\nMODIFY a 3", s.told())
	require.NoError(t, consistent(ctx, store, c.Now()))

	// A table that is deleted has what was written before delivered, over restarts and for some time.
	remove := func() {
		t.Helper()
		_, err = d.DeleteTable(ctx, &api.DeleteTableInput{TableName: api.Some("orders")})
		require.NoError(t, err)
	}
	tables := func() []string {
		t.Helper()
		out, err := d.ListTables(ctx, &api.ListTablesInput{})
		require.NoError(t, err)
		return out.TableNames
	}
	d.put(item1("a", "4"))
	s.fail = errors.New("away")
	remove()
	_ = d.Work(ctx)
	require.Equal(t, []string{"orders"}, tables())
	require.Equal(t, "one DISABLING", d.destinations())
	c.add(time.Hour)
	d = open()
	_ = d.Work(ctx)
	require.Equal(t, []string{"orders"}, tables(), "it has its time anew")
	_, err = d.PutItem(ctx, &api.PutItemInput{TableName: api.Some("orders"), Item: d.build(item1("a", "5"))})
	requireCode(t, err, api.ResourceNotFound)
	s.fail = nil
	require.NoError(t, d.Work(ctx))
	require.Equal(t, "MODIFY a 4", s.told())
	require.Empty(t, tables())
	require.NoError(t, consistent(ctx, store, c.Now()))

	d.orders()
	require.NoError(t, d.enableKinesis(streamOne))
	require.NoError(t, d.Work(ctx))
	d.put(item1("a", "5"))
	s.fail = errors.New("away for long")
	remove()
	_ = d.Work(ctx)
	require.Equal(t, []string{"orders"}, tables())
	c.add(disableWait)
	_ = d.Work(ctx)
	require.Empty(t, tables())
	require.NoError(t, d.Work(ctx))
	require.NoError(t, consistent(ctx, store, c.Now()))
}

// TestCopiesDeliverNothing: forks, restored backups and copies of the closed file leave the data streams to the
// database that they are copies of, until a destination is enabled there. That database goes on with them wherever
// its file is moved to and whatever it is encrypted with.
func TestCopiesDeliverNothing(t *testing.T) {
	dir, s := t.TempDir(), &sink{checks: map[string]error{streamOne: nil}}
	c, ctx := newClock(time.Unix(1_800_000_000, 0)), t.Context()
	path := func(name string) string { return filepath.Join(dir, name) }
	var key []byte
	open := func(name string) *testDB {
		t.Helper()
		db, err := Open(path(name), Options{NoBackground: true, Clock: c.Now, DataStreams: s, EncryptionKey: key})
		require.NoError(t, err)
		return &testDB{DB: db, t: t, clock: c}
	}
	version := 0
	delivers := func(d *testDB, want bool) {
		t.Helper()
		version++
		v := strconv.Itoa(version)
		d.put(item1("a", v))
		require.NoError(t, d.Work(ctx))
		if want {
			require.Equal(t, "one ACTIVE", d.destinations())
			require.Equal(t, "MODIFY a "+v, s.told())
			return
		}
		require.Equal(t, "one DISABLED "+msgDestinationCopied, d.destinations())
		require.Empty(t, s.told())
		table := d.served.Load().catalog.Cached("orders")
		require.Nil(t, table.Feed, "nothing is kept for it")
	}
	d := open("db")
	d.orders()
	d.put(item1("a", "0"))
	require.NoError(t, d.enableKinesis(streamOne))
	require.NoError(t, d.Work(ctx))
	delivers(d, true)

	fork, err := d.Fork()
	require.NoError(t, err)
	delivers(&testDB{DB: fork, t: t, clock: c}, false)
	require.NoError(t, fork.Close())
	_, err = d.Backup(ctx, path("backup"), BackupOptions{})
	require.NoError(t, err)
	_, err = RestoreBackups(ctx, path("restored"), []string{path("backup")}, RestoreOptions{})
	require.NoError(t, err)
	require.NoError(t, d.Close())
	bytes, err := os.ReadFile(path("db"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path("copied"), bytes, 0o600))
	for _, name := range []string{"backup", "restored", "copied"} {
		d = open(name)
		delivers(d, false)
		require.NoError(t, d.Close())
		d = open(name)
		delivers(d, false)
		require.NoError(t, d.Close())
	}
	d = open("copied")
	require.NoError(t, d.enableKinesis(streamOne))
	require.NoError(t, d.Work(ctx))
	delivers(d, true)
	require.NoError(t, d.Close())

	d = open("db")
	delivers(d, true)
	require.NoError(t, d.Close())
	require.NoError(t, os.Rename(path("db"), path("moved")))
	require.NoError(t, os.Symlink(path("moved"), path("linked")))
	newKey := bytes[:EncryptionKeyBytes]
	for _, name := range []string{"moved", "linked", "moved"} {
		d = open(name)
		delivers(d, true)
		require.NoError(t, d.Close())
	}
	require.NoError(t, Reencrypt(ctx, path("moved"), RekeyOptions{NewKey: slices.Clone(newKey)}))
	key = newKey
	d = open("moved")
	delivers(d, true)
	require.NoError(t, d.Close())
}

// TestRefusedRecordsHoldNothingUp: what a data stream will never take is counted, and what follows is delivered.
func TestRefusedRecordsHoldNothingUp(t *testing.T) {
	s := &sink{checks: map[string]error{streamOne: nil}}
	d, ctx := openTest(t, Options{DataStreams: s}), t.Context()
	d.orders()
	require.NoError(t, d.enableKinesis(streamOne))
	require.NoError(t, d.Work(ctx))
	d.put(item1("a", "1"))
	s.fail = &DataStreamRefused{Records: []int{0}, Err: errors.New("too large")}
	require.NoError(t, d.Work(ctx))
	s.fail = nil
	d.put(item1("a", "2"))
	require.NoError(t, d.Work(ctx))
	require.Equal(t, "MODIFY a 2", s.told())
	stats := d.served.Load().consumerStats()
	require.Len(t, stats, 1)
	require.Equal(t, []uint64{2, 1}, []uint64{stats[0].Passed, stats[0].Refused})
	shown := string((&Stats{Consumers: stats}).AppendPrometheus(nil))
	require.Contains(t, shown, `kstone_consumer_refused_records{consumer="orders/kinesis/`+streamOne+`"} 1`)
}

// BenchmarkPutWithDestination is a put that replaces an item of 400 bytes, in memory: alone, with a stream of both
// images, and with a data stream that takes all at once and works on the same processors.
func BenchmarkPutWithDestination(b *testing.B) {
	for _, with := range []string{"nothing", "stream", "destination"} {
		b.Run(with, func(b *testing.B) {
			s := &sink{checks: map[string]error{streamOne: nil}, fail: &DataStreamRefused{}}
			db, err := OpenInMemory(Options{DataStreams: s})
			require.NoError(b, err)
			defer func() { require.NoError(b, db.Close()) }()
			_, err = db.CreateTable(b.Context(), &api.CreateTableInput{
				TableName: api.Some("orders"), BillingMode: api.Some(api.BillingModePayPerRequest),
				KeySchema:            []api.KeySchemaElement{{AttributeName: api.Some("pk"), KeyType: api.Some("HASH")}},
				AttributeDefinitions: []api.AttributeDefinition{{AttributeName: api.Some("pk"), AttributeType: api.Some("S")}},
			})
			require.NoError(b, err)
			switch with {
			case "stream":
				_, err = db.UpdateTable(b.Context(), &api.UpdateTableInput{
					TableName: api.Some("orders"), StreamSpecification: &api.StreamSpecification{
						StreamEnabled: api.Some(true), StreamViewType: api.Some(api.StreamViewTypeNewAndOldImages),
					},
				})
				require.NoError(b, err)
			case "destination":
				in := &api.EnableKinesisStreamingDestinationInput{TableName: api.Some("orders"), StreamArn: api.Some(streamOne)}
				_, err = db.EnableKinesisStreamingDestination(b.Context(), in)
				require.NoError(b, err)
				require.NoError(b, db.Work(b.Context()))
			}
			var items []attr.Item
			for i := range 2000 { // a put of what is there already would be no change
				it, err := item1(fmt.Sprint(i%1000), strings.Repeat(string(rune('x'+i/1000)), 370)).Build()
				require.NoError(b, err)
				items = append(items, it)
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i++
				if _, err := db.PutItem(b.Context(), &api.PutItemInput{TableName: api.Some("orders"), Item: items[i%len(items)]}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
