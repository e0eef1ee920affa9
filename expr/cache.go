package expr

import (
	"strings"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"
)

// Cache keeps parsed expressions by kind and text, so that a request whose text was seen lately
// costs a look-up and the binding of its placeholders. It is bounded and safe for concurrent use;
// readers take no lock. Texts that do not parse are not kept.
//
// It is a table of sets of a few ways each. A text belongs to one set by its hash; when the set
// is full, the next way whose entry was not used since the hand last passed is replaced.
type Cache struct {
	sets []cacheSet
	mask uint64
}

// cacheWays is the number of entries that share a set.
const cacheWays = 4

// cacheSet is one set; each way is replaced as a whole.
type cacheSet struct {
	ways [cacheWays]atomic.Pointer[cacheEntry]
	hand atomic.Uint32
}

// cacheEntry is one parsed text; exactly one of the trees is set. All but used is immutable.
type cacheEntry struct {
	hash uint64
	kind Kind
	text string
	used atomic.Bool

	condition  *ConditionTree
	projection *ProjectionTree
	update     *UpdateTree

	// What binding gives when there is no placeholder, and so the same in every request.
	boundCondition  *Condition
	boundProjection *Projection
}

// NewCache makes a cache of at least maxEntries trees, rounded up to the next power of two. Each
// holds a text of at most TextMaxBytes and its tree, which is a small multiple of that.
func NewCache(maxEntries int) *Cache {
	sets := 1
	for sets*cacheWays < maxEntries {
		sets *= 2
	}
	return &Cache{sets: make([]cacheSet, sets), mask: uint64(sets - 1)}
}

// Condition compiles a ConditionExpression. The error is an *Error.
func (c *Cache) Condition(text string, b *Binder) (*Condition, error) {
	return c.bindCondition(KindCondition, text, b)
}

// Filter compiles a FilterExpression. The error is an *Error.
func (c *Cache) Filter(text string, b *Binder) (*Condition, error) {
	return c.bindCondition(KindFilter, text, b)
}

// Search parses and binds a SearchConditionExpression.
func (c *Cache) Search(text string, b *Binder) (*Condition, error) {
	return c.bindCondition(KindSearch, text, b)
}

func (c *Cache) bindCondition(kind Kind, text string, b *Binder) (*Condition, error) {
	e, err := c.entry(kind, text)
	if err != nil {
		return nil, err
	}
	if e.boundCondition != nil {
		return e.boundCondition, nil
	}
	return e.condition.Bind(kind, b)
}

// KeyCondition compiles a KeyConditionExpression. The error is an *Error.
func (c *Cache) KeyCondition(text string, b *Binder) (*KeyCondition, error) {
	return c.KeyConditionInto(new(KeyCondition), text, b)
}

// KeyConditionInto is KeyCondition in memory of the caller's, which is empty.
func (c *Cache) KeyConditionInto(k *KeyCondition, text string, b *Binder) (*KeyCondition, error) {
	e, err := c.entry(KindKeyCondition, text)
	if err != nil {
		return nil, err
	}
	return e.condition.bindKey(k, b)
}

// Projection compiles a ProjectionExpression. The error is an *Error.
func (c *Cache) Projection(text string, b *Binder) (*Projection, error) {
	e, err := c.entry(KindProjection, text)
	if err != nil {
		return nil, err
	}
	if e.boundProjection != nil {
		return e.boundProjection, nil
	}
	return e.projection.Bind(b)
}

// Update compiles an UpdateExpression. The error is an *Error.
func (c *Cache) Update(text string, b *Binder) (*Update, error) {
	e, err := c.entry(KindUpdate, text)
	if err != nil {
		return nil, err
	}
	return e.update.Bind(b)
}

// entry finds or makes the entry of a text.
func (c *Cache) entry(kind Kind, text string) (*cacheEntry, error) {
	hash := xxhash.Sum64String(text)
	set := &c.sets[(hash+uint64(kind))&c.mask]
	for i := range set.ways {
		e := set.ways[i].Load()
		if e == nil || e.hash != hash || e.kind != kind || e.text != text {
			continue
		}
		if !e.used.Load() { // a write only when it changes something: the line stays shared
			e.used.Store(true)
		}
		return e, nil
	}
	e, err := newCacheEntry(kind, text)
	if err != nil {
		return nil, err
	}
	e.hash = hash
	set.put(e)
	return e, nil
}

// put stores an entry in an empty way, or else in the first that the hand finds unused. Two
// goroutines may store the same text twice; that costs a way for a while and nothing else.
func (s *cacheSet) put(e *cacheEntry) {
	for i := range s.ways {
		if s.ways[i].CompareAndSwap(nil, e) {
			return
		}
	}
	for range cacheWays {
		way := &s.ways[s.hand.Add(1)%cacheWays]
		if old := way.Load(); !old.used.Swap(false) {
			way.Store(e)
			return
		}
	}
	s.ways[s.hand.Add(1)%cacheWays].Store(e)
}

// newCacheEntry parses a text. The entry has a copy of it: the caller's may be a part of a whole
// request.
func newCacheEntry(kind Kind, text string) (*cacheEntry, error) {
	if len(text) <= TextMaxBytes {
		text = strings.Clone(text)
	}
	e := &cacheEntry{kind: kind, text: text}
	var err error
	switch kind {
	case KindProjection:
		if e.projection, err = ParseProjection(text); err == nil && e.projection.refs.none() {
			e.boundProjection, err = e.projection.Bind(new(Binder))
		}
	case KindUpdate:
		e.update, err = ParseUpdate(text)
	case KindCondition, KindFilter:
		if e.condition, err = ParseCondition(kind, text); err == nil && e.condition.refs.none() {
			e.boundCondition, err = e.condition.Bind(kind, new(Binder))
		}
	default:
		e.condition, err = ParseCondition(kind, text)
	}
	if err != nil {
		return nil, err
	}
	return e, nil
}
