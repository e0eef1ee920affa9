package engine

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/exec"
	"github.com/keystone-db/kstone/engine/replica"
	"github.com/keystone-db/kstone/engine/storage"
)

// A database that was reset, or opened from an older copy of its file, lacks what it had: writes of others, which
// they believe it has, and its own, which they have. So the two sides of each table compare what they know of each
// other before anything is sent between databases of which one was opened anew, and the one that is older than the
// other one remembers is given everything again. Stamps decide, so that nothing newer is lost by it. One that is so
// old that deletes have been forgotten since is a replica no more: what it has of deleted items would come back.

// received is what a table has from a peer, as it is stored.
type received struct {
	// Member is Peer.Member: from another one nothing is here.
	Member string `json:"member,omitempty"`
	// Count is how many times items came, and Seq up to where in the peer's log.
	Count uint64      `json:"count"`
	Seq   storage.Seq `json:"seq"`
	// Through and Low are the peer's last mark, in microseconds since 1970: what it wrote up to the one is here, and
	// what anybody wrote up to the other is there.
	Through int64 `json:"through,omitempty"`
	Low     int64 `json:"low,omitempty"`
	// Wants: it is to get everything of the peer, because it lacks something.
	Wants bool `json:"wants,omitempty"`
}

func readReceived(t *catalog.Table, region string, v storage.Value) (r received, err error) {
	if v.Present {
		err = json.Unmarshal(v.Data, &r)
	}
	if member := t.Global.Peer(region).Member; r.Member != member {
		r = received{Member: member}
	}
	return r, err
}

// received reads what a table has from a peer.
func (db *core) received(ctx context.Context, t *catalog.Table, region string) (received, error) {
	v, err := db.store.Get(ctx, t.ReceivedRow(region))
	if err != nil {
		return received{}, err
	}
	return readReceived(t, region, v)
}

// receives changes what a table has from a peer, in an update.
func receives(t *catalog.Table, region string, change func(*received)) *exec.Beside {
	return &exec.Beside{Key: t.ReceivedRow(region), Next: func(v storage.Value) ([]byte, error) {
		r, err := readReceived(t, region, v)
		if err != nil {
			return nil, err
		}
		change(&r)
		return json.Marshal(r)
	}}
}

// receive changes it in an update of its own.
func (db *core) receive(ctx context.Context, t *catalog.Table, region string, change func(*received)) error {
	b := receives(t, region, change)
	return db.store.Update(ctx, []storage.Named{{Key: b.Key}}, storage.UpdateOptions{}, func(tx storage.Tx) error {
		next, err := b.Next(tx.Value(0))
		if err == nil {
			tx.Put(b.Key, next)
		}
		return err
	})
}

// meet notes which database serves a region now. Of two, a copy of a file beside the other one, that is the one which
// is called there: what the other one asks for is refused, so that neither undoes what the other has done.
func (db *core) meet(ctx context.Context, in *api.ReplicateInput) error {
	to := db.opts.regions.get(in.From)
	if in.Session == "" || to == nil || in.Step == api.ReplicateDescribe {
		return nil
	}
	s := db.sender(in.From)
	if s.session.Load() == in.Session {
		return nil
	}
	short, cancel := context.WithTimeout(ctx, tellTimeout)
	defer cancel()
	out, err := ask(short, to, &api.ReplicateInput{
		Version: api.ReplicateVersion, Step: api.ReplicateDescribe, From: db.opts.Region, Table: in.Table, ID: in.ID, Session: db.session(),
	})
	if err == nil && out.Session != in.Session {
		if s.stranger.Swap(in.Session) != in.Session {
			db.opts.Logger.Error().Str("region", in.From).Str("table", in.Table).
				Msg("two databases say that they are the one of a region: the one that answers calls to the region replicates, the other one is refused")
		}
		return badStep("another database than the caller answers in region " + in.From)
	}
	if s.session.Swap(in.Session) != in.Session {
		s.look()
	}
	return nil
}

// met says whether a region is served by a database of which no later one is known.
func (db *core) met(region, session string) bool {
	if db.opts.regions.get(region) == nil {
		return true
	}
	known := db.sender(region).session.Load()
	return known == nil || known == session
}

// greetEvery is how often a table is compared with a replica at the least, so that one that is gone is noticed.
const greetEvery = 10 * time.Minute

// greeting is with whom a table was compared and when.
type greeting struct {
	session any
	atMs    int64
}

// greet compares what both sides know of each other, if one of them was opened since that was done. It reports
// whether the peer's state has changed, or what is known of it.
func (x *sending) greet(ctx context.Context) (changed bool, err error) {
	id := x.table.Table.ID
	now, last := x.db.exec.Now().UnixMilli(), x.s.greeted[id]
	if last.session != nil && last.session == x.s.session.Load() && now-last.atMs < greetEvery.Milliseconds() || !x.met() {
		return false, nil
	}
	out, err := x.call(ctx, &api.ReplicateInput{Step: api.ReplicateGreet})
	if err != nil {
		return false, err
	}
	switch {
	case !catalog.SameMember(x.peer.Member, out.Member):
		x.db.opts.Logger.Warn().Str("table", x.table.Table.Name).Str("region", x.peer.Region).
			Msg("the replica was removed and made again, and gets everything")
		changed, err = true, x.change(ctx, func(r *catalog.Record) {
			p := r.Global.Peer(x.peer.Region)
			p.Member = out.Member
			p.Refill(false)
		})
	case out.Count < x.has.Calls, out.Wants && x.peer.State == catalog.PeerActive:
		x.db.opts.Logger.Warn().Str("table", x.table.Table.Name).Str("region", x.peer.Region).
			Msg("the replica is older than it was, and gets everything again")
		changed, err = true, x.db.refill(ctx, x.table, x.peer.Region, out.Low)
	case x.older(out):
		x.db.opts.Logger.Warn().Str("table", x.table.Table.Name).Str("region", x.peer.Region).
			Msg("this replica is older than it was, and asks for everything again")
		var low int64
		if err = x.db.receive(ctx, x.table, x.peer.Region, func(r *received) { r.Wants = true }); err == nil {
			low, err = x.db.low(ctx, x.table)
		}
		if err == nil {
			_, err = x.call(ctx, &api.ReplicateInput{Step: api.ReplicateAgain, Low: low})
		}
	}
	if err == nil && out.Count > x.has.Calls { // never down: each count is for one call alone
		x.has.Calls = out.Count
		err = x.store(ctx)
	}
	if err == nil {
		x.s.greeted[id] = greeting{out.Session, now}
	}
	return changed, err
}

// awaitEvery is how often a replica that is being filled asks whether that goes on.
const awaitEvery = time.Minute

// await removes a replica that is being filled when the region that fills it does not know of it: then it was reset, or
// opened from a copy of before, and half a replica would stay for ever.
func (x *sending) await(ctx context.Context) error {
	known, err := x.awaited(ctx)
	if known || err != nil {
		return err
	}
	x.db.opts.Logger.Error().Str("table", x.table.Table.Name).Str("region", x.peer.Region).
		Msg("the region that fills this replica does not know of it any more: the replica is removed")
	return local(x.db.catalog.Abandon(ctx, x.table.Table.ID, x.table.Table.Name))
}

// awaited asks whether the peer goes on filling the table here, unless it did so within awaitEvery.
func (x *sending) awaited(ctx context.Context) (bool, error) {
	id := x.table.Table.ID
	now, last := x.db.exec.Now().UnixMilli(), x.s.greeted[id]
	if last.session != nil && last.session == x.s.session.Load() && now-last.atMs < awaitEvery.Milliseconds() {
		return true, nil
	}
	out, err := x.call(ctx, &api.ReplicateInput{Step: api.ReplicateGreet, Region: x.db.opts.Region, Member: x.table.Global.Member})
	if err != nil {
		return api.CodeOf(err) != api.GlobalTableNotFound, unlessNoReplica(err)
	}
	x.s.greeted[id] = greeting{out.Session, now}
	return true, nil
}

func unlessNoReplica(err error) error {
	if api.CodeOf(err) == api.GlobalTableNotFound {
		return nil
	}
	return err
}

// met says whether the peer should have the table by now.
func (x *sending) met() bool { return x.known() || x.peer.State == catalog.PeerMerging }

// older says whether the table here lacks what the peer has from it. One call more may just be one whose answer was
// not noted before the process died; then its writes are here.
func (x *sending) older(out *api.ReplicateOutput) bool {
	if out.Count != x.has.Calls+1 {
		return out.Count > x.has.Calls
	}
	seq := storage.Seq(out.Seq)
	for _, g := range x.db.gaps {
		if g.first <= seq && seq <= g.last {
			return true
		}
	}
	return seq > x.db.openedAt
}

// refill gives a peer everything again that is up to date to a time, in microseconds since 1970; one that is older
// than what is forgotten here is cast out.
func (db *core) refill(ctx context.Context, t *catalog.Table, region string, low int64) error {
	upTo, err := db.collected(ctx, t)
	if err != nil {
		return err
	}
	lost := upTo > low
	if lost {
		db.opts.Logger.Error().Str("table", t.Table.Name).Str("region", region).Dur("kept_ms", stampKeep).
			Msg("the replica is older than the deletes that are remembered here: it is a replica no more. Delete its table there, and create the replica again")
	}
	_, err = db.catalog.Update(ctx, t.Table.Name, false, func(r *catalog.Record) error {
		if p := r.Global.Peer(region); r.Table.ID == t.Table.ID && p != nil {
			p.Refill(lost)
		}
		return nil
	})
	return unlessGone(err)
}

// answerGreeting tells a peer what is here of it.
func (db *core) answerGreeting(ctx context.Context, t *catalog.Table, in *api.ReplicateInput, out *api.ReplicateOutput) error {
	r, err := db.received(ctx, t, in.From)
	if err != nil {
		return err
	}
	out.Count, out.Seq, out.Wants, out.Member = r.Count, uint64(r.Seq), r.Wants, t.Global.Member
	out.Low, err = db.low(ctx, t)
	return err
}

// again begins to fill a peer anew.
func (x *sending) again(ctx context.Context) error {
	var err error
	if x.peer.Only != "" { // beside what is to be sent anyhow
		x.has.Fill = &replica.Cursor{}
		err = x.store(ctx)
	} else {
		x.has.SharedMs = 0                        // settings, too
		if x.peer.State != catalog.PeerCreating { // which is no replica until it is filled
			_, err = x.call(ctx, &api.ReplicateInput{Step: api.ReplicateFill})
		}
		if err == nil {
			err = x.begin(ctx)
		}
	}
	if err != nil {
		return err
	}
	return x.change(ctx, func(r *catalog.Record) { r.Global.Peer(x.peer.Region).Again = false })
}

// part tells a peer that it is a replica no more, and the others.
func (x *sending) part(ctx context.Context) error {
	_, err := x.call(ctx, &api.ReplicateInput{Step: api.ReplicateCast})
	if err != nil && api.CodeOf(err) != api.GlobalTableNotFound {
		return err
	}
	return x.gone(ctx)
}

// castOut makes the table one of its region alone, because a replica asked for it that knows what this one forgot.
func (db *core) castOut(ctx context.Context, in *api.ReplicateInput) error {
	_, err := db.catalog.Update(ctx, in.Table, false, func(r *catalog.Record) error {
		if !partOf(r, in) {
			return catalog.ErrNotFound
		}
		r.EndGlobal()
		return nil
	})
	if errors.Is(err, catalog.ErrNotFound) {
		return nil
	}
	if err == nil {
		db.background.jobs.look()
		db.opts.Logger.Error().Str("table", in.Table).Str("by", in.From).
			Msg("the table is older than the deletes that its replicas remember: it is a table of this region alone now")
	}
	return err
}
