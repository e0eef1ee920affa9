package engine

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/storage"
)

func (d *testDB) backup(name string) string {
	d.t.Helper()
	out, err := d.CreateBackup(context.Background(), &api.CreateBackupInput{TableName: api.Some("orders"), BackupName: api.Some(name)})
	require.NoError(d.t, err)
	require.Equal(d.t, "CREATING", out.BackupDetails.BackupStatus.Value)
	require.Equal(d.t, "USER", out.BackupDetails.BackupType.Value)
	return out.BackupDetails.BackupArn.Value
}

func (d *testDB) describeBackup(arn string) *api.BackupDescription {
	d.t.Helper()
	out, err := d.DescribeBackup(context.Background(), &api.DescribeBackupInput{BackupArn: api.Some(arn)})
	require.NoError(d.t, err)
	return out.BackupDescription
}

func (d *testDB) table(name string) *api.TableDescription {
	d.t.Helper()
	out, err := d.DescribeTable(context.Background(), &api.DescribeTableInput{TableName: api.Some(name)})
	require.NoError(d.t, err)
	return out.Table
}

// scan returns the items of a table or index, as they are.
func (d *testDB) scan(table, index string) map[string]bool {
	d.t.Helper()
	items := map[string]bool{}
	in := &api.ScanInput{TableName: api.Some(table)}
	if index != "" {
		in.IndexName = api.Some(index)
	}
	for {
		out, err := d.Scan(context.Background(), in)
		require.NoError(d.t, err)
		for _, it := range out.Items {
			items[string(it)] = true
		}
		if in.ExclusiveStartKey = out.LastEvaluatedKey; in.ExclusiveStartKey == nil {
			return items
		}
	}
}

func (d *testDB) fill(n int, v string) {
	for i := range n {
		b := attr.NewItem().S("pk", fmt.Sprint("p", i%11)).N("sk", fmt.Sprint(i)).S("v", v)
		if i%2 == 0 {
			b.S("g", fmt.Sprint("g", i%3)).N("h", fmt.Sprint(i))
		}
		if i%3 == 0 {
			b.S("l", fmt.Sprint("l", i))
		}
		d.put(b)
	}
}

// TestBackupAndRestore: a backup is the table as of its call, whatever is written while it is made, and the
// restored table has items, index entries and sizes of collections of it.
func TestBackupAndRestore(t *testing.T) {
	d := openTest(t, Options{})
	ctx := t.Context()
	d.orders()
	d.fill(3000, "before")
	want, byG, byL := d.scan("orders", ""), d.scan("orders", "byG"), d.scan("orders", "byL")
	arn := d.backup("first")
	require.Regexp(t, `^arn:aws:dynamodb:us-east-1:123456789012:table/orders/backup/0\d{13}-[0-9a-f]{8}$`, arn)
	_, err := d.DeleteBackup(ctx, &api.DeleteBackupInput{BackupArn: api.Some(arn)})
	require.Equal(t, api.BackupInUse, api.CodeOf(err))
	_, err = d.RestoreTableFromBackup(ctx, &api.RestoreTableFromBackupInput{BackupArn: api.Some(arn), TargetTableName: api.Some("again")})
	require.Equal(t, api.BackupInUse, api.CodeOf(err))
	_, err = d.DeleteTable(ctx, &api.DeleteTableInput{TableName: api.Some("orders")})
	require.Equal(t, api.ResourceInUse, api.CodeOf(err))
	d.later(time.Second)
	d.fill(3100, "after")
	d.remove("p1", "1")
	d.work()
	b := d.describeBackup(arn)
	require.Equal(t, "AVAILABLE", b.BackupDetails.BackupStatus.Value)
	require.EqualValues(t, 3000, b.SourceTableDetails.ItemCount.Value)
	require.Positive(t, b.BackupDetails.BackupSizeBytes.Value)
	require.Len(t, b.SourceTableFeatureDetails.GlobalSecondaryIndexes, 1)
	require.Nil(t, d.served.Load().mustTable(t, "orders").Log, "nobody needs the log any more")

	out, err := d.RestoreTableFromBackup(ctx, &api.RestoreTableFromBackupInput{BackupArn: api.Some(arn), TargetTableName: api.Some("again")})
	require.NoError(t, err)
	require.Equal(t, "CREATING", out.TableDescription.TableStatus.Value)
	require.True(t, out.TableDescription.RestoreSummary.RestoreInProgress.Value)
	require.Equal(t, arn, out.TableDescription.RestoreSummary.SourceBackupArn.Value)
	_, err = d.DeleteBackup(ctx, &api.DeleteBackupInput{BackupArn: api.Some(arn)})
	requireError(t, err, api.BackupInUse, "Backup is being used to restore table: "+arn)
	_, err = d.RestoreTableFromBackup(ctx, &api.RestoreTableFromBackupInput{BackupArn: api.Some(arn), TargetTableName: api.Some("other")})
	requireError(t, err, api.BackupInUse, "Backup is being used to restore another table: "+arn)
	_, err = d.RestoreTableFromBackup(ctx, &api.RestoreTableFromBackupInput{BackupArn: api.Some(arn), TargetTableName: api.Some("again")})
	requireError(t, err, api.TableInUse, "Table: again is already being restored from backup: "+arn)
	_, err = d.GetItem(ctx, &api.GetItemInput{TableName: api.Some("again"), Key: d.build(attr.NewItem().S("pk", "p1").N("sk", "1"))})
	require.Equal(t, api.ResourceNotFound, api.CodeOf(err))
	d.work()
	again := d.table("again")
	require.Equal(t, "ACTIVE", again.TableStatus.Value)
	require.False(t, again.RestoreSummary.RestoreInProgress.Value)
	require.Equal(t, arn, again.RestoreSummary.SourceBackupArn.Value)
	require.EqualValues(t, 3000, again.ItemCount.Value)
	require.Equal(t, want, d.scan("again", ""))
	require.Equal(t, byG, d.scan("again", "byG"))
	require.Equal(t, byL, d.scan("again", "byL"))
	// It is a table like any other, and goes like one.
	_, err = d.PutItem(ctx, &api.PutItemInput{TableName: api.Some("again"), Item: d.build(item1("x", "y"))})
	require.NoError(t, err)
	_, err = d.RestoreTableFromBackup(ctx, &api.RestoreTableFromBackupInput{BackupArn: api.Some(arn), TargetTableName: api.Some("again")})
	requireError(t, err, api.TableAlreadyExists, "Table already exists: again")
	_, err = d.DeleteTable(ctx, &api.DeleteTableInput{TableName: api.Some("again")})
	require.NoError(t, err)

	deleted, err := d.DeleteBackup(ctx, &api.DeleteBackupInput{BackupArn: api.Some(arn)})
	require.NoError(t, err)
	require.Equal(t, "DELETED", deleted.BackupDescription.BackupDetails.BackupStatus.Value)
	_, err = d.DescribeBackup(ctx, &api.DescribeBackupInput{BackupArn: api.Some(arn)})
	requireError(t, err, api.BackupNotFound, "Backup not found: "+arn)
	_, err = d.DeleteBackup(ctx, &api.DeleteBackupInput{BackupArn: api.Some(arn)})
	require.Equal(t, api.BackupNotFound, api.CodeOf(err))
	d.work()
	// Nothing is left of the backup, the restored table and their tasks.
	id := d.served.Load().mustTable(t, "orders").Table.ID
	st, err := d.served.Load().store.Stats(ctx, storage.Range{
		Start: key.WholeSpace(key.TableSpace(id + 1)).Start, End: key.WholeSpace(key.StreamSpace(0)).Start,
	})
	require.NoError(t, err)
	require.Zero(t, st.Keys)
	list, err := d.served.Load().tasks.List(ctx, "")
	require.NoError(t, err)
	require.Empty(t, list)
}

// TestRestoreOverrides: indexes can be left out and renamed, billing and encryption changed, and what does not fit
// together is refused before anything is made.
func TestRestoreOverrides(t *testing.T) {
	d := openTest(t, Options{})
	ctx := t.Context()
	d.orders()
	d.fill(10, "x")
	arn := d.backup("first")
	d.work()
	units := &api.ProvisionedThroughput{ReadCapacityUnits: api.Some[int64](3), WriteCapacityUnits: api.Some[int64](4)}
	restore := func(name string, change func(*api.RestoreTableFromBackupInput)) error {
		in := &api.RestoreTableFromBackupInput{BackupArn: api.Some(arn), TargetTableName: api.Some(name)}
		change(in)
		_, err := d.RestoreTableFromBackup(ctx, in)
		d.work()
		return err
	}
	globals := func(change func(*api.GlobalSecondaryIndex)) []api.GlobalSecondaryIndex {
		list := ordersInput().GlobalSecondaryIndexes
		change(&list[0])
		return list
	}

	require.NoError(t, restore("bare", func(in *api.RestoreTableFromBackupInput) {
		in.GlobalSecondaryIndexOverride, in.LocalSecondaryIndexOverride = []api.GlobalSecondaryIndex{}, []api.LocalSecondaryIndex{}
		in.BillingModeOverride, in.ProvisionedThroughputOverride = api.Some("PROVISIONED"), units
		in.SSESpecificationOverride = &api.SSESpecification{Enabled: api.Some(true), SSEType: api.Some("KMS"), KMSMasterKeyId: api.Some("k")}
	}))
	table := d.table("bare")
	require.Empty(t, table.GlobalSecondaryIndexes)
	require.Empty(t, table.LocalSecondaryIndexes)
	require.Len(t, table.AttributeDefinitions, 2)
	require.EqualValues(t, 4, table.ProvisionedThroughput.WriteCapacityUnits.Value)
	require.NotNil(t, table.SSEDescription)
	require.Len(t, d.scan("bare", ""), 10)

	require.NoError(t, restore("other", func(in *api.RestoreTableFromBackupInput) {
		in.BillingModeOverride, in.ProvisionedThroughputOverride = api.Some("PROVISIONED"), units
		in.GlobalSecondaryIndexOverride = globals(func(ix *api.GlobalSecondaryIndex) {
			ix.IndexName, ix.ProvisionedThroughput = api.Some("renamed"), units
		})
	}))
	table = d.table("other")
	require.EqualValues(t, 3, table.GlobalSecondaryIndexes[0].ProvisionedThroughput.ReadCapacityUnits.Value)
	require.Len(t, table.LocalSecondaryIndexes, 1)
	require.Equal(t, d.scan("orders", "byG"), d.scan("other", "renamed"))

	maximum := func(n int64) *api.OnDemandThroughput {
		return &api.OnDemandThroughput{MaxReadRequestUnits: api.Some(n)}
	}
	const noIndex = "Invalid Request: Index %s does not match a secondary index that existed in the source table and cannot be " +
		"created during the restore operation"
	for want, change := range map[string]func(*api.RestoreTableFromBackupInput){
		"Invalid Request: Cannot override ProvisionedThroughput unless BillingMode is PROVISIONED": func(in *api.RestoreTableFromBackupInput) {
			in.ProvisionedThroughputOverride = units
		},
		"Invalid Request: Must override ProvisionedThroughput if BillingMode is overridden to PROVISIONED": func(in *api.RestoreTableFromBackupInput) {
			in.BillingModeOverride = api.Some("PROVISIONED")
		},
		"Invalid Request: Requested MaxReadRequestUnits for OnDemandThroughput is outside of valid range": func(in *api.RestoreTableFromBackupInput) {
			in.OnDemandThroughputOverride = maximum(0)
		},
		"Invalid Request: Cannot override MaxReadRequestUnits for OnDemandThroughput unless BillingModeOverride is PAY_PER_REQUEST": func(in *api.RestoreTableFromBackupInput) {
			in.BillingModeOverride, in.ProvisionedThroughputOverride, in.OnDemandThroughputOverride = api.Some("PROVISIONED"), units, maximum(5)
		},
		"Invalid Request: Must specify provisioned throughput for index byG": func(in *api.RestoreTableFromBackupInput) {
			in.BillingModeOverride, in.ProvisionedThroughputOverride = api.Some("PROVISIONED"), units
		},
		"Invalid Request: Cannot override ProvisionedThroughput if BillingMode is overridden to PAY_PER_REQUEST for index byG": func(in *api.RestoreTableFromBackupInput) {
			in.GlobalSecondaryIndexOverride = globals(func(ix *api.GlobalSecondaryIndex) { ix.ProvisionedThroughput = units })
		},
		fmt.Sprintf(noIndex, "unlike"): func(in *api.RestoreTableFromBackupInput) {
			in.GlobalSecondaryIndexOverride = globals(func(ix *api.GlobalSecondaryIndex) {
				ix.IndexName, ix.Projection = api.Some("unlike"), &api.Projection{ProjectionType: api.Some("KEYS_ONLY")}
			})
		},
		fmt.Sprintf(noIndex, "second"): func(in *api.RestoreTableFromBackupInput) {
			in.GlobalSecondaryIndexOverride = append(globals(func(*api.GlobalSecondaryIndex) {}),
				globals(func(ix *api.GlobalSecondaryIndex) { ix.IndexName = api.Some("second") })...)
		},
	} {
		requireError(t, restore("never", change), api.Validation, want)
	}
	_, err := d.DescribeTable(ctx, &api.DescribeTableInput{TableName: api.Some("never")})
	require.Equal(t, api.ResourceNotFound, api.CodeOf(err))
}

// TestRestoresAtOnce: fifty tables are restored side by side, and the next one has to wait.
func TestRestoresAtOnce(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	d.recovery(true, 0)
	restore := func(name string) error {
		_, err := d.RestoreTableToPointInTime(t.Context(), &api.RestoreTableToPointInTimeInput{
			SourceTableName: api.Some("orders"), TargetTableName: api.Some(name), UseLatestRestorableTime: api.Some(true),
		})
		return err
	}
	for i := range restoresMax {
		require.NoError(t, restore(fmt.Sprint("again", i)))
	}
	requireError(t, restore("again"), api.LimitExceeded, "Subscriber limit exceeded: Only 50 restore operations can be done simultaneously")
	requireError(t, restore("again0"), api.TableInUse, "Table: again0 is already being restored from table: "+
		"arn:aws:dynamodb:us-east-1:123456789012:table/orders")
	d.work()
	require.NoError(t, restore("again"))
}

// TestListBackups: by table, type and time, in pages.
func TestListBackups(t *testing.T) {
	d := openTest(t, Options{})
	ctx := t.Context()
	d.orders()
	var arns []string
	var at []time.Time
	for i := range 5 {
		at = append(at, d.clock.Now())
		arns = append(arns, d.backup(fmt.Sprint("backup-", i)))
		d.later(time.Minute)
	}
	list := func(change func(*api.ListBackupsInput)) (out []string) {
		in := &api.ListBackupsInput{}
		change(in)
		for {
			page, err := d.ListBackups(ctx, in)
			require.NoError(t, err)
			for _, b := range page.BackupSummaries {
				out = append(out, b.BackupArn.Value)
			}
			if !page.LastEvaluatedBackupArn.Set {
				return out
			}
			in.ExclusiveStartBackupArn = page.LastEvaluatedBackupArn
		}
	}
	require.Equal(t, arns, list(func(*api.ListBackupsInput) {}))
	require.Equal(t, arns, list(func(in *api.ListBackupsInput) { in.Limit = api.Some[int64](2) }))
	require.Equal(t, arns[1:3], list(func(in *api.ListBackupsInput) {
		in.TimeRangeLowerBound, in.TimeRangeUpperBound = api.Some(at[1]), api.Some(at[3])
	}))
	require.Empty(t, list(func(in *api.ListBackupsInput) { in.TableName = api.Some("other") }))
	require.Empty(t, list(func(in *api.ListBackupsInput) { in.BackupType = api.Some("SYSTEM") }))
	require.Len(t, list(func(in *api.ListBackupsInput) { in.BackupType = api.Some("ALL") }), 5)
	d.work()
}

func (db *core) mustTable(t *testing.T, name string) *catalog.Record {
	t.Helper()
	table, err := db.catalog.Lookup(t.Context(), name)
	require.NoError(t, err)
	return &table.Record
}

func (d *testDB) recovery(enabled bool, days int64) *api.PointInTimeRecoveryDescription {
	d.t.Helper()
	spec := &api.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: api.Some(enabled)}
	if days > 0 {
		spec.RecoveryPeriodInDays = api.Some(days)
	}
	out, err := d.UpdateContinuousBackups(context.Background(), &api.UpdateContinuousBackupsInput{
		TableName: api.Some("orders"), PointInTimeRecoverySpecification: spec,
	})
	require.NoError(d.t, err)
	return out.ContinuousBackupsDescription.PointInTimeRecoveryDescription
}

func (d *testDB) restoreAt(at time.Time, name string) error {
	_, err := d.RestoreTableToPointInTime(context.Background(), &api.RestoreTableToPointInTimeInput{
		SourceTableName: api.Some("orders"), TargetTableName: api.Some(name), RestoreDateTime: api.Some(at),
	})
	return err
}

// TestPointInTime: any second of the window comes back, the others do not, and the window moves.
func TestPointInTime(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	d.fill(20, "before it was on")
	err := d.restoreAt(d.clock.Now(), "early")
	requireError(t, err, api.PointInTimeUnavailable, "Point in time recovery is not enabled for table 'orders'")
	d.later(time.Minute)
	on := d.clock.Now()
	shown := d.recovery(true, 0)
	require.Equal(t, "ENABLED", shown.PointInTimeRecoveryStatus.Value)
	require.EqualValues(t, 35, shown.RecoveryPeriodInDays.Value)
	require.True(t, on.Equal(shown.EarliestRestorableDateTime.Value))
	require.True(t, on.Equal(shown.LatestRestorableDateTime.Value))
	type state struct {
		at    time.Time
		items map[string]bool
	}
	states := []state{{on, d.scan("orders", "")}}
	for day := range 40 {
		d.later(24 * time.Hour)
		d.put(item1("daily", fmt.Sprint(day)))
		d.put(item1(fmt.Sprint("day ", day), "new"))
		d.remove(fmt.Sprint("day ", day-3), "1")
		d.work()
		states = append(states, state{d.clock.Now(), d.scan("orders", "")})
	}
	now := d.clock.Now()
	require.Equal(t, api.InvalidRestoreTime, api.CodeOf(d.restoreAt(now.Add(time.Second), "late")))
	require.Equal(t, api.InvalidRestoreTime, api.CodeOf(d.restoreAt(now.Add(-35*24*time.Hour-time.Second), "early")))
	for i, s := range states {
		name := fmt.Sprint("restored-", i)
		err := d.restoreAt(s.at.Add(time.Hour-1).Truncate(time.Millisecond), name)
		if i == len(states)-1 {
			err = d.restoreAt(s.at, name)
		}
		if now.Sub(s.at) > 35*24*time.Hour {
			require.Equal(t, api.InvalidRestoreTime, api.CodeOf(err), i)
			continue
		}
		require.NoError(t, err)
		d.work()
		require.Equal(t, s.items, d.scan(name, ""), name)
	}
	log := d.served.Load().mustTable(t, "orders").Log
	require.Empty(t, log.Holds)
	require.LessOrEqual(t, len(log.Generations), 18)

	// The log goes when it is off, and what comes on again begins anew.
	require.Equal(t, "DISABLED", d.recovery(false, 0).PointInTimeRecoveryStatus.Value)
	d.work()
	require.Nil(t, d.served.Load().mustTable(t, "orders").Log)
	d.later(time.Minute)
	require.EqualValues(t, 7, d.recovery(true, 7).RecoveryPeriodInDays.Value)
	require.Equal(t, api.InvalidRestoreTime, api.CodeOf(d.restoreAt(now, "early")))
	require.NoError(t, d.restoreAt(d.clock.Now(), "now"))
	d.work()
	require.Equal(t, d.scan("orders", ""), d.scan("now", ""))
}

// TestDeletedTableBackup: a table with point-in-time recovery leaves a backup, for 35 days.
func TestDeletedTableBackup(t *testing.T) {
	d := openTest(t, Options{})
	ctx := t.Context()
	d.orders()
	d.recovery(true, 1)
	d.fill(50, "x")
	want := d.scan("orders", "")
	_, err := d.DeleteTable(ctx, &api.DeleteTableInput{TableName: api.Some("orders")})
	require.NoError(t, err)
	list := func() []api.BackupSummary {
		out, err := d.ListBackups(ctx, &api.ListBackupsInput{BackupType: api.Some("SYSTEM")})
		require.NoError(t, err)
		return out.BackupSummaries
	}
	require.Len(t, list(), 1)
	b := list()[0]
	require.Equal(t, "orders$DeletedTableBackup", b.BackupName.Value)
	require.Equal(t, d.clock.Now().Add(35*24*time.Hour).Unix(), b.BackupExpiryDateTime.Value.Unix())
	_, err = d.DeleteBackup(ctx, &api.DeleteBackupInput{BackupArn: b.BackupArn})
	requireError(t, err, api.Validation, "Invalid Request: User is not allowed to delete the system backup with arn "+b.BackupArn.Value+
		". It will automatically expire on "+b.BackupExpiryDateTime.Value.UTC().Format("2006-01-02T15:04:05Z"))
	d.orders() // another table of that name
	d.put(item1("other", "table"))
	_, err = d.RestoreTableFromBackup(ctx, &api.RestoreTableFromBackupInput{BackupArn: b.BackupArn, TargetTableName: api.Some("again")})
	require.NoError(t, err)
	d.work()
	require.Equal(t, want, d.scan("again", ""))
	d.later(34 * 24 * time.Hour)
	d.work()
	require.Len(t, list(), 1)
	d.later(25 * time.Hour)
	d.work()
	require.Empty(t, list())
}

// TestRestoreLeavesOut: neither stream nor time to live, tags, deletion protection and recovery are restored, and
// items whose time was over by then are not there, nor come back because nothing hides them any more.
func TestRestoreLeavesOut(t *testing.T) {
	d := openTest(t, Options{})
	ctx := t.Context()
	arn := d.events("KEYS_ONLY")
	require.NotEmpty(t, arn)
	orders := api.Some("orders")
	_, err := d.UpdateTimeToLive(ctx, &api.UpdateTimeToLiveInput{TableName: orders, TimeToLiveSpecification: &api.TimeToLiveSpecification{
		AttributeName: api.Some("end"), Enabled: api.Some(true),
	}})
	require.NoError(t, err)
	_, err = d.UpdateTable(ctx, &api.UpdateTableInput{TableName: orders, DeletionProtectionEnabled: api.Some(true)})
	require.NoError(t, err)
	table := d.table("orders")
	_, err = d.TagResource(ctx, &api.TagResourceInput{
		ResourceArn: table.TableArn, Tags: []api.Tag{{Key: api.Some("k"), Value: api.Some("v")}},
	})
	require.NoError(t, err)
	d.recovery(true, 3)
	d.put(item1("stays", "x"))
	d.put(item1("ends", "x").Int("end", d.clock.Now().Unix()+10))
	backup := d.backup("early")
	d.later(11 * time.Second)
	late := d.backup("late")
	d.work()
	for name, from := range map[string]string{"from-early": backup, "from-late": late} {
		_, err = d.RestoreTableFromBackup(ctx, &api.RestoreTableFromBackupInput{BackupArn: api.Some(from), TargetTableName: api.Some(name)})
		require.NoError(t, err)
	}
	require.NoError(t, d.restoreAt(d.clock.Now(), "from-now"))
	d.work()
	for name, items := range map[string]int{"from-early": 2, "from-late": 1, "from-now": 1} {
		require.Len(t, d.scan(name, ""), items, name)
		restored := d.served.Load().mustTable(t, name)
		require.Nil(t, restored.Stream)
		require.Empty(t, restored.Table.TTL)
		require.Zero(t, restored.Table.TTLSub)
		require.Empty(t, restored.Tags)
		require.False(t, restored.DeletionProtection)
		require.Nil(t, restored.Log)
	}
	require.Equal(t, "KEYS_ONLY", d.describeBackup(late).SourceTableFeatureDetails.StreamDescription.StreamViewType.Value)
	require.Equal(t, "end", d.describeBackup(late).SourceTableFeatureDetails.TimeToLiveDescription.AttributeName.Value)
}

// TestBackupStates: a table that comes or goes is not there for the operations on backups (public report).
func TestBackupStates(t *testing.T) {
	d := openTest(t, Options{TableDelay: time.Minute})
	ctx := t.Context()
	d.orders()
	absent := func() {
		t.Helper()
		_, err := d.CreateBackup(ctx, &api.CreateBackupInput{TableName: api.Some("orders"), BackupName: api.Some("first")})
		requireError(t, err, api.TableNotFound, "Table not found: orders")
		_, err = d.UpdateContinuousBackups(ctx, &api.UpdateContinuousBackupsInput{
			TableName: api.Some("orders"), PointInTimeRecoverySpecification: &api.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: api.Some(true)},
		})
		requireError(t, err, api.TableNotFound, "Table not found: orders")
		requireError(t, d.restoreAt(d.clock.Now(), "again"), api.TableNotFound, "Table not found: orders")
	}
	absent()
	d.later(time.Minute)
	d.backup("first")
	d.work()
	_, err := d.DeleteTable(ctx, &api.DeleteTableInput{TableName: api.Some("orders")})
	require.NoError(t, err)
	absent()
}
