package engine

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/follow"
	"github.com/keystone-db/kstone/engine/kinesis"
	"github.com/keystone-db/kstone/engine/stream"
)

const (
	// consumerKinesis is the word for consumers that write to data streams.
	consumerKinesis = "kinesis"
	// destinationsInterval is how long the worker of destinations waits for one in a passing status.
	destinationsInterval = time.Second
	// enableWait is how long a destination may stay ENABLING because nobody says whether there is such a data
	// stream, disableWait how long one stays DISABLING because it does not take what was written before it was
	// disabled, or its table deleted.
	enableWait  = time.Minute
	disableWait = 30 * time.Second
)

// DataStreams take the changes of tables with a Kinesis destination.
type DataStreams = kinesis.Sink

// DataStreamRecord is one change for a data stream.
type DataStreamRecord = kinesis.Record

// DataStreamRefused is the error of DataStreams.Put for records that a data stream will never take. They are left
// out and counted, as the service does.
type DataStreamRefused = kinesis.Refused

// Errors of DataStreams.
var (
	// ErrNoDataStream: there is none of that ARN, or it may not be used.
	ErrNoDataStream = kinesis.ErrNoStream
	// ErrDataStreamNotActive: it takes no records now.
	ErrDataStreamNotActive = kinesis.ErrNotActive
)

// warnOfDestinations says which tables have destinations that nothing is delivered to.
func (db *core) warnOfDestinations() {
	now := db.exec.Now().UnixMilli()
	for _, name := range db.catalog.WithDestinations() {
		t, err := db.catalog.Lookup(db.background.ctx, name)
		if err != nil || db.opts.DataStreams != nil {
			continue
		}
		for i := range t.Destinations {
			if d := &t.Destinations[i]; live(d, now) {
				db.opts.Logger.Warn().Str("table", name).Str("stream", d.StreamARN).Dur("kept_ms", feedRetention).
					Msg("changes are kept for a data stream, and this database was opened without data streams")
			}
		}
	}
}

// leaveDestinations lets the destinations of a table that is deleted have what was written before.
func (db *core) leaveDestinations(r *catalog.Record) {
	for i := range r.Destinations {
		switch d := &r.Destinations[i]; destinationStatus(d, db.exec.Now().UnixMilli()) {
		case api.DestinationStatusActive, api.DestinationStatusUpdating:
			db.enterStatus(d, api.DestinationStatusDisabling)
		case api.DestinationStatusEnabling:
			d.Status = api.DestinationStatusDisabled
		}
	}
}

// disown ends the destinations that were enabled in a database that this one is a copy of: that goes on delivering
// to them.
func (db *core) disown(ctx context.Context) error {
	if db.opts.ReadOnly || db.store.Limits().Shared {
		return nil
	}
	for _, name := range db.catalog.WithDestinations() {
		t, err := db.catalog.Lookup(ctx, name)
		if err != nil {
			return unlessGone(err)
		}
		for i := range t.Destinations {
			d := &t.Destinations[i]
			if !live(d, db.exec.Now().UnixMilli()) || !db.foreign(d.Home) {
				continue
			}
			db.opts.Logger.Warn().Str("table", name).Str("stream", d.StreamARN).
				Msg("this database is a copy and delivers no changes to the data stream of its origin")
			err := db.endStatus(ctx, name, d, func(r *catalog.Record, d *catalog.Destination) {
				d.Status, d.Description = api.DestinationStatusDisabled, msgDestinationCopied
				r.Unfollow(consumerName(consumerKinesis, d.StreamARN))
			})
			if err != nil {
				return unlessGone(err)
			}
		}
	}
	return nil
}

// destinationsDue ends what is ENABLING and DISABLING when it is time. waiting says that something is.
func (db *core) destinationsDue(ctx context.Context) (waiting bool, err error) {
	var errs []error
	for _, name := range db.catalog.WithDestinations() {
		t, err := db.catalog.Lookup(ctx, name)
		if err != nil {
			errs = append(errs, unlessGone(err))
			continue
		}
		for i := range t.Destinations {
			w, err := db.destinationDue(ctx, t, &t.Destinations[i])
			waiting, errs = waiting || w, append(errs, unlessGone(err))
		}
	}
	errs = append(errs, db.catalog.Settle(ctx)) // tables that are deleted are waited for
	return waiting, errors.Join(errs...)
}

func (db *core) destinationDue(ctx context.Context, t *catalog.Table, d *catalog.Destination) (waiting bool, err error) {
	now := db.exec.Now().UnixMilli()
	switch {
	case d.Status != api.DestinationStatusEnabling && d.Status != api.DestinationStatusDisabling:
		return false, nil
	case now < d.UntilMs:
		return true, nil
	case d.Status == api.DestinationStatusDisabling:
		return db.disableDue(ctx, t, d, now)
	}
	description := ""
	switch err := db.checkDestination(ctx, d); {
	case err == nil:
	case errors.Is(err, kinesis.ErrNoStream):
		description = api.KinesisNoStream
	case errors.Is(err, kinesis.ErrNotActive):
		description = api.KinesisNotActive
	case errors.Is(err, errOtherRegion):
		description = api.KinesisRegion
	case now-d.UntilMs < enableWait.Milliseconds():
		return true, ctx.Err()
	default:
		db.opts.Logger.Error().Err(err).Str("table", t.Table.Name).Str("stream", d.StreamARN).Msg("the data stream cannot be reached")
		description = api.KinesisNoStream
	}
	return false, db.endStatus(ctx, t.Table.Name, d, func(r *catalog.Record, d *catalog.Destination) {
		if d.Description = description; description != "" {
			d.Status = api.DestinationStatusEnableFailed
			return
		}
		d.Status = api.DestinationStatusActive
		r.Follow(catalog.Consumer{Name: consumerName(consumerKinesis, d.StreamARN)}, nil)
	})
}

// errOtherRegion: the data stream is in another region than the table.
var errOtherRegion = errors.New("engine: the data stream is in another region")

// checkDestination says whether a data stream takes records.
func (db *core) checkDestination(ctx context.Context, d *catalog.Destination) error {
	region, _, ok := kinesis.ParseARN(d.StreamARN)
	switch {
	case !ok, db.opts.DataStreams == nil:
		return kinesis.ErrNoStream
	case region != db.opts.Region:
		return errOtherRegion
	}
	return db.opts.DataStreams.Check(ctx, d.StreamARN)
}

// disableDue delivers what was written before a destination was disabled, and lets go of it.
func (db *core) disableDue(ctx context.Context, t *catalog.Table, d *catalog.Destination, now int64) (waiting bool, err error) {
	consumer := consumerName(consumerKinesis, d.StreamARN)
	for _, r := range db.followers() {
		if r.id.consumer != consumer || t.Feed == nil || r.id.stream != t.Feed.ID {
			continue
		}
		_, err := r.pass(ctx)
		switch {
		case err == nil || r.over(err):
		case now-max(d.UntilMs, db.following.sinceMs) < disableWait.Milliseconds():
			return true, ctx.Err()
		default:
			db.opts.Logger.Error().Err(err).Str("table", t.Table.Name).Str("stream", d.StreamARN).
				Msg("the data stream does not take the last changes before it was disabled or its table deleted")
		}
	}
	return false, db.endStatus(ctx, t.Table.Name, d, func(r *catalog.Record, d *catalog.Destination) {
		d.Status = api.DestinationStatusDisabled
		r.Unfollow(consumer)
	})
}

// endStatus changes a destination unless its status is another one by now.
func (db *core) endStatus(ctx context.Context, table string, was *catalog.Destination, end func(*catalog.Record, *catalog.Destination)) error {
	_, err := db.setConsumers(ctx, table, func(r *catalog.Record) error {
		d := r.Destination(was.StreamARN)
		if d == nil || d.Status != was.Status || d.SinceMs != was.SinceMs {
			return errStatusPassed
		}
		d.UntilMs, d.SinceMs = 0, db.exec.Now().UnixMilli()
		end(r, d)
		return nil
	})
	if errors.Is(err, errStatusPassed) {
		return nil
	}
	return err
}

var errStatusPassed = errors.New("engine: the status has passed")

// deliverKinesis writes the records of a feed to a data stream.
func (db *core) deliverKinesis(ctx context.Context, t *catalog.Table, consumer string, found []stream.Found) error {
	arn := strings.TrimPrefix(consumer, consumerKinesis+consumerInfix)
	d := t.Destination(arn)
	if d == nil {
		return follow.ErrGone
	}
	return db.opts.DataStreams.Put(ctx, arn, db.dataStreamRecords(t, d, found))
}

func (db *core) dataStreamRecords(t *catalog.Table, d *catalog.Destination, found []stream.Found) []kinesis.Record {
	out := make([]kinesis.Record, len(found))
	for i := range found {
		r := &found[i].Record
		c := kinesis.Change{
			Region: db.opts.Region, Table: t.Table.Name, EventID: eventUUID(t, r.At), Event: r.Event, Expired: r.Expired,
			TimeMs: r.TimeMs, Micros: r.Micros, Keys: r.Keys, New: r.New, Old: r.Old, SizeBytes: r.Size(),
			Microseconds: precisionOf(d) == api.ApproximateCreationDateTimePrecisionMicrosecond,
		}
		out[i] = kinesis.Record{PartitionKey: kinesis.PartitionKey(r.Keys), Data: c.Append(nil)}
	}
	return out
}

// eventUUID is the id of a record in the form of a UUID: the same whenever the record is delivered.
func eventUUID(t *catalog.Table, at stream.Position) string {
	id := stream.AppendEventID(nil, fmt.Sprint(t.Table.ID, "/", t.Feed.ID), at)
	var b [uuidBytes]byte
	_, _ = hex.Decode(b[:], id) // they are hexadecimal digits
	return uuidOf(b)
}
