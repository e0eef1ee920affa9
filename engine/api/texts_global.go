package api

// Texts of global tables (wire-facts §6.20). Where a comment says measured, users published what the service
// answered in 2026.
const (
	// MsgReplicaAlone is UpdateTable with replicas and something else; measured.
	MsgReplicaAlone = PrefixInvalid + "Replica modification must be the only operation in the request"
	// MsgReplicaNoAction is an empty action, or an Update of nothing; measured.
	MsgReplicaNoAction = "There are no actions specified in the Replica Update Action of the request."
	// MsgReplicaKinds is several kinds of action; measured.
	MsgReplicaKinds = "Update table operation with more than one type of replica actions not allowed."
	// MsgReplicaCount is several actions; measured.
	MsgReplicaCount = "Update table operation with more than one create or delete replica actions not allowed"
	// MsgReplicaLocal is an action on the table's own region; measured.
	MsgReplicaLocal = "Cannot add or delete the local region through ReplicaUpdates. Use CreateTable, DeleteTable, or " +
		"UpdateTable as required."
	// MsgReplicaRegion is a region that there is not; region, regions joined with ", "; measured.
	MsgReplicaRegion = "Region %s is not supported. The latest version of global tables are only supported in the following " +
		"regions: [%s]"
	// MsgReplicaExists is a table of the name in the region; table. DynamoDB does write "a the"; measured.
	MsgReplicaExists = "Failed to create a the new replica of table with name: ‘%s’ because one or more replicas already " +
		"existed as tables."
	// MsgReplicaUnknown is an action on a region without a replica; region; measured.
	MsgReplicaUnknown = "Update global table operation failed because one or more replicas were not part of the global table. " +
		"Please retry the request without these replicas: [%s]."
	// MsgReplicaWriteCapacity is a provisioned table; measured.
	MsgReplicaWriteCapacity = "Table write capacity should either be Pay-Per-Request or AutoScaled."
	// MsgReplicaProtected is Delete of a replica that is protected; table, region; measured.
	MsgReplicaProtected = "Cannot delete table %s in region %s because it has deletion protection enabled. Disable deletion " +
		"protection first."
	// MsgReplicaStream is switching off the stream of a replica; measured.
	MsgReplicaStream = "Disabling Stream is not allowed for a Global Table replica."
	// MsgReplicaSource is DeleteTable of a table that a replica was made of; measured.
	MsgReplicaSource = "Replica cannot be deleted because it has acted as a source region for new replica(s) being added to the " +
		"table in the last 24 hours."
	// MsgReplicaKey is a key in an Update; measured.
	MsgReplicaKey = PrefixInvalid + "KMSMasterKeyId must be specified for each replica."
	// MsgStrongUnsupported is MultiRegionConsistency STRONG; region; the words are the service's for a region that
	// does not have it, unsure in which form.
	MsgStrongUnsupported = "Unsupported Region(s) specified for global tables with MultiRegionConsistency set to STRONG: [%s]"
	// MsgStrongCount is STRONG for another number than three regions; measured.
	MsgStrongCount = "Unsupported replica count for global tables with MultiRegionConsistency set to STRONG."
	// MsgConsistencyExisting is a consistency for a table that has replicas; measured.
	MsgConsistencyExisting = "MultiRegionConsistency parameter is unsupported on existing global table"
	// MsgConsistencyActions is a consistency beside other actions than Create; measured.
	MsgConsistencyActions = "Only Replica Create actions are supported when MultiRegionConsistency parameter is provided."
	// MsgWitnessStrong is a witness without STRONG; measured.
	MsgWitnessStrong = "MultiRegionConsistency must be set as STRONG when GlobalTableWitnessUpdates parameter is present."
	// MsgSettingsMode is GlobalTableSettingsReplicationMode of a value that may not be set; value; measured.
	MsgSettingsMode = "Value '%s' at 'GlobalTableSettingsReplicationMode' failed to satisfy constraint: Only ENABLED and " +
		"DISABLED settings replication are supported for a Regional Table."
	// MsgSourceMode is GlobalTableSourceArn without ENABLED, here or at the source; unsure: only the rule is known, as
	// of the next two.
	MsgSourceMode = PrefixInvalid + "GlobalTableSettingsReplicationMode must be ENABLED for a multi-account global table"
	// MsgSourceSettings is a setting beside GlobalTableSourceArn that comes from the source; member; unsure.
	MsgSourceSettings = PrefixInvalid + "%s cannot be specified together with GlobalTableSourceArn"
	// MsgSourceTable is a source of the same account or region, or of another name; ARN; unsure.
	MsgSourceTable = PrefixInvalid + "GlobalTableSourceArn must name a table of the same name in another account and Region: %s"
	// MsgDisassociateAlone is Disassociate beside something else; unsure: only the refusal is known.
	MsgDisassociateAlone = PrefixInvalid + "Disassociate must be the only replica update in the request"
	// MsgDisassociateRegion is Disassociate of another region; region; unsure: only the rule is known.
	MsgDisassociateRegion = PrefixInvalid + "Disassociate must be sent in the Region of the replica: %s"
	// MsgDisassociateProtected is Disassociate of a protected replica; table; unsure: only the refusal is known.
	MsgDisassociateProtected = "Replica of table %s cannot be disassociated as it is currently protected against disassociation. " +
		"Disable disassociation protection first."
	// MsgDisassociateNone is a table without replicas; table; unsure.
	MsgDisassociateNone = "Table %s is not a replica of a global table"
	// MsgProtectionAlone is DisassociationProtectionEnabled beside something else; unsure: only the refusal is known.
	MsgProtectionAlone = PrefixInvalid + "DisassociationProtectionEnabled modification must be the only operation in the request"
	// MsgGlobalNotFound is ResourceNotFound of a table without replicas; table; measured.
	MsgGlobalNotFound = "Global table with name: '%s' does not exist."
	// MsgGlobalLegacyNotFound is GlobalTableNotFound; table; unsure.
	MsgGlobalLegacyNotFound = "Global table not found: Global table with name: '%s' does not exist."
	// MsgGlobalLegacyExists is GlobalTableAlreadyExists; table; unsure.
	MsgGlobalLegacyExists = "Global table already exists: Global table with name: '%s' already exists."
	// MsgGlobalLegacyTable is TableNotFound; table, region; measured.
	MsgGlobalLegacyTable = "Table not found: Table: '%s' not found in region: '%s'."
	// MsgGlobalLegacyData is a table that has items; table, region; unsure: only the rule is known, as of the next ones.
	MsgGlobalLegacyData = PrefixInvalid + "Table: '%s' in region: '%s' must not contain any data"
	// MsgGlobalLegacyStream is a table without a stream of both images; table, region; unsure.
	MsgGlobalLegacyStream = PrefixInvalid + "Table: '%s' in region: '%s' must have a stream with view type NEW_AND_OLD_IMAGES"
	// MsgGlobalLegacyKeys is a table of another key or other indexes; table, region; unsure.
	MsgGlobalLegacyKeys = PrefixInvalid + "Table: '%s' in region: '%s' must have the same key schema and secondary indexes as the " +
		"other replicas"
	// MsgGlobalLegacyLocal is a group without the region that is asked; region; unsure.
	MsgGlobalLegacyLocal = PrefixInvalid + "ReplicationGroup must contain the Region of the request: %s"
	// MsgGlobalLegacyTwice is a region that is named twice; region; unsure.
	MsgGlobalLegacyTwice = PrefixInvalid + "Region: '%s' is specified more than once"
	// MsgGlobalLegacyReplica is ReplicaAlreadyExists; region; unsure.
	MsgGlobalLegacyReplica = "Replica already exists: Replica in region: '%s' is already part of the global table."
	// MsgGlobalLegacyNoReplica is ReplicaNotFound; region; unsure.
	MsgGlobalLegacyNoReplica = "Replica not found: Replica in region: '%s' is not part of the global table."
	// MsgGlobalLegacyNoIndex is IndexNotFound; index; unsure.
	MsgGlobalLegacyNoIndex = "Index not found: Index: '%s' does not exist."
	// MsgGlobalLegacyUpdate is ReplicaUpdates of UpdateTable for a global table of version 2017.11.29; unsure: only the
	// rule is known.
	MsgGlobalLegacyUpdate = PrefixInvalid + "ReplicaUpdates are not supported for global tables version 2017.11.29"
	// MsgScalingOnDemand is auto scaling of on-demand replicas; table, regions, parameters; measured.
	MsgScalingOnDemand = "Failed to update global table with name ‘%s‘. Replicas %s BillingMode is PayPerRequest. You must convert " +
		"table's BillingMode to PROVISIONED to set parameters: '%s'."
	// MsgScalingRequired is auto scaling without a bound; table, parameters; measured.
	MsgScalingRequired = "Failed to update settings for global table with name: ‘%s’: Parameters '%s' are required unless auto " +
		"scaling is being disabled."
	// MsgScalingNothing is an update of nothing; table; measured in its beginning, the rest unsure.
	MsgScalingNothing = "Failed to update settings for global table with name: ‘%s’ because at least one update parameter must be " +
		"specified."
	// MsgScalingReplica and MsgScalingIndex are what there is not; table, name; measured in their beginnings, the
	// rest unsure.
	MsgScalingReplica = "Failed to update settings for global table with name: ‘%s’ because a replica does not exist in regions: ‘[%s]’."
	MsgScalingIndex   = "Failed to update settings for global table with name: ‘%s’ because the global secondary indexes with names: " +
		"‘[%s]’ do not exist."
	// MsgScalingBounds is a minimum above the maximum; unsure.
	MsgScalingBounds = PrefixInvalid + "MaximumUnits must be greater than or equal to MinimumUnits"
	// MsgReplicateNone is a step of replication that names no replica here; not the service's.
	MsgReplicateNone = "Table %s has no replica in region %s"
	// MsgReplicateForm is a step of replication that cannot be read; not the service's.
	MsgReplicateForm = "Replication: %s"
	// MsgReplicateUnreachable is a region that does not answer; region; not the service's.
	MsgReplicateUnreachable = "Region %s cannot be reached now"
)
