package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// events creates a table with pk and sk whose stream has that view.
func (d *testDB) events(view string) (arn string) {
	d.t.Helper()
	d.orders()
	return d.enable(view)
}

func (d *testDB) enable(view string) (arn string) {
	d.t.Helper()
	out, err := d.setStream(true, view)
	require.NoError(d.t, err)
	require.NotEmpty(d.t, out.TableDescription.LatestStreamArn.Value)
	return out.TableDescription.LatestStreamArn.Value
}

func (d *testDB) disable() {
	d.t.Helper()
	_, err := d.setStream(false, "")
	require.NoError(d.t, err)
}

func (d *testDB) setStream(on bool, view string) (*api.UpdateTableOutput, error) {
	spec := &api.StreamSpecification{StreamEnabled: api.Some(on)}
	if view != "" {
		spec.StreamViewType = api.Some(view)
	}
	return d.UpdateTable(context.Background(), &api.UpdateTableInput{
		TableName: api.Some("orders"), StreamSpecification: spec,
	})
}

func (d *testDB) remove(pk, sk string) {
	d.t.Helper()
	_, err := d.DeleteItem(context.Background(), &api.DeleteItemInput{
		TableName: api.Some("orders"), Key: d.build(attr.NewItem().S("pk", pk).N("sk", sk)),
	})
	require.NoError(d.t, err)
}

func (d *testDB) describeStream(arn string) *api.StreamDescription {
	d.t.Helper()
	out, err := d.DescribeStream(context.Background(), &api.DescribeStreamInput{StreamArn: api.Some(arn)})
	require.NoError(d.t, err)
	return out.StreamDescription
}

func (d *testDB) iterator(arn, shard, typ, sequence string) (string, error) {
	in := &api.GetShardIteratorInput{
		StreamArn: api.Some(arn), ShardId: api.Some(shard), ShardIteratorType: api.Some(typ),
	}
	if sequence != "" {
		in.SequenceNumber = api.Some(sequence)
	}
	out, err := d.GetShardIterator(context.Background(), in)
	if err != nil {
		return "", err
	}
	return out.ShardIterator.Value, nil
}

func (d *testDB) records(iterator string, limit int64) (*api.GetRecordsOutput, error) {
	in := &api.GetRecordsInput{ShardIterator: api.Some(iterator)}
	if limit > 0 {
		in.Limit = api.Some(limit)
	}
	return d.GetRecords(context.Background(), in)
}

// all reads everything that a stream holds, shard by shard.
func (d *testDB) all(arn string) []api.Record {
	d.t.Helper()
	var records []api.Record
	for _, sh := range d.describeStream(arn).Shards {
		it, err := d.iterator(arn, sh.ShardId.Value, api.ShardIteratorTypeTrimHorizon, "")
		require.NoError(d.t, err)
		for it != "" {
			out, err := d.records(it, 0)
			require.NoError(d.t, err)
			records = append(records, out.Records...)
			if it = out.NextShardIterator.Value; len(out.Records) == 0 {
				break
			}
		}
	}
	return records
}

// tell writes records as lines: event, sort key, and v of the images.
func tell(records []api.Record) string {
	var lines []string
	image := func(it attr.Item) string {
		switch {
		case it == nil:
			return "-"
		case !it.Has("v"):
			return "."
		}
		return it.Get("v").Text()
	}
	for _, r := range records {
		line := r.EventName.Value + " " + r.Dynamodb.Keys.Get("pk").Text() + " " +
			image(r.Dynamodb.OldImage) + " " + image(r.Dynamodb.NewImage)
		if r.UserIdentity != nil {
			line += " by " + r.UserIdentity.PrincipalId.Value + " " + r.UserIdentity.Type.Value
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func item1(pk, v string) *attr.Builder { return attr.NewItem().S("pk", pk).N("sk", "1").S("v", v) }

// TestStreamViews: what each view keeps of an insertion, a change and a removal.
func TestStreamViews(t *testing.T) {
	for view, want := range map[string]string{
		"KEYS_ONLY":          "INSERT a - -\nMODIFY a - -\nREMOVE a - -",
		"NEW_IMAGE":          "INSERT a - 1\nMODIFY a - 2\nREMOVE a - -",
		"OLD_IMAGE":          "INSERT a - -\nMODIFY a 1 -\nREMOVE a 2 -",
		"NEW_AND_OLD_IMAGES": "INSERT a - 1\nMODIFY a 1 2\nREMOVE a 2 -",
	} {
		t.Run(view, func(t *testing.T) {
			d := openTest(t, Options{})
			arn := d.events(view)
			d.put(item1("a", "1"))
			d.put(item1("a", "2"))
			d.remove("a", "1")
			records := d.all(arn)
			require.Equal(t, want, tell(records))
			for _, r := range records {
				require.Equal(t, view, r.Dynamodb.StreamViewType.Value)
				require.Equal(t, 2, r.Dynamodb.Keys.Count())
			}
		})
	}
}

// TestStreamRecord: the members of one record (wire-facts §7.4).
func TestStreamRecord(t *testing.T) {
	d := openTest(t, Options{Region: "eu-west-1"})
	arn := d.events("NEW_AND_OLD_IMAGES")
	d.clock.add(999 * time.Millisecond)
	d.put(item1("a", "12345"))
	first, second := d.all(arn), d.all(arn)
	require.Equal(t, first, second, "reading again gives the same")
	r := first[0]
	require.Regexp(t, "^[0-9a-f]{32}$", r.EventID.Value)
	require.Equal(t, "1.1", r.EventVersion.Value)
	require.Equal(t, "aws:dynamodb", r.EventSource.Value)
	require.Equal(t, "eu-west-1", r.AwsRegion.Value)
	require.Nil(t, r.UserIdentity)
	require.Equal(t, d.clock.Now().Unix(), r.Dynamodb.ApproximateCreationDateTime.Value.Unix())
	require.Zero(t, r.Dynamodb.ApproximateCreationDateTime.Value.Nanosecond())
	require.Regexp(t, "^[0-9]{21,40}$", r.Dynamodb.SequenceNumber.Value)
	// Keys: pk 2+1, sk 2+2; the image has them and v 1+5.
	require.Equal(t, int64(7+13), r.Dynamodb.SizeBytes.Value)
}

// TestStreamNothingChanged: a write that changes nothing has no record.
func TestStreamNothingChanged(t *testing.T) {
	d := openTest(t, Options{})
	arn := d.events("NEW_AND_OLD_IMAGES")
	d.put(item1("a", "1").N("n", "1.50").Ts("at", 5))
	before := len(d.all(arn))
	d.put(item1("a", "1").N("n", "1.5").Ts("at", 5))
	d.put(item1("a", "1").N("n", "15e-1").N("at", "5"))
	d.remove("b", "1")
	_, err := d.UpdateItem(context.Background(), &api.UpdateItemInput{
		TableName: api.Some("orders"), Key: d.build(attr.NewItem().S("pk", "a").N("sk", "1")),
		UpdateExpression:          api.Some("SET v = :v"),
		ExpressionAttributeValues: []api.NamedValue{{Placeholder: ":v", Value: attr.String("1")}},
	})
	require.NoError(t, err)
	require.Equal(t, 1, before)
	require.Len(t, d.all(arn), before)
}

// TestStreamOfBatches: one record a changed item, none for a check, all in order.
func TestStreamOfBatches(t *testing.T) {
	d, ctx := openTest(t, Options{}), context.Background()
	arn := d.events("NEW_AND_OLD_IMAGES")
	write := func(pk, v string) api.WriteRequest {
		return api.WriteRequest{PutRequest: &api.PutRequest{Item: d.build(item1(pk, v))}}
	}
	key := func(pk string) attr.Item { return d.build(attr.NewItem().S("pk", pk).N("sk", "1")) }
	_, err := d.BatchWriteItem(ctx, &api.BatchWriteItemInput{RequestItems: []api.BatchWriteItemRequestMapEntry{
		{Key: "orders", Value: []api.WriteRequest{write("a", "1"), write("b", "1"), {
			DeleteRequest: &api.DeleteRequest{Key: key("missing")},
		}}},
	}})
	require.NoError(t, err)
	_, err = d.TransactWriteItems(ctx, &api.TransactWriteItemsInput{TransactItems: []api.TransactWriteItem{
		{Put: &api.Put{TableName: api.Some("orders"), Item: d.build(item1("a", "2"))}},
		{ConditionCheck: &api.ConditionCheck{
			TableName: api.Some("orders"), Key: key("c"), ConditionExpression: api.Some("attribute_not_exists(pk)"),
		}},
		{Delete: &api.Delete{TableName: api.Some("orders"), Key: key("b")}},
		{Delete: &api.Delete{TableName: api.Some("orders"), Key: key("missing")}},
	}})
	require.NoError(t, err)
	records := d.all(arn)
	require.Equal(t, "INSERT a - 1\nINSERT b - 1\nMODIFY a 1 2\nREMOVE b 1 -", tell(records))
	for i := 1; i < len(records); i++ {
		require.Less(t, records[i-1].Dynamodb.SequenceNumber.Value, records[i].Dynamodb.SequenceNumber.Value)
		require.NotEqual(t, records[i-1].EventID.Value, records[i].EventID.Value)
	}
}

// TestStreamOfExpiredItem: a write that meets an expired item finds it swept.
func TestStreamOfExpiredItem(t *testing.T) {
	d, ctx := openTest(t, Options{}), context.Background()
	arn := d.events("NEW_AND_OLD_IMAGES")
	_, err := d.UpdateTimeToLive(ctx, &api.UpdateTimeToLiveInput{
		TableName: api.Some("orders"), TimeToLiveSpecification: &api.TimeToLiveSpecification{
			AttributeName: api.Some("end"), Enabled: api.Some(true),
		},
	})
	require.NoError(t, err)
	end := fmt.Sprint(d.clock.Now().Unix() + 1)
	d.put(item1("a", "1").N("end", end))
	d.put(item1("b", "1").N("end", end))
	d.clock.add(time.Minute)
	d.put(item1("a", "1"))
	d.remove("b", "1")
	const service = " by dynamodb.amazonaws.com Service"
	require.Equal(t, "INSERT a - 1\nINSERT b - 1\nREMOVE a 1 -"+service+"\nINSERT a - 1\nREMOVE b 1 -"+service,
		tell(d.all(arn)))
}

// TestShardIterators: the four types, and reading on.
func TestShardIterators(t *testing.T) {
	d := openTest(t, Options{})
	arn := d.events("NEW_IMAGE")
	for i := range 5 {
		d.put(item1("a", fmt.Sprint(i)))
	}
	all := d.all(arn)
	require.Len(t, all, 5)
	shard := d.describeStream(arn).Shards[0]
	require.False(t, shard.SequenceNumberRange.EndingSequenceNumber.Set)
	id, third := shard.ShardId.Value, all[2].Dynamodb.SequenceNumber.Value
	require.Regexp(t, "^shardId-[0-9]{20}-[0-9a-f]{8}$", id)
	for _, c := range []struct {
		typ, sequence, want string
	}{
		{"TRIM_HORIZON", "", "01234"},
		{"LATEST", "", "5"},
		{"AT_SEQUENCE_NUMBER", third, "234"},
		{"AFTER_SEQUENCE_NUMBER", third, "34"},
		{"AT_SEQUENCE_NUMBER", shard.SequenceNumberRange.StartingSequenceNumber.Value, "01234"},
	} {
		t.Run(c.typ, func(t *testing.T) {
			it, err := d.iterator(arn, id, c.typ, c.sequence)
			require.NoError(t, err)
			if c.typ == "LATEST" {
				out, err := d.records(it, 0)
				require.NoError(t, err)
				require.Empty(t, out.Records)
				d.put(item1("a", "5"))
				defer d.put(item1("a", "4"))
			}
			var got strings.Builder
			for range 5 {
				out, err := d.records(it, 2)
				require.NoError(t, err)
				require.LessOrEqual(t, len(out.Records), 2)
				for _, r := range out.Records {
					got.WriteString(r.Dynamodb.NewImage.Get("v").Text())
				}
				it = out.NextShardIterator.Value
				require.NotEmpty(t, it, "an open shard always goes on")
			}
			require.True(t, strings.HasPrefix(got.String(), c.want), got.String())
		})
	}
}

// TestGetRecordsCount: a page holds 1,000 records at most, without a Limit too.
func TestGetRecordsCount(t *testing.T) {
	const records = 1001
	d := openTest(t, Options{})
	arn := d.events("KEYS_ONLY")
	for i := range records {
		d.put(item1(fmt.Sprint(i), ""))
	}
	it, err := d.iterator(arn, d.describeStream(arn).Shards[0].ShardId.Value, "TRIM_HORIZON", "")
	require.NoError(t, err)
	for _, limit := range []int64{0, 1000} {
		page, err := d.records(it, limit)
		require.NoError(t, err)
		require.Len(t, page.Records, 1000)
		page, err = d.records(page.NextShardIterator.Value, limit)
		require.NoError(t, err)
		require.Len(t, page.Records, records-1000)
	}
}

// TestGetRecordsBytes: a page ends before 1 MB, but holds at least one record.
func TestGetRecordsBytes(t *testing.T) {
	d := openTest(t, Options{})
	arn := d.events("NEW_AND_OLD_IMAGES")
	big := strings.Repeat("x", 300_000)
	for i := range 5 {
		d.put(item1("a", fmt.Sprint(i)+big))
	}
	id := d.describeStream(arn).Shards[0].ShardId.Value
	it, err := d.iterator(arn, id, "TRIM_HORIZON", "")
	require.NoError(t, err)
	var pages []int
	for total := 0; total < 5; {
		out, err := d.records(it, 0)
		require.NoError(t, err)
		pages, total = append(pages, len(out.Records)), total+len(out.Records)
		it = out.NextShardIterator.Value
	}
	require.Equal(t, []int{2, 1, 1, 1}, pages)
}

// TestStreamErrors: rows of wire-facts §7.3.
func TestStreamErrors(t *testing.T) {
	d, ctx := openTest(t, Options{}), context.Background()
	arn := d.events("KEYS_ONLY")
	d.put(item1("a", "1"))
	id := d.describeStream(arn).Shards[0].ShardId.Value
	check := func(err error, code api.Code, text string) {
		t.Helper()
		require.Equal(t, api.Errorf(code, "%s", text), err)
	}
	gone := arn[:len(arn)-1] + "x"
	_, err := d.DescribeStream(ctx, &api.DescribeStreamInput{StreamArn: api.Some(gone)})
	check(err, api.ResourceNotFound, "Requested resource not found: Stream: "+gone+" not found")
	_, err = d.DescribeStream(ctx, &api.DescribeStreamInput{StreamArn: api.Some(strings.Repeat("a", 40))})
	check(err, api.Validation, "Invalid StreamArn")
	_, err = d.iterator(arn, "shardId-00000001541626099285-f35f62ef", "LATEST", "")
	check(err, api.ResourceNotFound, "Requested resource not found: Shard does not exist")
	_, err = d.iterator(arn, id, "AT_SEQUENCE_NUMBER", "")
	require.Equal(t, api.Validation, api.CodeOf(err))
	_, err = d.iterator(arn, id, "LATEST", strings.Repeat("1", 25))
	require.Equal(t, api.Validation, api.CodeOf(err))
	_, err = d.iterator(arn, id, "AT_SEQUENCE_NUMBER", strings.Repeat("9", 25))
	require.Equal(t, api.Validation, api.CodeOf(err))
	for _, bad := range []string{"x", "a|1|", "a|1|" + strings.Repeat("A", 80)} {
		_, err = d.records(bad, 0)
		check(err, api.Validation, "Invalid ShardIterator")
	}
	it, err := d.iterator(arn, id, "TRIM_HORIZON", "")
	require.NoError(t, err)
	_, err = d.records(it, 1001)
	check(err, api.Validation, "1 validation error detected: Value '1001' at 'limit' failed to satisfy "+
		"constraint: Member must have value less than or equal to 1000")
	d.clock.add(15 * time.Minute)
	_, err = d.records(it, 0)
	require.NoError(t, err, "fifteen minutes are allowed")
	d.clock.add(time.Millisecond)
	_, err = d.records(it, 0)
	require.Equal(t, api.ExpiredIterator, api.CodeOf(err))
}

// TestStreamSettings: enabling, disabling, enabling again.
func TestStreamSettings(t *testing.T) {
	d := openTest(t, Options{})
	first := d.events("NEW_IMAGE")
	_, err := d.setStream(true, "KEYS_ONLY")
	require.EqualError(t, err, "ValidationException: Table already has an enabled stream: TableName: orders")
	d.put(item1("a", "1"))
	d.disable()
	_, err = d.setStream(false, "")
	require.Equal(t, api.Validation, api.CodeOf(err))
	d.put(item1("a", "2"))
	out, err := d.DescribeTable(context.Background(), &api.DescribeTableInput{TableName: api.Some("orders")})
	require.NoError(t, err)
	require.Nil(t, out.Table.StreamSpecification)
	require.Equal(t, first, out.Table.LatestStreamArn.Value)

	// The disabled stream is closed and readable to its end.
	s := d.describeStream(first)
	require.Equal(t, "DISABLED", s.StreamStatus.Value)
	require.True(t, s.Shards[0].SequenceNumberRange.EndingSequenceNumber.Set)
	it, err := d.iterator(first, s.Shards[0].ShardId.Value, "TRIM_HORIZON", "")
	require.NoError(t, err)
	page, err := d.records(it, 0)
	require.NoError(t, err)
	require.Equal(t, "INSERT a - 1", tell(page.Records))
	require.False(t, page.NextShardIterator.Set)

	// The same moment gives another label all the same.
	second := d.enable("OLD_IMAGE")
	require.NotEqual(t, first, second)
	d.put(item1("a", "3"))
	require.Equal(t, "MODIFY a 2 -", tell(d.all(second)))
	require.Equal(t, "INSERT a - 1", tell(d.all(first)))
	list, err := d.ListStreams(context.Background(), &api.ListStreamsInput{Limit: api.Some[int64](1)})
	require.NoError(t, err)
	require.Equal(t, first, list.Streams[0].StreamArn.Value)
	require.Equal(t, first, list.LastEvaluatedStreamArn.Value)
	list, err = d.ListStreams(context.Background(), &api.ListStreamsInput{
		TableName: api.Some("orders"), ExclusiveStartStreamArn: list.LastEvaluatedStreamArn,
	})
	require.NoError(t, err)
	require.Len(t, list.Streams, 1)
	require.Equal(t, second, list.Streams[0].StreamArn.Value)
	require.False(t, list.LastEvaluatedStreamArn.Set)

	// The stream outlives its table.
	_, err = d.DeleteTable(context.Background(), &api.DeleteTableInput{TableName: api.Some("orders")})
	require.NoError(t, err)
	require.Equal(t, "DISABLED", d.describeStream(second).StreamStatus.Value)
	require.Equal(t, "MODIFY a 2 -", tell(d.all(second)))
}

// TestShardLineage: on demand the open shards are closed and replaced by children; a closed shard
// ends, its child goes on where it ended.
func TestShardLineage(t *testing.T) {
	d, ctx := openTest(t, Options{StreamShards: 2}), context.Background()
	arn := d.events("NEW_IMAGE")
	for i := range 8 {
		d.put(item1(fmt.Sprint(i), "before"))
	}
	parents := d.describeStream(arn).Shards
	require.Len(t, parents, 2)
	require.NoError(t, d.RollStreamShards(ctx, arn, 1))
	for i := range 8 {
		d.put(item1(fmt.Sprint(i), "after"))
	}
	require.Len(t, d.describeStream(arn).Shards, 4)
	for _, parent := range parents {
		require.False(t, parent.ParentShardId.Set)
		out, err := d.DescribeStream(ctx, &api.DescribeStreamInput{
			StreamArn: api.Some(arn), ShardFilter: &api.ShardFilter{
				Type: api.Some(api.ShardFilterTypeChildShards), ShardId: parent.ShardId,
			},
		})
		require.NoError(t, err)
		require.Len(t, out.StreamDescription.Shards, 1)
		child := out.StreamDescription.Shards[0]
		require.Equal(t, parent.ShardId, child.ParentShardId)
		it, err := d.iterator(arn, parent.ShardId.Value, "TRIM_HORIZON", "")
		require.NoError(t, err)
		page, err := d.records(it, 0)
		require.NoError(t, err)
		require.False(t, page.NextShardIterator.Set)
		require.NotEmpty(t, page.Records)
		require.NotContains(t, tell(page.Records), "after")
		it, err = d.iterator(arn, child.ShardId.Value, "TRIM_HORIZON", "")
		require.NoError(t, err)
		later, err := d.records(it, 0)
		require.NoError(t, err)
		require.True(t, later.NextShardIterator.Set)
		require.Equal(t, strings.ReplaceAll(tell(page.Records), "before", "after"),
			strings.ReplaceAll(tell(later.Records), "MODIFY", "INSERT"))
	}
	_, err := d.DescribeStream(ctx, &api.DescribeStreamInput{
		StreamArn: api.Some(arn), ShardFilter: &api.ShardFilter{ShardId: parents[0].ShardId},
	})
	require.Equal(t, api.Validation, api.CodeOf(err))
	require.Equal(t, api.ResourceNotFound, api.CodeOf(d.RollStreamShards(ctx, arn+"x", 1)))
}

// TestStreamStatus: with a delay of tables a stream is ENABLING and DISABLING for as long.
func TestStreamStatus(t *testing.T) {
	d := openTest(t, Options{TableDelay: time.Second})
	d.orders()
	d.clock.add(time.Second)
	arn := d.enable("KEYS_ONLY")
	status := func() string { return d.describeStream(arn).StreamStatus.Value }
	require.Equal(t, "ENABLING", status())
	d.clock.add(time.Second)
	require.Equal(t, "ENABLED", status())
	d.disable()
	require.Equal(t, "DISABLING", status())
	d.clock.add(time.Second)
	require.Equal(t, "DISABLED", status())
}

// TestShardSplit: on demand a shard has two children that divide its items between them; so they stay
// when they grow old, until they are split again.
func TestShardSplit(t *testing.T) {
	const items = 40
	d, ctx := openTest(t, Options{}), context.Background()
	arn := d.events("NEW_IMAGE")
	put := func(v string) {
		for i := range items {
			d.put(item1(fmt.Sprint(i), v))
		}
	}
	children := func(parent api.Shard) []api.Shard {
		out, err := d.DescribeStream(ctx, &api.DescribeStreamInput{
			StreamArn: api.Some(arn), ShardFilter: &api.ShardFilter{
				Type: api.Some(api.ShardFilterTypeChildShards), ShardId: parent.ShardId,
			},
		})
		require.NoError(t, err)
		for _, sh := range out.StreamDescription.Shards {
			require.Equal(t, parent.ShardId, sh.ParentShardId)
			for _, p := range d.describeStream(arn).Shards {
				if p.ShardId == parent.ShardId {
					require.Greater(t, sh.SequenceNumberRange.StartingSequenceNumber.Value,
						p.SequenceNumberRange.EndingSequenceNumber.Value, "it begins behind its parent's end")
				}
			}
		}
		return out.StreamDescription.Shards
	}
	read := func(sh api.Shard, typ, sequence string) []api.Record {
		it, err := d.iterator(arn, sh.ShardId.Value, typ, sequence)
		require.NoError(t, err)
		page, err := d.records(it, 0)
		require.NoError(t, err)
		return page.Records
	}
	keys := func(records []api.Record) map[string]bool {
		m := map[string]bool{}
		for _, r := range records {
			m[r.Dynamodb.Keys.Get("pk").Text()] = true
		}
		require.Len(t, m, len(records), "each once")
		return m
	}
	put("before")
	first := d.describeStream(arn).Shards[0]
	require.NoError(t, d.RollStreamShards(ctx, arn, 2))
	put("after")
	require.Len(t, read(first, "TRIM_HORIZON", ""), items)
	pair := children(first)
	require.Len(t, pair, 2)
	for i, sh := range pair {
		records := read(sh, "TRIM_HORIZON", "")
		mine, others := keys(records), keys(read(pair[1-i], "TRIM_HORIZON", ""))
		require.NotEmpty(t, mine)
		require.Len(t, others, items-len(mine))
		for pk := range mine {
			require.False(t, others[pk], "%s is in one of them", pk)
		}
		require.NotContains(t, tell(records), "before")
		at := records[1].Dynamodb.SequenceNumber.Value
		require.Equal(t, records[1:], read(sh, "AT_SEQUENCE_NUMBER", at))
		require.Equal(t, records[2:], read(sh, "AFTER_SEQUENCE_NUMBER", at))
		require.Empty(t, read(sh, "LATEST", ""))
	}
	d.later(shardAge)
	require.NoError(t, d.Work(ctx))
	put("later")
	for _, sh := range pair {
		heirs := children(sh)
		require.Len(t, heirs, 1, "with age one child comes after each")
		require.Equal(t, keys(read(sh, "TRIM_HORIZON", "")), keys(read(heirs[0], "TRIM_HORIZON", "")), "with the same items")
	}
	require.Len(t, d.all(arn), 3*items)
}

// TestSplitsAreBounded: a stream has no more than 1,024 open shards by splitting.
func TestSplitsAreBounded(t *testing.T) {
	d, ctx := openTest(t, Options{StreamShards: 3}), context.Background()
	arn := d.events("KEYS_ONLY")
	for _, children := range []int{0, 3} {
		require.ErrorContains(t, d.RollStreamShards(ctx, arn, children), "want 1 or 2")
	}
	for range 8 {
		require.NoError(t, d.RollStreamShards(ctx, arn, 2))
	}
	s, err := d.served.Load().stream(arn)
	require.NoError(t, err)
	before := len(s.Shards)
	require.ErrorContains(t, d.RollStreamShards(ctx, arn, 2), "too many shards")
	s, err = d.served.Load().stream(arn)
	require.NoError(t, err)
	require.Len(t, s.Shards, before)
	var bounds [][2]uint64
	for i := range s.Shards {
		if s.Shards[i].Open() {
			bounds = append(bounds, [2]uint64{s.Shards[i].From, s.Shards[i].To})
		}
	}
	slices.SortFunc(bounds, func(a, b [2]uint64) int { return cmp.Compare(a[0], b[0]) })
	require.Len(t, bounds, 3<<8)
	next := uint64(0)
	for _, b := range bounds {
		require.Equal(t, next, b[0], "no hash is in none or in two")
		next = b[1]
	}
	require.Equal(t, uint64(1)<<32, next)
	require.NoError(t, d.RollStreamShards(ctx, arn, 1), "one child each makes no more")
}
