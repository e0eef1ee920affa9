package compat

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// waitMax bounds waiting for what the server does in the background, on a machine however busy.
const waitMax = 5 * time.Minute

// backedUp makes a backup of a table and waits until it is there.
func backedUp(t *testing.T, table string) (arn string) {
	t.Helper()
	out, err := db.CreateBackup(t.Context(), &dynamodb.CreateBackupInput{TableName: &table, BackupName: aws.String("a-backup")})
	require.NoError(t, err)
	assert.Equal(t, types.BackupStatusCreating, out.BackupDetails.BackupStatus)
	assert.Equal(t, types.BackupTypeUser, out.BackupDetails.BackupType)
	arn = *out.BackupDetails.BackupArn
	require.Eventually(t, func() bool {
		out, err := db.DescribeBackup(t.Context(), &dynamodb.DescribeBackupInput{BackupArn: &arn})
		return err == nil && out.BackupDescription.BackupDetails.BackupStatus == types.BackupStatusAvailable
	}, waitMax, 5*time.Millisecond)
	return arn
}

// exists waits for a table that is being restored, as programs do.
func exists(t *testing.T, table string) *types.TableDescription {
	t.Helper()
	waiter := dynamodb.NewTableExistsWaiter(db, func(o *dynamodb.TableExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = 5*time.Millisecond, 50*time.Millisecond
	})
	out, err := waiter.WaitForOutput(t.Context(), &dynamodb.DescribeTableInput{TableName: &table}, waitMax)
	require.NoError(t, err)
	return out.Table
}

// count returns how many items a table or index has.
func count(t *testing.T, table string, index *string) int {
	t.Helper()
	n := 0
	pages := dynamodb.NewScanPaginator(db, &dynamodb.ScanInput{TableName: &table, IndexName: index, Select: types.SelectCount})
	for pages.HasMorePages() {
		out, err := pages.NextPage(t.Context())
		require.NoError(t, err)
		n += int(out.Count)
	}
	return n
}

// TestBackups: from the making of a backup to its end, with a table restored from it (wire-facts §6.18).
func TestBackups(t *testing.T) {
	table := name(t)
	_, err := db.CreateTable(t.Context(), indexedInput(table))
	require.NoError(t, err)
	for i := range 30 {
		put(t, table, item{"pk": str(fmt.Sprint("p", i%4)), "sk": str(fmt.Sprint(i)), "num": intNum(i), "grp": str("g")})
	}
	arn := backedUp(t, table)
	put(t, table, item{"pk": str("later"), "sk": str("later")})
	described, err := db.DescribeBackup(t.Context(), &dynamodb.DescribeBackupInput{BackupArn: &arn})
	require.NoError(t, err)
	assert.EqualValues(t, 30, *described.BackupDescription.SourceTableDetails.ItemCount)
	assert.Len(t, described.BackupDescription.SourceTableFeatureDetails.GlobalSecondaryIndexes, 2)
	assert.Len(t, described.BackupDescription.SourceTableFeatureDetails.LocalSecondaryIndexes, 1)

	target := table + "-restored"
	restored, err := db.RestoreTableFromBackup(t.Context(), &dynamodb.RestoreTableFromBackupInput{BackupArn: &arn, TargetTableName: &target})
	require.NoError(t, err)
	assert.Equal(t, types.TableStatusCreating, restored.TableDescription.TableStatus)
	assert.True(t, *restored.TableDescription.RestoreSummary.RestoreInProgress)
	assert.Equal(t, arn, *restored.TableDescription.RestoreSummary.SourceBackupArn)
	assert.False(t, *exists(t, target).RestoreSummary.RestoreInProgress)
	assert.Equal(t, 30, count(t, target, nil))
	assert.Equal(t, 30, count(t, target, aws.String(byGroup)))
	assert.Equal(t, 30, count(t, target, aws.String(byNumber)))
	_, err = db.RestoreTableFromBackup(t.Context(), &dynamodb.RestoreTableFromBackupInput{BackupArn: &arn, TargetTableName: &target})
	wantError(t, err, "TableAlreadyExistsException", "Table already exists: "+target)

	bare := table + "-bare"
	_, err = db.RestoreTableFromBackup(t.Context(), &dynamodb.RestoreTableFromBackupInput{
		BackupArn: &arn, TargetTableName: &bare, BillingModeOverride: types.BillingModeProvisioned,
		ProvisionedThroughputOverride: &types.ProvisionedThroughput{ReadCapacityUnits: aws.Int64(5), WriteCapacityUnits: aws.Int64(6)},
		GlobalSecondaryIndexOverride:  []types.GlobalSecondaryIndex{}, LocalSecondaryIndexOverride: []types.LocalSecondaryIndex{},
	})
	require.NoError(t, err)
	assert.EqualValues(t, 6, *exists(t, bare).ProvisionedThroughput.WriteCapacityUnits)

	list, err := db.ListBackups(t.Context(), &dynamodb.ListBackupsInput{TableName: &table})
	require.NoError(t, err)
	require.Len(t, list.BackupSummaries, 1)
	assert.Equal(t, arn, *list.BackupSummaries[0].BackupArn)
	deleted, err := db.DeleteBackup(t.Context(), &dynamodb.DeleteBackupInput{BackupArn: &arn})
	require.NoError(t, err)
	assert.Equal(t, types.BackupStatusDeleted, deleted.BackupDescription.BackupDetails.BackupStatus)
	for what, err := range map[string]error{
		"describe": func() error {
			_, err := db.DescribeBackup(t.Context(), &dynamodb.DescribeBackupInput{BackupArn: &arn})
			return err
		}(),
		"delete": func() error {
			_, err := db.DeleteBackup(t.Context(), &dynamodb.DeleteBackupInput{BackupArn: &arn})
			return err
		}(),
		"restore": func() error {
			_, err := db.RestoreTableFromBackup(t.Context(), &dynamodb.RestoreTableFromBackupInput{BackupArn: &arn, TargetTableName: aws.String("never")})
			return err
		}(),
	} {
		t.Run(what, func(t *testing.T) { wantError(t, err, "BackupNotFoundException", "Backup not found: "+arn) })
	}
}

// TestPointInTimeRecovery: a table comes back as it was between two writes.
func TestPointInTimeRecovery(t *testing.T) {
	table, _ := newTable(t)
	restore := func(target string, at time.Time) error {
		_, err := db.RestoreTableToPointInTime(t.Context(), &dynamodb.RestoreTableToPointInTimeInput{
			SourceTableName: &table, TargetTableName: &target, RestoreDateTime: &at,
		})
		return err
	}
	wantError(t, restore("never", time.Now()), "PointInTimeRecoveryUnavailableException",
		fmt.Sprintf("Point in time recovery is not enabled for table '%s'", table))
	off, err := db.DescribeContinuousBackups(t.Context(), &dynamodb.DescribeContinuousBackupsInput{TableName: &table})
	require.NoError(t, err)
	assert.Equal(t, types.ContinuousBackupsStatusEnabled, off.ContinuousBackupsDescription.ContinuousBackupsStatus)
	assert.Equal(t, types.PointInTimeRecoveryStatusDisabled, off.ContinuousBackupsDescription.PointInTimeRecoveryDescription.PointInTimeRecoveryStatus)
	put(t, table, item{"pk": str("first")})
	on, err := db.UpdateContinuousBackups(t.Context(), &dynamodb.UpdateContinuousBackupsInput{
		TableName: &table, PointInTimeRecoverySpecification: &types.PointInTimeRecoverySpecification{
			PointInTimeRecoveryEnabled: aws.Bool(true), RecoveryPeriodInDays: aws.Int32(2),
		},
	})
	require.NoError(t, err)
	recovery := on.ContinuousBackupsDescription.PointInTimeRecoveryDescription
	assert.Equal(t, types.PointInTimeRecoveryStatusEnabled, recovery.PointInTimeRecoveryStatus)
	assert.EqualValues(t, 2, *recovery.RecoveryPeriodInDays)
	put(t, table, item{"pk": str("second")})
	// The clock is the server's.
	now, err := db.DescribeContinuousBackups(t.Context(), &dynamodb.DescribeContinuousBackupsInput{TableName: &table})
	require.NoError(t, err)
	between := *now.ContinuousBackupsDescription.PointInTimeRecoveryDescription.LatestRestorableDateTime
	require.Eventually(t, func() bool { return time.Now().After(between.Add(2 * time.Millisecond)) }, waitMax, time.Millisecond)
	put(t, table, item{"pk": str("third")})
	require.NoError(t, restore(table+"-then", between))
	summary := exists(t, table+"-then").RestoreSummary
	assert.Equal(t, between.UnixMilli(), summary.RestoreDateTime.UnixMilli())
	assert.Equal(t, 2, count(t, table+"-then", nil))
	latest := table + "-latest"
	_, err = db.RestoreTableToPointInTime(t.Context(), &dynamodb.RestoreTableToPointInTimeInput{
		SourceTableName: &table, TargetTableName: &latest, UseLatestRestorableTime: aws.Bool(true),
	})
	require.NoError(t, err)
	exists(t, latest)
	assert.Equal(t, 3, count(t, latest, nil))
	require.ErrorContains(t, restore("never", between.Add(-time.Hour)), "InvalidRestoreTimeException: RestoreDateTime '"+
		between.Add(-time.Hour).UTC().Format("2006-01-02T15:04:05Z")+"' must be within EarliestRestorableDateTime '")
	wantError(t, restore(table, between), "TableAlreadyExistsException", "Table already exists: "+table)

	// Deleted, it leaves a backup.
	_, err = db.DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: &table})
	require.NoError(t, err)
	list, err := db.ListBackups(t.Context(), &dynamodb.ListBackupsInput{TableName: &table, BackupType: types.BackupTypeFilterSystem})
	require.NoError(t, err)
	require.Len(t, list.BackupSummaries, 1)
	assert.Equal(t, table+"$DeletedTableBackup", *list.BackupSummaries[0].BackupName)
	_, err = db.RestoreTableFromBackup(t.Context(), &dynamodb.RestoreTableFromBackupInput{
		BackupArn: list.BackupSummaries[0].BackupArn, TargetTableName: &table,
	})
	require.NoError(t, err)
	exists(t, table)
	assert.Equal(t, 3, count(t, table, nil))
}
