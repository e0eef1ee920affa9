package crash

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// streamsTarget is the target of the operations of streams.
const streamsTarget = "DynamoDBStreams_20120810."

// tail reads the table's stream as a consumer with a checkpoint does: after each kill it goes on
// behind the last record that it has seen.
type tail struct {
	arn, shard string
	last       string            // sequence number of the last record
	state      map[string]string // by item, what its last record left; absent when it left nothing
	records    int
}

// find looks up the stream of the table and its only shard.
func (t *tail) find(ctx context.Context, s *server) error {
	a := s.call(ctx, "DescribeTable", object{"TableName": table})
	description, _ := a.body["Table"].(object)
	t.arn, _ = description["LatestStreamArn"].(string)
	a = s.call(ctx, streamsTarget+"DescribeStream", object{"StreamArn": t.arn})
	stream, _ := a.body["StreamDescription"].(object)
	shards, _ := stream["Shards"].([]any)
	if len(shards) != 1 {
		return fmt.Errorf("%w: stream: %d %s %v", errProtocol, a.status, a.kind, a.body)
	}
	t.shard, _ = shards[0].(object)["ShardId"].(string)
	return nil
}

// advance reads to the end. Each record must find what the one before it left.
func (t *tail) advance(ctx context.Context, s *server) error {
	in := object{"StreamArn": t.arn, "ShardId": t.shard, "ShardIteratorType": "TRIM_HORIZON"}
	if t.last != "" {
		in["ShardIteratorType"], in["SequenceNumber"] = "AFTER_SEQUENCE_NUMBER", t.last
	}
	a := s.call(ctx, streamsTarget+"GetShardIterator", in)
	for {
		iterator, _ := a.body["ShardIterator"].(string)
		if next, ok := a.body["NextShardIterator"].(string); ok {
			iterator = next
		}
		a = s.call(ctx, streamsTarget+"GetRecords", object{"ShardIterator": iterator})
		records, ok := a.body["Records"].([]any)
		if !a.ok() || !ok {
			return fmt.Errorf("%w: records: %d %s %v", errProtocol, a.status, a.kind, a.body)
		}
		if len(records) == 0 {
			return nil
		}
		for _, r := range records {
			change, _ := r.(object)["dynamodb"].(object)
			if err := t.take(change); err != nil {
				return err
			}
		}
	}
}

func (t *tail) take(change object) error {
	number, _ := change["SequenceNumber"].(string)
	keys, _ := change["Keys"].(object)
	pk, _ := keys["pk"].(object)["S"].(string)
	if number <= t.last {
		return fmt.Errorf("stream: %s after %s", number, t.last)
	}
	if found := imageText(change["OldImage"]); found != t.state[pk] {
		return fmt.Errorf("stream: %s: record %s finds %.80s, the one before left %.80s", pk, number, found, t.state[pk])
	}
	if t.state[pk] = imageText(change["NewImage"]); t.state[pk] == "" {
		delete(t.state, pk)
	}
	t.last = number
	t.records++
	return nil
}

// imageText is an image as text, the same for equal images; empty for none.
func imageText(image any) string {
	if image == nil {
		return ""
	}
	text, err := json.Marshal(image)
	if err != nil {
		panic(err) // it came as JSON
	}
	return string(text)
}

// verify reads on and compares what the stream tells with what is in the table.
func (t *tail) verify(ctx context.Context, s *server) error {
	if err := t.advance(ctx, s); err != nil {
		return err
	}
	a := s.call(ctx, "Scan", object{"TableName": table, "ConsistentRead": true})
	items, ok := a.body["Items"].([]any)
	if !ok || a.body["LastEvaluatedKey"] != nil {
		return fmt.Errorf("%w: scan: %d %s", errProtocol, a.status, a.kind)
	}
	if len(items) != len(t.state) {
		return fmt.Errorf("stream: %d items by their records, %d in the table", len(t.state), len(items))
	}
	for _, it := range items {
		pk, _ := it.(object)["pk"].(object)["S"].(string)
		if now := imageText(it); now != t.state[pk] {
			return fmt.Errorf("stream: %s is %.80s, its last record left %.80s", pk, now, t.state[pk])
		}
	}
	return nil
}

// target is where an operation is sent: those of the database are named bare.
func target(operation string) string {
	if strings.Contains(operation, ".") {
		return operation
	}
	return "DynamoDB_20120810." + operation
}
