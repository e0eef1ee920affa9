package validate

import (
	"reflect"

	"github.com/keystone-db/kstone/engine/api"
)

// shapeSubscribeInput is the model of a request that the service does not know, of the shapes of its own
// requests: the members of api.SubscribeInput, in their order.
var shapeSubscribeInput = &shape{kind: kindStructure, name: "SubscribeInput", members: []member{
	{name: "streamArn", shape: shapeStreamArn},
	{name: "tableName", shape: shapeTableArn},
	{name: "shardId", shape: shapeShardId},
	{name: "startingPosition", shape: &shape{kind: kindString, name: "StartingPosition", enum: []string{
		api.StartTrimHorizon, api.StartLatest, api.StartAt, api.StartAfter, api.StartAtTimestamp,
	}}},
	{name: "sequenceNumber", shape: shapeSequenceNumber},
	{name: "timestamp", shape: &shape{kind: kindTimestamp, name: "Timestamp"}},
	{name: "limit", shape: &shape{kind: kindLong, name: "SubscribeLimit", min: some(1), max: some(api.SubscribeLimitMax)}},
}}

// Subscribe makes the checks of GetShardIterator and GetRecords, and those of the members that they do
// not have.
func Subscribe(in *api.SubscribeInput) error {
	w := &walker{}
	w.structure(reflect.ValueOf(in).Elem(), shapeSubscribeInput, "")
	if !in.StreamArn.Set && !in.TableName.Set {
		w.missing("streamArn")
	}
	if err := w.err(); err != nil {
		return err
	}
	start := in.StartingPosition.Or(api.StartLatest)
	needs := start == api.StartAt || start == api.StartAfter
	switch {
	case in.StreamArn.Set && in.TableName.Set:
		return invalid(api.MsgFeedTwice)
	case needs && !in.SequenceNumber.Set:
		return invalid(api.MsgFeedSequenceAbsent, start)
	case !needs && in.SequenceNumber.Set:
		return invalid(api.MsgFeedSequenceGiven, start)
	case start == api.StartAtTimestamp && !in.Timestamp.Set:
		return invalid(api.MsgFeedTimeAbsent)
	case start != api.StartAtTimestamp && in.Timestamp.Set:
		return invalid(api.MsgFeedTimeGiven, start)
	case in.StreamArn.Set:
		return streamForm(in.StreamArn.Value)
	}
	return tableForm(in.TableName.Value)
}
