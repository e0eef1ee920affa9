package catalog

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"

	"github.com/keystone-db/kstone/engine/schema"
)

// Changed is when and where a setting was last changed. Of two changes the later wins, in all replicas.
type Changed struct {
	// Ms is in milliseconds since 1970.
	Ms     int64  `json:"ms"`
	Region string `json:"region"`
	// Sum is of the value; empty for what is no more.
	Sum string `json:"sum,omitempty"`
}

func (c Changed) after(o Changed) bool {
	return c.Ms > o.Ms || c.Ms == o.Ms && c.Region > o.Region
}

// Names of settings; those of indexes, and of scaling, begin with the last three. Stored: never rename.
const (
	fieldTTL       = "ttl"
	fieldBilling   = "billing"
	fieldClass     = "class"
	fieldEncrypted = "encrypted"
	fieldIndex     = "index/"
	fieldWrite     = "write/"
	fieldRead      = "read/"
)

// fields are the settings that are changed each by itself, by name, with sums of their values.
func (s *Shared) fields() map[string]string {
	of := map[string]string{}
	put := func(name string, value ...any) {
		h := fnv.New64a()
		_ = json.NewEncoder(h).Encode(value) //nolint:errchkjson // plain data
		of[name] = fmt.Sprintf("%016x", h.Sum64())
	}
	b := &s.Billing
	put(fieldTTL, s.TTL)
	put(fieldBilling, b.OnDemand, b.Table, b.Max, b.Warm)
	put(fieldClass, s.TableClass)
	put(fieldEncrypted, s.Encrypted)
	for i := range s.Indexes {
		ix := &s.Indexes[i]
		put(fieldIndex+ix.Name, ix, b.Indexes[ix.Name], b.IndexMax[ix.Name], b.IndexWarm[ix.Name])
	}
	for index, a := range s.Scaling.Write {
		put(fieldWrite+index, a)
	}
	for region, of := range s.Scaling.Read {
		for index, a := range of {
			put(fieldRead+region+"/"+index, a)
		}
	}
	return of
}

// NoteShared notes which settings that replicas share were changed here.
func (r *Record) NoteShared(nowMs int64, region string) {
	g, shared := r.Global, r.Shared()
	is := shared.fields()
	g.SharedMs = max(nowMs, g.SharedMs+1)
	if g.Fields == nil {
		g.Fields = map[string]Changed{}
	}
	for name := range g.Fields {
		if _, ok := is[name]; !ok {
			is[name] = ""
		}
	}
	for name, sum := range is {
		if old := g.Fields[name]; old.Sum != sum {
			g.Fields[name] = Changed{Ms: max(nowMs, old.Ms+1), Region: region, Sum: sum}
		}
	}
}

// Later says whether another replica has settings that were changed later than those here.
func (r *Record) Later(theirs map[string]Changed) bool {
	for name, c := range theirs {
		if c.after(r.Global.Fields[name]) {
			return true
		}
	}
	return false
}

// Merge takes the settings of another replica that were changed later than those here.
func (r *Record) Merge(s *Shared, theirs map[string]Changed) {
	g, merged := r.Global, r.Shared()
	if g.Fields == nil {
		g.Fields = map[string]Changed{}
	}
	var taken []string
	for _, name := range slices.Sorted(maps.Keys(theirs)) {
		if c := theirs[name]; c.after(g.Fields[name]) {
			g.Fields[name] = c
			merged.take(s, name)
			taken = append(taken, name)
		}
	}
	merged.settle()
	r.adopt(&merged)
	after := r.Shared()
	is := after.fields()
	for _, name := range taken {
		c := g.Fields[name]
		c.Sum = is[name]
		g.Fields[name] = c
	}
}

// take takes one setting of another replica.
func (s *Shared) take(from *Shared, name string) {
	switch {
	case name == fieldTTL:
		s.TTL = from.TTL
	case name == fieldClass:
		s.TableClass = from.TableClass
	case name == fieldEncrypted:
		s.Encrypted = from.Encrypted
	case name == fieldBilling:
		b := from.Billing.Clone()
		b.Indexes, b.IndexMax, b.IndexWarm = s.Billing.Indexes, s.Billing.IndexMax, s.Billing.IndexWarm
		s.Billing = b
	case strings.HasPrefix(name, fieldIndex):
		s.takeIndex(from, strings.TrimPrefix(name, fieldIndex))
	case strings.HasPrefix(name, fieldWrite):
		index := strings.TrimPrefix(name, fieldWrite)
		if a, ok := from.Scaling.Write[index]; ok {
			s.Scaling.SetWrite(index, a)
		} else {
			delete(s.Scaling.Write, index)
		}
	case strings.HasPrefix(name, fieldRead):
		region, index, _ := strings.Cut(strings.TrimPrefix(name, fieldRead), "/")
		if a, ok := from.Scaling.Read[region][index]; ok {
			s.Scaling.SetRead(region, index, a)
		} else {
			delete(s.Scaling.Read[region], index)
		}
	}
}

// takeIndex takes an index with its throughput, or that there is none.
func (s *Shared) takeIndex(from *Shared, name string) {
	s.Indexes = slices.DeleteFunc(s.Indexes, func(ix schema.Index) bool { return ix.Name == name && !ix.Local })
	i := slices.IndexFunc(from.Indexes, func(ix schema.Index) bool { return ix.Name == name && !ix.Local })
	b, o := &s.Billing, &from.Billing
	if i >= 0 {
		s.Indexes = append(s.Indexes, from.Indexes[i])
		for _, d := range from.Definitions {
			at := slices.IndexFunc(s.Definitions, func(x schema.KeyAttr) bool { return x.Name == d.Name })
			if at < 0 {
				s.Definitions = append(s.Definitions, d)
			}
		}
	}
	move := func(to *map[string]Throughput, t Throughput, ok bool) {
		delete(*to, name)
		if ok && i >= 0 {
			if *to == nil {
				*to = map[string]Throughput{}
			}
			(*to)[name] = t
		}
	}
	for _, m := range []struct {
		to   *map[string]Throughput
		from map[string]Throughput
	}{{&b.Indexes, o.Indexes}, {&b.IndexMax, o.IndexMax}, {&b.IndexWarm, o.IndexWarm}} {
		t, ok := m.from[name]
		move(m.to, t, ok)
	}
}

// settle makes settings that were changed in several regions fit each other: on-demand tables have no provisioned
// throughput, other ones have some for each index, and attributes are defined that keys have.
func (s *Shared) settle() {
	b := &s.Billing
	if b.OnDemand {
		b.Table, b.Indexes = Throughput{}, nil
	} else {
		given := b.Indexes
		b.Indexes = map[string]Throughput{}
		for i := range s.Indexes {
			if ix := &s.Indexes[i]; ix.Global() {
				b.Indexes[ix.Name] = b.Table
				if t := given[ix.Name]; t != (Throughput{}) {
					b.Indexes[ix.Name] = t
				}
			}
		}
	}
	keys := Record{Table: schema.Table{Key: s.Key, Indexes: s.Indexes}}
	s.Definitions = slices.DeleteFunc(s.Definitions, func(a schema.KeyAttr) bool { return !keys.Keyed(a.Name) })
}

// plain is an index without what is each table's own.
func plain(ix schema.Index) schema.Index {
	ix.Sub, ix.Building, ix.DeleteOnly = 0, false, false
	if ix.Vector != nil {
		v := *ix.Vector
		v.Tail, v.Graph = 0, 0
		ix.Vector = &v
	}
	return ix
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
		s.Indexes[i] = plain(s.Indexes[i])
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

// adopt gives the table the shared settings, but for what it has of its own. Indexes that are new are filled, those
// that are no more are removed, each by a job.
func (r *Record) adopt(s *Shared) {
	if r.Global.Legacy {
		r.adoptWrites(s)
		return
	}
	for i := len(r.Table.Indexes) - 1; i >= 0; i-- {
		ix := &r.Table.Indexes[i]
		if !ix.Local && !slices.ContainsFunc(s.Indexes, func(o schema.Index) bool { return sameJSON(o, plain(*ix)) }) {
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
