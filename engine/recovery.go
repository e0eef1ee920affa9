package engine

import (
	"context"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/validate"
)

// recoveryDaysDefault is the recovery period when none is given.
const recoveryDaysDefault = 35

// UpdateContinuousBackups switches point-in-time recovery of a table on or off.
func (db *core) UpdateContinuousBackups(ctx context.Context, in *api.UpdateContinuousBackupsInput) (*api.UpdateContinuousBackupsOutput, error) {
	if err := validate.UpdateContinuousBackups(in, db.rules); err != nil {
		return nil, err
	}
	name, spec := tableName(in.TableName.Value), in.PointInTimeRecoverySpecification
	t, err := db.catalog.Update(ctx, name, false, func(r *catalog.Record) error {
		if err := backupBusy(r); err != nil {
			return err
		}
		days := 0
		if spec.PointInTimeRecoveryEnabled.Value {
			days = int(spec.RecoveryPeriodInDays.Or(recoveryDaysDefault))
			if r.Log != nil && r.Log.Days > 0 && !spec.RecoveryPeriodInDays.Set {
				days = r.Log.Days // unsure: a period that was set stays
			}
		}
		r.Recover(days, db.exec.Now().UnixMilli())
		return nil
	})
	if err != nil {
		return nil, tableNotFound(err, name)
	}
	if t.Log != nil {
		// From here on all write to the log.
		if t, err = db.settleLog(ctx, name); err != nil {
			return nil, tableNotFound(err, name)
		}
	}
	db.background.jobs.look()
	db.background.streams.look()
	return &api.UpdateContinuousBackupsOutput{ContinuousBackupsDescription: db.describeRecovery(&t.Record)}, nil
}

// DescribeContinuousBackups answers whether a table can be recovered, and as of which times.
func (db *core) DescribeContinuousBackups(ctx context.Context, in *api.DescribeContinuousBackupsInput) (*api.DescribeContinuousBackupsOutput, error) {
	if err := validate.DescribeContinuousBackups(in, db.rules); err != nil {
		return nil, err
	}
	name := tableName(in.TableName.Value)
	t, err := db.catalog.Lookup(ctx, name)
	if err != nil {
		return nil, tableNotFound(err, name)
	}
	return &api.DescribeContinuousBackupsOutput{ContinuousBackupsDescription: db.describeRecovery(&t.Record)}, nil
}

// describeRecovery shows the times of a table that can be recovered. The latest is now: what is acknowledged
// is in the log, while the service is some five minutes behind.
func (db *core) describeRecovery(r *catalog.Record) *api.ContinuousBackupsDescription {
	d := &api.ContinuousBackupsDescription{
		ContinuousBackupsStatus: api.Some(api.ContinuousBackupsStatusEnabled),
		PointInTimeRecoveryDescription: &api.PointInTimeRecoveryDescription{
			PointInTimeRecoveryStatus: api.Some(api.PointInTimeRecoveryStatusDisabled),
		},
	}
	days, earliest, latest := r.Recovery(db.exec.Now().UnixMilli())
	if days > 0 {
		d.PointInTimeRecoveryDescription = &api.PointInTimeRecoveryDescription{
			PointInTimeRecoveryStatus: api.Some(api.PointInTimeRecoveryStatusEnabled), RecoveryPeriodInDays: api.Some(int64(days)),
			EarliestRestorableDateTime: fromMillis(earliest), LatestRestorableDateTime: fromMillis(latest),
		}
	}
	return d
}
