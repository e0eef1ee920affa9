package api

// CreateTable (wire-facts §6.1).
const (
	// MsgTableExists is ResourceInUse of CreateTable; table (wire-facts §10 #16).
	MsgTableExists = "Table already exists: %s"
	// MsgUnitsOnDemand is throughput beside PAY_PER_REQUEST.
	MsgUnitsOnDemand = PrefixInvalid + "Neither ReadCapacityUnits nor WriteCapacityUnits can be " +
		"specified when BillingMode is PAY_PER_REQUEST"
	// MsgUnitsAbsent is PROVISIONED without throughput.
	MsgUnitsAbsent = PrefixInvalid + "ReadCapacityUnits and WriteCapacityUnits must both be " +
		"specified when BillingMode is PROVISIONED"
	// MsgUnitsRange is throughput beyond all reason; units, ReadCapacityUnits or
	// WriteCapacityUnits.
	MsgUnitsRange = "Given value %d for %s is out of bounds"
	// MsgUnitsRangeIndex is the same for an index; units, member, index.
	MsgUnitsRangeIndex = "Given value %d for %s is out of bounds for index %s"
	// MsgKeyUndefined is a key schema with more elements than definitions.
	MsgKeyUndefined = "Invalid KeySchema: Some index key attribute have no definition"
	// MsgKeysUndefined is key attributes without definitions; keys, definitions, each joined with
	// ", ".
	MsgKeysUndefined = PrefixInvalid + "Some index key attributes are not defined in " +
		"AttributeDefinitions. Keys: [%s], AttributeDefinitions: [%s]"
	// MsgKeySameName is a key whose attributes have one name.
	MsgKeySameName = "Both the Hash Key and the Range Key element in the KeySchema have the same name"
	// MsgKeyFirst is a key schema that does not begin with HASH.
	MsgKeyFirst = "Invalid KeySchema: The first KeySchemaElement is not a HASH key type"
	// MsgKeySecond is a key schema whose second element is not RANGE.
	MsgKeySecond = "Invalid KeySchema: The second KeySchemaElement is not a RANGE key type"
	// MsgKeyParts is a global index key beyond four HASH or four RANGE attributes; "HASH" or "RANGE"; its beginning is
	// unsure.
	MsgKeyParts = PrefixInvalid + "The KeySchema exceeds the maximum allowed number of %s key attributes"
	// MsgKeyOrder is one with a HASH behind a RANGE attribute; its beginning is unsure.
	MsgKeyOrder = PrefixInvalid + "All HASH key attributes must precede RANGE key attributes in the KeySchema"
	// MsgDefinitionsCount is definitions beyond the key on a table without indexes.
	MsgDefinitionsCount = PrefixInvalid + "Number of attributes in KeySchema does not exactly match " +
		"number of attributes defined in AttributeDefinitions"
	// MsgDefinitionsUnused is definitions that no key uses; definitions, keys, each joined with
	// ", ".
	MsgDefinitionsUnused = PrefixInvalid + "Some AttributeDefinitions are not used. " +
		"AttributeDefinitions: [%s], keys used: [%s]"
	// MsgDefinitionsDuplicate is an attribute defined twice; name.
	MsgDefinitionsDuplicate = "Attribute Name is duplicated: %s"
	// MsgLSIEmpty is an empty list of local indexes.
	MsgLSIEmpty = PrefixInvalid + "List of LocalSecondaryIndexes is empty"
	// MsgLSITableRange is local indexes on a table without a sort key.
	MsgLSITableRange = PrefixInvalid + "Table KeySchema does not have a range key, which is " +
		"required when specifying a LocalSecondaryIndex"
	// MsgLSIRange is a local index without a sort key; index.
	MsgLSIRange = PrefixInvalid + "Index KeySchema does not have a range key for index: %s"
	// MsgLSIHash is a local index with another partition key; index, its key, the table's.
	MsgLSIHash = PrefixInvalid + "Index KeySchema does not have the same leading hash key as table " +
		"KeySchema for index: %s. index hash key: %s, table hash key: %s"
	// MsgLSICount is too many local indexes.
	MsgLSICount = PrefixInvalid + "Number of LocalSecondaryIndexes exceeds per-table limit of 5"
	// MsgProjectionAbsent is a projection without a type.
	MsgProjectionAbsent = PrefixInvalid + "Unknown ProjectionType: null"
	// MsgProjectionExtra is NonKeyAttributes beside a type that has none; type.
	MsgProjectionExtra = PrefixInvalid + "ProjectionType is %s, but NonKeyAttributes is specified"
	// MsgProjectionEmpty is INCLUDE without NonKeyAttributes.
	MsgProjectionEmpty = PrefixInvalid + "ProjectionType is INCLUDE, but NonKeyAttributes is not " +
		"specified"
	// MsgProjectionDuplicate is a name twice in NonKeyAttributes; name.
	MsgProjectionDuplicate = PrefixInvalid + "Duplicate element in NonKeyAttributes: %s"
	// MsgProjectionCount is too many NonKeyAttributes over all indexes; unsure: only the refusal
	// is known.
	MsgProjectionCount = PrefixInvalid + "Number of NonKeyAttributes over all indexes exceeds " +
		"per-table limit of 100"
	// MsgIndexDuplicate is two indexes of one name; index.
	MsgIndexDuplicate = PrefixInvalid + "Duplicate index name: %s"
	// MsgGSIEmpty is an empty list of global indexes.
	MsgGSIEmpty = PrefixInvalid + "List of GlobalSecondaryIndexes is empty"
	// MsgGSIUnitsOnDemand is throughput of an index beside PAY_PER_REQUEST; index.
	MsgGSIUnitsOnDemand = PrefixInvalid + "ProvisionedThroughput should not be specified for index: " +
		"%s when BillingMode is PAY_PER_REQUEST"
	// MsgGSIUnitsAbsent is an index of a provisioned table without throughput; index.
	MsgGSIUnitsAbsent = PrefixInvalid + "ProvisionedThroughput is not specified for index: %s"
	// MsgGSICount is too many global indexes.
	MsgGSICount = PrefixInvalid + "GlobalSecondaryIndex count exceeds the per-table limit of 20"
	// MsgCreateStreamView and MsgCreateStreamViewOff are StreamEnabled without a view type, and a view type while it is
	// false, of a new table. The service does write "UpdateViewType".
	MsgCreateStreamView    = PrefixInvalid + "Table is being created with a stream enabled, UpdateViewType is required"
	MsgCreateStreamViewOff = PrefixInvalid + "Table is being created with a stream disabled, UpdateViewType should not be specified"
	// MsgMaximumRange is an on-demand maximum that is none; member, "table" or "index : NAME".
	MsgMaximumRange = PrefixInvalid + "Requested %s for OnDemandThroughput for %s is outside of valid range"
	// MsgMaximumProvisioned and MsgMaximumProvisionedIndex are one of a new table that is provisioned; member (index).
	MsgMaximumProvisioned      = PrefixInvalid + "%s for OnDemandThroughput cannot be specified when table BillingMode is PROVISIONED."
	MsgMaximumProvisionedIndex = PrefixInvalid + "%s for OnDemandThroughput for index: %s cannot be specified when table " +
		"BillingMode is PROVISIONED."
	// MsgSSETypeOff and MsgSSEKeyOff are members of an SSESpecification that is not Enabled.
	MsgSSETypeOff = PrefixInvalid + "SSEType can not be specified if Enabled is false"
	MsgSSEKeyOff  = PrefixInvalid + "KMSMasterKeyId can not be specified if Enabled is false"
	// MsgSSEKeyType is a key without the kind of encryption.
	MsgSSEKeyType = PrefixInvalid + "SSEType KMS is required if KMSMasterKeyId is specified"
	// MsgSSEType is a kind of encryption that there is not; kind.
	MsgSSEType = PrefixInvalid + "SSEType %s is not supported"
	// MsgWarmRead and MsgWarmWrite are warm throughput below the provisioned one; "table" or
	// "index NAME".
	MsgWarmRead = PrefixInvalid + "Requested ReadUnitsPerSecond for WarmThroughput for %s is lower " +
		"than ReadCapacityUnits of ProvisionedThroughput"
	MsgWarmWrite = PrefixInvalid + "Requested WriteUnitsPerSecond for WarmThroughput for %s is lower " +
		"than WriteCapacityUnits of ProvisionedThroughput"
	// MsgWarmReadFalls and MsgWarmWriteFalls are an update below the present warm throughput; "table" or
	// "index NAME".
	MsgWarmReadFalls = PrefixInvalid + "Requested ReadUnitsPerSecond for WarmThroughput for %s is lower " +
		"than current WarmThroughput, decreasing WarmThroughput is not supported"
	MsgWarmWriteFalls = PrefixInvalid + "Requested WriteUnitsPerSecond for WarmThroughput for %s is lower " +
		"than current WarmThroughput, decreasing WarmThroughput is not supported"
	// MsgWarmReadOnDemand and MsgWarmWriteOnDemand are the same on demand; "table" or "index NAME".
	MsgWarmReadOnDemand = PrefixInvalid + "Requested ReadUnitsPerSecond for WarmThroughput for %s " +
		"is lower than initial throughput for OnDemand"
	MsgWarmWriteOnDemand = PrefixInvalid + "Requested WriteUnitsPerSecond for WarmThroughput for %s " +
		"is lower than initial throughput for OnDemand"
)

// UpdateTable, DeleteTable and table states (wire-facts §6.2, §6.3, §6.29).
const (
	// MsgUpdateNothing is an UpdateTable that asks for nothing.
	MsgUpdateNothing = "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, " +
		"GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required"
	// MsgUpdateUnitsAbsent is a switch to PROVISIONED without throughput.
	MsgUpdateUnitsAbsent = PrefixInvalid + "ProvisionedThroughput must be specified when " +
		"BillingMode is PROVISIONED"
	// MsgUpdateIndexEmpty is an index update without an action.
	MsgUpdateIndexEmpty = PrefixInvalid + "One of GlobalSecondaryIndexUpdate.Update, " +
		"GlobalSecondaryIndexUpdate.Create, GlobalSecondaryIndexUpdate.Delete must not be null"
	// MsgUpdateIndexSeveral is an index update with more than one action; unsure.
	MsgUpdateIndexSeveral = PrefixInvalid + "Only one of GlobalSecondaryIndexUpdate.Update, " +
		"GlobalSecondaryIndexUpdate.Create, GlobalSecondaryIndexUpdate.Delete may be given"
	// MsgUpdateIndexTwice is two updates of one index; index.
	MsgUpdateIndexTwice = PrefixInvalid + "Only one global secondary index update per index is " +
		"allowed simultaneously. Index: %s"
	// MsgTableBusy is ResourceInUse; "created", "updated" or "deleted", table.
	MsgTableBusy = "Attempt to change a resource which is still in use: Table is being %s: %s"
	// MsgOneIndexChange is LimitExceeded.
	MsgOneIndexChange = "Subscriber limit exceeded: Only 1 online index can be created or deleted " +
		"simultaneously per table"
	// MsgIndexUnitsBlocked is an index update beyond all reason.
	MsgIndexUnitsBlocked = "This operation cannot be performed with given input values. Please " +
		"contact DynamoDB service team for more info: Action Blocked: IndexUpdate"
	// MsgIndexUnitsAbsent is a switch to PROVISIONED that leaves out indexes; indexes joined with
	// ",".
	MsgIndexUnitsAbsent = PrefixInvalid + "ProvisionedThroughput must be specified for index: %s"
	// MsgUnitsSame is throughput that equals the present one; read, read, write, write units.
	MsgUnitsSame = "The provisioned throughput for the table will not change. The requested value " +
		"equals the current value. Current ReadCapacityUnits provisioned for the table: %d. " +
		"Requested ReadCapacityUnits: %d. Current WriteCapacityUnits provisioned for the table: %d. " +
		"Requested WriteCapacityUnits: %d. Refer to the Amazon DynamoDB Developer Guide for current " +
		"limits and how to request higher limits."
	// MsgUnitsSameIndex is the same for an index; index, index, read, read, index, write, write units; unsure: the end.
	MsgUnitsSameIndex = "The provisioned throughput for the index %s will not change. The requested " +
		"value equals the current value. Current ReadCapacityUnits provisioned for index %s: %d. " +
		"Requested ReadCapacityUnits: %d. Current WriteCapacityUnits provisioned for index %s: %d. " +
		"Requested WriteCapacityUnits: %d. Refer to the Amazon DynamoDB Developer Guide for current " +
		"limits and how to request higher limits."
	// MsgStreamEnabled is a stream that is enabled again; table (wire-facts §10 #15).
	MsgStreamEnabled = "Table already has an enabled stream: TableName: %s"
	// MsgStreamView and MsgStreamViewOff are MsgCreateStreamView and MsgCreateStreamViewOff of UpdateTable.
	MsgStreamView    = PrefixInvalid + "If stream is being enabled then UpdateViewType is required"
	MsgStreamViewOff = PrefixInvalid + "If stream is being disabled, then UpdateViewType must not be specified"
	// MsgOnlyOperation is a change that comes with others; change.
	MsgOnlyOperation = PrefixInvalid + "%s must be the only operation in the request"
	// MsgOnlyMaximum is an on-demand maximum that comes with more than a billing mode.
	MsgOnlyMaximum = PrefixInvalid + "OnDemandThroughput can only be combined with BillingMode in an UpdateTable request"
	// MsgStreamWithUnits is a change of stream and throughput; its beginning is unsure.
	MsgStreamWithUnits = PrefixInvalid + "You cannot modify stream status while updating table IOPS"
	// MsgMaximumMode is an on-demand maximum of a table that is provisioned; member.
	MsgMaximumMode = PrefixInvalid + "%s for OnDemandThroughput cannot be specified when the table BillingMode is PROVISIONED"
	// MsgSSESame is encryption switched off where it is the service's own.
	MsgSSESame = PrefixInvalid + "Table is already encrypted by default"
	// MsgStreamDisabled is a stream that is disabled though it is off; table.
	MsgStreamDisabled = "Table has no stream to disable: TableName: %s"
	// MsgIndexNotFound is ResourceNotFound of an index to update or delete; index, table.
	MsgIndexNotFound = "Requested resource not found: Index %s for table %s"
	// MsgIndexOther is one that is no global index; "update" or "delete", index.
	MsgIndexOther = "Cannot %s an index that is not a GlobalSecondaryIndex: %s"
	// MsgIndexCount is LimitExceeded of an index too many.
	MsgIndexCount = "Subscriber limit exceeded: Number of global secondary indexes exceeds per-table limit of 20"
	// MsgIndexExists is an index to create that exists.
	MsgIndexExists = "Attempting to create an index which already exists"
	// MsgDefinitionType is an attribute of a key that is defined with another type; the schema that has it, the new one.
	// Measured by others for the attribute of a vector index; unsure for scalars.
	MsgDefinitionType = PrefixInvalid + "Attributes cannot be redefined. Please check that your attribute has the same type as " +
		"previously defined. Existing schema: %s New schema: %s"
	// SchemaKey and SchemaVector are schemas in it; attribute, type, HASH or RANGE, or attribute, dimensions.
	SchemaKey    = "Schema:[SchemaElement: key{%s:%s:%s}]"
	SchemaVector = "VectorIndexSchema:[VectorAttribute: key{%s:L:%d}]"
	// MsgModeSwitch is LimitExceeded of a switch to on demand; two times (aws-amplify/amplify-cli issue 1054 and others).
	MsgModeSwitch = "Subscriber limit exceeded: Update to PayPerRequest mode are limited to once in " +
		"1 day(s). Last update at %s. Next update can be made at %s"
	// MsgDecreases is LimitExceeded of throughput decreases; count, two times.
	MsgDecreases = "Subscriber limit exceeded: Provisioned throughput decreases are limited within " +
		"a given UTC day. After the first 4 decreases, each subsequent decrease in the same UTC day " +
		"can be performed at most once every 3600 seconds. Number of decreases today: %d. Last " +
		"decrease at %s. Next decrease can be made at %s"
	// MsgTables is LimitExceeded of a table too many; limit. The number stood at 256 in the errors that
	// users published.
	MsgTables = "Subscriber limit exceeded: There is a limit of %d tables per subscriber"
	// MsgTableUnits and MsgIndexUnits are LimitExceeded of throughput above what a table, or an index, may have; member,
	// (index,) units, region, limit.
	MsgTableUnits = "The requested %s, %d, is above the per table maximum for the account in %s. Per table maximum: %d. " +
		msgHigherLimits
	MsgIndexUnits = "The requested %s for index %s, %d, is above the per index maximum for the account in %s. " +
		"Per index maximum: %d. " + msgHigherLimits
	// MsgAccountUnits is LimitExceeded of throughput above what an account may have; member, region, member, units of
	// all tables, limit, units that are asked for.
	MsgAccountUnits = "This request would have caused the %s limit to be exceeded for the account in %s. Current %s " +
		"reserved by the account: %d. Limit: %d. Requested: %d. " + msgHigherLimits
	// MsgMaximumUnits and MsgWarmUnits are LimitExceeded of an on-demand maximum, or warm throughput, above what a table
	// may have; member, "table" or "index : NAME" ("index NAME" for the second), quota, region.
	MsgMaximumUnits = "Subscriber limit exceeded: Requested %s for OnDemandThroughput for %s exceeds %s of the account in region %s"
	MsgWarmUnits    = "Subscriber limit exceeded: Requested %s for WarmThroughput for %s exceeds %s of the account in region %s"
	// MsgTablesAtOnce is LimitExceeded of tables that change at once; limit. The number stood at 10 in the errors that
	// users published.
	MsgTablesAtOnce = "Subscriber limit exceeded: Only %d tables can be created, updated, or deleted simultaneously"
	// MsgIndexedAtOnce is LimitExceeded of tables with indexes that are created at once.
	MsgIndexedAtOnce = "Subscriber limit exceeded: You have exceeded the maximum number of indexed tables that can be " +
		"created simultaneously"
	// MsgClassSwitch is LimitExceeded of changes of the table class.
	MsgClassSwitch = "Subscriber limit exceeded: Updates to TableClass are limited to 2 times in 30 day(s)."
	// MsgSSESwitch is LimitExceeded of changes of encryption; end of the window, number, last change, next change.
	MsgSSESwitch = "Subscriber limit exceeded: Encryption mode changes are limited in the 24h window ending at %s. After the " +
		"first 4 change, each subsequent change in the same window can be performed at most once every 21600 seconds. " +
		"Number of updates today: %d. Last change at %s. Next changes can be made at %s."
	// MsgProtected is DeleteTable of a protected table (wire-facts §10 #14).
	MsgProtected = "Resource cannot be deleted as it is currently protected against deletion. " +
		"Disable deletion protection first."
)

// Time to live (wire-facts §6.16).
const (
	// MsgTTLEnabled is enabling what is enabled.
	MsgTTLEnabled = "TimeToLive is already enabled"
	// MsgTTLDisabled is disabling what is disabled.
	MsgTTLDisabled = "TimeToLive is already disabled"
	// MsgTTLOther is another attribute than the present one; present attribute.
	MsgTTLOther = "TimeToLive is active on a different AttributeName: current AttributeName is %s"
	// MsgTTLBusy is a second change within the hour.
	MsgTTLBusy = "Time to live has been modified multiple times within a fixed interval"
)

// Tags (wire-facts §6.17).
const (
	// MsgTagArnAbsent is a missing ResourceArn.
	MsgTagArnAbsent = "Invalid TableArn"
	// MsgTagArnDenied is AccessDenied of a ResourceArn that is no ARN; ARN of the caller,
	// operation, resource.
	MsgTagArnDenied = "User: %s is not authorized to perform: dynamodb:%s on resource: %s"
	// MsgTagArnInvalid is an ARN of something else than a table; ARN.
	MsgTagArnInvalid = "Invalid TableArn: Invalid ResourceArn provided as input %s"
	// MsgTagsEmpty and MsgTagKeysEmpty are empty lists. DynamoDB does write "Atleast":
	// TestTags.
	MsgTagsEmpty    = "Atleast one Tag needs to be provided as Input."
	MsgTagKeysEmpty = "Atleast one Tag Key needs to be provided as Input."
	// MsgTagArnNotFound is ResourceNotFound; ARN. DynamoDB does write "ResourcArn":
	// TestTextsGolden.
	MsgTagArnNotFound = "Requested resource not found: ResourcArn: %s not found"
	// MsgTagCount is more than 50 tags.
	MsgTagCount = "Number of Tags exceed the current limit for the provided ResourceArn"
	// MsgTagReserved is a tag key of the provider; key.
	MsgTagReserved = "Tag Key cannot be prefixed with aws:, Key: %s"
	// MsgTagDuplicate is a key twice; key; unsure.
	MsgTagDuplicate = PrefixInvalid + "Duplicate tag key: %s"
)

// msgHigherLimits ends the texts on quotas.
const msgHigherLimits = "Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits."
