package engine

import (
	"context"
	"slices"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/validate"
)

// precisionDefault is that of a destination for which none was asked.
const precisionDefault = api.ApproximateCreationDateTimePrecisionMillisecond

// EnableKinesisStreamingDestination begins to write the changes of a table to a data stream. Whether there is
// one is looked at afterwards, as the service does.
func (db *core) EnableKinesisStreamingDestination(ctx context.Context, in *api.EnableKinesisStreamingDestinationInput) (*api.EnableKinesisStreamingDestinationOutput, error) {
	if err := validate.EnableKinesis(in, db.rules); err != nil {
		return nil, err
	}
	name, config := tableName(in.TableName.Value), api.EnableKinesisStreamingConfiguration{}
	if c := in.EnableKinesisStreamingConfiguration; c != nil {
		config = *c
	}
	_, err := db.catalog.Update(ctx, name, false, func(r *catalog.Record) error {
		if r.Status != catalog.StatusUpdating {
			if err := busy(r); err != nil {
				return err
			}
		}
		now := db.exec.Now().UnixMilli()
		if slices.ContainsFunc(r.Destinations, func(d catalog.Destination) bool { return live(&d, now) }) {
			return api.Errorf(api.Validation, api.MsgKinesisBusy)
		}
		// One that was there before becomes another one in its place.
		d := r.Destination(in.StreamArn.Value)
		if d == nil {
			r.Destinations = slices.Insert(r.Destinations, 0, catalog.Destination{})
			d = &r.Destinations[0]
		}
		*d = catalog.Destination{
			StreamARN: in.StreamArn.Value, Precision: config.ApproximateCreationDateTimePrecision.Value, Home: db.home(),
		}
		db.enterStatus(d, api.DestinationStatusEnabling)
		return nil
	})
	if err != nil {
		return nil, notFound(err, name)
	}
	db.background.kinesis.look()
	return &api.EnableKinesisStreamingDestinationOutput{
		TableName: api.Some(name), StreamArn: in.StreamArn, DestinationStatus: api.Some(api.DestinationStatusEnabling),
		EnableKinesisStreamingConfiguration: &config,
	}, nil
}

// DisableKinesisStreamingDestination ends that. What was written before is still delivered, if the data
// stream takes it soon.
func (db *core) DisableKinesisStreamingDestination(ctx context.Context, in *api.DisableKinesisStreamingDestinationInput) (*api.DisableKinesisStreamingDestinationOutput, error) {
	if err := validate.DisableKinesis(in, db.rules); err != nil {
		return nil, err
	}
	name := tableName(in.TableName.Value)
	_, err := db.catalog.Update(ctx, name, false, func(r *catalog.Record) error {
		d := r.Destination(in.StreamArn.Value)
		switch {
		case d == nil:
		case d.Status == api.DestinationStatusDisabling:
			return nil // DynamoDB does this
		case destinationStatus(d, db.exec.Now().UnixMilli()) == api.DestinationStatusActive:
			db.enterStatus(d, api.DestinationStatusDisabling)
			return nil
		}
		return api.Errorf(api.Validation, api.MsgKinesisDisable)
	})
	if err != nil {
		return nil, notFound(err, name)
	}
	db.background.kinesis.look()
	return &api.DisableKinesisStreamingDestinationOutput{
		TableName: api.Some(name), StreamArn: in.StreamArn, DestinationStatus: api.Some(api.DestinationStatusDisabling),
	}, nil
}

// UpdateKinesisStreamingDestination changes the precision of the times in the records.
func (db *core) UpdateKinesisStreamingDestination(ctx context.Context, in *api.UpdateKinesisStreamingDestinationInput) (*api.UpdateKinesisStreamingDestinationOutput, error) {
	if err := validate.UpdateKinesis(in, db.rules); err != nil {
		return nil, err
	}
	name, arn := tableName(in.TableName.Value), in.StreamArn.Value
	precision := in.UpdateKinesisStreamingConfiguration.ApproximateCreationDateTimePrecision.Value
	_, err := db.catalog.Update(ctx, name, false, func(r *catalog.Record) error {
		d := r.Destination(arn)
		switch {
		case d == nil:
			return api.Errorf(api.Validation, api.MsgKinesisUpdateAbsent, arn, name)
		case destinationStatus(d, db.exec.Now().UnixMilli()) != api.DestinationStatusActive:
			return api.Errorf(api.Validation, api.MsgKinesisUpdateState, name)
		case precision == precisionOf(d):
			return api.Errorf(api.Validation, api.MsgKinesisUpdateSame, precision, r.UUID, arn)
		}
		d.Precision = precision
		db.enterStatus(d, api.DestinationStatusUpdating)
		return nil
	})
	if err != nil {
		return nil, notFound(err, name)
	}
	return &api.UpdateKinesisStreamingDestinationOutput{
		TableName: api.Some(name), StreamArn: in.StreamArn, DestinationStatus: api.Some(api.DestinationStatusUpdating),
		UpdateKinesisStreamingConfiguration: in.UpdateKinesisStreamingConfiguration,
	}, nil
}

// DescribeKinesisStreamingDestination answers all data streams that a table writes to, or wrote.
func (db *core) DescribeKinesisStreamingDestination(ctx context.Context, in *api.DescribeKinesisStreamingDestinationInput) (*api.DescribeKinesisStreamingDestinationOutput, error) {
	if err := validate.DescribeKinesis(in, db.rules); err != nil {
		return nil, err
	}
	name := tableName(in.TableName.Value)
	t, err := db.catalog.Lookup(ctx, name)
	if err != nil {
		return nil, notFound(err, name)
	}
	out := &api.DescribeKinesisStreamingDestinationOutput{
		TableName: api.Some(name), KinesisDataStreamDestinations: []api.KinesisDataStreamDestination{},
	}
	now := db.exec.Now().UnixMilli()
	for i := range t.Destinations {
		d := &t.Destinations[i]
		shown := api.KinesisDataStreamDestination{
			StreamArn: api.Some(d.StreamARN), DestinationStatus: api.Some(destinationStatus(d, now)),
		}
		if d.Description != "" {
			shown.DestinationStatusDescription = api.Some(d.Description)
		}
		if d.Precision != "" { // DynamoDB does this: the default is shown only when it was asked for
			shown.ApproximateCreationDateTimePrecision = api.Some(d.Precision)
		}
		out.KinesisDataStreamDestinations = append(out.KinesisDataStreamDestinations, shown)
	}
	return out, nil
}

// enterStatus begins a passing status, which lasts as those of tables do.
func (db *core) enterStatus(d *catalog.Destination, status string) {
	now := db.exec.Now()
	d.Status, d.SinceMs, d.UntilMs = status, now.UnixMilli(), now.Add(db.opts.TableDelay).UnixMilli()
	d.Description = ""
}

// destinationStatus is the status as of a time.
func destinationStatus(d *catalog.Destination, nowMs int64) string {
	if d.Status == api.DestinationStatusUpdating && nowMs >= d.UntilMs {
		return api.DestinationStatusActive
	}
	return d.Status
}

// live says that a destination is there: a table has one such at most.
func live(d *catalog.Destination, nowMs int64) bool {
	status := destinationStatus(d, nowMs)
	return status != api.DestinationStatusDisabled && status != api.DestinationStatusEnableFailed
}

func precisionOf(d *catalog.Destination) string {
	if d.Precision == "" {
		return precisionDefault
	}
	return d.Precision
}
