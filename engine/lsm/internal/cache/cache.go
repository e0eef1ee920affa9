// Package cache keeps decoded table blocks in memory, up to a bound in bytes.
//
// A block is named by the number of its table and its offset in it. Table numbers are never used
// twice, so that a block of a table that is gone can only age out, never be mistaken. Blocks are
// never changed once they are in the cache: readers may keep slices of them for as long as they
// like, dropping a block only drops the cache's own reference.
//
// The cache has 16 shards, each with a mutex, a map and a clock hand (a hit sets a bit, the hand
// clears it and evicts what it finds cleared), so a hit moves nothing.
package cache

import (
	"sync"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
)

const (
	// BytesDefault is the bound of a cache of which nothing else was asked.
	BytesDefault = 64 << 20
	// shardCount is a power of two.
	shardCount = 16
	// slotOverheadBytes is counted on top of each block: slot, map entry, slice header.
	slotOverheadBytes = 96
)

// Key names a block.
type Key struct {
	Table  base.ObjectNum
	Offset uint32 // in the table
}

// Cache of blocks; safe for concurrent use. A nil *Cache keeps nothing.
type Cache struct {
	shards  [shardCount]shard
	scratch sync.Pool // *[]byte
}

type slot struct {
	key   Key
	block []byte
	used  bool
}

type shard struct {
	mu       sync.Mutex
	index    map[Key]int32
	slots    []slot
	free     []int32 // slots without a block
	hand     int
	bytes    int64
	bytesMax int64
	hits     uint64
	misses   uint64
	_        [32]byte // keeps neighbours off the cache line of a busy mutex
}

// New returns a cache of at most bytesMax bytes, overhead included; 0 means BytesDefault.
func New(bytesMax int64) *Cache {
	if bytesMax <= 0 {
		bytesMax = BytesDefault
	}
	c := &Cache{}
	for i := range c.shards {
		c.shards[i].index = make(map[Key]int32)
		c.shards[i].bytesMax = bytesMax / shardCount
	}
	return c
}

func (c *Cache) shard(k Key) *shard {
	h := (uint64(k.Table) ^ uint64(k.Offset)<<20) * 0x9e3779b97f4a7c15
	return &c.shards[h>>60]
}

// Get returns the block, nil when it is not there. The block must not be changed.
func (c *Cache) Get(k Key) []byte {
	if c == nil {
		return nil
	}
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	i, ok := s.index[k]
	if !ok {
		s.misses++
		return nil
	}
	s.hits++
	s.slots[i].used = true
	return s.slots[i].block
}

// Put adds a block and takes it over. A block that is larger than a shard is not kept.
func (c *Cache) Put(k Key, block []byte) {
	if c == nil {
		return
	}
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.putLocked(k, block)
}

func cost(block []byte) int64 { return int64(cap(block)) + slotOverheadBytes }

func (s *shard) putLocked(k Key, block []byte) {
	if cost(block) > s.bytesMax {
		return
	}
	if i, ok := s.index[k]; ok {
		s.bytes += cost(block) - cost(s.slots[i].block)
		s.slots[i].block = block
	} else {
		s.addLocked(k, block)
	}
	for s.bytes > s.bytesMax {
		s.evictLocked()
	}
}

func (s *shard) addLocked(k Key, block []byte) {
	var i int32
	if n := len(s.free); n > 0 {
		i = s.free[n-1]
		s.free = s.free[:n-1]
	} else {
		i = int32(len(s.slots))
		s.slots = append(s.slots, slot{})
	}
	// Unused until the first hit, so that one long scan does not push out what is read often.
	s.slots[i] = slot{key: k, block: block}
	s.index[k] = i
	s.bytes += cost(block)
}

// evictLocked turns the hand to the first block that was not used since its last turn. It ends
// after at most two rounds, since the first clears every bit.
func (s *shard) evictLocked() {
	for {
		if s.hand >= len(s.slots) {
			s.hand = 0
		}
		sl := &s.slots[s.hand]
		if sl.block != nil {
			if !sl.used {
				break
			}
			sl.used = false
		}
		s.hand++
	}
	sl := &s.slots[s.hand]
	delete(s.index, sl.key)
	s.bytes -= cost(sl.block)
	*sl = slot{}
	s.free = append(s.free, int32(s.hand))
	s.hand++
}

// Stats of a cache since it was made.
type Stats struct {
	Hits, Misses uint64
	Bytes        int64 // now, overhead included
	Blocks       int64 // now
}

// Stats sums over the shards.
func (c *Cache) Stats() Stats {
	var st Stats
	if c == nil {
		return st
	}
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		st.Hits += s.hits
		st.Misses += s.misses
		st.Bytes += s.bytes
		st.Blocks += int64(len(s.index))
		s.mu.Unlock()
	}
	return st
}
