package engine

import (
	"context"
	"errors"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/storage"
)

// serve runs an operation on the state that the database has now. When Reset takes that away under its
// hands it runs on the new one: what it did before is gone with the old.
func serve[In, Out any](ctx context.Context, db *DB, in In, op func(*core, context.Context, In) (Out, error)) (Out, error) {
	for {
		c := db.served.Load()
		out, err := op(c, ctx, in)
		if err == nil || !c.replaced(err) {
			return out, err
		}
	}
}

// replaced says whether an error comes from Reset having closed the store; the new one is there then.
func (db *core) replaced(err error) bool {
	if !db.retired.Load() || !errors.Is(err, storage.ErrClosed) {
		return false
	}
	<-db.next
	return true
}

// BatchExecuteStatement runs up to 25 PartiQL statements, each on its own.
func (db *DB) BatchExecuteStatement(ctx context.Context, in *api.BatchExecuteStatementInput) (*api.BatchExecuteStatementOutput, error) {
	return serve(ctx, db, in, (*core).BatchExecuteStatement)
}

// BatchGetItem reads up to 100 items of one or more tables.
func (db *DB) BatchGetItem(ctx context.Context, in *api.BatchGetItemInput) (*api.BatchGetItemOutput, error) {
	return serve(ctx, db, in, (*core).BatchGetItem)
}

// BatchWriteItem puts and deletes up to 25 items, each on its own.
func (db *DB) BatchWriteItem(ctx context.Context, in *api.BatchWriteItemInput) (*api.BatchWriteItemOutput, error) {
	return serve(ctx, db, in, (*core).BatchWriteItem)
}

// CreateBackup makes a backup of a table as it is now.
func (db *DB) CreateBackup(ctx context.Context, in *api.CreateBackupInput) (*api.CreateBackupOutput, error) {
	return serve(ctx, db, in, (*core).CreateBackup)
}

// CreateGlobalTable makes no global table: the service has none of the older version any more.
func (db *DB) CreateGlobalTable(ctx context.Context, in *api.CreateGlobalTableInput) (*api.CreateGlobalTableOutput, error) {
	return serve(ctx, db, in, (*core).CreateGlobalTable)
}

// CreateTable makes a table with its indexes and settings.
func (db *DB) CreateTable(ctx context.Context, in *api.CreateTableInput) (*api.CreateTableOutput, error) {
	return serve(ctx, db, in, (*core).CreateTable)
}

// DeleteBackup removes a backup.
func (db *DB) DeleteBackup(ctx context.Context, in *api.DeleteBackupInput) (*api.DeleteBackupOutput, error) {
	return serve(ctx, db, in, (*core).DeleteBackup)
}

// DeleteItem removes one item, on a condition if one is given.
func (db *DB) DeleteItem(ctx context.Context, in *api.DeleteItemInput) (*api.DeleteItemOutput, error) {
	return serve(ctx, db, in, (*core).DeleteItem)
}

// DeleteResourcePolicy removes the access policy of a table or stream.
func (db *DB) DeleteResourcePolicy(ctx context.Context, in *api.DeleteResourcePolicyInput) (*api.DeleteResourcePolicyOutput, error) {
	return serve(ctx, db, in, (*core).DeleteResourcePolicy)
}

// DeleteTable removes a table with all its items and indexes.
func (db *DB) DeleteTable(ctx context.Context, in *api.DeleteTableInput) (*api.DeleteTableOutput, error) {
	return serve(ctx, db, in, (*core).DeleteTable)
}

// DescribeBackup tells what a backup is of and whether it can be restored.
func (db *DB) DescribeBackup(ctx context.Context, in *api.DescribeBackupInput) (*api.DescribeBackupOutput, error) {
	return serve(ctx, db, in, (*core).DescribeBackup)
}

// DescribeContinuousBackups tells whether a table can be recovered as of earlier times, and which.
func (db *DB) DescribeContinuousBackups(ctx context.Context, in *api.DescribeContinuousBackupsInput) (*api.DescribeContinuousBackupsOutput, error) {
	return serve(ctx, db, in, (*core).DescribeContinuousBackups)
}

// DescribeContributorInsights tells the state of the insights of a table or index.
func (db *DB) DescribeContributorInsights(ctx context.Context, in *api.DescribeContributorInsightsInput) (*api.DescribeContributorInsightsOutput, error) {
	return serve(ctx, db, in, (*core).DescribeContributorInsights)
}

// DescribeEndpoints names the host that clients should call.
func (db *DB) DescribeEndpoints(ctx context.Context, in *api.DescribeEndpointsInput) (*api.DescribeEndpointsOutput, error) {
	return serve(ctx, db, in, (*core).DescribeEndpoints)
}

// DescribeGlobalTable finds no global table of the older version.
func (db *DB) DescribeGlobalTable(ctx context.Context, in *api.DescribeGlobalTableInput) (*api.DescribeGlobalTableOutput, error) {
	return serve(ctx, db, in, (*core).DescribeGlobalTable)
}

// DescribeGlobalTableSettings finds no global table of the older version.
func (db *DB) DescribeGlobalTableSettings(ctx context.Context, in *api.DescribeGlobalTableSettingsInput) (*api.DescribeGlobalTableSettingsOutput, error) {
	return serve(ctx, db, in, (*core).DescribeGlobalTableSettings)
}

// DescribeKinesisStreamingDestination lists the data streams that a table writes to, or wrote.
func (db *DB) DescribeKinesisStreamingDestination(ctx context.Context, in *api.DescribeKinesisStreamingDestinationInput) (*api.DescribeKinesisStreamingDestinationOutput, error) {
	return serve(ctx, db, in, (*core).DescribeKinesisStreamingDestination)
}

// DescribeLimits tells the throughput limits of the account and of a table.
func (db *DB) DescribeLimits(ctx context.Context, in *api.DescribeLimitsInput) (*api.DescribeLimitsOutput, error) {
	return serve(ctx, db, in, (*core).DescribeLimits)
}

// DescribeStream tells the state and the shards of a change stream.
func (db *DB) DescribeStream(ctx context.Context, in *api.DescribeStreamInput) (*api.DescribeStreamOutput, error) {
	return serve(ctx, db, in, (*core).DescribeStream)
}

// DescribeTable tells the schema, state, size and settings of a table.
func (db *DB) DescribeTable(ctx context.Context, in *api.DescribeTableInput) (*api.DescribeTableOutput, error) {
	return serve(ctx, db, in, (*core).DescribeTable)
}

// DescribeTableReplicaAutoScaling tells how the throughput of a table with replicas scales.
func (db *DB) DescribeTableReplicaAutoScaling(ctx context.Context, in *api.DescribeTableReplicaAutoScalingInput) (*api.DescribeTableReplicaAutoScalingOutput, error) {
	return serve(ctx, db, in, (*core).DescribeTableReplicaAutoScaling)
}

// DescribeTimeToLive tells whether items expire and by which attribute.
func (db *DB) DescribeTimeToLive(ctx context.Context, in *api.DescribeTimeToLiveInput) (*api.DescribeTimeToLiveOutput, error) {
	return serve(ctx, db, in, (*core).DescribeTimeToLive)
}

// DisableKinesisStreamingDestination ends the writing of changes to a data stream.
func (db *DB) DisableKinesisStreamingDestination(ctx context.Context, in *api.DisableKinesisStreamingDestinationInput) (*api.DisableKinesisStreamingDestinationOutput, error) {
	return serve(ctx, db, in, (*core).DisableKinesisStreamingDestination)
}

// EnableKinesisStreamingDestination begins to write the changes of a table to a data stream.
func (db *DB) EnableKinesisStreamingDestination(ctx context.Context, in *api.EnableKinesisStreamingDestinationInput) (*api.EnableKinesisStreamingDestinationOutput, error) {
	return serve(ctx, db, in, (*core).EnableKinesisStreamingDestination)
}

// ExecuteStatement runs one PartiQL statement.
func (db *DB) ExecuteStatement(ctx context.Context, in *api.ExecuteStatementInput) (*api.ExecuteStatementOutput, error) {
	return serve(ctx, db, in, (*core).ExecuteStatement)
}

// ExecuteTransaction runs PartiQL statements, all or none of them.
func (db *DB) ExecuteTransaction(ctx context.Context, in *api.ExecuteTransactionInput) (*api.ExecuteTransactionOutput, error) {
	return serve(ctx, db, in, (*core).ExecuteTransaction)
}

// GetItem reads one item by its key.
func (db *DB) GetItem(ctx context.Context, in *api.GetItemInput) (*api.GetItemOutput, error) {
	return serve(ctx, db, in, (*core).GetItem)
}

// GetRecords reads changes from the position of an iterator.
func (db *DB) GetRecords(ctx context.Context, in *api.GetRecordsInput) (*api.GetRecordsOutput, error) {
	return serve(ctx, db, in, (*core).GetRecords)
}

// GetResourcePolicy returns the access policy of a table or stream.
func (db *DB) GetResourcePolicy(ctx context.Context, in *api.GetResourcePolicyInput) (*api.GetResourcePolicyOutput, error) {
	return serve(ctx, db, in, (*core).GetResourcePolicy)
}

// GetShardIterator returns a reading position in a shard of a stream.
func (db *DB) GetShardIterator(ctx context.Context, in *api.GetShardIteratorInput) (*api.GetShardIteratorOutput, error) {
	return serve(ctx, db, in, (*core).GetShardIterator)
}

// ListBackups lists backups in the order of their creation.
func (db *DB) ListBackups(ctx context.Context, in *api.ListBackupsInput) (*api.ListBackupsOutput, error) {
	return serve(ctx, db, in, (*core).ListBackups)
}

// ListContributorInsights lists tables and indexes with their insights' state.
func (db *DB) ListContributorInsights(ctx context.Context, in *api.ListContributorInsightsInput) (*api.ListContributorInsightsOutput, error) {
	return serve(ctx, db, in, (*core).ListContributorInsights)
}

// ListGlobalTables lists no global tables: there are none of the older version.
func (db *DB) ListGlobalTables(ctx context.Context, in *api.ListGlobalTablesInput) (*api.ListGlobalTablesOutput, error) {
	return serve(ctx, db, in, (*core).ListGlobalTables)
}

// ListStreams lists change streams, of one table or all.
func (db *DB) ListStreams(ctx context.Context, in *api.ListStreamsInput) (*api.ListStreamsOutput, error) {
	return serve(ctx, db, in, (*core).ListStreams)
}

// ListTables lists the names of all tables in order.
func (db *DB) ListTables(ctx context.Context, in *api.ListTablesInput) (*api.ListTablesOutput, error) {
	return serve(ctx, db, in, (*core).ListTables)
}

// ListTagsOfResource lists the tags of a table.
func (db *DB) ListTagsOfResource(ctx context.Context, in *api.ListTagsOfResourceInput) (*api.ListTagsOfResourceOutput, error) {
	return serve(ctx, db, in, (*core).ListTagsOfResource)
}

// PutItem stores an item in place of any with the same key.
func (db *DB) PutItem(ctx context.Context, in *api.PutItemInput) (*api.PutItemOutput, error) {
	return serve(ctx, db, in, (*core).PutItem)
}

// PutResourcePolicy sets the access policy of a table or stream.
func (db *DB) PutResourcePolicy(ctx context.Context, in *api.PutResourcePolicyInput) (*api.PutResourcePolicyOutput, error) {
	return serve(ctx, db, in, (*core).PutResourcePolicy)
}

// Query reads the items of one partition in sort order, by pages.
func (db *DB) Query(ctx context.Context, in *api.QueryInput) (*api.QueryOutput, error) {
	return serve(ctx, db, in, (*core).Query)
}

// RestoreTableFromBackup makes a new table of a backup.
func (db *DB) RestoreTableFromBackup(ctx context.Context, in *api.RestoreTableFromBackupInput) (*api.RestoreTableFromBackupOutput, error) {
	return serve(ctx, db, in, (*core).RestoreTableFromBackup)
}

// RestoreTableToPointInTime makes a new table of another one as it was at a time.
func (db *DB) RestoreTableToPointInTime(ctx context.Context, in *api.RestoreTableToPointInTimeInput) (*api.RestoreTableToPointInTimeOutput, error) {
	return serve(ctx, db, in, (*core).RestoreTableToPointInTime)
}

// Scan reads all items of a table or index, by pages.
func (db *DB) Scan(ctx context.Context, in *api.ScanInput) (*api.ScanOutput, error) {
	return serve(ctx, db, in, (*core).Scan)
}

// SearchVectors finds the items whose vectors are nearest to a given one.
func (db *DB) SearchVectors(ctx context.Context, in *api.SearchVectorsInput) (*api.SearchVectorsOutput, error) {
	return serve(ctx, db, in, (*core).SearchVectors)
}

// TagResource sets tags of a table.
func (db *DB) TagResource(ctx context.Context, in *api.TagResourceInput) (*api.TagResourceOutput, error) {
	return serve(ctx, db, in, (*core).TagResource)
}

// TransactGetItems reads up to 100 items as of one moment.
func (db *DB) TransactGetItems(ctx context.Context, in *api.TransactGetItemsInput) (*api.TransactGetItemsOutput, error) {
	return serve(ctx, db, in, (*core).TransactGetItems)
}

// TransactWriteItems runs up to 100 writes and checks, all or none of them.
func (db *DB) TransactWriteItems(ctx context.Context, in *api.TransactWriteItemsInput) (*api.TransactWriteItemsOutput, error) {
	return serve(ctx, db, in, (*core).TransactWriteItems)
}

// UntagResource removes tags of a table.
func (db *DB) UntagResource(ctx context.Context, in *api.UntagResourceInput) (*api.UntagResourceOutput, error) {
	return serve(ctx, db, in, (*core).UntagResource)
}

// UpdateContinuousBackups sets whether and how long a table can be recovered as of earlier times.
func (db *DB) UpdateContinuousBackups(ctx context.Context, in *api.UpdateContinuousBackupsInput) (*api.UpdateContinuousBackupsOutput, error) {
	return serve(ctx, db, in, (*core).UpdateContinuousBackups)
}

// UpdateContributorInsights turns counting of the keys that are asked for most on or off.
func (db *DB) UpdateContributorInsights(ctx context.Context, in *api.UpdateContributorInsightsInput) (*api.UpdateContributorInsightsOutput, error) {
	return serve(ctx, db, in, (*core).UpdateContributorInsights)
}

// UpdateGlobalTable finds no global table of the older version.
func (db *DB) UpdateGlobalTable(ctx context.Context, in *api.UpdateGlobalTableInput) (*api.UpdateGlobalTableOutput, error) {
	return serve(ctx, db, in, (*core).UpdateGlobalTable)
}

// UpdateGlobalTableSettings finds no global table of the older version.
func (db *DB) UpdateGlobalTableSettings(ctx context.Context, in *api.UpdateGlobalTableSettingsInput) (*api.UpdateGlobalTableSettingsOutput, error) {
	return serve(ctx, db, in, (*core).UpdateGlobalTableSettings)
}

// UpdateItem changes attributes of one item, or makes it.
func (db *DB) UpdateItem(ctx context.Context, in *api.UpdateItemInput) (*api.UpdateItemOutput, error) {
	return serve(ctx, db, in, (*core).UpdateItem)
}

// UpdateTable changes settings, indexes or replicas of a table.
func (db *DB) UpdateTable(ctx context.Context, in *api.UpdateTableInput) (*api.UpdateTableOutput, error) {
	return serve(ctx, db, in, (*core).UpdateTable)
}

// UpdateTableReplicaAutoScaling sets how the throughput of a table with replicas scales.
func (db *DB) UpdateTableReplicaAutoScaling(ctx context.Context, in *api.UpdateTableReplicaAutoScalingInput) (*api.UpdateTableReplicaAutoScalingOutput, error) {
	return serve(ctx, db, in, (*core).UpdateTableReplicaAutoScaling)
}

// UpdateTimeToLive sets by which attribute items expire.
func (db *DB) UpdateTimeToLive(ctx context.Context, in *api.UpdateTimeToLiveInput) (*api.UpdateTimeToLiveOutput, error) {
	return serve(ctx, db, in, (*core).UpdateTimeToLive)
}

// UpdateKinesisStreamingDestination changes the precision of times in records for a data stream.
func (db *DB) UpdateKinesisStreamingDestination(ctx context.Context, in *api.UpdateKinesisStreamingDestinationInput) (*api.UpdateKinesisStreamingDestinationOutput, error) {
	return serve(ctx, db, in, (*core).UpdateKinesisStreamingDestination)
}
