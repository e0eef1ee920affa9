package api

// Change feeds, of which the service knows nothing (Feeder). What DescribeStream, GetShardIterator and
// GetRecords refuse too is refused in their words.
const (
	// MsgFeedTwice is a feed of both a stream and a table.
	MsgFeedTwice = PrefixInvalid + "Only one of StreamArn and TableName can be specified"
	// MsgFeedNoStream is ResourceNotFound: the table never had a stream, or none that is kept; table name.
	MsgFeedNoStream = "Requested resource not found: Table: %s has no stream"
	// MsgFeedSequenceAbsent is a start at a sequence number without one; starting position.
	MsgFeedSequenceAbsent = PrefixInvalid + "SequenceNumber must be specified when StartingPosition is %s"
	// MsgFeedSequenceGiven is a sequence number that the start has no use for; starting position.
	MsgFeedSequenceGiven = PrefixInvalid + "SequenceNumber can not be specified when StartingPosition is %s"
	// MsgFeedTimeAbsent is a start at a time without one.
	MsgFeedTimeAbsent = PrefixInvalid + "Timestamp must be specified when StartingPosition is " + StartAtTimestamp
	// MsgFeedTimeGiven is a time that the start has no use for; starting position.
	MsgFeedTimeGiven = PrefixInvalid + "Timestamp can not be specified when StartingPosition is %s"
)
