package engine

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/vector"
)

const vectorDims = 5

// vectorTable defines the table of tests: pk and sk, and two indexes on v, one of all items that filters by
// f, and one by h.
func vectorTable(distance string) *api.CreateTableInput {
	define := func(name, typ string) api.AttributeDefinition {
		return api.AttributeDefinition{AttributeName: api.Some(name), AttributeType: api.Some(typ)}
	}
	element := func(name, typ string) api.SearchSchemaElement {
		return api.SearchSchemaElement{AttributeName: api.Some(name), SearchSchemaElementType: api.Some(typ)}
	}
	index := func(name string, p *api.Projection, s ...api.SearchSchemaElement) api.VectorIndex {
		return api.VectorIndex{
			IndexName: api.Some(name), VectorAttribute: &api.VectorAttributeDefinition{AttributeName: api.Some("v")},
			Dimensions: api.Some[int64](vectorDims), DistanceFunction: api.Some(distance), Projection: p, SearchSchema: s,
		}
	}
	return &api.CreateTableInput{
		TableName: api.Some("tab"), BillingMode: api.Some("PAY_PER_REQUEST"),
		KeySchema: []api.KeySchemaElement{
			{AttributeName: api.Some("pk"), KeyType: api.Some("HASH")}, {AttributeName: api.Some("sk"), KeyType: api.Some("RANGE")},
		},
		AttributeDefinitions: []api.AttributeDefinition{define("pk", "S"), define("sk", "N"), define("f", "N"), define("h", "S")},
		VectorIndexes: []api.VectorIndex{
			index("all", &api.Projection{ProjectionType: api.Some("ALL")}, element("f", "INLINE_FILTER")),
			index("byh", &api.Projection{ProjectionType: api.Some("KEYS_ONLY")}, element("h", "HASH"), element("f", "INLINE_FILTER")),
		},
	}
}

// vectorModel is a database with vectors beside a plain map.
type vectorModel struct {
	t     *testing.T
	rnd   *rand.Rand
	clock *modelClock
	path  string
	opts  Options
	db    *DB
	items map[[2]string]vectorItem
}

type vectorItem struct {
	item attr.Item
	v    []float32 // nil for none
	h    string    // "" for none
	f    int       // -1 for none
	ttl  int64     // 0 for none
}

func (m *vectorModel) open() {
	db, err := Open(m.path, m.opts)
	require.NoError(m.t, err)
	m.db = db
}

func (m *vectorModel) vector() []float32 {
	v := make([]float32, vectorDims)
	for i := range v {
		v[i] = float32(m.rnd.NormFloat64())
	}
	return v
}

func floatsOf(v []float32) attr.Value {
	var list []attr.Value
	for _, x := range v {
		n, err := attr.Number(strconv.FormatFloat(float64(x), 'g', -1, 32))
		if err != nil {
			panic(err)
		}
		list = append(list, n)
	}
	return attr.List(list...)
}

func (m *vectorModel) key() [2]string {
	return [2]string{"p" + strconv.Itoa(m.rnd.IntN(8)), strconv.Itoa(m.rnd.IntN(12))}
}

// draw makes an item at random.
func (m *vectorModel) draw(k [2]string) vectorItem {
	it := vectorItem{f: -1}
	b := attr.NewItem().S("pk", k[0]).N("sk", k[1]).S("other", strconv.Itoa(m.rnd.IntN(3)))
	if m.rnd.IntN(6) > 0 {
		it.v = m.vector()
		if m.rnd.IntN(2) == 0 {
			b.Vec("v", it.v...)
		} else {
			b.Value("v", floatsOf(it.v))
		}
	}
	if m.rnd.IntN(5) > 0 {
		it.h = "h" + strconv.Itoa(m.rnd.IntN(3))
		b.S("h", it.h)
	}
	if m.rnd.IntN(4) > 0 {
		it.f = m.rnd.IntN(3)
		b.Int("f", int64(it.f))
	}
	if m.rnd.IntN(5) == 0 {
		it.ttl = m.clock.ms.Load()/1000 + int64(m.rnd.IntN(40))
		b.Int("ttl", it.ttl)
	}
	var err error
	it.item, err = b.Build()
	require.NoError(m.t, err)
	return it
}

// write changes some items by one of the ways there are.
func (m *vectorModel) write() {
	ctx, table, k := m.t.Context(), api.Some("tab"), m.key()
	m.expire()
	it := m.draw(k)
	key := it.item.Project([]string{"pk", "sk"})
	switch m.rnd.IntN(9) {
	case 0, 1, 2:
		_, err := m.db.PutItem(ctx, &api.PutItemInput{TableName: table, Item: it.item})
		require.NoError(m.t, err)
		m.items[k] = it
	case 3:
		_, err := m.db.DeleteItem(ctx, &api.DeleteItemInput{TableName: table, Key: key})
		require.NoError(m.t, err)
		delete(m.items, k)
	case 4:
		m.update(k, key)
	case 5:
		other := [2]string{k[0], strconv.Itoa(100 + m.rnd.IntN(5))}
		second := m.draw(other)
		put := func(it vectorItem) api.WriteRequest {
			return api.WriteRequest{PutRequest: &api.PutRequest{Item: it.item}}
		}
		_, err := m.db.BatchWriteItem(ctx, &api.BatchWriteItemInput{RequestItems: []api.BatchWriteItemRequestMapEntry{
			{Key: "tab", Value: []api.WriteRequest{put(it), put(second)}},
		}})
		require.NoError(m.t, err)
		m.items[k], m.items[other] = it, second
	case 6:
		other := [2]string{k[0], strconv.Itoa(100 + m.rnd.IntN(5))}
		otherKey, err := attr.NewItem().S("pk", other[0]).N("sk", other[1]).Build()
		require.NoError(m.t, err)
		_, err = m.db.TransactWriteItems(ctx, &api.TransactWriteItemsInput{TransactItems: []api.TransactWriteItem{
			{Put: &api.Put{TableName: table, Item: it.item}}, {Delete: &api.Delete{TableName: table, Key: otherKey}},
		}})
		require.NoError(m.t, err)
		m.items[k] = it
		delete(m.items, other)
	default:
		m.statement(k)
	}
}

// update sets or removes the vector or h of an item, which need not be there.
func (m *vectorModel) update(k [2]string, key attr.Item) {
	in := &api.UpdateItemInput{TableName: api.Some("tab"), Key: key}
	it, there := m.items[k]
	if !there {
		it = vectorItem{f: -1}
	}
	switch m.rnd.IntN(3) {
	case 0:
		it.v = m.vector()
		in.UpdateExpression = api.Some("SET v = :v")
		in.ExpressionAttributeValues = []api.NamedValue{{Placeholder: ":v", Value: floatsOf(it.v)}}
	case 1:
		it.h = "h" + strconv.Itoa(m.rnd.IntN(3))
		in.UpdateExpression = api.Some("SET h = :h")
		in.ExpressionAttributeValues = []api.NamedValue{{Placeholder: ":h", Value: attr.String(it.h)}}
	case 2:
		it.v, it.h = nil, ""
		in.UpdateExpression = api.Some("REMOVE v, h")
	}
	in.ReturnValues = api.Some(api.ReturnValueAllNew)
	out, err := m.db.UpdateItem(m.t.Context(), in)
	require.NoError(m.t, err)
	if it.item = out.Attributes; it.item != nil {
		m.items[k] = it
	}
}

func (m *vectorModel) statement(k [2]string) {
	if _, there := m.items[k]; there {
		text := fmt.Sprintf("DELETE FROM tab WHERE pk = '%s' AND sk = %s", k[0], k[1])
		_, err := m.db.ExecuteStatement(m.t.Context(), &api.ExecuteStatementInput{Statement: api.Some(text)})
		require.NoError(m.t, err)
		delete(m.items, k)
		return
	}
	v := m.vector()
	text := fmt.Sprintf("INSERT INTO tab VALUE {'pk': '%s', 'sk': %s, 'v': ?, 'h': 'h1'}", k[0], k[1])
	_, err := m.db.ExecuteStatement(m.t.Context(), &api.ExecuteStatementInput{
		Statement: api.Some(text), Parameters: []attr.Value{floatsOf(v)},
	})
	require.NoError(m.t, err)
	item, err := attr.NewItem().S("pk", k[0]).N("sk", k[1]).Value("v", floatsOf(v)).S("h", "h1").Build()
	require.NoError(m.t, err)
	m.items[k] = vectorItem{item: item, v: v, h: "h1", f: -1}
}

// expire takes away what is past its time.
func (m *vectorModel) expire() {
	for k, it := range m.items {
		if it.ttl != 0 && it.ttl*1000 < m.clock.ms.Load() {
			delete(m.items, k)
		}
	}
}

// wanted are the results that there should be, nearest first, as printed keys and scores.
func (m *vectorModel) wanted(metric vector.Metric, q []float32, k int, keep func(vectorItem) bool) []string {
	type scored struct {
		label string
		rank  float64
	}
	var list []scored
	for at, it := range m.items {
		if it.v != nil && keep(it) {
			s := metric.Score(q, it.v)
			list = append(list, scored{fmt.Sprintf("%s/%s %.6f", at[0], at[1], s), metric.Rank(s)})
		}
	}
	slices.SortFunc(list, func(a, b scored) int { return cmp.Compare(a.rank, b.rank) })
	out := []string{}
	for _, s := range list[:min(k, len(list))] {
		out = append(out, s.label)
	}
	return out
}

// search compares a search of either index with the model.
func (m *vectorModel) search(metric vector.Metric) {
	m.expire()
	q, k := m.vector(), 1+m.rnd.IntN(12)
	h, f := "h"+strconv.Itoa(m.rnd.IntN(4)), m.rnd.IntN(4)
	in := &api.SearchVectorsInput{TableName: api.Some("tab"), TopK: api.Some(int64(k))}
	for r := range 3 {
		in.SearchVector = nil
		n := floatsOf(q)
		for e := attr.ListReader(n); e.Next(); {
			in.SearchVector = append(in.SearchVector, slices.Clone(e.Value()))
		}
		keep := func(vectorItem) bool { return true }
		in.IndexName, in.SearchConditionExpression, in.ExpressionAttributeValues = api.Some("all"), api.Opt[string]{}, nil
		hv := api.NamedValue{Placeholder: ":h", Value: attr.String(h)}
		fv := api.NamedValue{Placeholder: ":f", Value: attr.Int(int64(f))}
		switch {
		case r == 0:
		case m.rnd.IntN(2) == 0:
			in.SearchConditionExpression, in.ExpressionAttributeValues = api.Some("f = :f"), []api.NamedValue{fv}
			keep = func(it vectorItem) bool { return it.f == f }
		case m.rnd.IntN(2) == 0:
			in.IndexName, in.SearchConditionExpression = api.Some("byh"), api.Some("h = :h")
			in.ExpressionAttributeValues = []api.NamedValue{hv}
			keep = func(it vectorItem) bool { return it.h == h }
		default:
			in.IndexName, in.SearchConditionExpression = api.Some("byh"), api.Some("(h = :h) AND f >= :f")
			in.ExpressionAttributeValues = []api.NamedValue{fv, hv}
			keep = func(it vectorItem) bool { return it.h == h && it.f >= f }
		}
		out, err := m.db.SearchVectors(m.t.Context(), in)
		require.NoError(m.t, err)
		got := []string{}
		for _, r := range out.SearchResults {
			n := r.Item.Get("sk")
			got = append(got, fmt.Sprintf("%s/%s %.6f", r.Item.Get("pk").Text(), textOf(n), r.Score.Value))
			require.False(m.t, r.Item.Has("v"))
		}
		require.Equal(m.t, m.wanted(metric, q, k, keep), got, "%s %s", in.IndexName.Value, in.SearchConditionExpression.Value)
	}
}

func textOf(n attr.Value) string {
	v, _ := numberOf(n)
	return strconv.FormatInt(v, 10)
}

// TestVectorsModel: whatever is done to items, by whichever way, and whatever happens to the process, each
// search finds what looking at all items would find.
func TestVectorsModel(t *testing.T) {
	for metric, name := range map[vector.Metric]string{
		vector.Cosine: "COSINE", vector.Euclidean: "EUCLIDEAN", vector.Dot: "DOT_PRODUCT",
	} {
		t.Run(name, func(t *testing.T) {
			seed := uint64(metric)
			m := &vectorModel{t: t, rnd: rand.New(rand.NewPCG(seed, 9)), clock: newModelClock(), items: map[[2]string]vectorItem{}}
			m.path = filepath.Join(t.TempDir(), "db.keystone")
			m.opts = Options{Clock: m.clock.now, NoBackground: true, Sync: SyncOff, vectorsExact: 5, LogBytes: LogBytesMin}
			m.open()
			_, err := m.db.CreateTable(t.Context(), vectorTable(name))
			require.NoError(t, err)
			_, err = m.db.UpdateTimeToLive(t.Context(), &api.UpdateTimeToLiveInput{
				TableName:               api.Some("tab"),
				TimeToLiveSpecification: &api.TimeToLiveSpecification{AttributeName: api.Some("ttl"), Enabled: api.Some(true)},
			})
			require.NoError(t, err)
			steps := 80
			if os.Getenv("KSTONE_NIGHT") != "" {
				steps = 4000
			}
			for range steps {
				m.step(metric)
			}
			require.NoError(t, m.db.Work(t.Context()))
			m.search(metric)
			store := m.db.served.Load().store
			require.NoError(t, consistent(context.Background(), store, m.clock.now()))
			require.NoError(t, m.db.Close())
		})
	}
}

func (m *vectorModel) step(metric vector.Metric) {
	for range 1 + m.rnd.IntN(6) {
		m.write()
	}
	switch m.rnd.IntN(12) {
	case 0, 1, 2:
		require.NoError(m.t, m.db.Work(m.t.Context()))
	case 3:
		m.clock.ms.Add(int64(m.rnd.IntN(20_000)))
	case 4: // a process that ends, and another one
		require.NoError(m.t, m.db.Close())
		m.open()
	case 5: // one that goes without a word
		fork, err := m.db.Fork()
		require.NoError(m.t, err)
		was := m.db
		m.db = fork
		m.search(metric)
		require.NoError(m.t, fork.Close())
		m.db = was
	}
	m.search(metric)
}

// TestVectorBackfill: an index that is made of items that are there, among them some that it cannot hold;
// then it goes, and leaves nothing behind.
func TestVectorBackfill(t *testing.T) {
	d := openTest(t, Options{vectorsExact: 10})
	in := vectorTable("EUCLIDEAN")
	index := in.VectorIndexes[0]
	in.VectorIndexes = nil
	in.AttributeDefinitions = in.AttributeDefinitions[:2]
	_, err := d.CreateTable(t.Context(), in)
	require.NoError(t, err)
	put := func(b *attr.Builder) {
		_, err := d.PutItem(t.Context(), &api.PutItemInput{TableName: api.Some("tab"), Item: d.build(b)})
		require.NoError(t, err)
	}
	for i := range 700 {
		put(attr.NewItem().S("pk", strconv.Itoa(i)).N("sk", "1").Vec("v", float32(i), 0, 0, 0, 0).Int("f", int64(i%7)))
	}
	put(attr.NewItem().S("pk", "short").N("sk", "1").Vec("v", 1))
	put(attr.NewItem().S("pk", "text").N("sk", "1").S("v", "no vector"))
	put(attr.NewItem().S("pk", "none").N("sk", "1"))
	update := &api.UpdateTableInput{
		TableName:            api.Some("tab"),
		AttributeDefinitions: []api.AttributeDefinition{{AttributeName: api.Some("f"), AttributeType: api.Some("N")}},
		VectorIndexUpdates: []api.VectorIndexUpdate{{Create: &api.CreateVectorIndexAction{
			IndexName: index.IndexName, VectorAttribute: index.VectorAttribute, Dimensions: index.Dimensions,
			DistanceFunction: index.DistanceFunction, Projection: index.Projection, SearchSchema: index.SearchSchema,
		}}},
	}
	_, err = d.UpdateTable(t.Context(), update)
	require.NoError(t, err)
	search := func() (*api.SearchVectorsOutput, error) {
		return d.SearchVectors(t.Context(), searchOf("all", 3, "f = :f", []float32{350, 0, 0, 0, 0},
			api.NamedValue{Placeholder: ":f", Value: attr.Int(0)}))
	}
	_, err = search()
	requireError(t, err, api.Validation, "Cannot search backfilling vector index: all")
	require.NoError(t, d.Work(t.Context()))
	out, err := search()
	require.NoError(t, err)
	require.Len(t, out.SearchResults, 3)
	require.Equal(t, "350", out.SearchResults[0].Item.Get("pk").Text())
	require.InDelta(t, 7, out.SearchResults[2].Score.Value, 0)
	table, err := d.DescribeTable(t.Context(), &api.DescribeTableInput{TableName: api.Some("tab")})
	require.NoError(t, err)
	require.Equal(t, int64(700), table.Table.VectorIndexes[0].ItemCount.Value)
	require.Equal(t, "ACTIVE", table.Table.VectorIndexes[0].IndexStatus.Value)

	_, err = d.UpdateTable(t.Context(), &api.UpdateTableInput{
		TableName:          api.Some("tab"),
		VectorIndexUpdates: []api.VectorIndexUpdate{{Delete: &api.DeleteVectorIndexAction{IndexName: api.Some("all")}}},
	})
	require.NoError(t, err)
	_, err = search()
	requireError(t, err, api.Validation, "The table does not have the specified index: all")
	require.NoError(t, d.Work(t.Context()))
	table, err = d.DescribeTable(t.Context(), &api.DescribeTableInput{TableName: api.Some("tab")})
	require.NoError(t, err)
	require.Empty(t, table.Table.VectorIndexes)
	require.Len(t, table.Table.AttributeDefinitions, 2)
}

func searchOf(index string, k int64, condition string, q []float32, values ...api.NamedValue) *api.SearchVectorsInput {
	in := &api.SearchVectorsInput{
		TableName: api.Some("tab"), IndexName: api.Some(index), TopK: api.Some(k), ExpressionAttributeValues: values,
	}
	if condition != "" {
		in.SearchConditionExpression = api.Some(condition)
	}
	for e := attr.ListReader(floatsOf(q)); e.Next(); {
		in.SearchVector = append(in.SearchVector, slices.Clone(e.Value()))
	}
	return in
}

// TestVectorsAreRestored: a backup knows the indexes of vectors, and what is restored from it has them, or
// those that are asked for.
func TestVectorsAreRestored(t *testing.T) {
	d, _, _ := vectorDB(t)
	backup, err := d.CreateBackup(t.Context(), &api.CreateBackupInput{TableName: api.Some("tab"), BackupName: api.Some("kept")})
	require.NoError(t, err)
	require.NoError(t, d.Work(t.Context()))
	arn := backup.BackupDetails.BackupArn
	described, err := d.DescribeBackup(t.Context(), &api.DescribeBackupInput{BackupArn: arn})
	require.NoError(t, err)
	f := described.BackupDescription.SourceTableFeatureDetails
	require.Empty(t, f.GlobalSecondaryIndexes)
	require.Len(t, f.VectorIndexes, 1)
	require.Equal(t, "EUCLIDEAN", f.VectorIndexes[0].DistanceFunction.Value)

	restore := func(name string, change func(*api.RestoreTableFromBackupInput)) error {
		in := &api.RestoreTableFromBackupInput{BackupArn: arn, TargetTableName: api.Some(name)}
		change(in)
		_, err := d.RestoreTableFromBackup(t.Context(), in)
		require.NoError(t, d.Work(t.Context())) // one restore of a backup at a time
		return err
	}
	require.NoError(t, restore("again", func(*api.RestoreTableFromBackupInput) {}))
	require.NoError(t, restore("bare", func(in *api.RestoreTableFromBackupInput) { in.VectorIndexOverride = []api.VectorIndex{} }))
	ix := vectorTable("COSINE").VectorIndexes[0]
	require.Error(t, restore("other", func(in *api.RestoreTableFromBackupInput) { in.VectorIndexOverride = []api.VectorIndex{ix} }))
	ix = vectorTable("EUCLIDEAN").VectorIndexes[0]
	require.NoError(t, restore("same", func(in *api.RestoreTableFromBackupInput) { in.VectorIndexOverride = []api.VectorIndex{ix} }))
	requireError(t, restore("paid", func(in *api.RestoreTableFromBackupInput) {
		in.BillingModeOverride = api.Some("PROVISIONED")
		in.ProvisionedThroughputOverride = &api.ProvisionedThroughput{ReadCapacityUnits: api.Some[int64](1), WriteCapacityUnits: api.Some[int64](1)}
	}), api.Validation, api.MsgVectorBilling)
	require.NoError(t, d.Work(t.Context()))
	require.NoError(t, d.Work(t.Context()))
	for _, name := range []string{"again", "same"} {
		in := searchOf("all", 2, "", []float32{30.1, 0, 0, 0, 0})
		in.TableName = api.Some(name)
		out, err := d.SearchVectors(t.Context(), in)
		require.NoError(t, err, name)
		require.Equal(t, "30", out.SearchResults[0].Item.Get("pk").Text())
		require.Equal(t, "31", out.SearchResults[1].Item.Get("pk").Text())
	}
	table, err := d.DescribeTable(t.Context(), &api.DescribeTableInput{TableName: api.Some("bare")})
	require.NoError(t, err)
	require.Equal(t, int64(60), table.Table.ItemCount.Value)
	require.Empty(t, table.Table.VectorIndexes)
}
