package engine

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/backups"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/tasks"
	"github.com/keystone-db/kstone/engine/validate"
)

const (
	// systemBackupLife is how long the backup of a deleted table is kept.
	systemBackupLife = 35 * 24 * time.Hour
	// systemBackupSuffix follows the table's name in that of the backup of a deleted table.
	systemBackupSuffix = "$DeletedTableBackup"
	// listBackupsDefault is the page size of ListBackups when none is given.
	listBackupsDefault = 100
)

// operationIDBytes is how many random bytes are in the id of a backup, export or import.
const operationIDBytes = 4

// operationID makes the id of a backup, export or import as the service's look: 14 digits of milliseconds,
// and 8 hex digits that tell those of one moment apart.
func (db *core) operationID(nowMs int64) string {
	var b [operationIDBytes]byte
	if _, err := io.ReadFull(db.opts.Rand, b[:]); err != nil {
		db.opts.Logger.Error().Err(err).Msg("no randomness for an id")
	}
	return fmt.Sprintf("%014d-%s", nowMs, hex.EncodeToString(b[:]))
}

// backupARN is the ARN of a backup of this database.
func (db *core) backupARN(b *backups.Backup) string {
	return db.tableARN(b.Table.Table.Name) + "/backup/" + b.ID
}

// tableNotFound is the error of the operations on backups for a table that is not there.
func tableNotFound(err error, name string) error {
	if errors.Is(err, catalog.ErrNotFound) {
		return api.Errorf(api.TableNotFound, api.MsgBackupTableNotFound, name)
	}
	return err
}

// backupBusy hides a table that comes or goes from the operations on backups: DynamoDB does this (TestBackupStates).
func backupBusy(r *catalog.Record) error {
	if r.Status == catalog.StatusCreating || r.Status == catalog.StatusDeleting {
		return tableNotFound(catalog.ErrNotFound, r.Table.Name)
	}
	return nil
}

// CreateBackup begins a backup of a table as of now. A task copies the items.
func (db *core) CreateBackup(ctx context.Context, in *api.CreateBackupInput) (*api.CreateBackupOutput, error) {
	if err := validate.CreateBackup(in, db.rules); err != nil {
		return nil, err
	}
	name := tableName(in.TableName.Value)
	if _, err := db.catalog.Lookup(ctx, name); err != nil { // what is due of its life
		return nil, tableNotFound(err, name)
	}
	now := db.exec.Now().UnixMilli()
	b := &backups.Backup{
		ID: db.operationID(now), Name: in.BackupName.Value, Type: backups.TypeUser, Status: backups.Creating, CreatedMs: now,
	}
	task := backupTask(b.ID)
	t, err := db.holdLog(ctx, name, catalog.LogHold{ID: task, FromMs: now, MadeMs: now, Pins: true}, backupBusy)
	if err != nil {
		return nil, tableNotFound(err, name)
	}
	b.Table = t.Record
	if err := db.startBackup(ctx, b, task); err != nil {
		db.letGo(ctx, name, t.Table.ID, task)
		return nil, err
	}
	return &api.CreateBackupOutput{BackupDetails: db.backupDetails(b)}, nil
}

func backupTask(id string) string { return "backup-" + id }

// startBackup stores a backup whose table's log is held, and its task, with the cut between them.
func (db *core) startBackup(ctx context.Context, b *backups.Backup, task string) error {
	named := []storage.Named{catalog.NamedTableID(), {Key: backups.Row(b.ID)}}
	_, err := db.tasks.Start(ctx, tasks.Request{ID: task, Kind: taskBackup}, named, func(tx storage.Tx) (any, error) {
		id, err := catalog.TakeTableID(tx, tx.Value(0))
		if err != nil {
			return nil, err
		}
		b.Space = id
		row, err := b.Encode()
		if err != nil {
			return nil, err
		}
		tx.Put(named[1].Key, row)
		t := &b.Table.Table
		return backupSpec{ID: b.ID, Space: id, Cut: cut{Name: t.Name, ID: t.ID, Seq: tx.Seq(), AtMs: b.CreatedMs}}, nil
	})
	return err
}

// backup finds a backup by its ARN.
func (db *core) backup(ctx context.Context, arn string) (*backups.Backup, error) {
	table, id, _ := validate.Backup(arn)
	b, err := backups.Get(ctx, db.store, id)
	if errors.Is(err, backups.ErrNotFound) || err == nil && b.Table.Table.Name != table {
		return nil, api.Errorf(api.BackupNotFound, api.MsgBackupNotFound, arn)
	}
	return b, err
}

// DescribeBackup answers what a backup is of and how far it is.
func (db *core) DescribeBackup(ctx context.Context, in *api.DescribeBackupInput) (*api.DescribeBackupOutput, error) {
	if err := validate.DescribeBackup(in, db.rules); err != nil {
		return nil, err
	}
	b, err := db.backup(ctx, in.BackupArn.Value)
	if err != nil {
		return nil, err
	}
	return &api.DescribeBackupOutput{BackupDescription: db.describeBackup(b)}, nil
}

// ListBackups answers backups in the order of their creation, in pages.
func (db *core) ListBackups(ctx context.Context, in *api.ListBackupsInput) (*api.ListBackupsOutput, error) {
	if err := validate.ListBackups(in, db.rules); err != nil {
		return nil, err
	}
	if err := db.catalog.Settle(ctx); err != nil { // a deleted table leaves a backup
		return nil, err
	}
	after := ""
	if in.ExclusiveStartBackupArn.Set {
		_, after, _ = validate.Backup(in.ExclusiveStartBackupArn.Value)
	}
	limit := int(in.Limit.Or(listBackupsDefault))
	out := &api.ListBackupsOutput{BackupSummaries: []api.BackupSummary{}}
	err := backups.List(ctx, db.store, after, func(b *backups.Backup) bool {
		if !listed(b, in) {
			return true
		}
		if n := len(out.BackupSummaries); n == limit {
			out.LastEvaluatedBackupArn = out.BackupSummaries[n-1].BackupArn
			return false
		}
		out.BackupSummaries = append(out.BackupSummaries, db.backupSummary(b))
		return true
	})
	return out, err
}

// listed says whether a list shows a backup.
func listed(b *backups.Backup, in *api.ListBackupsInput) bool {
	typ, at := in.BackupType.Or(api.BackupTypeUser), time.UnixMilli(b.CreatedMs)
	switch {
	case in.TableName.Set && b.Table.Table.Name != tableName(in.TableName.Value),
		typ != api.BackupTypeFilterAll && typ != b.Type,
		in.TimeRangeLowerBound.Set && at.Before(in.TimeRangeLowerBound.Value),
		in.TimeRangeUpperBound.Set && !at.Before(in.TimeRangeUpperBound.Value):
		return false
	}
	return true
}

// DeleteBackup forgets a backup. A task removes the items.
func (db *core) DeleteBackup(ctx context.Context, in *api.DeleteBackupInput) (*api.DeleteBackupOutput, error) {
	if err := validate.DeleteBackup(in, db.rules); err != nil {
		return nil, err
	}
	b, err := db.backup(ctx, in.BackupArn.Value)
	if err != nil {
		return nil, err
	}
	// No restore may begin between the look and the deletion.
	db.restoring.Lock()
	defer db.restoring.Unlock()
	switch {
	case b.Status == backups.Creating:
		return nil, api.Errorf(api.BackupInUse, api.MsgBackupCreating, in.BackupArn.Value)
	case db.restores(b.ID):
		return nil, api.Errorf(api.BackupInUse, api.MsgBackupRestoring, in.BackupArn.Value)
	case b.Type == backups.TypeSystem:
		return nil, api.Errorf(api.Validation, api.MsgBackupSystem, in.BackupArn.Value, zulu(b.ExpiresMs))
	}
	if b, err = db.deleteBackup(ctx, b.ID); errors.Is(err, backups.ErrNotFound) {
		return nil, api.Errorf(api.BackupNotFound, api.MsgBackupNotFound, in.BackupArn.Value)
	}
	if err != nil {
		return nil, err
	}
	return &api.DeleteBackupOutput{BackupDescription: db.describeBackup(b)}, nil
}

// restores says whether a table is being restored from a backup.
func (db *core) restores(id string) bool {
	for _, t := range db.catalog.Restoring() {
		if t.Restore.Backup == id {
			return true
		}
	}
	return false
}

// deleteBackup marks a backup as deleted and starts the task that removes it.
func (db *core) deleteBackup(ctx context.Context, id string) (b *backups.Backup, err error) {
	named := []storage.Named{{Key: backups.Row(id)}}
	_, err = db.tasks.Start(ctx, tasks.Request{ID: dropTask(id), Kind: taskDropBackup, Spec: dropSpec{ID: id}}, named,
		func(tx storage.Tx) (any, error) {
			if b, err = backups.Stored(tx.Value(0)); err != nil {
				return nil, err
			}
			b.Status = backups.Deleted
			row, err := b.Encode()
			if err == nil {
				tx.Put(named[0].Key, row)
			}
			return nil, err
		})
	return b, err
}

func dropTask(id string) string { return "drop-backup-" + id }

// keepDeleted returns the row of the backup that stays of a deleted table with point-in-time recovery: its
// items, where they are.
func (db *core) keepDeleted(ctx context.Context, r *catalog.Record) (key, value []byte, err error) {
	if r.Log == nil || r.Log.Days == 0 {
		return nil, nil, nil
	}
	now := db.exec.Now()
	b := &backups.Backup{
		ID: db.operationID(now.UnixMilli()), Name: r.Table.Name + systemBackupSuffix, Type: backups.TypeSystem,
		Status: backups.Available, CreatedMs: now.UnixMilli(), ExpiresMs: now.Add(systemBackupLife).UnixMilli(),
		Table: *r, Space: r.Table.ID,
	}
	if !db.opts.TTLLag {
		b.HideBy = r.Table.TTL
	}
	if b.Items, b.Bytes, err = db.measure(ctx, b.Range()); err != nil {
		return nil, nil, err
	}
	value, err = b.Encode()
	return backups.Row(b.ID), value, err
}

// measure counts the items of a range and sums their sizes, exactly if there are few and else as storage says.
func (db *core) measure(ctx context.Context, r storage.Range) (items, size int64, err error) {
	st, err := db.store.Stats(ctx, r)
	if err != nil || !db.small(st.Keys, st.Bytes) {
		return st.Keys, st.Bytes, err
	}
	err = storage.Fresh(ctx, func() error {
		items, size = 0, 0
		snap, err := db.store.Snapshot(ctx, storage.SnapshotOptions{Owner: "count"})
		if err != nil {
			return err
		}
		defer snap.Close()
		it, err := snap.Iter(ctx, r, storage.IterOptions{Once: true})
		if err != nil {
			return err
		}
		defer it.Close()
		for it.Next() {
			items++
			size += int64(attr.Item(it.Value()).Size())
		}
		return it.Err()
	})
	return items, size, err
}

// tendBackups deletes the backups that have lived long enough.
func (db *core) tendBackups(ctx context.Context) error {
	now := db.exec.Now().UnixMilli()
	var old []string
	expiring := false
	err := backups.List(ctx, db.store, "", func(b *backups.Backup) bool {
		expiring = expiring || b.ExpiresMs != 0
		if b.ExpiresMs != 0 && b.ExpiresMs <= now && !db.restores(b.ID) {
			old = append(old, b.ID)
		}
		return true
	})
	errs := []error{err}
	db.tending.expiring.Store(expiring || err != nil)
	for _, id := range old {
		if _, err := db.deleteBackup(ctx, id); !errors.Is(err, backups.ErrNotFound) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (db *core) backupDetails(b *backups.Backup) *api.BackupDetails {
	return &api.BackupDetails{
		BackupArn: api.Some(db.backupARN(b)), BackupName: api.Some(b.Name), BackupSizeBytes: api.Some(b.Bytes),
		BackupStatus: api.Some(string(b.Status)), BackupType: api.Some(b.Type),
		BackupCreationDateTime: fromMillis(b.CreatedMs), BackupExpiryDateTime: fromMillis(b.ExpiresMs),
	}
}

func (db *core) backupSummary(b *backups.Backup) api.BackupSummary {
	name := b.Table.Table.Name
	return api.BackupSummary{
		TableName: api.Some(name), TableId: api.Some(b.Table.UUID), TableArn: api.Some(db.tableARN(name)),
		BackupArn: api.Some(db.backupARN(b)), BackupName: api.Some(b.Name), BackupSizeBytes: api.Some(b.Bytes),
		BackupStatus: api.Some(string(b.Status)), BackupType: api.Some(b.Type),
		BackupCreationDateTime: fromMillis(b.CreatedMs), BackupExpiryDateTime: fromMillis(b.ExpiresMs),
	}
}

func (db *core) describeBackup(b *backups.Backup) *api.BackupDescription {
	r := &b.Table
	arn := db.tableARN(r.Table.Name)
	mode := api.BillingModeProvisioned
	if r.Billing.OnDemand {
		mode = api.BillingModePayPerRequest
	}
	return &api.BackupDescription{
		BackupDetails: db.backupDetails(b),
		SourceTableDetails: &api.SourceTableDetails{
			TableName: api.Some(r.Table.Name), TableId: api.Some(r.UUID), TableArn: api.Some(arn),
			TableSizeBytes: api.Some(b.Bytes), KeySchema: keySchema(&r.Table.Key), TableCreationDateTime: fromMillis(r.CreatedMs),
			ProvisionedThroughput: plainThroughput(r.Billing.Table), OnDemandThroughput: describedMax(r.Billing.Max),
			ItemCount: api.Some(b.Items), BillingMode: api.Some(mode),
		},
		SourceTableFeatureDetails: features(r, arn),
	}
}

// features are the settings that a backup knows, of which not all are restored.
func features(r *catalog.Record, arn string) *api.SourceTableFeatureDetails {
	f := &api.SourceTableFeatureDetails{}
	for i := range r.Table.Indexes {
		ix := &r.Table.Indexes[i]
		if ix.Local {
			f.LocalSecondaryIndexes = append(f.LocalSecondaryIndexes, api.LocalSecondaryIndexInfo{
				IndexName: api.Some(ix.Name), KeySchema: keySchema(&ix.Key), Projection: projection(ix),
			})
			continue
		}
		if v := ix.Vector; v != nil {
			f.VectorIndexes = append(f.VectorIndexes, api.VectorIndexInfo{
				IndexName: api.Some(ix.Name), VectorAttribute: &api.VectorAttributeDefinition{AttributeName: api.Some(v.Attribute)},
				Dimensions: api.Some(int64(v.Dimensions)), DistanceFunction: api.Some(distanceName(v.Distance)),
				Projection: projection(ix), SearchSchema: searchSchema(ix),
			})
			continue
		}
		f.GlobalSecondaryIndexes = append(f.GlobalSecondaryIndexes, globalInfo(r, ix))
	}
	if r.Streams() {
		f.StreamDescription = &api.StreamSpecification{StreamEnabled: api.Some(true), StreamViewType: api.Some(r.Stream.ViewType)}
	}
	if r.Table.TTL != "" {
		f.TimeToLiveDescription = &api.TimeToLiveDescription{
			AttributeName: api.Some(r.Table.TTL), TimeToLiveStatus: api.Some(api.TimeToLiveStatusEnabled),
		}
	}
	if r.SSE != nil {
		f.SSEDescription = &api.SSEDescription{
			Status: api.Some(api.SSEStatusEnabled), SSEType: api.Some(api.SSETypeKMS), KMSMasterKeyArn: api.Some(kmsARN(arn, r.SSE.KeyID)),
		}
	}
	return f
}

func globalInfo(r *catalog.Record, ix *schema.Index) api.GlobalSecondaryIndexInfo {
	g := api.GlobalSecondaryIndexInfo{
		IndexName: api.Some(ix.Name), KeySchema: keySchema(&ix.Key), Projection: projection(ix),
		ProvisionedThroughput: plainThroughput(r.Billing.Indexes[ix.Name]),
	}
	if m, ok := r.Billing.IndexMax[ix.Name]; ok {
		g.OnDemandThroughput = describedMax(&m)
	}
	return g
}

func plainThroughput(t catalog.Throughput) *api.ProvisionedThroughput {
	return &api.ProvisionedThroughput{ReadCapacityUnits: api.Some(t.Read), WriteCapacityUnits: api.Some(t.Write)}
}

// describedMax shows the on-demand maxima that there are: DynamoDB does this (TestMaximaAreShown).
func describedMax(m *catalog.Throughput) *api.OnDemandThroughput {
	if m == nil || m.Read == noMaximum && m.Write == noMaximum {
		return nil
	}
	o := &api.OnDemandThroughput{}
	if m.Read != noMaximum {
		o.MaxReadRequestUnits = api.Some(m.Read)
	}
	if m.Write != noMaximum {
		o.MaxWriteRequestUnits = api.Some(m.Write)
	}
	return o
}
