package validate

import (
	"strings"

	"github.com/keystone-db/kstone/engine/api"
)

// arnStreamInfix stands between table and label in the ARN of a stream.
const arnStreamInfix = "/stream/"

// ListStreams makes the static checks of wire-facts §7.
func ListStreams(in *api.ListStreamsInput, _ Options) error {
	if err := Constraints(opListStreams, in); err != nil {
		return err
	}
	if in.TableName.Set {
		if err := tableForm(in.TableName.Value); err != nil {
			return err
		}
	}
	if in.ExclusiveStartStreamArn.Set {
		return streamForm(in.ExclusiveStartStreamArn.Value)
	}
	return nil
}

// DescribeStream makes the static checks of wire-facts §7.
func DescribeStream(in *api.DescribeStreamInput, _ Options) error {
	if err := Constraints(opDescribeStream, in); err != nil {
		return err
	}
	if f := in.ShardFilter; f != nil && !(f.Type.Set && f.ShardId.Set) {
		return invalid(api.MsgShardFilter)
	}
	return streamForm(in.StreamArn.Value)
}

// GetShardIterator makes the static checks of wire-facts §7.
func GetShardIterator(in *api.GetShardIteratorInput, _ Options) error {
	if err := Constraints(opGetShardIterator, in); err != nil {
		return err
	}
	needs := false
	switch in.ShardIteratorType.Value {
	case api.ShardIteratorTypeAtSequenceNumber, api.ShardIteratorTypeAfterSequenceNumber:
		needs = true
	}
	switch {
	case needs && !in.SequenceNumber.Set:
		return invalid(api.MsgSequenceAbsent, in.ShardIteratorType.Value)
	case !needs && in.SequenceNumber.Set:
		return invalid(api.MsgSequenceGiven, in.ShardIteratorType.Value)
	}
	return streamForm(in.StreamArn.Value)
}

// GetRecords makes the static checks of wire-facts §7. The documentation names another class for a
// Limit over 1,000: unsure (wire-facts §10 #17).
func GetRecords(in *api.GetRecordsInput, _ Options) error {
	if fitsGetRecords(in) {
		return nil
	}
	return Constraints(opGetRecords, in)
}

// Limits of the model.
const (
	iteratorLengthMax = 2048
	recordsMax        = 1000
)

func fitsGetRecords(in *api.GetRecordsInput) bool {
	text, limit := &in.ShardIterator, &in.Limit
	return text.Set && text.Value != "" && len(text.Value) <= iteratorLengthMax &&
		(!limit.Set || limit.Value > 0 && limit.Value <= recordsMax)
}

// Stream returns the table and label in a stream's ARN, joined as in it; false for what is none.
func Stream(arn string) (path string, ok bool) {
	if !strings.HasPrefix(arn, arnPrefix) {
		return "", false
	}
	path, ok = arnResource(arn)
	if !ok {
		return "", false
	}
	table, label, ok := strings.Cut(path, arnStreamInfix)
	return path, ok && nameChars(table) && label != ""
}

func streamForm(arn string) error {
	if _, ok := Stream(arn); !ok {
		return invalid(api.MsgStreamArn)
	}
	return nil
}
