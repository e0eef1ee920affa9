package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/capacity"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/replica"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/stream"
)

// Connect lets tables have replicas in a region, as Options.Replicas does, from now on: of two databases in one
// process, each of which is to know the other, one is opened first. A region that is known already is called by the
// new way. The region must not be the database's own.
func (db *DB) Connect(region string, to api.Replicator) error {
	if region == "" || region == db.opts.Region {
		return fmt.Errorf("engine: a replica cannot be in region %q", region)
	}
	db.opts.regions.set(region, to)
	c := db.served.Load()
	c.sender(region).look()
	c.background.stamps.look()
	return nil
}

// Replicate implements api.Replicator: it is called by the databases that tables here have replicas in.
func (db *DB) Replicate(ctx context.Context, in *api.ReplicateInput) (*api.ReplicateOutput, error) {
	return serve(ctx, db, in, (*core).replicate)
}

// badStep refuses what no database of this version asks for.
func badStep(what string) error { return api.Errorf(api.Validation, api.MsgReplicateForm, what) }

// replicateItemsMax bounds the items of one step.
const replicateItemsMax = 10_000

func (db *core) replicate(ctx context.Context, in *api.ReplicateInput) (*api.ReplicateOutput, error) {
	switch {
	case in.Version != api.ReplicateVersion:
		return nil, badStep(fmt.Sprintf("version %d, this database has %d", in.Version, api.ReplicateVersion))
	case in.Table == "" || in.From == "":
		return nil, badStep("no table or no region")
	case in.From == db.opts.Region:
		return nil, badStep("both databases are in region " + in.From)
	case len(in.Items) > replicateItemsMax:
		return nil, badStep("too many items")
	}
	var s settings
	if len(in.Settings) > 0 {
		if err := json.Unmarshal(in.Settings, &s); err != nil {
			return nil, badStep("settings cannot be read")
		}
	}
	data := in.Step == api.ReplicateItems || in.Step == api.ReplicateFill || in.Step == api.ReplicateMark
	if !data {
		if err := db.meet(ctx, in); err != nil {
			return nil, err
		}
	}
	out := &api.ReplicateOutput{Session: db.session()}
	switch in.Step {
	case api.ReplicateDescribe:
		d, err := db.describeReplica(ctx, in)
		if err == nil {
			d.Session = out.Session
		}
		return d, err
	case api.ReplicateCreate:
		err := db.createReplica(ctx, in, &s, nil)
		if t := db.catalog.Cached(in.Table); t != nil {
			out.Made = t.UUID
		}
		return out, err
	case api.ReplicateInvite:
		return out, db.invite(ctx, in, out)
	case api.ReplicateLink:
		return out, db.linkReplica(ctx, in, &s)
	}
	t, err := db.replicaOf(ctx, in)
	if err != nil {
		return nil, err
	}
	// Data may be for what the database was before, or from what the caller was.
	if data && (in.To != out.Session || !db.met(in.From, in.Session) || !catalog.SameMember(t.Global.Member, in.Member)) {
		out.Behind = true
		return out, nil
	}
	switch in.Step {
	case api.ReplicateActivate:
		err = db.catalog.Filled(ctx, t.Table.ID, in.Table)
		db.wakeSenders()
	case api.ReplicateItems:
		err = db.takeItems(ctx, in)
	case api.ReplicateGreet:
		err = db.answerGreeting(ctx, t, in, out)
	case api.ReplicateAgain:
		err = db.refill(ctx, t, in.From, in.Low)
		db.wakeSenders()
	case api.ReplicateFill:
		err = db.receive(ctx, t, in.From, func(r *received) { r.Wants, r.Count = !in.Drain, max(r.Count, in.Count) })
	case api.ReplicateMark:
		err = db.takeMark(ctx, t, in)
	case api.ReplicateCast:
		err = db.castOut(ctx, in)
	case api.ReplicateShare:
		err = db.takeShared(ctx, t, in, &s)
	case api.ReplicateOverride:
		if s.Own == nil {
			return nil, badStep("no settings")
		}
		err = db.changeReplica(ctx, in, func(r *catalog.Record) { r.Apply(*s.Own) })
	case api.ReplicateJoin:
		err = db.join(ctx, in, s.Peer)
	case api.ReplicateLeave:
		err = db.partFrom(ctx, in)
	case api.ReplicateUnlink:
		err = db.changeReplica(ctx, in, func(r *catalog.Record) {
			if r.Global.Legacy && !r.Global.Leaving {
				r.LeaveGlobal()
			}
		})
	case api.ReplicateDelete:
		err = db.deleteReplica(ctx, in)
	default:
		err = badStep("no step " + in.Step)
	}
	return out, err
}

// partFrom takes away a replica that is none any more, unless another one is in its region.
func (db *core) partFrom(ctx context.Context, in *api.ReplicateInput) error {
	drop := (*catalog.Record).LosePeer
	if in.Drain {
		drop = (*catalog.Record).DropPeer
		if err := db.sendNow(ctx, in.Region, in.Table); err != nil {
			return err
		}
	}
	return db.changeReplica(ctx, in, func(r *catalog.Record) {
		if p := r.Global.Peer(in.Region); p != nil && catalog.SameMember(p.Member, in.Member) {
			drop(r, in.Region)
		}
	})
}

// replicaOf is the table that a step is about: a replica of the caller's.
func (db *core) replicaOf(ctx context.Context, in *api.ReplicateInput) (*catalog.Table, error) {
	t, err := db.catalog.Lookup(ctx, in.Table)
	if err != nil && !errors.Is(err, catalog.ErrNotFound) {
		return nil, err
	}
	if err != nil || !partOf(&t.Record, in) {
		return nil, db.noReplica(in)
	}
	return t, nil
}

func (db *core) noReplica(in *api.ReplicateInput) error {
	return api.Errorf(api.GlobalTableNotFound, api.MsgReplicateNone, in.Table, db.opts.Region)
}

func partOf(r *catalog.Record, in *api.ReplicateInput) bool {
	if r.Global == nil || r.Global.ID != in.ID || r.Status == catalog.StatusDeleting {
		return false
	}
	p := r.Global.Peer(in.From)
	if p == nil || p.State == catalog.PeerFailed {
		return false
	}
	switch in.Step {
	case api.ReplicateActivate, api.ReplicateCast, api.ReplicateUnlink, api.ReplicateDelete:
		if !catalog.SameMember(r.Global.Member, in.Member) {
			return false
		}
	case api.ReplicateGreet:
		if in.Region != "" { // it asks whether it is being filled
			return p.State == catalog.PeerCreating && catalog.SameMember(p.Member, in.Member)
		}
		return true
	}
	return in.Made == "" || in.Made == r.UUID
}

// changeReplica changes the record of a replica of the caller's.
func (db *core) changeReplica(ctx context.Context, in *api.ReplicateInput, change func(*catalog.Record)) error {
	_, err := db.catalog.Update(ctx, in.Table, false, func(r *catalog.Record) error {
		if !partOf(r, in) {
			return catalog.ErrNotFound
		}
		if r.Filling != "" {
			return errBusy{} // what changes a table is done when it is one
		}
		change(r)
		return nil
	})
	if errors.Is(err, catalog.ErrNotFound) {
		return db.noReplica(in)
	}
	db.background.jobs.look()
	db.background.sweeper.look()
	db.wakeSenders()
	return err
}

func (db *core) describeReplica(ctx context.Context, in *api.ReplicateInput) (*api.ReplicateOutput, error) {
	t, err := db.catalog.Lookup(ctx, in.Table)
	if errors.Is(err, catalog.ErrNotFound) {
		return &api.ReplicateOutput{}, nil
	}
	if err != nil {
		return nil, err
	}
	items, _, err := db.count(ctx, t, key.TableSub)
	if err != nil {
		return nil, err
	}
	shared := t.Shared()
	out := &api.ReplicateOutput{
		Exists: true, Status: t.Status.String(), Protected: t.DeletionProtection, Empty: items == 0,
		Streams: t.Streams() && t.Stream.ViewType == stream.ViewBoth, Settings: settings{Shared: &shared}.encode(),
	}
	if t.Global != nil {
		out.ID = t.Global.ID
	}
	return out, nil
}

// createReplica makes the table of a replica, which is CREATING until it is filled. with, unless nil, adds what is its
// own.
func (db *core) createReplica(ctx context.Context, in *api.ReplicateInput, s *settings, with func(*catalog.Record) error) error {
	if s.Shared == nil || len(s.Shared.Key.Hash) != 1 || in.ID == "" {
		return badStep("no settings")
	}
	if t, err := db.catalog.Lookup(ctx, in.Table); err == nil {
		switch {
		case partOf(&t.Record, in) && catalog.SameMember(t.Global.Member, in.Member):
			return nil // made before
		case partOf(&t.Record, in) && t.FillingRegion() == in.From:
			return errBusy{} // it asks whether it is still wanted, or the caller comes late
		}
		return api.Errorf(api.ReplicaAlreadyExists, api.MsgReplicaExists, in.Table)
	} else if !errors.Is(err, catalog.ErrNotFound) {
		return err
	}
	now := db.exec.Now().UnixMilli()
	r := catalog.Record{
		Table:       schema.Table{Name: in.Table, Key: s.Shared.Key, Indexes: s.Shared.Indexes},
		Definitions: s.Shared.Definitions, Billing: s.Shared.Billing, TableClass: s.Shared.TableClass,
		Stream: &catalog.Stream{Enabled: true, ViewType: stream.ViewBoth}, Filling: catalog.FillingFrom(in.From),
		Global: &catalog.Global{ID: in.ID, Member: in.Member, CreatedMs: now, Peers: s.Peers, Fields: s.Fields},
	}
	if s.Shared.Encrypted {
		r.SSE = &catalog.SSE{}
	}
	if r.Global.Peer(in.From) == nil || r.Global.Peer(db.opts.Region) != nil {
		return badStep("the replicas are not those of a new one")
	}
	if s.Own != nil {
		r.Apply(*s.Own)
	}
	if with != nil {
		if err := with(&r); err != nil {
			return err
		}
	}
	_, err := db.catalog.Create(ctx, r)
	switch {
	case errors.Is(err, catalog.ErrExists):
		return api.Errorf(api.ReplicaAlreadyExists, api.MsgReplicaExists, in.Table)
	case errors.Is(err, catalog.ErrTooMany):
		return api.Errorf(api.LimitExceeded, api.MsgTables, tablesMax)
	}
	return err
}

// join makes a region a replica of the table, or changes what is known of it.
func (db *core) join(ctx context.Context, in *api.ReplicateInput, p *catalog.Peer) error {
	if p == nil || p.Region != in.Region || p.Region == "" {
		return badStep("no replica to join")
	}
	return db.changeReplica(ctx, in, func(r *catalog.Record) {
		switch old := r.Global.Peer(p.Region); {
		case p.Region == db.opts.Region:
		case old != nil && catalog.SameMember(old.Member, p.Member):
			old.Own = p.Own
		case old != nil && p.Member < old.Member: // comes late; or a clock is wrong, then a greeting tells
		case p.State == catalog.PeerJoining, p.State == catalog.PeerMerging:
			joins := *p
			joins.Again = old != nil // the one that was there went, and nobody said so
			r.AddPeer(joins)
		}
	})
}

func sameKey(a, b *schema.Key) bool {
	return slices.Equal(a.Hash, b.Hash) && slices.Equal(a.Range, b.Range)
}

// takeShared takes settings that replicas share, each unless a later one is here.
func (db *core) takeShared(ctx context.Context, t *catalog.Table, in *api.ReplicateInput, s *settings) error {
	if s.Shared == nil || s.Fields == nil || !sameKey(&s.Shared.Key, &t.Table.Key) {
		return badStep("no settings, or those of another table")
	}
	if !t.Later(s.Fields) {
		return nil
	}
	if t.ChangesIndexes() || t.Status != catalog.StatusActive {
		return errBusy{} // one change after the other
	}
	return db.changeReplica(ctx, in, func(r *catalog.Record) {
		if r.Later(s.Fields) {
			r.Merge(s.Shared, s.Fields)
		}
	})
}

// deleteReplica removes a replica because the caller was told so.
func (db *core) deleteReplica(ctx context.Context, in *api.ReplicateInput) error {
	_, err := db.catalog.Delete(ctx, in.Table, func(r *catalog.Record) error {
		switch {
		case !partOf(r, in):
			return catalog.ErrNotFound
		case r.DeletionProtection:
			return api.Errorf(api.Validation, api.MsgReplicaProtected, in.Table, db.opts.Region)
		case r.Pinned(), r.Global.Peer(in.From).State == catalog.PeerDeleting && db.opts.Region < in.From:
			return errBusy{} // of two that remove each other one stays
		}
		db.leaveDestinations(r)
		return nil
	})
	db.background.kinesis.look()
	if errors.Is(err, catalog.ErrNotFound) {
		return db.noReplica(in)
	}
	return err
}

// takeItems writes items that were written elsewhere.
func (db *core) takeItems(ctx context.Context, in *api.ReplicateInput) error {
	t, err := db.catalog.EnterReplica(in.Table, 0)
	if errors.Is(err, catalog.ErrNotFound) {
		return db.noReplica(in)
	}
	if err != nil {
		return err
	}
	defer t.Leave(0)
	if !partOf(&t.Record, in) {
		return db.noReplica(in)
	}
	if t.Global.Peer(in.From).State == catalog.PeerParting {
		return errBusy{}
	}
	changes := make([]replica.Change, len(in.Items))
	for i := range in.Items {
		if err := changeOf(&changes[i], &t.Table, &in.Items[i]); err != nil {
			return err
		}
	}
	beside := receives(t, in.From, func(r *received) {
		if in.Count > r.Count { // else it comes late, or again
			r.Count, r.Seq = in.Count, storage.Seq(in.Seq)
		}
	})
	if err := db.apply(ctx, t, in.From, changes, beside); err != nil {
		return err
	}
	if db.throttled() { // as in the service, what is replicated costs where it arrives, too
		for i := range changes {
			db.charge(t, &capacity.Meter{Table: capacity.WriteUnits(0, sizeOf(changes[i].Item))}, true)
		}
	}
	return nil
}

// changeOf checks an item that came from elsewhere. It may be kept.
func changeOf(c *replica.Change, t *schema.Table, x *api.ReplicatedItem) error {
	k, ok := key.AppendItemTail(nil, t.ID, x.Key)
	if !ok || x.Region == "" || x.Micros < 0 {
		return badStep("an item has an impossible key or time")
	}
	*c = replica.Change{Key: k, Stamp: replica.Stamp{Micros: x.Micros, Region: x.Region}}
	if x.Item == nil {
		return nil
	}
	if err := attr.CheckItem(x.Item); err != nil {
		return badStep("an item cannot be read")
	}
	if own, ok := key.AppendItem(nil, t, attr.Item(x.Item)); !ok || !bytes.Equal(own, k) {
		return badStep("an item has the key of another one")
	}
	c.Item = attr.Item(x.Item)
	return nil
}
