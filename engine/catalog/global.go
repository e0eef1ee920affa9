package catalog

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/schema"
)

// Global is a table's part in a global table: the other replicas, and what is needed to be in step with them.
type Global struct {
	// ID is that of the global table, the same in all regions.
	ID string `json:"id"`
	// CreatedMs is in milliseconds since 1970.
	CreatedMs int64 `json:"createdMs"`
	// Stamps, Out and Dead are the subs of the rows of package replica, Cursors that of how far the peers are.
	Stamps  uint32 `json:"stamps"`
	Out     uint32 `json:"out"`
	Dead    uint32 `json:"dead"`
	Cursors uint32 `json:"cursors"`
	// Peers are the other replicas, in the order in which they came.
	Peers []Peer `json:"peers"`
	// Legacy: it is of version 2017.11.29. Each replica has its own settings, but for what
	// UpdateGlobalTableSettings sets, and there may be one replica alone.
	Legacy bool `json:"legacy,omitempty"`
	// Filling: the table is CREATING until it has the items of the others.
	Filling bool `json:"filling,omitempty"`
	// Unprotected: it may be disassociated.
	Unprotected bool `json:"unprotected,omitempty"`
	// Leaving: it is being disassociated.
	Leaving bool `json:"leaving,omitempty"`
	// SharedMs and SharedRegion say when and where the settings that replicas share were last changed. The
	// later wins.
	SharedMs     int64  `json:"sharedMs,omitempty"`
	SharedRegion string `json:"sharedRegion,omitempty"`
	// Own is what differs here from the shared settings.
	Own Override `json:"own"`
	// Base are the shared settings before what differs here; nil when nothing does.
	Base *Shared `json:"base,omitempty"`
	// SourcedMs is when a replica was last made from this table.
	SourcedMs int64 `json:"sourcedMs,omitempty"`
}

// PeerState is where a peer is in its life. Stored: never rename.
type PeerState string

const (
	// PeerCreating: the table there is to be made and filled from here.
	PeerCreating PeerState = "creating"
	// PeerJoining: it is made from elsewhere, and gets from here what was written here.
	PeerJoining PeerState = "joining"
	// PeerActive is the settled state.
	PeerActive PeerState = "active"
	// PeerDeleting: the table there is to be removed.
	PeerDeleting PeerState = "deleting"
	// PeerLeaving: it is parted from, and both keep their tables.
	PeerLeaving PeerState = "leaving"
	// PeerLinking: a table that is there already is to become a replica.
	PeerLinking PeerState = "linking"
	// PeerMerging: it gets all that is here, and sends what is there.
	PeerMerging PeerState = "merging"
	// PeerRefilling: it gets all that is here again, since it is not what it was.
	PeerRefilling PeerState = "refilling"
	// PeerParting: it is older than what is forgotten here, and a replica no more.
	PeerParting PeerState = "parting"
	// PeerUnlinking: it is to leave, and both keep their tables.
	PeerUnlinking PeerState = "unlinking"
)

// Peer is another replica, as this one knows it.
type Peer struct {
	Region string    `json:"region"`
	State  PeerState `json:"state"`
	// Own is what differs there from the shared settings.
	Own Override `json:"own"`
	// OwnMs is when that was last changed, in milliseconds since 1970; SentMs what of it the peer has.
	OwnMs  int64 `json:"ownMs,omitempty"`
	SentMs int64 `json:"sentMs,omitempty"`
	// Again: filling it begins anew.
	Again bool `json:"again,omitempty"`
}

// Refill makes the filling of the peer begin anew; lost says that it must not be one any more. One that is going
// anyhow just goes.
func (p *Peer) Refill(lost bool) {
	switch p.State {
	case PeerDeleting, PeerLeaving, PeerUnlinking, PeerParting:
		return
	case PeerActive, PeerRefilling:
		p.State = PeerRefilling
	}
	p.Again = true
	if lost {
		p.State = PeerParting
	}
}

// Override is what a replica has of its own. Zero values are as the others have it.
type Override struct {
	KeyID      string `json:"keyId,omitempty"`
	TableClass string `json:"tableClass,omitempty"`
	// Read and MaxRead are provisioned units and the on-demand maximum.
	Read    int64 `json:"read,omitempty"`
	MaxRead int64 `json:"maxRead,omitempty"`
	// IndexRead and IndexMaxRead are those of indexes.
	IndexRead    map[string]int64 `json:"indexRead,omitempty"`
	IndexMaxRead map[string]int64 `json:"indexMaxRead,omitempty"`
}

func (o Override) clone() Override {
	o.IndexRead, o.IndexMaxRead = maps.Clone(o.IndexRead), maps.Clone(o.IndexMaxRead)
	return o
}

// Merge is o with what is given in another one.
func (o Override) Merge(over Override) Override {
	o = o.clone()
	if over.KeyID != "" {
		o.KeyID = over.KeyID
	}
	if over.TableClass != "" {
		o.TableClass = over.TableClass
	}
	if over.Read != 0 {
		o.Read = over.Read
	}
	if over.MaxRead != 0 {
		o.MaxRead = over.MaxRead
	}
	for name, n := range over.IndexRead {
		if o.IndexRead == nil {
			o.IndexRead = map[string]int64{}
		}
		o.IndexRead[name] = n
	}
	for name, n := range over.IndexMaxRead {
		if o.IndexMaxRead == nil {
			o.IndexMaxRead = map[string]int64{}
		}
		o.IndexMaxRead[name] = n
	}
	return o
}

func (g *Global) clone() *Global {
	if g == nil {
		return nil
	}
	c := *g
	c.Own = g.Own.clone()
	c.Peers = slices.Clone(g.Peers)
	for i := range c.Peers {
		c.Peers[i].Own = c.Peers[i].Own.clone()
	}
	return &c
}

// Peer returns the peer in a region, nil for none.
func (g *Global) Peer(region string) *Peer {
	if g == nil {
		return nil
	}
	for i := range g.Peers {
		if g.Peers[i].Region == region {
			return &g.Peers[i]
		}
	}
	return nil
}

// Settled says whether no peer comes or goes.
func (g *Global) Settled() bool {
	return g == nil || !g.Filling && !g.Leaving &&
		!slices.ContainsFunc(g.Peers, func(p Peer) bool { return p.State != PeerActive })
}

// Regions are those of the peers.
func (g *Global) Regions() (list []string) {
	for i := range g.Peers {
		list = append(list, g.Peers[i].Region)
	}
	return list
}

// Subs are those of the rows that the table keeps because of its replicas.
func (g *Global) Subs() []uint32 {
	if g == nil {
		return nil
	}
	return []uint32{g.Stamps, g.Out, g.Dead, g.Cursors}
}

// CursorRow is the key of the row that says what a peer of the table has.
func (r *Record) CursorRow(region string) []byte {
	return append(key.AppendHead(nil, key.TableSpace(r.Table.ID), r.Global.Cursors, 0), region...)
}

// Rows under the sub of cursors. A region's name begins with a letter.
const (
	receivedRow  = 0x00
	collectedRow = 0x01
)

// ReceivedRow is the key of the row that says what came from a peer.
func (r *Record) ReceivedRow(region string) []byte {
	return r.CursorRow(string(rune(receivedRow)) + region)
}

// CollectedRow is the key of the row that says up to when stamps of deleted items are forgotten.
func (r *Record) CollectedRow() []byte { return r.CursorRow(string(rune(collectedRow))) }

// takeSubs gives the rows of the table's replication their place.
func (r *Record) takeSubs() {
	g := r.Global
	g.Stamps, g.Out, g.Dead, g.Cursors = r.TakeSub(), r.TakeSub(), r.TakeSub(), r.TakeSub()
}

// StartGlobal makes the table a part of a global table, unless it is one.
func (r *Record) StartGlobal(id string, nowMs int64) {
	if r.Global == nil {
		r.Global = &Global{ID: id, CreatedMs: nowMs}
		r.takeSubs()
	}
}

// AddPeer adds a peer, or changes what is known of it.
func (r *Record) AddPeer(p Peer) {
	if old := r.Global.Peer(p.Region); old != nil {
		*old = p
		return
	}
	r.Global.Peers = append(r.Global.Peers, p)
}

// DropPeer takes a peer away. With the last one the table is no part of a global table any more, unless it is one of
// the old version, which it leaves when it wants to.
func (r *Record) DropPeer(region string) {
	if r.Global == nil {
		return
	}
	r.Global.Peers = slices.DeleteFunc(r.Global.Peers, func(p Peer) bool { return p.Region == region })
	if len(r.Global.Peers) == 0 && (!r.Global.Legacy || r.Global.Leaving) {
		r.EndGlobal()
	}
}

// LeaveGlobal parts from all peers, once each has what the others wrote.
func (r *Record) LeaveGlobal() {
	r.Global.Leaving = true
	for i := range r.Global.Peers {
		r.Global.Peers[i].State = PeerLeaving
	}
	if len(r.Global.Peers) == 0 {
		r.EndGlobal()
	}
}

// EndGlobal makes the table one of its region alone.
func (r *Record) EndGlobal() {
	for _, sub := range r.Global.Subs() {
		r.drop(Job{Kind: JobDrop, Sub: sub, Ready: true})
	}
	r.Global = nil
}

// Shared are the settings that all replicas have in common.
type Shared struct {
	Key         schema.Key       `json:"key"`
	Definitions []schema.KeyAttr `json:"definitions"`
	Indexes     []schema.Index   `json:"indexes"`
	TTL         string           `json:"ttl"`
	Billing     Billing          `json:"billing"`
	// Encrypted: with a key of KMS, which each region has its own of.
	Encrypted  bool    `json:"encrypted"`
	TableClass string  `json:"tableClass"`
	Scaling    Scaling `json:"scaling,omitzero"`
}

// Shared returns the settings that the table has in common with its replicas.
func (r *Record) Shared() Shared {
	b := r.Billing
	if r.Pending != nil {
		b = *r.Pending
	}
	b = b.Clone()
	b.Changes, b.IndexChanges = Changes{}, nil
	s := Shared{
		Key: r.Table.Key, Definitions: slices.Clone(r.Definitions), Indexes: slices.Clone(r.Table.Indexes), TTL: r.Table.TTL,
		Billing: b, Encrypted: r.SSE != nil, TableClass: r.TableClass, Scaling: r.Scaling.Clone(),
	}
	for i := range s.Indexes {
		ix := &s.Indexes[i]
		ix.Sub, ix.Building, ix.DeleteOnly = 0, false, false
	}
	if r.Global != nil && r.Global.Base != nil {
		s.without(&r.Global.Own, r.Global.Base)
	}
	return s
}

// without puts the shared settings in the place of what a replica has of its own.
func (s *Shared) without(o *Override, base *Shared) {
	if o.TableClass != "" {
		s.TableClass = base.TableClass
	}
	if o.Read != 0 && !s.Billing.OnDemand {
		s.Billing.Table.Read = base.Billing.Table.Read
	}
	if o.MaxRead != 0 && s.Billing.OnDemand {
		s.Billing.Max = base.Billing.Max
	}
	for name := range o.IndexRead {
		if t, ok := base.Billing.Indexes[name]; ok && !s.Billing.OnDemand {
			s.Billing.Indexes[name] = Throughput{Read: t.Read, Write: s.Billing.Indexes[name].Write}
		}
	}
	for name := range o.IndexMaxRead {
		if m, ok := base.Billing.IndexMax[name]; ok {
			s.Billing.IndexMax[name] = m
		} else {
			delete(s.Billing.IndexMax, name)
		}
	}
}

// SameKeys says whether two tables have the same key and indexes of the same names and keys.
func (s *Shared) SameKeys(o *Shared) bool {
	return sameJSON(s.Key, o.Key) && len(s.Indexes) == len(o.Indexes) &&
		!slices.ContainsFunc(s.Indexes, func(x schema.Index) bool {
			return !slices.ContainsFunc(o.Indexes, func(y schema.Index) bool {
				return x.Name == y.Name && x.Local == y.Local && sameJSON(x.Key, y.Key)
			})
		})
}

func sameJSON(a, b any) bool {
	x, _ := json.Marshal(a) //nolint:errchkjson // plain data
	y, _ := json.Marshal(b) //nolint:errchkjson // plain data
	return string(x) == string(y)
}

// Adopt gives the table the shared settings, but for what it has of its own. Indexes that are new are filled, those
// that are no more are removed, each by a job.
func (r *Record) Adopt(s *Shared) {
	if r.Global.Legacy {
		r.adoptWrites(s)
		return
	}
	for i := len(r.Table.Indexes) - 1; i >= 0; i-- {
		ix := &r.Table.Indexes[i]
		if !ix.Local && !slices.ContainsFunc(s.Indexes, func(o schema.Index) bool { return o.Name == ix.Name && sameJSON(o.Key, ix.Key) }) {
			r.DropIndex(ix.Name)
		}
	}
	r.Definitions = slices.Clone(s.Definitions)
	for _, ix := range s.Indexes {
		if !ix.Local && !slices.ContainsFunc(r.Table.Indexes, func(o schema.Index) bool { return o.Name == ix.Name }) {
			r.AddIndex(ix)
		}
	}
	for i := range r.Jobs {
		r.Jobs[i].Ready = true // the table does not go through UPDATING
	}
	if s.TTL != r.Table.TTL {
		if r.Table.TTL != "" {
			r.DisableTTL()
		}
		if s.TTL != "" {
			r.EnableTTL(s.TTL)
		}
	}
	b := s.Billing.Clone()
	b.Changes, b.IndexChanges = r.Billing.Changes, r.Billing.IndexChanges
	r.Billing, r.Pending = b, nil
	r.TableClass, r.Scaling = s.TableClass, s.Scaling.Clone()
	switch {
	case !s.Encrypted:
		r.SSE = nil
	case r.SSE == nil:
		r.SSE = &SSE{}
	}
	r.Global.Base = s
	r.Apply(r.Global.Own)
}

// adoptWrites gives a table of version 2017.11.29 the billing mode, the throughput of writes and how that scales.
func (r *Record) adoptWrites(s *Shared) {
	b := &r.Billing
	if b.OnDemand != s.Billing.OnDemand {
		b.OnDemand, b.Switched, b.SwitchedMs, b.Switches = s.Billing.OnDemand, s.Billing.Switched, s.Billing.SwitchedMs, s.Billing.Switches
		b.Table, b.Indexes, b.Max, b.IndexMax = s.Billing.Table, maps.Clone(s.Billing.Indexes), s.Billing.Max, maps.Clone(s.Billing.IndexMax)
	}
	b.Table.Write = s.Billing.Table.Write
	for name, t := range b.Indexes {
		if o, ok := s.Billing.Indexes[name]; ok {
			t.Write = o.Write
			b.Indexes[name] = t
		}
	}
	r.Pending, r.Scaling = nil, s.Scaling.Clone()
	r.Global.Base = s
	r.Apply(r.Global.Own)
}

// Apply sets what the table has of its own.
func (r *Record) Apply(o Override) {
	if r.Global.Base == nil {
		s := r.Shared()
		r.Global.Base = &s
	}
	r.Global.Own = o.clone()
	if o.KeyID != "" {
		r.SSE = &SSE{KeyID: o.KeyID}
	}
	if o.TableClass != "" {
		r.TableClass = o.TableClass
	}
	b := &r.Billing
	if o.Read != 0 && !b.OnDemand {
		b.Table.Read = o.Read
	}
	if o.MaxRead != 0 && b.OnDemand {
		m := Throughput{Read: -1, Write: -1}
		if b.Max != nil {
			m = *b.Max
		}
		m.Read = o.MaxRead
		b.Max = &m
	}
	for name, n := range o.IndexRead {
		if t, ok := b.Indexes[name]; ok && !b.OnDemand {
			t.Read = n
			b.Indexes[name] = t
		}
	}
	for name, n := range o.IndexMaxRead {
		if !b.OnDemand || !slices.ContainsFunc(r.Table.Indexes, func(ix schema.Index) bool { return ix.Name == name && !ix.Local }) {
			continue
		}
		m, ok := b.IndexMax[name]
		if !ok {
			m = Throughput{Read: -1, Write: -1}
		}
		m.Read = n
		if b.IndexMax == nil {
			b.IndexMax = map[string]Throughput{}
		}
		b.IndexMax[name] = m
	}
}

// Globals returns the tables that are parts of global tables, by name.
func (c *Catalog) Globals() []*Table {
	var list []*Table
	for _, t := range c.snapshot() {
		if t.Global != nil && t.Status != StatusDeleting {
			list = append(list, t)
		}
	}
	slices.SortFunc(list, func(a, b *Table) int { return strings.Compare(a.Table.Name, b.Table.Name) })
	return list
}

// EndFilling ends the filling of a replica: it is ACTIVE then. One that is gone, or was ended before, is no error.
func (c *Catalog) EndFilling(ctx context.Context, name, id string) error {
	c.control.Lock()
	defer c.control.Unlock()
	if err := c.finishLocked(ctx); err != nil {
		return err
	}
	t := c.snapshot()[name]
	if t == nil || t.Global == nil || t.Global.ID != id || !t.Global.Filling {
		return nil
	}
	r := t.clone()
	r.Global.Filling = false
	r.UntilMs = c.opts.Clock().UnixMilli()
	if err := c.write(ctx, r); err != nil {
		return err
	}
	c.supersede(r, t)
	return c.finishLocked(ctx)
}
