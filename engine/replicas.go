package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/exec"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/replica"
	"github.com/keystone-db/kstone/engine/storage"
)

// regions are the databases that tables may have replicas in, by region.
type regions struct {
	mu sync.Mutex
	of map[string]api.Replicator
}

func newRegions(of map[string]api.Replicator) *regions {
	r := &regions{of: map[string]api.Replicator{}}
	maps.Copy(r.of, of)
	return r
}

func (r *regions) get(region string) api.Replicator {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.of[region]
}

func (r *regions) set(region string, to api.Replicator) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.of[region] = to
}

func (r *regions) names() []string {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.of))
}

// sender sends to the replicas in one region.
type sender struct {
	worker
	region string
	// silent: the region did not answer the last time; guarded by the worker's mutex.
	silent bool
	// session is that of the database that serves the region, as far as is known; greeted are the sessions that
	// tables were compared with, and marks their last marks, by their ids, both guarded by the worker's mutex.
	session atomic.Value
	// stranger is the session of the last database that said it serves the region, and does not.
	stranger atomic.Value
	greeted  map[uint64]greeting
	marks    map[uint64]marked
	// trims are the outgoing logs of tables, by their ids; guarded by the worker's mutex.
	trims map[uint64]*trimming
}

// trimming is how far the outgoing log of a table was trimmed, and what was sent and when since then.
type trimming struct {
	upTo storage.Seq
	rows int
	atMs int64
}

const (
	// trimRows and trimEvery say when a log is trimmed again: ranges that are dropped cost something until they
	// are merged away.
	trimRows  = 1 << 14
	trimEvery = 5 * time.Minute
)

// senders are those of all regions, made when they are first asked for.
type senders struct {
	mu      sync.Mutex
	of      map[string]*sender
	started bool
}

func (db *core) sender(region string) *sender {
	s := &db.senders
	s.mu.Lock()
	defer s.mu.Unlock()
	return db.senderLocked(region)
}

func (db *core) senderLocked(region string) *sender {
	s := &db.senders
	if s.of == nil {
		s.of = map[string]*sender{}
	}
	if s.of[region] == nil {
		s.of[region] = &sender{
			worker: worker{name: "replica-" + region, wake: make(chan struct{}, 1)}, region: region, trims: map[uint64]*trimming{},
			greeted: map[uint64]greeting{}, marks: map[uint64]marked{},
		}
		if s.started {
			db.startSender(s.of[region])
		}
	}
	return s.of[region]
}

func (db *core) startSender(s *sender) {
	db.loop(db.background.ctx, &s.worker, sendInterval, func(ctx context.Context) (bool, error) { return db.send(ctx, s) })
}

// startSenders begins to send in the background.
func (db *core) startSenders() {
	for _, region := range db.opts.regions.names() {
		db.sender(region)
	}
	db.senders.mu.Lock()
	defer db.senders.mu.Unlock()
	db.senders.started = true
	for _, s := range db.senders.of {
		db.startSender(s)
	}
}

// wakeSenders makes all look for something to send.
func (db *core) wakeSenders() {
	db.senders.mu.Lock()
	defer db.senders.mu.Unlock()
	for _, s := range db.senders.of {
		s.look()
	}
}

// sendAll is the part of DB.Work.
func (db *core) sendAll(ctx context.Context) error {
	var errs []error
	for _, region := range db.opts.regions.names() {
		_, err := db.send(ctx, db.sender(region))
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// sent is what a peer has of a table, as it is stored.
type sent struct {
	// Member is Peer.Member: of another one it is not known what it has.
	Member string `json:"member,omitempty"`
	// Seq is up to where the outgoing log was sent.
	Seq storage.Seq `json:"seq"`
	// Fill is how far the filling of the peer is; nil before it begins.
	Fill *replica.Cursor `json:"fill,omitempty"`
	// Calls is how many times items were sent.
	Calls uint64 `json:"calls,omitempty"`
	// Made: the table there is made, and the other replicas know of it. Table is what it was called.
	Made  bool   `json:"made,omitempty"`
	Table string `json:"table,omitempty"`
	// SharedMs is that of the settings that the peer has.
	SharedMs int64 `json:"sharedMs,omitempty"`
}

// sending is the work on one table for one peer.
type sending struct {
	db    *core
	s     *sender
	to    api.Replicator
	table *catalog.Table
	peer  catalog.Peer
	has   sent
}

// send does what is to be done for all tables with replicas in a region. waiting says that there are such tables. A
// region that does not answer is no error: it will be tried again.
func (db *core) send(ctx context.Context, s *sender) (waiting bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	to := db.opts.regions.get(s.region)
	if to == nil || db.opts.ReadOnly {
		return false, nil
	}
	var errs []error
	names := []string{}
	for _, t := range db.catalog.Globals() {
		if t.Global.Peer(s.region) != nil && (t.Filling == "" || t.FillingRegion() == s.region) {
			waiting = true
			names = append(names, t.Table.Name)
		}
	}
	for i := 0; i < len(names); i++ {
		more, err := db.sendTable(ctx, s, to, names[i])
		if more {
			names = append(names, names[i]) // after the others
		}
		if err == nil {
			s.silent = false
			continue
		}
		if ctx.Err() != nil || othersWork(err) {
			return waiting, err
		}
		if local, ok := errors.AsType[localError](err); ok {
			errs = append(errs, local.error)
			continue
		}
		if !s.silent {
			db.opts.Logger.Warn().Err(err).Str("table", names[i]).Str("region", s.region).
				Msg("a replica cannot be brought up to date now; it will be tried until it answers")
		}
		s.silent = true
	}
	return waiting, errors.Join(errs...)
}

// localError is not the fault of the other side.
type localError struct{ error }

func local(err error) error {
	if err == nil || othersWork(err) {
		return err
	}
	return localError{err}
}

// stepsPerTurn is how many steps are made for a table before others have their turn.
const stepsPerTurn = 16

// errBehind: the peer was opened anew, and must be greeted.
var errBehind = errors.New("engine: the replica was opened anew")

// sendTable does what is to be done for one table, or some of it.
func (db *core) sendTable(ctx context.Context, s *sender, to api.Replicator, name string) (more bool, err error) {
	for range stepsPerTurn {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		if err := db.hold(ctx, &s.worker); err != nil {
			return false, local(err)
		}
		t, err := db.catalog.Lookup(ctx, name)
		if err != nil || t.Global.Peer(s.region) == nil {
			return false, local(unlessGone(err))
		}
		x := sending{db: db, s: s, to: to, table: t, peer: *t.Global.Peer(s.region)}
		if t.Filling != "" {
			return false, x.await(ctx)
		}
		if x.peer.State == catalog.PeerFailed {
			return false, nil
		}
		if err := x.load(ctx); err != nil {
			return false, local(err)
		}
		changed, err := x.greet(ctx)
		if changed {
			continue
		}
		more := false
		if err == nil {
			more, err = x.step(ctx)
		}
		if errors.Is(err, errBehind) {
			continue
		}
		if api.CodeOf(err) == api.GlobalTableNotFound && x.peer.State == catalog.PeerCreating && x.has.Made {
			return false, x.fail(ctx, "the table there is gone")
		}
		if api.CodeOf(err) == api.GlobalTableNotFound && x.known() {
			db.opts.Logger.Warn().Str("table", name).Str("region", s.region).Msg("the replica is gone; the table goes on without it")
			return false, x.gone(ctx)
		}
		if err != nil || !more {
			return false, err
		}
	}
	return true, nil
}

// known says whether the peer should know of the table.
func (x *sending) known() bool {
	switch x.peer.State {
	case catalog.PeerCreating, catalog.PeerDeleting:
		return x.has.Made
	case catalog.PeerLinking, catalog.PeerMerging:
		return false
	}
	return true
}

// step does one step and reports whether another one follows at once.
func (x *sending) step(ctx context.Context) (more bool, err error) {
	switch x.peer.State {
	case catalog.PeerCreating:
		return x.create(ctx)
	case catalog.PeerJoining, catalog.PeerMerging, catalog.PeerRefilling:
		return x.fill(ctx)
	case catalog.PeerParting:
		return false, x.part(ctx)
	case catalog.PeerLinking:
		return x.link(ctx)
	case catalog.PeerUnlinking:
		return x.unlink(ctx)
	case catalog.PeerDeleting:
		return false, x.remove(ctx)
	case catalog.PeerLeaving:
		return x.leave(ctx)
	}
	if err := x.share(ctx); err != nil {
		return false, err
	}
	m, err := x.due(ctx)
	if err != nil {
		return false, local(err)
	}
	if more, err = x.pending(ctx); err != nil || more {
		return more, err
	}
	return false, x.mark(ctx, m)
}

// head is what each step says of the caller.
func (x *sending) head(in api.ReplicateInput) *api.ReplicateInput {
	in.Version, in.From, in.Table, in.ID = api.ReplicateVersion, x.db.opts.Region, x.table.Table.Name, x.table.Global.ID
	if in.Member == "" {
		in.Member = x.peer.Member
	}
	in.Session = x.db.session()
	return &in
}

// ask makes one step, and takes no answer for one that no database of this kind gives.
func ask(ctx context.Context, to api.Replicator, in *api.ReplicateInput) (*api.ReplicateOutput, error) {
	out, err := to.Replicate(ctx, in)
	if err == nil && (out == nil || out.Session == "") {
		return nil, errors.New("engine: what serves the region does not answer as a replica does")
	}
	return out, err
}

// call makes one step at the peer.
func (x *sending) call(ctx context.Context, in *api.ReplicateInput) (*api.ReplicateOutput, error) {
	id := x.table.Table.ID
	in.To, _ = x.s.greeted[id].session.(string)
	in.Made = x.has.Table
	out, err := ask(ctx, x.to, x.head(*in))
	if err != nil {
		return nil, err
	}
	x.s.session.Store(out.Session)
	if out.Behind {
		delete(x.s.greeted, id)
		return nil, errBehind
	}
	return out, nil
}

// others makes a step at all other replicas.
func (x *sending) others(ctx context.Context, in api.ReplicateInput) error {
	for _, p := range x.table.Global.PeersBut(x.peer.Region) {
		to := x.db.opts.regions.get(p.Region)
		if to == nil {
			return fmt.Errorf("engine: region %s is not configured any more", p.Region)
		}
		if _, err := ask(ctx, to, x.head(in)); err != nil && api.CodeOf(err) != api.GlobalTableNotFound {
			return err
		}
	}
	return nil
}

func rowsOf(t *catalog.Table) replica.Rows {
	return replica.Rows{Table: t.Table.ID, Stamps: t.Global.Stamps, Out: t.Global.Out, Dead: t.Global.Dead}
}

func (x *sending) rows() replica.Rows { return rowsOf(x.table) }

func (x *sending) load(ctx context.Context) (err error) {
	x.has, err = x.db.sentTo(ctx, x.table, x.peer.Region)
	return err
}

// sentTo is what a peer has of a table.
func (db *core) sentTo(ctx context.Context, t *catalog.Table, region string) (has sent, err error) {
	v, err := db.store.Get(ctx, t.CursorRow(region))
	if err == nil && v.Present {
		err = json.Unmarshal(v.Data, &has)
	}
	if member := t.Global.Peer(region).Member; has.Member != member {
		has = sent{Member: member}
	}
	return has, err
}

// store writes down what the peer has. It is done by whoever holds the lease, of a peer that is one.
func (x *sending) store(ctx context.Context) error {
	b, err := json.Marshal(x.has)
	if err != nil {
		return local(err)
	}
	row, l := x.table.CursorRow(x.peer.Region), x.s.lease
	named := []storage.Named{{Key: row}, l.Named()}
	return local(x.db.store.Update(ctx, named, storage.UpdateOptions{}, func(tx storage.Tx) error {
		if err := l.Check(tx.Value(1)); err != nil {
			return err
		}
		tx.Put(row, b)
		return nil
	}))
}

// change changes the record of the table, if it is still the same and has the peer.
func (x *sending) change(ctx context.Context, change func(*catalog.Record)) error {
	_, err := x.db.catalog.Update(ctx, x.table.Table.Name, false, func(r *catalog.Record) error {
		if r.Table.ID == x.table.Table.ID && r.Global.Peer(x.peer.Region) != nil {
			change(r)
		}
		return nil
	})
	return local(unlessGone(err))
}

func (x *sending) setState(ctx context.Context, state catalog.PeerState) error {
	return x.change(ctx, func(r *catalog.Record) { r.Global.Peer(x.peer.Region).State = state })
}

// fail gives up to make the peer a replica, and tells the others. As in the service, it is shown until it is removed.
func (x *sending) fail(ctx context.Context, why string) error {
	x.db.opts.Logger.Error().Str("table", x.table.Table.Name).Str("region", x.peer.Region).Str("why", why).Msg("a replica cannot be made")
	if err := x.others(ctx, api.ReplicateInput{Step: api.ReplicateLeave, Region: x.peer.Region}); err != nil {
		return err
	}
	return x.without(ctx, func(r *catalog.Record, region string) { r.FailPeer(region, why) })
}

// gone parts from a peer that is a replica no more, and tells the others.
func (x *sending) gone(ctx context.Context) error {
	if err := x.others(ctx, api.ReplicateInput{Step: api.ReplicateLeave, Region: x.peer.Region}); err != nil {
		return err
	}
	return x.without(ctx, (*catalog.Record).LosePeer)
}

// drop parts from the peer, whose table is left alone.
func (x *sending) drop(ctx context.Context) error { return x.without(ctx, (*catalog.Record).DropPeer) }

// without parts from the peer, and has the table know of it by lose.
func (x *sending) without(ctx context.Context, lose func(*catalog.Record, string)) error {
	row := x.table.CursorRow(x.peer.Region)
	if err := x.change(ctx, func(r *catalog.Record) { lose(r, x.peer.Region) }); err != nil {
		return err
	}
	var batch storage.Batch
	batch.Delete(row)
	batch.Delete(x.table.LostRow(x.peer.Region))
	x.db.background.jobs.look()
	return local(x.db.store.Apply(ctx, &batch, storage.UpdateOptions{}))
}

const (
	// sendItems and sendBytes bound what is sent at once, itemsPerUpdate what of it is applied in one update.
	sendItems      = 1000
	sendBytes      = 1 << 20
	itemsPerUpdate = 100
)

// items sends items, in as many calls as it takes. With them the peer has the log up to seq.
func (x *sending) items(ctx context.Context, changes []replica.Change, seq storage.Seq) error {
	for len(changes) > 0 {
		in := &api.ReplicateInput{Step: api.ReplicateItems, Count: x.has.Calls + 1, Seq: uint64(seq)}
		size := 0
		for len(changes) > 0 && (size == 0 || size+len(changes[0].Item) <= sendBytes && len(in.Items) < sendItems) {
			c := &changes[0]
			size += len(c.Item) + len(c.Key)
			in.Items = append(in.Items, toWire(c))
			changes = changes[1:]
		}
		if _, err := x.call(ctx, in); err != nil {
			return err
		}
		x.has.Calls++
		if len(changes) == 0 {
			break // whoever called stores it
		}
		if err := x.store(ctx); err != nil {
			return err
		}
	}
	return nil
}

// pending sends what is in the outgoing log.
func (x *sending) pending(ctx context.Context) (more bool, err error) {
	b, err := x.rows().Pending(ctx, x.db.store, x.has.Seq, sendItems)
	if err != nil || b.Next == x.has.Seq {
		return false, local(err)
	}
	// After what is to be sent was read: then it is whole, unless this says otherwise.
	lost, err := x.db.store.Get(ctx, x.table.LostRow(x.peer.Region))
	if err != nil {
		return false, local(err)
	}
	if lost.Present {
		if _, err := x.call(ctx, &api.ReplicateInput{Step: api.ReplicateGreet}); err != nil {
			return false, err // until it answers the table can be changed
		}
		return true, x.change(ctx, func(r *catalog.Record) { r.Global.Peer(x.peer.Region).Refill(false) })
	}
	if err := x.items(ctx, b.Changes, b.Next); err != nil {
		return false, err
	}
	if len(b.Changes) == 0 && !b.More && b.Next-x.has.Seq < idleSeqs {
		return false, nil // not worth a write
	}
	x.has.Seq = b.Next
	if err := x.store(ctx); err != nil {
		return false, err
	}
	return b.More || len(b.Changes) > 0, x.trim(ctx, len(b.Changes))
}

// idleSeqs is how far the cursor of an idle table may be behind.
const idleSeqs = 1 << 16

// trim removes what all peers have from the outgoing log.
func (x *sending) trim(ctx context.Context, rows int) error {
	id, now := x.table.Table.ID, x.db.exec.Now().UnixMilli()
	last := x.s.trims[id]
	if last == nil {
		last = &trimming{atMs: now}
		x.s.trims[id] = last
	}
	if last.rows += rows; last.rows < trimRows && now-last.atMs < trimEvery.Milliseconds() {
		return nil
	}
	least := x.has.Seq
	for _, region := range x.table.Global.Regions() {
		has, err := x.db.sentTo(ctx, x.table, region)
		if err != nil {
			return local(err)
		}
		least = min(least, has.Seq)
	}
	if least <= last.upTo {
		return nil
	}
	if err := x.rows().Trim(ctx, x.db.store, last.upTo, least); err != nil {
		return local(err)
	}
	*last = trimming{upTo: least, atMs: now}
	return nil
}

// begin notes from where on the outgoing log is sent, before what is there is.
func (x *sending) begin(ctx context.Context) error {
	mark, err := x.db.store.Watermark(ctx, 0)
	if err != nil {
		return local(err)
	}
	x.has.Seq, x.has.Fill = mark, &replica.Cursor{}
	if err := x.store(ctx); err != nil {
		return err
	}
	var batch storage.Batch
	batch.Delete(x.table.LostRow(x.peer.Region))
	return local(x.db.store.Apply(ctx, &batch, storage.UpdateOptions{}))
}

// fill sends the next part of the table; of one that another replica fills, what was written here.
func (x *sending) fill(ctx context.Context) (more bool, err error) {
	if x.peer.Again {
		return true, x.again(ctx)
	}
	if x.has.Fill == nil {
		return true, x.begin(ctx)
	}
	if x.has.Fill.Done {
		if x.peer.State == catalog.PeerRefilling && x.peer.Only == "" {
			if _, err := x.call(ctx, &api.ReplicateInput{Step: api.ReplicateFill, Count: x.has.Calls, Drain: true}); err != nil {
				return false, err
			}
		}
		return true, x.setState(ctx, catalog.PeerActive)
	}
	changes, next, err := x.rows().Fill(ctx, x.db.store, *x.has.Fill, sendItems, sendBytes, x.db.opts.Region)
	if err != nil {
		return false, local(err)
	}
	only := x.peer.Only
	if x.peer.State == catalog.PeerJoining {
		only = x.db.opts.Region
	}
	if only != "" {
		changes = slices.DeleteFunc(changes, func(c replica.Change) bool { return c.Stamp.Region != only || c.Stamp.Micros == 0 })
	}
	if err := x.items(ctx, changes, x.has.Seq); err != nil {
		return false, err
	}
	x.has.Fill = &next
	return true, x.store(ctx)
}

// settings is what a new replica is made of, or what is known of one.
type settings struct {
	Shared *catalog.Shared            `json:"shared,omitempty"`
	Fields map[string]catalog.Changed `json:"fields,omitempty"`
	Own    *catalog.Override          `json:"own,omitempty"`
	Peers  []catalog.Peer             `json:"peers,omitempty"`
	Peer   *catalog.Peer              `json:"peer,omitempty"`
}

func (s settings) encode() json.RawMessage {
	b, _ := json.Marshal(s) //nolint:errchkjson // plain data
	return b
}

// create makes the table of a new replica, tells the others of it, and fills it.
func (x *sending) create(ctx context.Context) (more bool, err error) {
	if !x.has.Made {
		return true, x.make(ctx)
	}
	if x.has.Fill == nil || !x.has.Fill.Done || x.peer.Again {
		return x.fill(ctx)
	}
	if _, err := x.call(ctx, &api.ReplicateInput{Step: api.ReplicateActivate}); err != nil {
		return false, err
	}
	return true, x.change(ctx, func(r *catalog.Record) {
		r.Global.Peer(x.peer.Region).State = catalog.PeerActive
		r.Global.SourcedMs = x.db.exec.Now().UnixMilli()
	})
}

func (x *sending) make(ctx context.Context) error {
	shared := x.table.Shared()
	s := settings{Shared: &shared, Fields: x.table.Global.Fields, Own: &x.peer.Own}
	for _, p := range x.table.Global.PeersBut(x.peer.Region) {
		s.Peers = append(s.Peers, catalog.Peer{Region: p.Region, Member: p.Member, Account: p.Account, State: catalog.PeerActive, Own: p.Own})
	}
	s.Peers = append(s.Peers, x.self(catalog.PeerActive))
	out, err := x.call(ctx, &api.ReplicateInput{Step: api.ReplicateCreate, Settings: s.encode()})
	switch api.CodeOf(err) {
	case api.ReplicaAlreadyExists, api.Validation, api.LimitExceeded:
		return x.fail(ctx, err.Error())
	}
	if err != nil {
		return err
	}
	if err := x.others(ctx, x.joins(catalog.PeerJoining)); err != nil {
		return err
	}
	x.has.Made, x.has.Table = true, out.Made
	return x.store(ctx)
}

// self is the replica here, as the peer knows it.
func (x *sending) self(state catalog.PeerState) catalog.Peer {
	return catalog.Peer{Region: x.db.opts.Region, Member: x.table.Global.Member, State: state, Own: x.table.Global.Own}
}

// newMember is the id of a replica. Those of one region are mostly in order.
func (db *core) newMember() string {
	return fmt.Sprintf("%017d-%s", db.exec.Now().UnixMicro(), db.newUUID())
}

// joins tells of the peer.
func (x *sending) joins(state catalog.PeerState) api.ReplicateInput {
	p := catalog.Peer{Region: x.peer.Region, Member: x.peer.Member, Account: x.peer.Account, State: state, Own: x.peer.Own}
	return api.ReplicateInput{Step: api.ReplicateJoin, Region: x.peer.Region, Settings: settings{Peer: &p}.encode()}
}

// share sends the settings that replicas share, when they were changed, and those of the peer's own.
func (x *sending) share(ctx context.Context) error {
	if g := x.table.Global; x.has.SharedMs != g.SharedMs {
		shared := x.table.Shared()
		s := settings{Shared: &shared, Fields: g.Fields}
		if _, err := x.call(ctx, &api.ReplicateInput{Step: api.ReplicateShare, Settings: s.encode()}); err != nil {
			return err
		}
		x.has.SharedMs = g.SharedMs
		if err := x.store(ctx); err != nil {
			return err
		}
	}
	if x.peer.OwnMs == x.peer.SentMs {
		return nil
	}
	s := settings{Own: &x.peer.Own}
	if _, err := x.call(ctx, &api.ReplicateInput{Step: api.ReplicateOverride, Settings: s.encode()}); err != nil {
		return err
	}
	if err := x.others(ctx, x.joins("")); err != nil {
		return err
	}
	return x.change(ctx, func(r *catalog.Record) { r.Global.Peer(x.peer.Region).SentMs = x.peer.OwnMs })
}

// remove removes the table of the peer, and tells the others.
func (x *sending) remove(ctx context.Context) error {
	_, err := x.call(ctx, &api.ReplicateInput{Step: api.ReplicateDelete})
	if api.CodeOf(err) == api.Validation { // it was protected meanwhile
		return x.setState(ctx, catalog.PeerActive)
	}
	if err != nil && api.CodeOf(err) != api.GlobalTableNotFound {
		return err
	}
	return x.gone(ctx)
}

// link makes the table of the peer, which is there, a replica, and tells the others of it.
func (x *sending) link(ctx context.Context) (more bool, err error) {
	shared := x.table.Shared()
	s := settings{Shared: &shared}
	for _, p := range x.table.Global.PeersBut(x.peer.Region) {
		s.Peers = append(s.Peers, catalog.Peer{Region: p.Region, Member: p.Member, State: catalog.PeerMerging})
	}
	s.Peers = append(s.Peers, x.self(catalog.PeerMerging))
	_, err = x.call(ctx, &api.ReplicateInput{Step: api.ReplicateLink, Settings: s.encode()})
	switch api.CodeOf(err) {
	case api.TableNotFound, api.ReplicaAlreadyExists, api.Validation: // it was another table when it was looked at
		x.db.opts.Logger.Error().Err(err).Str("table", x.table.Table.Name).Str("region", x.peer.Region).Msg("a table cannot become a replica")
		return false, x.gone(ctx)
	}
	if err != nil {
		return false, err
	}
	if err := x.others(ctx, x.joins(catalog.PeerMerging)); err != nil {
		return false, err
	}
	return true, x.setState(ctx, catalog.PeerMerging)
}

// unlink has the peer leave, which it does when each has what the other wrote.
func (x *sending) unlink(ctx context.Context) (more bool, err error) {
	if _, err := x.call(ctx, &api.ReplicateInput{Step: api.ReplicateUnlink}); err != nil {
		return false, err
	}
	return x.pending(ctx)
}

// leave disassociates the table from the peer, when each has what the other wrote.
func (x *sending) leave(ctx context.Context) (more bool, err error) {
	for more = true; more && err == nil; {
		more, err = x.pending(ctx)
	}
	if err == nil {
		_, err = x.call(ctx, &api.ReplicateInput{Step: api.ReplicateLeave, Region: x.db.opts.Region, Member: x.table.Global.Member, Drain: true})
	}
	if err != nil {
		return false, err
	}
	return false, x.drop(ctx)
}

// sendNow sends a peer all that is to be sent, for a peer that waits for it.
func (db *core) sendNow(ctx context.Context, region, name string) error {
	s := db.sender(region)
	if !s.mu.TryLock() {
		return errBusy{}
	}
	defer s.mu.Unlock()
	to := db.opts.regions.get(region)
	if to == nil {
		return api.Errorf(api.Validation, api.MsgReplicateNone, name, region)
	}
	for more := true; more; {
		var err error
		if more, err = db.sendTable(ctx, s, to, name); err != nil {
			return err
		}
	}
	return nil
}

// sendInterval is how long it takes at most until a region that did not answer is tried again, and until a change is
// sent that nobody told of.
const sendInterval = time.Second

// errBusy is a step that is to be tried again.
type errBusy struct{}

func (errBusy) Error() string { return "engine: the replica is at work, try again" }

// Unavailable says that nothing was done.
func (errBusy) Unavailable() bool { return true }

func toWire(c *replica.Change) api.ReplicatedItem {
	return api.ReplicatedItem{Key: key.ItemTail(c.Key), Item: c.Item, Micros: c.Stamp.Micros, Region: c.Stamp.Region}
}

// apply writes items that came from a peer, with the last of them a row beside.
func (db *core) apply(ctx context.Context, t *catalog.Table, from string, changes []replica.Change, beside *exec.Beside) error {
	changes = exec.Distinct(changes)
	for len(changes) > 0 {
		part := changes[:min(len(changes), itemsPerUpdate)]
		changes = changes[len(part):]
		var last *exec.Beside
		if len(changes) == 0 {
			last = beside
		}
		if err := db.exec.Replicate(ctx, t, from, part, last); err != nil {
			return err
		}
	}
	return nil
}
