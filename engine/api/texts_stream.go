package api

// DynamoDB Streams (wire-facts §7.3).
const (
	// MsgStreamNotFound is ResourceNotFound; ARN; unsure.
	MsgStreamNotFound = "Requested resource not found: Stream: %s not found"
	// MsgShardNotFound is ResourceNotFound: the stream has no such shard.
	MsgShardNotFound = "Requested resource not found: Shard does not exist"
	// MsgShardGone is ResourceNotFound: the shard of an iterator is gone.
	MsgShardGone = "Invalid ShardId in ShardIterator"
	// MsgStreamArn is what is no ARN of a stream; unsure.
	MsgStreamArn = "Invalid StreamArn"
	// MsgIterator is what is no iterator; unsure.
	MsgIterator = "Invalid ShardIterator"
	// MsgIteratorExpired is ExpiredIterator.
	MsgIteratorExpired = "Shard iterator has expired"
	// MsgTrimmed is TrimmedDataAccess. That of the documentation is what DynamoDB Local says.
	MsgTrimmed = "The data you are trying to access has been trimmed"
	// MsgSequenceAbsent is an iterator at a sequence number without one; type; unsure: only the
	// refusal is known.
	MsgSequenceAbsent = PrefixInvalid + "SequenceNumber must be specified when ShardIteratorType is %s"
	// MsgSequenceGiven is a sequence number that the type has no use for; type; unsure.
	MsgSequenceGiven = PrefixInvalid + "SequenceNumber can not be specified when ShardIteratorType is %s"
	// MsgSequenceInvalid is a sequence number that the shard cannot hold; unsure.
	MsgSequenceInvalid = PrefixInvalid + "Invalid SequenceNumber"
	// MsgShardFilter is a ShardFilter that lacks a member; unsure: only the members are known.
	MsgShardFilter = PrefixInvalid + "ShardFilter needs both Type and ShardId"
)
