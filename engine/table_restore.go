package engine

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/backups"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/validate"
)

// RestoreTableFromBackup makes a table that a task fills with the items of a backup.
func (db *core) RestoreTableFromBackup(ctx context.Context, in *api.RestoreTableFromBackupInput) (*api.RestoreTableFromBackupOutput, error) {
	if err := validate.RestoreTableFromBackup(in, db.rules); err != nil {
		return nil, err
	}
	name := tableName(in.TargetTableName.Value)
	// A backup that goes meanwhile is not missed by a look.
	db.restoring.Lock()
	defer db.restoring.Unlock()
	b, err := db.backup(ctx, in.BackupArn.Value)
	if err != nil {
		return nil, err
	}
	if b.Status != backups.Available {
		return nil, api.Errorf(api.BackupInUse, api.MsgBackupCreating, in.BackupArn.Value)
	}
	if err := db.mayRestore(ctx, name); err != nil {
		return nil, err
	}
	if db.restores(b.ID) {
		return nil, api.Errorf(api.BackupInUse, api.MsgBackupRestoringOther, in.BackupArn.Value)
	}
	r, err := restored(&b.Table, name, overrides{
		in.BillingModeOverride, in.ProvisionedThroughputOverride, in.OnDemandThroughputOverride, in.SSESpecificationOverride,
		in.GlobalSecondaryIndexOverride, in.LocalSecondaryIndexOverride, in.VectorIndexOverride,
	})
	if err != nil {
		return nil, err
	}
	r.Filling = db.restoreTask()
	r.Restore = &catalog.Restore{
		Backup: b.ID, BackupARN: db.backupARN(b), Source: b.Table.Table.Name,
		SourceID: b.Table.Table.ID, SourceARN: db.tableARN(b.Table.Table.Name), AtMs: b.CreatedMs,
	}
	d, err := db.restoreInto(ctx, r)
	return &api.RestoreTableFromBackupOutput{TableDescription: d}, err
}

// restoreTask is a new id of a task, which the hold on a log has too.
func (db *core) restoreTask() string { return "restore-" + db.newUUID() }

// restoresMax is how many tables may be restored at once.
const restoresMax = 50

// mayRestore refuses the name of a table that is there, and a restore too many.
func (db *core) mayRestore(ctx context.Context, name string) error {
	t, err := db.catalog.Lookup(ctx, name)
	switch {
	case err == nil && t.Filling != "" && t.Restore != nil && t.Restore.BackupARN != "":
		return api.Errorf(api.TableInUse, api.MsgRestoreTargetBackup, name, t.Restore.BackupARN)
	case err == nil && t.Filling != "" && t.Restore != nil:
		return api.Errorf(api.TableInUse, api.MsgRestoreTargetTable, name, t.Restore.SourceARN)
	case err == nil:
		return api.Errorf(api.TableAlreadyExists, api.MsgTableExists, name)
	case len(db.catalog.Restoring()) >= restoresMax:
		return api.Errorf(api.LimitExceeded, api.MsgRestoresAtOnce, restoresMax)
	}
	return unlessGone(err)
}

// restoreInto makes a table that is to be filled.
func (db *core) restoreInto(ctx context.Context, r catalog.Record) (*api.TableDescription, error) {
	t, err := db.catalog.Create(ctx, r)
	if errors.Is(err, catalog.ErrExists) {
		return nil, api.Errorf(api.TableAlreadyExists, api.MsgTableExists, r.Table.Name)
	}
	if errors.Is(err, catalog.ErrTooMany) {
		return nil, api.Errorf(api.LimitExceeded, api.MsgTables, tablesMax)
	}
	if err != nil {
		return nil, err
	}
	db.background.tasks.look()
	return db.describe(ctx, t)
}

// RestoreTableToPointInTime makes a table that a task fills with the items of another one as they were.
func (db *core) RestoreTableToPointInTime(ctx context.Context, in *api.RestoreTableToPointInTimeInput) (*api.RestoreTableToPointInTimeOutput, error) {
	if err := validate.RestoreTableToPointInTime(in, db.rules); err != nil {
		return nil, err
	}
	ref := in.SourceTableName
	if !ref.Set {
		ref = in.SourceTableArn
	}
	source, name := tableName(ref.Value), tableName(in.TargetTableName.Value)
	t, err := db.catalog.Lookup(ctx, source)
	if err != nil {
		return nil, tableNotFound(err, source)
	}
	if err := backupBusy(&t.Record); err != nil {
		return nil, err
	}
	atMs, err := db.restoreTime(&t.Record, in)
	if err != nil {
		return nil, err
	}
	if err := db.mayRestore(ctx, name); err != nil {
		return nil, err
	}
	r, err := restored(&t.Record, name, overrides{
		in.BillingModeOverride, in.ProvisionedThroughputOverride, in.OnDemandThroughputOverride, in.SSESpecificationOverride,
		in.GlobalSecondaryIndexOverride, in.LocalSecondaryIndexOverride, in.VectorIndexOverride,
	})
	if err != nil {
		return nil, err
	}
	task := db.restoreTask()
	hold := catalog.LogHold{ID: task, FromMs: atMs, MadeMs: db.exec.Now().UnixMilli(), Pins: true}
	held, err := db.holdLog(ctx, source, hold, func(r *catalog.Record) error {
		if err := backupBusy(r); err != nil {
			return err
		}
		_, err := db.restoreTime(r, in) // it may have been switched off
		return err
	})
	if err != nil {
		return nil, tableNotFound(err, source)
	}
	d, err := db.restoreAsOf(ctx, held, r, task, atMs)
	if err != nil {
		db.letGo(ctx, source, held.Table.ID, task)
		return nil, err
	}
	return &api.RestoreTableToPointInTimeOutput{TableDescription: d}, nil
}

// restoreAsOf makes the table that is filled from one whose log is held.
func (db *core) restoreAsOf(ctx context.Context, source *catalog.Table, r catalog.Record, task string, atMs int64) (*api.TableDescription, error) {
	seq, err := db.cutAt(ctx, source, atMs)
	if err != nil {
		return nil, err
	}
	r.Filling = task
	r.Restore = &catalog.Restore{
		Source: source.Table.Name, SourceID: source.Table.ID,
		SourceARN: db.tableARN(source.Table.Name), AtMs: atMs, Seq: uint64(seq),
	}
	return db.restoreInto(ctx, r)
}

// restoreTime is the moment that is asked for, in milliseconds since 1970. Moments are told apart to the
// second at the bounds, since the service tells them so.
func (db *core) restoreTime(r *catalog.Record, in *api.RestoreTableToPointInTimeInput) (int64, error) {
	now := db.exec.Now().UnixMilli()
	days, earliest, latest := r.Recovery(now)
	if days == 0 {
		return 0, api.Errorf(api.PointInTimeUnavailable, api.MsgRecoveryOff, r.Table.Name)
	}
	if in.UseLatestRestorableTime.Value {
		return latest, nil
	}
	at := in.RestoreDateTime.Value.UnixMilli()
	const second = 1000
	if at/second < earliest/second || at/second > latest/second {
		return 0, api.Errorf(api.InvalidRestoreTime, api.MsgRestoreTime, zulu(in.RestoreDateTime.Value.UnixMilli()), zulu(earliest), zulu(latest))
	}
	return min(max(at, earliest), latest), nil
}

// zulu is a time to the second as the texts on backups have it.
func zulu(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05Z") }

// restored is the record of a table with the settings of another one that a restore brings back: neither
// stream nor time to live, tags, deletion protection, recovery, policy and table class.
func restored(source *catalog.Record, name string, o overrides) (catalog.Record, error) {
	r := catalog.Record{
		Table:   schema.Table{Name: name, Key: source.Table.Key, Indexes: slices.Clone(source.Table.Indexes)},
		Billing: source.Billing.Clone(), SSE: source.SSE,
	}
	r.Billing.Changes, r.Billing.IndexChanges, r.Billing.Switches = catalog.Changes{}, nil, nil
	for i := range r.Table.Indexes {
		r.Table.Indexes[i].Building, r.Table.Indexes[i].DeleteOnly = false, false
	}
	if err := o.apply(&r); err != nil {
		return r, err
	}
	if o.sse != nil {
		r.SSE = nil
		if o.sse.Enabled.Value {
			r.SSE = &catalog.SSE{KeyID: o.sse.KMSMasterKeyId.Value}
		}
	}
	for _, a := range source.Definitions {
		if r.Keyed(a.Name) {
			r.Definitions = append(r.Definitions, a)
		}
	}
	return r, nil
}
