package api

// Destinations of changes (wire-facts §6.21, and what others have seen of the service).
const (
	// MsgKinesisBusy is a table that has a destination which is not disabled.
	MsgKinesisBusy = msgKinesisState + "EnableKinesisStreamingDestination must be DISABLED or ENABLE_FAILED " +
		"to perform ENABLE operation."
	// MsgKinesisDisable is DisableKinesisStreamingDestination of what is not active, or not there.
	MsgKinesisDisable = msgKinesisState + "KinesisStreamingDestination must be ACTIVE to perform DISABLE operation."
	// MsgKinesisDisableConfig is a configuration in that request.
	MsgKinesisDisableConfig = "Stream cannot be disabled using EnableKinesisStreamingConfiguration parameters"
	// MsgKinesisUpdateEmpty is UpdateKinesisStreamingDestination without anything to change.
	MsgKinesisUpdateEmpty = "Streaming destination cannot be updated with given parameters: " +
		"UpdateKinesisStreamingConfiguration cannot be null or contain only null values"
	// MsgKinesisUpdateAbsent is the same of what is not there; ARN, table; the end is unsure.
	MsgKinesisUpdateAbsent = msgKinesisState + "No streaming destination with streamArn: %s found for table with tableName: %s"
	// MsgKinesisUpdateState is the same of what is not active; table.
	MsgKinesisUpdateState = msgKinesisState + "Kinesis streaming is not in ACTIVE state. " +
		"Updates are only allowed in ACTIVE state. TableName: %s"
	// MsgKinesisUpdateSame is the same with the precision that there is; precision, table id, ARN.
	MsgKinesisUpdateSame = prefixRequest + "Precision is already set to the desired value of %s for tableId: %s, kdsArn: %s"

	msgKinesisState = "Table is not in a valid state to enable Kinesis Streaming Destination: "
)

// Descriptions of destinations that could not be enabled.
const (
	// KinesisNoStream is of a data stream that is not there, or may not be used.
	KinesisNoStream = "User does not have a permission to use kinesis stream"
	// KinesisNotActive is of one that takes no records.
	KinesisNotActive = "The kinesis Arn used to enable kinesis replication belongs to a stream which is not in Active state"
	// KinesisRegion is of one in another region.
	KinesisRegion = "The kinesis Arn used to enable kinesis replication belongs to a stream which is not in the current region"
)
