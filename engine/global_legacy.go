package engine

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/stream"
	"github.com/keystone-db/kstone/engine/validate"
)

// Global tables of version 2017.11.29 (wire-facts §6.20) are made of tables that are there, empty, in each region.
// They replicate as those of UpdateTable do, and have settings of their own in each region.

// legacyVersion is what DescribeTable shows.
const legacyVersion = "2017.11.29"

// CreateGlobalTable links empty tables of one name in several regions.
func (db *core) CreateGlobalTable(ctx context.Context, in *api.CreateGlobalTableInput) (*api.CreateGlobalTableOutput, error) {
	if err := validate.CreateGlobalTable(in, db.rules); err != nil {
		return nil, err
	}
	name := in.GlobalTableName.Value
	t, err := db.catalog.Lookup(ctx, name)
	if err != nil {
		return nil, tableGone(err, name, db.opts.Region)
	}
	if t.Global != nil {
		return nil, legacyTaken(&t.Record)
	}
	here, err := db.describeReplica(ctx, &api.ReplicateInput{Table: name})
	if err == nil {
		err = linkable(here, nil, name, db.opts.Region)
	}
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(in.ReplicationGroup, func(r api.Replica) bool { return r.RegionName.Value == db.opts.Region }) {
		return nil, api.Errorf(api.Validation, api.MsgGlobalLegacyLocal, db.opts.Region)
	}
	var regions []string
	for i := range in.ReplicationGroup {
		region := in.ReplicationGroup[i].RegionName.Value
		if region == db.opts.Region {
			continue
		}
		if err := db.linkableAt(ctx, here, name, region); err != nil {
			return nil, err
		}
		regions = append(regions, region)
	}
	id := db.newUUID()
	t, err = db.catalog.Update(ctx, name, false, func(r *catalog.Record) error {
		if err := busy(r); err != nil {
			return err
		}
		if r.Global != nil {
			return legacyTaken(r)
		}
		r.StartGlobal(id, db.newMember(), db.exec.Now().UnixMilli())
		r.Global.Legacy = true
		for _, region := range regions {
			r.AddPeer(catalog.Peer{Region: region, Member: db.newMember(), State: catalog.PeerLinking})
		}
		return nil
	})
	if err != nil {
		return nil, tableGone(err, name, db.opts.Region)
	}
	db.wakeSenders()
	return &api.CreateGlobalTableOutput{GlobalTableDescription: db.describeLegacy(t)}, nil
}

// legacyTaken is the error for a table that is in a global table already.
func legacyTaken(r *catalog.Record) error {
	if r.Global.Legacy {
		return api.Errorf(api.GlobalTableAlreadyExists, api.MsgGlobalLegacyExists, r.Table.Name)
	}
	return api.Errorf(api.Validation, api.MsgReplicaExists, r.Table.Name)
}

// tableGone is the word of these operations for no table.
func tableGone(err error, name, region string) error {
	if api.CodeOf(notFound(err, name)) == api.ResourceNotFound {
		return api.Errorf(api.TableNotFound, api.MsgGlobalLegacyTable, name, region)
	}
	return err
}

// linkableAt checks the table of another region. One that is not served has none.
func (db *core) linkableAt(ctx context.Context, here *api.ReplicateOutput, name, region string) error {
	if db.opts.regions.get(region) == nil {
		return api.Errorf(api.TableNotFound, api.MsgGlobalLegacyTable, name, region)
	}
	there, err := db.atRegion(ctx, region, name, "")
	if err != nil {
		return err
	}
	return linkable(there, here, name, region)
}

// linkable checks what the tables of a global table must be, one of them beside another one.
func linkable(t, other *api.ReplicateOutput, name, region string) error {
	switch {
	case !t.Exists:
		return api.Errorf(api.TableNotFound, api.MsgGlobalLegacyTable, name, region)
	case t.ID != "":
		return api.Errorf(api.ReplicaAlreadyExists, api.MsgGlobalLegacyReplica, region)
	case t.Status != catalog.StatusActive.String():
		return api.Errorf(api.ResourceInUse, api.MsgTableBusy, "updated", name)
	case !t.Streams:
		return api.Errorf(api.Validation, api.MsgGlobalLegacyStream, name, region)
	case !t.Empty:
		return api.Errorf(api.Validation, api.MsgGlobalLegacyData, name, region)
	}
	if other == nil {
		return nil
	}
	var a, b settings
	if json.Unmarshal(t.Settings, &a) != nil || json.Unmarshal(other.Settings, &b) != nil || a.Shared == nil || b.Shared == nil {
		return badStep("settings cannot be read")
	}
	if !a.Shared.SameKeys(b.Shared) {
		return api.Errorf(api.Validation, api.MsgGlobalLegacyKeys, name, region)
	}
	return nil
}

// legacy finds a global table of the old version.
func (db *core) legacy(ctx context.Context, name string) (*catalog.Table, error) {
	t, err := db.catalog.Lookup(ctx, name)
	if err != nil && api.CodeOf(notFound(err, name)) != api.ResourceNotFound {
		return nil, err
	}
	if err != nil || t.Global == nil || !t.Global.Legacy {
		return nil, noLegacy(name)
	}
	return t, nil
}

func noLegacy(name string) error {
	return api.Errorf(api.GlobalTableNotFound, api.MsgGlobalLegacyNotFound, name)
}

// DescribeGlobalTable tells of one.
func (db *core) DescribeGlobalTable(ctx context.Context, in *api.DescribeGlobalTableInput) (*api.DescribeGlobalTableOutput, error) {
	if err := validate.DescribeGlobalTable(in, db.rules); err != nil {
		return nil, err
	}
	t, err := db.legacy(ctx, in.GlobalTableName.Value)
	if err != nil {
		return nil, err
	}
	return &api.DescribeGlobalTableOutput{GlobalTableDescription: db.describeLegacy(t)}, nil
}

func (db *core) describeLegacy(t *catalog.Table) *api.GlobalTableDescription {
	g := t.Global
	d := &api.GlobalTableDescription{
		GlobalTableName: api.Some(t.Table.Name), GlobalTableStatus: api.Some(legacyStatus(g)),
		GlobalTableArn:   api.Some("arn:aws:dynamodb::" + db.opts.Account + ":global-table/" + t.Table.Name),
		CreationDateTime: api.Some(time.UnixMilli(g.CreatedMs)),
	}
	local := api.ReplicaStatusActive
	if g.Leaving {
		local = api.ReplicaStatusDeleting
	}
	d.ReplicationGroup = append(d.ReplicationGroup, api.ReplicaDescription{
		RegionName: api.Some(db.opts.Region), ReplicaStatus: api.Some(local),
	})
	for i := range g.Peers {
		d.ReplicationGroup = append(d.ReplicationGroup, api.ReplicaDescription{
			RegionName: api.Some(g.Peers[i].Region), ReplicaStatus: api.Some(db.peerStatus(&g.Peers[i])),
		})
	}
	return d
}

// legacyStatus is CREATING until the first replicas are linked.
func legacyStatus(g *catalog.Global) string {
	statuses := map[string]bool{}
	for i := range g.Peers {
		statuses[peerStatus(&g.Peers[i])] = true
	}
	switch {
	case g.Leaving:
		return api.GlobalTableStatusDeleting
	case statuses[api.ReplicaStatusCreating] && len(statuses) == 1:
		return api.GlobalTableStatusCreating
	case len(statuses) == 0, statuses[api.ReplicaStatusActive] && len(statuses) == 1:
		return api.GlobalTableStatusActive
	}
	return api.GlobalTableStatusUpdating
}

// globalTablesPage is how many ListGlobalTables lists when it is not told.
const globalTablesPage = 100

// ListGlobalTables lists those that have a replica here, and in the region that is named.
func (db *core) ListGlobalTables(_ context.Context, in *api.ListGlobalTablesInput) (*api.ListGlobalTablesOutput, error) {
	if err := validate.ListGlobalTables(in, db.rules); err != nil {
		return nil, err
	}
	out := &api.ListGlobalTablesOutput{GlobalTables: []api.GlobalTable{}}
	limit := in.Limit.Or(globalTablesPage)
	for _, t := range db.catalog.Globals() {
		regions := append([]string{db.opts.Region}, t.Global.Regions()...)
		if !t.Global.Legacy || strings.Compare(t.Table.Name, in.ExclusiveStartGlobalTableName.Value) <= 0 ||
			in.RegionName.Set && !slices.Contains(regions, in.RegionName.Value) {
			continue
		}
		if int64(len(out.GlobalTables)) == limit {
			out.LastEvaluatedGlobalTableName = out.GlobalTables[limit-1].GlobalTableName
			break
		}
		g := api.GlobalTable{GlobalTableName: api.Some(t.Table.Name)}
		for _, region := range regions {
			g.ReplicationGroup = append(g.ReplicationGroup, api.Replica{RegionName: api.Some(region)})
		}
		out.GlobalTables = append(out.GlobalTables, g)
	}
	return out, nil
}

// UpdateGlobalTable links tables of other regions, or parts from them; both keep what they have.
func (db *core) UpdateGlobalTable(ctx context.Context, in *api.UpdateGlobalTableInput) (*api.UpdateGlobalTableOutput, error) {
	if err := validate.UpdateGlobalTable(in, db.rules); err != nil {
		return nil, err
	}
	name := in.GlobalTableName.Value
	t, err := db.legacy(ctx, name)
	if err != nil {
		return nil, err
	}
	here, err := db.describeReplica(ctx, &api.ReplicateInput{Table: name})
	if err != nil {
		return nil, err
	}
	if err := db.checkReplicas(&t.Record, in); err != nil {
		return nil, err
	}
	for i := range in.ReplicaUpdates {
		if c := in.ReplicaUpdates[i].Create; c != nil {
			if err := db.linkableAt(ctx, here, name, c.RegionName.Value); err != nil {
				return nil, err
			}
		}
	}
	var d *api.GlobalTableDescription
	t, err = db.catalog.Update(ctx, name, false, func(r *catalog.Record) error {
		if r.Global == nil || !r.Global.Legacy {
			return noLegacy(name)
		}
		if err := busy(r); err != nil {
			return err
		}
		if err := db.checkReplicas(r, in); err != nil {
			return err
		}
		d = db.changeReplicas(r, in)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if d == nil {
		d = db.describeLegacy(t)
	}
	db.wakeSenders()
	db.background.jobs.look()
	return &api.UpdateGlobalTableOutput{GlobalTableDescription: d}, nil
}

// checkReplicas refuses to add what is a replica, and to remove what is none.
func (db *core) checkReplicas(r *catalog.Record, in *api.UpdateGlobalTableInput) error {
	if !r.Global.Settled() {
		return api.Errorf(api.ResourceInUse, api.MsgTableBusy, "updated", r.Table.Name)
	}
	for i := range in.ReplicaUpdates {
		u := &in.ReplicaUpdates[i]
		if c := u.Create; c != nil && (c.RegionName.Value == db.opts.Region || r.Global.Peer(c.RegionName.Value) != nil) {
			return api.Errorf(api.ReplicaAlreadyExists, api.MsgGlobalLegacyReplica, c.RegionName.Value)
		}
		if d := u.Delete; d != nil && d.RegionName.Value != db.opts.Region && r.Global.Peer(d.RegionName.Value) == nil {
			return api.Errorf(api.ReplicaNotFound, api.MsgGlobalLegacyNoReplica, d.RegionName.Value)
		}
	}
	return nil
}

// changeReplicas does what was checked. When that is the end of the global table it is described as it was.
func (db *core) changeReplicas(r *catalog.Record, in *api.UpdateGlobalTableInput) *api.GlobalTableDescription {
	leave := false
	for i := range in.ReplicaUpdates {
		u := &in.ReplicaUpdates[i]
		if u.Create != nil {
			r.AddPeer(catalog.Peer{Region: u.Create.RegionName.Value, Member: db.newMember(), State: catalog.PeerLinking})
		}
		if u.Delete == nil {
			continue
		}
		if p := r.Global.Peer(u.Delete.RegionName.Value); p != nil {
			p.State = catalog.PeerUnlinking
		} else {
			leave = true
		}
	}
	if !leave {
		return nil
	}
	was := catalog.Table{Record: catalog.Record{Table: r.Table, Global: r.Global}}
	r.LeaveGlobal()
	was.Global.Leaving = true
	return db.describeLegacy(&was)
}

// linkReplica makes a table that is here a replica.
func (db *core) linkReplica(ctx context.Context, in *api.ReplicateInput, s *settings) error {
	if s.Shared == nil || in.ID == "" {
		return badStep("no settings")
	}
	if t, err := db.catalog.Lookup(ctx, in.Table); err == nil && partOf(&t.Record, in) {
		return nil // linked before
	}
	here, err := db.describeReplica(ctx, in)
	if err == nil {
		err = linkable(here, &api.ReplicateOutput{Settings: in.Settings}, in.Table, db.opts.Region)
	}
	if err != nil {
		return err
	}
	_, err = db.catalog.Update(ctx, in.Table, false, func(r *catalog.Record) error {
		if r.Global != nil || r.Status != catalog.StatusActive || !r.Streams() || r.Stream.ViewType != stream.ViewBoth {
			return api.Errorf(api.ReplicaAlreadyExists, api.MsgGlobalLegacyReplica, db.opts.Region)
		}
		r.StartGlobal(in.ID, in.Member, db.exec.Now().UnixMilli())
		r.Global.Legacy, r.Global.Peers = true, s.Peers
		if r.Global.Peer(in.From) == nil || r.Global.Peer(db.opts.Region) != nil {
			return badStep("the replicas are not those of a new one")
		}
		return nil
	})
	db.wakeSenders()
	return tableGone(err, in.Table, db.opts.Region)
}
