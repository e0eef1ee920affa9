package catalog

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/stream"
)

// Status of a table. Stored: never renumber.
type Status uint8

const (
	// StatusCreating lasts until Record.UntilMs; the data plane does not know the table yet.
	StatusCreating Status = 1
	// StatusActive is the settled state.
	StatusActive Status = 2
	// StatusUpdating lasts until Record.UntilMs; the data plane goes on.
	StatusUpdating Status = 3
	// StatusDeleting lasts until the table is gone; the data plane does not know it any more.
	StatusDeleting Status = 4
)

// String is the service's word.
func (s Status) String() string {
	switch s {
	case StatusCreating:
		return "CREATING"
	case StatusActive:
		return "ACTIVE"
	case StatusUpdating:
		return "UPDATING"
	case StatusDeleting:
		return "DELETING"
	}
	return "UNKNOWN"
}

// recordVersion is the form of the stored record. A newer one is refused.
const recordVersion = 1

// Throughput in capacity units a second.
type Throughput struct {
	Read  int64 `json:"read"`
	Write int64 `json:"write"`
}

// Lowered says whether the next throughput is lower than t in any way.
func (t Throughput) Lowered(next Throughput) bool { return next.Read < t.Read || next.Write < t.Write }

// Tag of a table.
type Tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Stream is the stored stream setting of a table: that of its newest stream, which may be disabled.
type Stream struct {
	Enabled  bool   `json:"enabled"`
	ViewType string `json:"viewType"`
	// Label, ID and Slots are given by the catalog when the stream is enabled.
	Label string `json:"label"`
	ID    uint64 `json:"id"`
	Slots uint32 `json:"slots"`
}

// SSE is the stored encryption setting; absent means the service's own key.
type SSE struct {
	KeyID string `json:"keyId"`
}

// Billing is what a table pays for, stored and described.
type Billing struct {
	OnDemand bool `json:"onDemand"`
	// Switched: the mode was changed or asked for, so that the summary is shown.
	Switched bool `json:"switched,omitempty"`
	// SwitchedMs is when the table last became on-demand, in milliseconds since 1970.
	SwitchedMs int64 `json:"switchedMs,omitempty"`
	// Switches are the last times when the table became on-demand by a change, oldest first.
	Switches []int64    `json:"switches,omitempty"`
	Table    Throughput `json:"table"`
	// Indexes holds the throughput of global indexes by name.
	Indexes map[string]Throughput `json:"indexes,omitempty"`
	// Changes are the table's own; its members are stored beside the others.
	Changes
	// IndexChanges are those of indexes.
	IndexChanges map[string]Changes `json:"indexChanges,omitempty"`
	// Max are the on-demand ceilings, -1 for none; nil when never given.
	Max *Throughput `json:"max,omitempty"`
	// IndexMax are those of indexes.
	IndexMax map[string]Throughput `json:"indexMax,omitempty"`
	// Warm is the warm throughput that was asked for; nil when never given.
	Warm *Throughput `json:"warm,omitempty"`
	// IndexWarm is that of indexes.
	IndexWarm map[string]Throughput `json:"indexWarm,omitempty"`
}

// Changes says when a provisioned throughput went up and down.
type Changes struct {
	// IncreasedMs and DecreasedMs are the last times, in milliseconds since 1970.
	IncreasedMs int64 `json:"increasedMs,omitempty"`
	DecreasedMs int64 `json:"decreasedMs,omitempty"`
	// Decreases counts those on the day of DecreasedMs.
	Decreases int64 `json:"decreases,omitempty"`
}

// millisPerDay is the length of a day of UTC.
const millisPerDay = 24 * 60 * 60 * 1000

// Changed is c after a change of throughput.
func (c Changes) Changed(old, next Throughput, nowMs int64) Changes {
	if next.Read > old.Read || next.Write > old.Write {
		c.IncreasedMs = nowMs
	}
	if old.Lowered(next) {
		c.Decreases, c.DecreasedMs = c.DecreasesOn(nowMs)+1, nowMs
	}
	return c
}

// DecreasesOn is the number of decreases on the day of a time.
func (c Changes) DecreasesOn(nowMs int64) int64 {
	if c.DecreasedMs/millisPerDay != nowMs/millisPerDay {
		return 0
	}
	return c.Decreases
}

// NextDay is when the day of a time ends.
func NextDay(nowMs int64) int64 { return (nowMs/millisPerDay + 1) * millisPerDay }

// switchesKept is how many of the last switches a record holds.
const switchesKept = 4

// Switch makes the table on-demand.
func (b *Billing) Switch(nowMs int64) {
	b.OnDemand, b.SwitchedMs = true, nowMs
	b.Switches = append(b.Switches, nowMs)
	b.Switches = b.Switches[max(0, len(b.Switches)-switchesKept):]
}

// SwitchesSince is the number of switches after a time, of those that are held.
func (b *Billing) SwitchesSince(ms int64) (n int) {
	for _, at := range b.Switches {
		if at > ms {
			n++
		}
	}
	return n
}

// Provisioned is the throughput of the table and its indexes together.
func (b *Billing) Provisioned() Throughput {
	if b.OnDemand {
		return Throughput{}
	}
	sum := b.Table
	for _, t := range b.Indexes {
		sum.Read, sum.Write = sum.Read+t.Read, sum.Write+t.Write
	}
	return sum
}

// Clone shares nothing with b that a change would reach into.
func (b Billing) Clone() Billing {
	b.Switches = slices.Clone(b.Switches)
	b.Indexes = maps.Clone(b.Indexes)
	b.IndexMax = maps.Clone(b.IndexMax)
	b.IndexWarm = maps.Clone(b.IndexWarm)
	b.IndexChanges = maps.Clone(b.IndexChanges)
	return b
}

// Record is one table as the catalog stores it, in one row, so that every change is atomic.
type Record struct {
	Version int          `json:"version"`
	Table   schema.Table `json:"table"`
	// Definitions are the attribute definitions in the order in which they were given.
	Definitions []schema.KeyAttr `json:"definitions"`
	// NextSub is the id of the next index; ids are never reused.
	NextSub uint32 `json:"nextSub"`
	Status  Status `json:"status"`
	// UntilMs is when a passing status ends, in milliseconds since 1970.
	UntilMs   int64  `json:"untilMs,omitempty"`
	UUID      string `json:"uuid"`
	CreatedMs int64  `json:"createdMs"`
	// Filling says who fills the table: a task's id, or FillingFrom a region. Until that is done it is CREATING
	// (filling.go).
	Filling string `json:"filling,omitempty"`

	Billing Billing `json:"billing"`
	// Pending replaces Billing when the status UPDATING ends.
	Pending            *Billing `json:"pending,omitempty"`
	Tags               []Tag    `json:"tags,omitempty"`
	DeletionProtection bool     `json:"deletionProtection,omitempty"`
	Stream             *Stream  `json:"stream,omitempty"`
	SSE                *SSE     `json:"sse,omitempty"`
	// TableClass is empty for the default.
	TableClass string `json:"tableClass,omitempty"`
	// ClassChanges are the last times when the class was changed, SSEChanges those of the encryption on the day that began
	// with the first of them, oldest first, in milliseconds since 1970.
	ClassChanges []int64 `json:"classChanges,omitempty"`
	SSEChanges   []int64 `json:"sseChanges,omitempty"`
	// TTLAttribute is the attribute last named to UpdateTimeToLive; Table.TTL is empty when off.
	TTLAttribute string `json:"ttlAttribute,omitempty"`
	// TTLUntilMs is when a change of time to live is over, TTLChangedMs when it was made, in
	// milliseconds since 1970.
	TTLUntilMs   int64 `json:"ttlUntilMs,omitempty"`
	TTLChangedMs int64 `json:"ttlChangedMs,omitempty"`
	// Jobs are still to be done because of changes of the table.
	Jobs []Job `json:"jobs,omitempty"`
	// Log is the change log, nil while nobody needs one.
	Log *Log `json:"log,omitempty"`
	// Restore says what the table was restored from, or is while it is being filled; nil for every other one.
	Restore *Restore `json:"restore,omitempty"`
	// Global is the table's part in a global table; nil for a table of its region alone.
	Global *Global `json:"global,omitempty"`
	// Scaling is how the throughput of a table with replicas scales.
	Scaling Scaling `json:"scaling,omitzero"`
	// SettingsMode is what was asked for about the settings of replicas in other accounts; empty for nothing.
	SettingsMode string `json:"settingsMode,omitempty"`
	// Insights says which keys are counted: of the table under the empty name, of global indexes under
	// theirs.
	Insights map[string]Insights `json:"insights,omitempty"`
	// Policy is the table's resource policy, StreamPolicies those of its streams by their labels.
	Policy         *Policy           `json:"policy,omitempty"`
	StreamPolicies map[string]Policy `json:"streamPolicies,omitempty"`
	// Feed is the internal change feed, nil while nobody follows the table.
	Feed *Feed `json:"feed,omitempty"`
	// Destinations are the data streams, newest first.
	Destinations []Destination `json:"destinations,omitempty"`
	// joining are the consumers that a change adds, with their places.
	joining map[string]*stream.Position
}

// Insights is the stored setting of contributor insights.
type Insights struct {
	Enabled bool   `json:"enabled,omitempty"`
	Mode    string `json:"mode"`
	// CreatedMs is when the counting began, ChangedMs when the setting was last changed, UntilMs when that
	// has passed; in milliseconds since 1970.
	CreatedMs int64 `json:"createdMs,omitempty"`
	ChangedMs int64 `json:"changedMs"`
	UntilMs   int64 `json:"untilMs,omitempty"`
}

// SetInsights sets what is counted of the table, or with a name of an index.
func (r *Record) SetInsights(index string, s Insights) {
	if r.Insights == nil {
		r.Insights = map[string]Insights{}
	}
	r.Insights[index] = s
}

// Policy is a stored resource policy.
type Policy struct {
	Document string `json:"document"`
	Revision string `json:"revision"`
}

// Streams says whether changes of the table's items are recorded.
func (r *Record) Streams() bool { return r.Stream != nil && r.Stream.Enabled }

func (r *Record) encode() ([]byte, error) {
	r.Version = recordVersion
	b, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("catalog: table %s: %w", r.Table.Name, err)
	}
	return b, nil
}

// DecodeRecord reads the row of a table. What does not parse wraps storage.ErrCorrupt.
func DecodeRecord(b []byte) (*Record, error) {
	r := new(Record)
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("catalog: table record: %w: %w", storage.ErrCorrupt, err)
	}
	if r.Version > recordVersion {
		return nil, fmt.Errorf("catalog: table %s: record version %d is newer than this program",
			r.Table.Name, r.Version)
	}
	r.upgradeFilling()
	return r, nil
}

// clone is deep where a change would reach into the old record.
func (r *Record) clone() *Record {
	c := *r
	c.Billing = r.Billing.Clone()
	if r.Pending != nil {
		p := r.Pending.Clone()
		c.Pending = &p
	}
	if r.Stream != nil {
		s := *r.Stream
		c.Stream = &s
	}
	c.Feed = r.Feed.clone()
	c.Destinations = append([]Destination(nil), r.Destinations...)
	c.Tags = append([]Tag(nil), r.Tags...)
	c.Table.Indexes = append([]schema.Index(nil), r.Table.Indexes...)
	c.Definitions = append([]schema.KeyAttr(nil), r.Definitions...)
	c.Jobs = append([]Job(nil), r.Jobs...)
	c.Log = r.Log.clone()
	c.Global, c.Scaling = r.Global.clone(), r.Scaling.Clone()
	if r.Restore != nil {
		restore := *r.Restore
		c.Restore = &restore
	}
	c.ClassChanges, c.SSEChanges = slices.Clone(r.ClassChanges), slices.Clone(r.SSEChanges)
	c.Insights = maps.Clone(r.Insights)
	c.StreamPolicies = maps.Clone(r.StreamPolicies)
	return &c
}

// classStandard is the class of a table that has no other.
const classStandard = "STANDARD"

// classChangesKept is how many changes of the class are remembered.
const classChangesKept = 2

// Class is the table's class.
func (r *Record) Class() string { return cmp.Or(r.TableClass, classStandard) }

// ClassChangedMs is when the class was changed last, in milliseconds since 1970; zero for never.
func (r *Record) ClassChangedMs() int64 {
	if n := len(r.ClassChanges); n > 0 {
		return r.ClassChanges[n-1]
	}
	return 0
}

// ChangeClass gives the table a class. That which it has is no change.
func (r *Record) ChangeClass(class string, nowMs int64) {
	if class == r.Class() {
		return
	}
	r.TableClass = class
	r.ClassChanges = append(r.ClassChanges, nowMs)
	r.ClassChanges = r.ClassChanges[max(0, len(r.ClassChanges)-classChangesKept):]
}

// settle moves a record over the end of its passing status. It reports whether it changed; a
// table whose deletion is due stays DELETING for the catalog to remove.
func (r *Record) settle(now time.Time) bool {
	if r.Status != StatusCreating && r.Status != StatusUpdating || !r.due(now) {
		return false
	}
	r.Status, r.UntilMs = StatusActive, 0
	if r.Pending != nil {
		r.Billing, r.Pending = *r.Pending, nil
	}
	for i := range r.Jobs {
		r.Jobs[i].Ready = true
	}
	return true
}

// due says whether a passing state has come to its end.
func (r *Record) due(now time.Time) bool {
	return r.Status != StatusActive && r.Filling == "" && now.UnixMilli() >= r.UntilMs
}

// gone says whether a deletion is due. It waits for what was written before to be delivered.
func (r *Record) gone(now time.Time) bool {
	return r.Status == StatusDeleting && now.UnixMilli() >= r.UntilMs && !slices.ContainsFunc(r.Destinations, Destination.leaving)
}
