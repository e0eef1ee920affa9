package engine

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/stream"
)

// globalVersion is what tables with replicas show.
const globalVersion = "2019.11.21"

// shared notes that settings were changed which replicas share.
func (db *core) shared(r *catalog.Record, nowMs int64) {
	if r.Global != nil && !r.Global.Legacy {
		r.NoteShared(nowMs, db.opts.Region)
	}
}

// ownNoMore lets a replica have what is asked for all of them.
func ownNoMore(r *catalog.Record, in *api.UpdateTableInput) {
	if r.Global == nil {
		return
	}
	o := &r.Global.Own
	if in.ProvisionedThroughput != nil || in.BillingMode.Set {
		o.Read, o.MaxRead, o.IndexRead, o.IndexMaxRead = 0, 0, nil, nil
	}
	if in.OnDemandThroughput != nil {
		o.MaxRead = 0
	}
	if in.TableClass.Set {
		o.TableClass = ""
	}
}

// updateReplicas makes, changes, removes or parts from a replica: one a call.
func (db *core) updateReplicas(ctx context.Context, in *api.UpdateTableInput) (*api.UpdateTableOutput, error) {
	name, u := tableName(in.TableName.Value), &in.ReplicaUpdates[0]
	t, err := db.lookup(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := busy(&t.Record); err != nil {
		return nil, err
	}
	if t.Global != nil && t.Global.Legacy {
		return nil, api.Errorf(api.Validation, api.MsgGlobalLegacyUpdate)
	}
	if in.MultiRegionConsistency.Set && t.Global != nil {
		return nil, api.Errorf(api.Validation, api.MsgConsistencyExisting)
	}
	if in.MultiRegionConsistency.Value == api.MultiRegionConsistencyStrong {
		// Not offered in any region: what reads and writes in all of them would need is not there.
		return nil, api.Errorf(api.Validation, api.MsgStrongUnsupported, db.opts.Region)
	}
	var change func(*catalog.Record) error
	switch {
	case u.Create != nil:
		change, err = db.createReplicaIn(ctx, t, u.Create)
	case u.Update != nil:
		change = func(r *catalog.Record) error { return db.overrideReplica(r, u.Update) }
	case u.Delete != nil:
		change, err = db.deleteReplicaIn(ctx, t, u.Delete.RegionName.Value)
	default:
		change = func(r *catalog.Record) error { return db.disassociate(r, u.Disassociate) }
	}
	if err != nil {
		return nil, err
	}
	t, err = db.catalog.Update(ctx, name, true, func(r *catalog.Record) error {
		if err := busy(r); err != nil {
			return err
		}
		if !r.Global.Settled() {
			return api.Errorf(api.ResourceInUse, api.MsgTableBusy, "updated", r.Table.Name)
		}
		return change(r)
	})
	if err != nil {
		return nil, notFound(err, name)
	}
	db.wakeSenders()
	d, err := db.describe(ctx, t)
	return &api.UpdateTableOutput{TableDescription: d}, err
}

// atRegion asks the database of a region what it has of a table.
func (db *core) atRegion(ctx context.Context, region, table, id string) (*api.ReplicateOutput, error) {
	if region == db.opts.Region {
		return nil, api.Errorf(api.Validation, api.MsgReplicaLocal)
	}
	to := db.opts.regions.get(region)
	if to == nil {
		names := append(db.opts.regions.names(), db.opts.Region)
		return nil, api.Errorf(api.Validation, api.MsgReplicaRegion, region, strings.Join(names, ", "))
	}
	out, err := ask(ctx, to, &api.ReplicateInput{
		Version: api.ReplicateVersion, Step: api.ReplicateDescribe, From: db.opts.Region, Table: table, ID: id, Session: db.session(),
	})
	if err != nil && ctx.Err() == nil {
		db.opts.Logger.Warn().Err(err).Str("region", region).Msg("a region cannot be reached")
		return nil, api.Errorf(api.Unavailable, api.MsgReplicateUnreachable, region)
	}
	return out, err
}

// createReplicaIn checks what can be checked before a replica is made.
func (db *core) createReplicaIn(ctx context.Context, t *catalog.Table, c *api.CreateReplicationGroupMemberAction) (func(*catalog.Record) error, error) {
	region := c.RegionName.Value
	id := db.newUUID()
	if t.Global != nil {
		id = t.Global.ID
	}
	there, err := db.atRegion(ctx, region, t.Table.Name, id)
	if err != nil {
		return nil, err
	}
	if there.Exists {
		return nil, api.Errorf(api.Validation, api.MsgReplicaExists, t.Table.Name)
	}
	own := catalog.Override{KeyID: c.KMSMasterKeyId.Value, TableClass: c.TableClassOverride.Value}
	ownSettings(&own, c.ProvisionedThroughputOverride, c.OnDemandThroughputOverride, c.GlobalSecondaryIndexes)
	return func(r *catalog.Record) error {
		if r.Global.Peer(region) != nil {
			return api.Errorf(api.Validation, api.MsgReplicaExists, r.Table.Name)
		}
		if !r.Billing.OnDemand && !scaledWrites(r) {
			return api.Errorf(api.Validation, api.MsgReplicaWriteCapacity)
		}
		now := db.exec.Now().UnixMilli()
		r.StartGlobal(id, db.newMember(), now)
		db.shared(r, now)
		if !r.Streams() {
			r.Stream = &catalog.Stream{Enabled: true, ViewType: stream.ViewBoth}
		}
		r.AddPeer(catalog.Peer{Region: region, Member: db.newMember(), State: catalog.PeerCreating, Own: own})
		return nil
	}, nil
}

// scaledWrites says whether the write capacity of a provisioned table scales by itself.
func scaledWrites(r *catalog.Record) bool { return r.Global != nil && r.Scaling.Writes("") != nil }

// ownSettings adds what a request gives a replica of its own.
func ownSettings(o *catalog.Override, p *api.ProvisionedThroughputOverride, d *api.OnDemandThroughputOverride, list []api.ReplicaGlobalSecondaryIndex) {
	if p != nil {
		o.Read = p.ReadCapacityUnits.Value
	}
	if d != nil {
		o.MaxRead = d.MaxReadRequestUnits.Value
	}
	for i := range list {
		ix := &list[i]
		if p := ix.ProvisionedThroughputOverride; p != nil && p.ReadCapacityUnits.Set {
			if o.IndexRead == nil {
				o.IndexRead = map[string]int64{}
			}
			o.IndexRead[ix.IndexName.Value] = p.ReadCapacityUnits.Value
		}
		if d := ix.OnDemandThroughputOverride; d != nil && d.MaxReadRequestUnits.Set {
			if o.IndexMaxRead == nil {
				o.IndexMaxRead = map[string]int64{}
			}
			o.IndexMaxRead[ix.IndexName.Value] = d.MaxReadRequestUnits.Value
		}
	}
}

// overrideReplica gives a replica settings of its own; the one here may be named, too.
func (db *core) overrideReplica(r *catalog.Record, u *api.UpdateReplicationGroupMemberAction) error {
	region := u.RegionName.Value
	own := catalog.Override{TableClass: u.TableClassOverride.Value}
	ownSettings(&own, u.ProvisionedThroughputOverride, u.OnDemandThroughputOverride, u.GlobalSecondaryIndexes)
	p := r.Global.Peer(region)
	switch {
	case region == db.opts.Region:
		return api.Errorf(api.Validation, api.MsgReplicaLocal)
	case p == nil:
		return api.Errorf(api.Validation, api.MsgReplicaUnknown, region)
	case r.Billing.OnDemand && (own.Read != 0 || len(own.IndexRead) > 0):
		return api.Errorf(api.Validation, api.MsgUnitsOnDemand)
	}
	p.Own = p.Own.Merge(own)
	p.OwnMs = max(db.exec.Now().UnixMilli(), p.OwnMs+1)
	return nil
}

// deleteReplicaIn checks what can be checked before a replica is removed.
func (db *core) deleteReplicaIn(ctx context.Context, t *catalog.Table, region string) (func(*catalog.Record) error, error) {
	p := t.Global.Peer(region)
	switch {
	case region == db.opts.Region:
		return nil, api.Errorf(api.Validation, api.MsgReplicaLocal)
	case p == nil:
		return nil, api.Errorf(api.Validation, api.MsgReplicaUnknown, region)
	case p.State == catalog.PeerFailed, db.opts.regions.get(region) == nil: // nothing is there that can be told
		return func(r *catalog.Record) error {
			now := r.Global.Peer(region)
			if now == nil || now.State != p.State {
				return api.Errorf(api.Validation, api.MsgReplicaUnknown, region)
			}
			r.LosePeer(region)
			return nil
		}, nil
	}
	there, err := db.atRegion(ctx, region, t.Table.Name, t.Global.ID)
	if err != nil {
		return nil, err
	}
	if there.Exists && there.Protected && there.ID == t.Global.ID {
		return nil, api.Errorf(api.Validation, api.MsgReplicaProtected, t.Table.Name, region)
	}
	return func(r *catalog.Record) error {
		p := r.Global.Peer(region)
		if p == nil {
			return api.Errorf(api.Validation, api.MsgReplicaUnknown, region)
		}
		p.State = catalog.PeerDeleting
		return nil
	}, nil
}

// disassociate makes the table here one of its region alone, once each replica has what the others wrote.
func (db *core) disassociate(r *catalog.Record, d *api.DisassociateReplicationGroupMemberAction) error {
	switch {
	case d.RegionName.Value != db.opts.Region:
		return api.Errorf(api.Validation, api.MsgDisassociateRegion, d.RegionName.Value)
	case r.Global == nil:
		return api.Errorf(api.Validation, api.MsgDisassociateNone, r.Table.Name)
	case !r.Global.Unprotected:
		return api.Errorf(api.Validation, api.MsgDisassociateProtected, r.Table.Name)
	}
	r.LeaveGlobal()
	return nil
}

// unlessReplicating makes the checks of other changes of a table with replicas, and changes what only those have.
func (db *core) unlessReplicating(r *catalog.Record, in *api.UpdateTableInput) error {
	if !r.Global.Settled() {
		return api.Errorf(api.ResourceInUse, api.MsgTableBusy, "updated", r.Table.Name)
	}
	if p := in.DisassociationProtectionEnabled; p.Set {
		if r.Global == nil {
			return api.Errorf(api.Validation, api.MsgDisassociateNone, r.Table.Name)
		}
		r.Global.Unprotected = !p.Value
	}
	if s := in.StreamSpecification; s != nil && r.Global != nil && !s.StreamEnabled.Value {
		return api.Errorf(api.Validation, api.MsgReplicaStream)
	}
	if m := in.GlobalTableSettingsReplicationMode; m.Set {
		r.SettingsMode = m.Value
	}
	return nil
}

// sourceFor is how long a table that a replica was made of may not be deleted.
const sourceFor = 24 * time.Hour

// unlessSource refuses to delete a table that a replica was made of, with Options.StrictLimits.
func (db *core) unlessSource(r *catalog.Record) error {
	if r.Global == nil {
		return nil
	}
	if !r.Global.Settled() {
		return api.Errorf(api.ResourceInUse, api.MsgTableBusy, "updated", r.Table.Name)
	}
	if db.opts.StrictLimits && db.exec.Now().UnixMilli()-r.Global.SourcedMs < sourceFor.Milliseconds() {
		return api.Errorf(api.Validation, api.MsgReplicaSource)
	}
	return nil
}

// tellTimeout bounds how long DeleteTable waits for other replicas.
const tellTimeout = 2 * time.Second

// orphan is the id of a replica that nobody fills: the region that was to does not know of it, or cannot be reached. It
// is 0 for every other table.
func (db *core) orphan(ctx context.Context, name string) uint64 {
	t := db.catalog.Cached(name)
	if t == nil || t.FillingRegion() == "" {
		return 0
	}
	to := db.opts.regions.get(t.FillingRegion())
	if to == nil {
		return t.Table.ID
	}
	short, cancel := context.WithTimeout(ctx, tellTimeout)
	defer cancel()
	_, err := ask(short, to, &api.ReplicateInput{
		Version: api.ReplicateVersion, Step: api.ReplicateGreet, From: db.opts.Region, Table: name, ID: t.Global.ID, Session: db.session(),
	})
	if err == nil || ctx.Err() != nil {
		return 0
	}
	return t.Table.ID
}

// tellDeleted tells the other replicas that this one is going. One that does not hear of it learns it when it sends
// something.
func (db *core) tellDeleted(ctx context.Context, t *catalog.Table) {
	if t.Global == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, tellTimeout)
	defer cancel()
	for _, region := range t.Global.Regions() {
		to := db.opts.regions.get(region)
		if to == nil {
			continue
		}
		_, err := to.Replicate(ctx, &api.ReplicateInput{
			Version: api.ReplicateVersion, Step: api.ReplicateLeave, From: db.opts.Region, Table: t.Table.Name, ID: t.Global.ID,
			Region: db.opts.Region, Member: t.Global.Member, Session: db.session(),
		})
		if err != nil {
			db.opts.Logger.Warn().Err(err).Str("table", t.Table.Name).Str("region", region).
				Msg("a replica was not told that another one is deleted, and will learn it later")
		}
	}
}

// describeGlobal adds what is known of replicas.
func (db *core) describeGlobal(d *api.TableDescription, t *catalog.Table) {
	if t.SettingsMode != "" {
		d.GlobalTableSettingsReplicationMode = api.Some(t.SettingsMode)
	}
	g := t.Global
	if g == nil {
		return
	}
	if g.Legacy {
		d.GlobalTableVersion = api.Some(legacyVersion)
		return
	}
	d.GlobalTableVersion = api.Some(globalVersion)
	if !slices.ContainsFunc(g.Peers, func(p catalog.Peer) bool { return p.Account != "" }) {
		d.GlobalTableSettingsReplicationMode = api.Some(api.GlobalTableSettingsReplicationModeEnabledWithOverrides)
	}
	d.DisassociationProtectionEnabled = api.Some(!g.Unprotected)
	for i := range g.Peers {
		d.Replicas = append(d.Replicas, db.describePeer(&g.Peers[i], t))
	}
}

func (db *core) describePeer(p *catalog.Peer, t *catalog.Table) api.ReplicaDescription {
	d := api.ReplicaDescription{RegionName: api.Some(p.Region), ReplicaStatus: api.Some(db.peerStatus(p))}
	if p.Why != "" {
		d.ReplicaStatusDescription = api.Some(p.Why)
	}
	if p.Account != "" {
		d.ReplicaArn = api.Some("arn:aws:dynamodb:" + p.Region + ":" + p.Account + ":table/" + t.Table.Name)
	}
	if t.SSE != nil && p.Own.KeyID != "" {
		d.KMSMasterKeyId = api.Some(p.Own.KeyID)
	}
	if p.Own.Read != 0 && !t.Billing.OnDemand {
		d.ProvisionedThroughputOverride = &api.ProvisionedThroughputOverride{ReadCapacityUnits: api.Some(p.Own.Read)}
	}
	if p.Own.MaxRead != 0 && t.Billing.OnDemand {
		d.OnDemandThroughputOverride = &api.OnDemandThroughputOverride{MaxReadRequestUnits: api.Some(p.Own.MaxRead)}
	}
	if p.Own.TableClass != "" {
		d.ReplicaTableClassSummary = &api.TableClassSummary{TableClass: api.Some(p.Own.TableClass)}
	}
	for i := range t.Table.Indexes {
		ix := &t.Table.Indexes[i]
		if !ix.Global() {
			continue
		}
		x := api.ReplicaGlobalSecondaryIndexDescription{IndexName: api.Some(ix.Name)}
		if n, ok := p.Own.IndexRead[ix.Name]; ok && !t.Billing.OnDemand {
			x.ProvisionedThroughputOverride = &api.ProvisionedThroughputOverride{ReadCapacityUnits: api.Some(n)}
		}
		if n, ok := p.Own.IndexMaxRead[ix.Name]; ok && t.Billing.OnDemand {
			x.OnDemandThroughputOverride = &api.OnDemandThroughputOverride{MaxReadRequestUnits: api.Some(n)}
		}
		d.GlobalSecondaryIndexes = append(d.GlobalSecondaryIndexes, x)
	}
	return d
}

// peerStatus is the service's word; a region that is not configured is disabled.
func (db *core) peerStatus(p *catalog.Peer) string {
	if p.State != catalog.PeerFailed && db.opts.regions.get(p.Region) == nil {
		return api.ReplicaStatusRegionDisabled
	}
	return peerStatus(p)
}

// peerStatus: CREATION_FAILED stays until the replica is removed (unsure).
func peerStatus(p *catalog.Peer) string {
	switch {
	case p.State == catalog.PeerFailed:
		return api.ReplicaStatusCreationFailed
	case p.State == catalog.PeerCreating, p.State == catalog.PeerJoining, p.State == catalog.PeerLinking, p.State == catalog.PeerMerging:
		return api.ReplicaStatusCreating
	case p.State == catalog.PeerDeleting, p.State == catalog.PeerUnlinking, p.State == catalog.PeerParting:
		return api.ReplicaStatusDeleting
	case p.State == catalog.PeerLeaving, p.State == catalog.PeerRefilling, p.OwnMs != p.SentMs:
		return api.ReplicaStatusUpdating
	}
	return api.ReplicaStatusActive
}
