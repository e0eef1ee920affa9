package engine

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/stream"
)

// A replica in another account is asked for where it is to be, by CreateTable with the ARN of the source. The source's
// table says by its mode that it may have such replicas.

// createFrom makes a replica here of a table of another account.
func (db *core) createFrom(ctx context.Context, in *api.CreateTableInput, name string) (*api.CreateTableOutput, error) {
	parts := strings.SplitN(in.GlobalTableSourceArn.Value, ":", 6)
	if len(parts) != 6 || parts[2] != "dynamodb" || parts[3] == db.opts.Region || parts[4] == db.opts.Account || parts[5] != "table/"+name {
		return nil, api.Errorf(api.Validation, api.MsgSourceTable, in.GlobalTableSourceArn.Value)
	}
	region := parts[3]
	if _, err := db.catalog.Lookup(ctx, name); !errors.Is(err, catalog.ErrNotFound) {
		if err == nil {
			err = api.Errorf(api.ResourceInUse, api.MsgTableExists, name)
		}
		return nil, err
	}
	to := db.opts.regions.get(region)
	if to == nil {
		return nil, api.Errorf(api.Validation, api.MsgReplicaRegion, region, strings.Join(append(db.opts.regions.names(), db.opts.Region), ", "))
	}
	step := api.ReplicateInput{
		Version: api.ReplicateVersion, Step: api.ReplicateInvite, From: db.opts.Region, Account: db.opts.Account,
		Table: name, ID: db.newUUID(), Session: db.session(),
	}
	out, err := ask(ctx, to, &step)
	if code := api.CodeOf(err); err != nil && code != api.Validation && code != api.ResourceNotFound && code != api.ResourceInUse {
		db.opts.Logger.Warn().Err(err).Str("region", region).Msg("a region cannot be reached")
		return nil, api.Errorf(api.Unavailable, api.MsgReplicateUnreachable, region)
	}
	if err != nil {
		return nil, err
	}
	var s settings
	if err := json.Unmarshal(out.Settings, &s); err != nil {
		return nil, badStep("settings cannot be read")
	}
	step.From, step.ID, step.Member = region, out.ID, out.Member
	err = db.createReplica(ctx, &step, &s, func(r *catalog.Record) error {
		r.SettingsMode, r.DeletionProtection = in.GlobalTableSettingsReplicationMode.Value, in.DeletionProtectionEnabled.Value
		for _, tag := range in.Tags {
			r.Tags = append(r.Tags, catalog.Tag{Key: tag.Key.Value, Value: tag.Value.Value})
		}
		if in.ResourcePolicy.Set {
			return db.setPolicy(ctx, r, in.ResourcePolicy.Value)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	t, err := db.lookup(ctx, name)
	if err != nil {
		return nil, err
	}
	d, err := db.describe(ctx, t)
	return &api.CreateTableOutput{TableDescription: d}, err
}

// invite adds a replica in another account, which made itself known.
func (db *core) invite(ctx context.Context, in *api.ReplicateInput, out *api.ReplicateOutput) error {
	if in.Account == "" || in.ID == "" || in.Account == db.opts.Account || db.opts.regions.get(in.From) == nil {
		return badStep("no account, or no region that is served")
	}
	t, err := db.catalog.Update(ctx, in.Table, false, func(r *catalog.Record) error {
		if err := busy(r); err != nil {
			return err
		}
		p := r.Global.Peer(in.From)
		switch {
		case p != nil && p.State == catalog.PeerCreating && p.Account == in.Account:
			return nil // asked before
		case p != nil || r.Global != nil && r.Global.Legacy:
			return api.Errorf(api.Validation, api.MsgReplicaExists, r.Table.Name)
		case !r.Global.Settled():
			return api.Errorf(api.ResourceInUse, api.MsgTableBusy, "updated", r.Table.Name)
		case r.SettingsMode != api.GlobalTableSettingsReplicationModeEnabled:
			return api.Errorf(api.Validation, api.MsgSourceMode)
		case !r.Billing.OnDemand && !scaledWrites(r):
			return api.Errorf(api.Validation, api.MsgReplicaWriteCapacity)
		}
		now := db.exec.Now().UnixMilli()
		r.StartGlobal(in.ID, db.newMember(), now)
		db.shared(r, now)
		if !r.Streams() {
			r.Stream = &catalog.Stream{Enabled: true, ViewType: stream.ViewBoth}
		}
		r.AddPeer(catalog.Peer{Region: in.From, Member: db.newMember(), Account: in.Account, State: catalog.PeerCreating})
		return nil
	})
	if err != nil {
		return notFound(err, in.Table)
	}
	shared := t.Shared()
	s := settings{Shared: &shared, Fields: t.Global.Fields, Peers: []catalog.Peer{
		{Region: db.opts.Region, Member: t.Global.Member, Account: db.opts.Account, State: catalog.PeerActive, Own: t.Global.Own},
	}}
	for _, p := range t.Global.PeersBut(in.From) {
		p.State = catalog.PeerActive
		s.Peers = append(s.Peers, p)
	}
	out.ID, out.Member, out.Settings = t.Global.ID, t.Global.Peer(in.From).Member, s.encode()
	db.wakeSenders()
	return nil
}
