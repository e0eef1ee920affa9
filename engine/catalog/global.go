package catalog

import (
	"maps"
	"slices"
	"strings"

	"github.com/keystone-db/kstone/engine/key"
)

// Global is a table's part in a global table: the other replicas, and what is needed to be in step with them.
type Global struct {
	// ID is that of the global table, the same in all regions.
	ID string `json:"id"`
	// Member is the id of the replica here, another one when it was removed and made again; empty when it was made
	// before there were any.
	Member string `json:"member,omitempty"`
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
	// WasFilling is in records of before Record.Filling named who fills a replica.
	WasFilling bool `json:"filling,omitempty"`
	// Unprotected: it may be disassociated.
	Unprotected bool `json:"unprotected,omitempty"`
	// Leaving: it is being disassociated.
	Leaving bool `json:"leaving,omitempty"`
	// SharedMs is when settings that replicas share were last changed here, in milliseconds since 1970: until a peer
	// has them as of then, they are sent. Fields says of each when and where it was changed last.
	SharedMs int64              `json:"sharedMs,omitempty"`
	Fields   map[string]Changed `json:"fields,omitempty"`
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
	// PeerFailed: it could not be made, and is none; it is shown until it is removed.
	PeerFailed PeerState = "failed"
)

// Peer is another replica, as this one knows it.
type Peer struct {
	Region string `json:"region"`
	// Member is its Global.Member.
	Member string `json:"member,omitempty"`
	// Account is that of a replica in another account; empty for the table's own.
	Account string    `json:"account,omitempty"`
	State   PeerState `json:"state"`
	// Own is what differs there from the shared settings.
	Own Override `json:"own"`
	// OwnMs is when that was last changed, in milliseconds since 1970; SentMs what of it the peer has.
	OwnMs  int64 `json:"ownMs,omitempty"`
	SentMs int64 `json:"sentMs,omitempty"`
	// Again: filling it begins anew, with what was written in the region Only, or in any when that is empty.
	Again bool   `json:"again,omitempty"`
	Only  string `json:"only,omitempty"`
	// Why is what made PeerFailed of it.
	Why string `json:"why,omitempty"`
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
	p.Again, p.Only = true, ""
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
	c.Own, c.Fields = g.Own.clone(), maps.Clone(g.Fields)
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
	return g == nil || !g.Leaving &&
		!slices.ContainsFunc(g.Peers, func(p Peer) bool { return p.State != PeerActive && p.State != PeerFailed })
}

// PeersBut are the peers but for that in a region and those that could not be made.
func (g *Global) PeersBut(region string) (list []Peer) {
	for _, p := range g.Peers {
		if p.Region != region && p.State != PeerFailed {
			list = append(list, p)
		}
	}
	return list
}

// Regions are those of the peers, but for those that could not be made.
func (g *Global) Regions() (list []string) {
	for _, p := range g.PeersBut("") {
		list = append(list, p.Region)
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
	lostRow      = 0x02
)

// ReceivedRow is the key of the row that says what came from a peer.
func (r *Record) ReceivedRow(region string) []byte {
	return r.CursorRow(string(rune(receivedRow)) + region)
}

// CollectedRow is the key of the row that says up to when stamps of deleted items are forgotten.
func (r *Record) CollectedRow() []byte { return r.CursorRow(string(rune(collectedRow))) }

// LostRow is the key of the row that is there when what was to be sent to a peer is thrown away, so that it gets all.
func (r *Record) LostRow(region string) []byte { return r.CursorRow(string(rune(lostRow)) + region) }

// takeSubs gives the rows of the table's replication their place.
func (r *Record) takeSubs() {
	g := r.Global
	g.Stamps, g.Out, g.Dead, g.Cursors = r.TakeSub(), r.TakeSub(), r.TakeSub(), r.TakeSub()
}

// StartGlobal makes the table a part of a global table, unless it is one.
func (r *Record) StartGlobal(id, member string, nowMs int64) {
	if r.Global == nil {
		r.Global = &Global{ID: id, Member: member, CreatedMs: nowMs}
		r.takeSubs()
	}
}

// SameMember says whether two ids may be of one replica, as far as they are known.
func SameMember(a, b string) bool { return a == b || a == "" || b == "" }

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
	delete(r.Scaling.Read, region)
	if len(r.Global.Peers) == 0 && (!r.Global.Legacy || r.Global.Leaving) {
		r.EndGlobal()
	}
}

// LosePeer takes a peer away that is gone without having told all the others what it wrote: those that are left tell
// each other.
func (r *Record) LosePeer(region string) {
	if r.Global.Peer(region) == nil {
		return
	}
	r.DropPeer(region)
	if r.Global != nil {
		r.tellEachOther(region)
	}
}

// FailPeer keeps a peer that could not be made, for all to see. Whether it became one for a moment nobody knows.
func (r *Record) FailPeer(region, why string) {
	p := r.Global.Peer(region)
	*p = Peer{Region: p.Region, Member: p.Member, Account: p.Account, Own: p.Own, State: PeerFailed, Why: why}
	r.tellEachOther(region)
}

// tellEachOther has the peers get what was written in a region.
func (r *Record) tellEachOther(region string) {
	r.Global.SharedMs++
	for i := range r.Global.Peers {
		p := &r.Global.Peers[i]
		switch {
		case p.State == PeerJoining: // which gets only what was written here, or did
			p.State, p.Again, p.Only = PeerRefilling, true, ""
		case p.State == PeerCreating, p.State == PeerMerging:
			p.Again, p.Only = true, ""
		case p.State == PeerActive:
			p.State, p.Again, p.Only = PeerRefilling, true, region
		case p.State == PeerRefilling && p.Only != region:
			p.Again, p.Only = true, ""
		}
	}
}

// LeaveGlobal parts from all peers, once each has what the others wrote.
func (r *Record) LeaveGlobal() {
	r.Global.Leaving = true
	r.Global.Peers = slices.DeleteFunc(r.Global.Peers, func(p Peer) bool { return p.State == PeerFailed })
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

// Globals returns the tables that are parts of global tables, by name.
func (c *Catalog) Globals() []*Table {
	var list []*Table
	for _, t := range c.snapshot().all() {
		if t.Global != nil && t.Status != StatusDeleting {
			list = append(list, t)
		}
	}
	slices.SortFunc(list, func(a, b *Table) int { return strings.Compare(a.Table.Name, b.Table.Name) })
	return list
}
