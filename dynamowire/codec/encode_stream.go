package codec

import (
	"strconv"
	"time"

	"github.com/keystone-db/kstone/engine/api"
)

// AppendGetRecords appends the answer of a GetRecords.
func AppendGetRecords(dst []byte, out *api.GetRecordsOutput) []byte {
	o := openObject(dst)
	if out.Records != nil {
		o.name("Records")
		o.dst = appendAll(o.dst, out.Records, appendRecord)
	}
	o.str("NextShardIterator", out.NextShardIterator)
	return o.close()
}

func appendRecord(dst []byte, r *api.Record) []byte {
	o := openObject(dst)
	o.str("eventID", r.EventID)
	o.str("eventName", r.EventName)
	o.str("eventVersion", r.EventVersion)
	o.str("eventSource", r.EventSource)
	o.str("awsRegion", r.AwsRegion)
	if r.Dynamodb != nil {
		o.name("dynamodb")
		o.dst = appendStreamRecord(o.dst, r.Dynamodb)
	}
	if r.UserIdentity != nil {
		o.name("userIdentity")
		u := openObject(o.dst)
		u.str("PrincipalId", r.UserIdentity.PrincipalId)
		u.str("Type", r.UserIdentity.Type)
		o.dst = u.close()
	}
	return o.close()
}

func appendStreamRecord(dst []byte, r *api.StreamRecord) []byte {
	o := openObject(dst)
	if r.ApproximateCreationDateTime.Set {
		o.name("ApproximateCreationDateTime")
		o.dst = appendTime(o.dst, r.ApproximateCreationDateTime.Value)
	}
	o.item("Keys", r.Keys)
	o.item("NewImage", r.NewImage)
	o.item("OldImage", r.OldImage)
	o.str("SequenceNumber", r.SequenceNumber)
	o.integer("SizeBytes", r.SizeBytes)
	o.str("StreamViewType", r.StreamViewType)
	return o.close()
}

// appendTime writes seconds since 1970 with milliseconds as fraction.
func appendTime(dst []byte, t time.Time) []byte {
	return strconv.AppendFloat(dst, float64(t.UnixMilli())/millisPerSecond, 'f', -1, 64)
}
