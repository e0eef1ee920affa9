package engine

import (
	"context"
	"errors"
	"slices"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/backups"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/validate"
)

// overrides are the settings of a restored table that are not those of its source.
type overrides struct {
	mode    api.Opt[string]
	units   *api.ProvisionedThroughput
	max     *api.OnDemandThroughput
	sse     *api.SSESpecification
	globals []api.GlobalSecondaryIndex
	locals  []api.LocalSecondaryIndex
	vectors []api.VectorIndex
}

// RestoreTableFromBackup makes a table that a task fills with the items of a backup.
func (db *core) RestoreTableFromBackup(ctx context.Context, in *api.RestoreTableFromBackupInput) (*api.RestoreTableFromBackupOutput, error) {
	if err := validate.RestoreTableFromBackup(in, db.rules); err != nil {
		return nil, err
	}
	name := tableName(in.TargetTableName.Value)
	if err := db.targetFree(ctx, name); err != nil {
		return nil, err
	}
	// A backup that goes meanwhile is not missed by a look.
	db.restoring.Lock()
	defer db.restoring.Unlock()
	b, err := db.backup(ctx, in.BackupArn.Value)
	if err != nil {
		return nil, err
	}
	if b.Status != backups.Available {
		return nil, api.Errorf(api.BackupInUse, api.MsgBackupInUse, in.BackupArn.Value)
	}
	r, err := restored(&b.Table, name, overrides{
		in.BillingModeOverride, in.ProvisionedThroughputOverride, in.OnDemandThroughputOverride, in.SSESpecificationOverride,
		in.GlobalSecondaryIndexOverride, in.LocalSecondaryIndexOverride, in.VectorIndexOverride,
	})
	if err != nil {
		return nil, err
	}
	r.Restore = &catalog.Restore{
		Task: db.restoreTask(), InProgress: true, Backup: b.ID, BackupARN: db.backupARN(b), Source: b.Table.Table.Name,
		SourceID: b.Table.Table.ID, SourceARN: db.tableARN(b.Table.Table.Name), AtMs: b.CreatedMs,
	}
	d, err := db.restoreInto(ctx, r)
	return &api.RestoreTableFromBackupOutput{TableDescription: d}, err
}

// restoreTask is a new id of a task, which the hold on a log has too.
func (db *core) restoreTask() string { return "restore-" + db.newUUID() }

// targetFree refuses the name of a table that is there.
func (db *core) targetFree(ctx context.Context, name string) error {
	_, err := db.catalog.Lookup(ctx, name)
	if err == nil {
		return api.Errorf(api.TableAlreadyExists, api.MsgTableExists, name)
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
	if err := db.targetFree(ctx, name); err != nil {
		return nil, err
	}
	atMs, err := db.restoreTime(&t.Record, in)
	if err != nil {
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
	r.Restore = &catalog.Restore{
		Task: task, InProgress: true, Source: source.Table.Name, SourceID: source.Table.ID,
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
		return 0, api.Errorf(api.InvalidRestoreTime, api.MsgRestoreTime)
	}
	return min(max(at, earliest), latest), nil
}

// restored is the record of a table with the settings of another one that a restore brings back: neither
// stream nor time to live, tags, deletion protection and recovery.
func restored(source *catalog.Record, name string, o overrides) (catalog.Record, error) {
	r := catalog.Record{
		Table:   schema.Table{Name: name, Key: source.Table.Key, Indexes: slices.Clone(source.Table.Indexes)},
		Billing: source.Billing.Clone(), SSE: source.SSE, TableClass: source.TableClass,
	}
	r.Billing.Changes, r.Billing.IndexChanges, r.Billing.Switches = catalog.Changes{}, nil, nil
	for i := range r.Table.Indexes {
		r.Table.Indexes[i].Building, r.Table.Indexes[i].DeleteOnly = false, false
	}
	err := o.indexes(&r)
	if err == nil {
		err = o.billing(&r.Billing, &r.Table)
	}
	if err != nil {
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

// indexes leaves those that are asked for: all where nothing is said of a kind. Each must be one of the source.
func (o *overrides) indexes(r *catalog.Record) error {
	var wanted []string
	for i := range o.globals {
		x := &o.globals[i]
		if !has(r, x.IndexName.Value, false, x.KeySchema) {
			return api.Errorf(api.Validation, api.MsgRestoreIndex, x.IndexName.Value)
		}
		wanted = append(wanted, x.IndexName.Value)
	}
	for i := range o.locals {
		x := &o.locals[i]
		if !has(r, x.IndexName.Value, true, x.KeySchema) {
			return api.Errorf(api.Validation, api.MsgRestoreIndex, x.IndexName.Value)
		}
		wanted = append(wanted, x.IndexName.Value)
	}
	for i := range o.vectors {
		x := &o.vectors[i]
		if !hasVectors(r, x) {
			return api.Errorf(api.Validation, api.MsgRestoreIndex, x.IndexName.Value)
		}
		wanted = append(wanted, x.IndexName.Value)
	}
	r.Table.Indexes = slices.DeleteFunc(r.Table.Indexes, func(ix schema.Index) bool {
		chosen := o.globals != nil
		switch {
		case ix.Local:
			chosen = o.locals != nil
		case ix.Vector != nil:
			chosen = o.vectors != nil
		}
		return chosen && !slices.Contains(wanted, ix.Name)
	})
	return nil
}

// hasVectors says whether a table has an index of vectors like one that is asked for.
func hasVectors(r *catalog.Record, x *api.VectorIndex) bool {
	ix := r.Table.Index(x.IndexName.Value)
	return ix != nil && ix.Vector != nil && ix.Vector.Attribute == x.VectorAttribute.AttributeName.Value &&
		int64(ix.Vector.Dimensions) == x.Dimensions.Value && ix.Vector.Distance == distances[x.DistanceFunction.Value] &&
		slices.EqualFunc(searchSchema(ix), x.SearchSchema, func(a, b api.SearchSchemaElement) bool { return a == b })
}

// has says whether a table has an index of that name, kind and key.
func has(r *catalog.Record, name string, local bool, key []api.KeySchemaElement) bool {
	return slices.ContainsFunc(r.Table.Indexes, func(ix schema.Index) bool {
		return ix.Name == name && ix.Local == local && ix.Vector == nil &&
			slices.EqualFunc(keySchema(&ix.Key), key, func(a, b api.KeySchemaElement) bool { return a == b })
	})
}

// billing changes what the table pays for, and leaves out indexes that are no more.
func (o *overrides) billing(b *catalog.Billing, t *schema.Table) error {
	was := *b
	if o.mode.Set {
		b.OnDemand = o.mode.Value == api.BillingModePayPerRequest
	}
	if !b.OnDemand && t.HasVectors() {
		return api.Errorf(api.Validation, api.MsgVectorBilling)
	}
	if b.OnDemand != was.OnDemand {
		b.Table, b.Max, b.Warm, b.IndexWarm, b.Switched = catalog.Throughput{}, nil, nil, nil, false
	}
	if o.units != nil && !b.OnDemand {
		b.Table = throughput(o.units)
	}
	if o.max != nil && b.OnDemand {
		b.Max = onDemand(o.max)
	}
	b.Indexes, b.IndexMax = nil, nil
	for i := range t.Indexes {
		ix := &t.Indexes[i]
		if !ix.Global() {
			continue
		}
		units, known := was.Indexes[ix.Name]
		ceiling, limited := was.IndexMax[ix.Name]
		for k := range o.globals {
			x := &o.globals[k]
			if x.IndexName.Value != ix.Name {
				continue
			}
			if x.ProvisionedThroughput != nil {
				units, known = throughput(x.ProvisionedThroughput), true
			}
			if m := onDemand(x.OnDemandThroughput); m != nil {
				ceiling, limited = *m, true
			}
		}
		switch {
		case b.OnDemand && limited:
			setThroughput(&b.IndexMax, ix.Name, ceiling)
		case b.OnDemand:
		case !known || units.Read == 0 || units.Write == 0:
			return api.Errorf(api.Validation, api.MsgGSIUnitsAbsent, ix.Name)
		default:
			setThroughput(&b.Indexes, ix.Name, units)
		}
	}
	return nil
}
