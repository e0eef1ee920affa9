// Package cache keeps decoded table blocks in memory, up to a bound in bytes.
//
// A block is named by the number of its table and its offset in it. Table numbers are never used
// twice, so that a block of a table that is gone can only age out, never be mistaken. Blocks are
// never changed once they are in the cache: readers may keep slices of them for as long as they
// like, dropping a block only drops the cache's own reference.
//
// # Reading
//
// Get takes no lock and writes nothing that other cores read, but for a block's small count of uses
// while that grows: chains of nodes hang in buckets, all linked by atomic pointers. Whoever walks a
// chain while it is changed may miss a block that is there, which costs one more read of the file and
// nothing else. The garbage collector keeps a node for those who still stand on it.
//
// # What is kept
//
// A full cache takes only a block that was asked for before and is remembered (see ghosts): a scan
// over much more than the cache holds, or gets all over a large table, change little in it, and cost
// no memory that would have to be collected again. Of what is there, a clock hand drops what was not
// used since it passed, after as many rounds as it was used, three at most.
//
// The memory is that of the garbage collector, in 16 shards, each with a mutex for changes.
package cache

import (
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/spread"
)

const (
	// BytesDefault is the bound of a cache of which nothing else was asked.
	BytesDefault = 64 << 20
	// shardBits: a shard is chosen by the upper bits of a hash, a bucket by the lower ones.
	shardBits  = 4
	shardCount = 1 << shardBits
	// nodeOverheadBytes is counted on top of each block: its node, and its shares of ring and buckets.
	nodeOverheadBytes = 96
	// bucketBytes of the bound bring one more bucket, ghostBytes one more ghost: about as many are
	// remembered as there are blocks. More would let a loop over too much in, fewer take up a new hot
	// set later (engine/lsm/PERFORMANCE.md).
	bucketBytes = 4 << 10
	ghostBytes  = 8 << 10
	// chainMax is the mean length of a chain at which the buckets become more.
	chainMax = 4
	// usesMax is how many rounds of the hand a block survives without another use.
	usesMax = 3
)

// Key names a block.
type Key struct {
	Table  base.ObjectNum
	Offset uint32 // in the table
}

func (k Key) hash() uint64 {
	hi, lo := bits.Mul64(uint64(k.Table)^0x9e3779b97f4a7c15, uint64(k.Offset)^0xe7037ed1a0b428db)
	return (hi ^ lo) * 0x9e3779b97f4a7c15
}

// Cache of blocks; safe for concurrent use. A nil *Cache keeps nothing.
type Cache struct {
	shards  [shardCount]shard
	ghosts  ghosts
	hits    spread.Counter
	misses  spread.Counter
	buffers sync.Pool // *Buffers
}

// node is one block. Its next changes under the shard's mutex, its uses at any time.
type node struct {
	key   Key
	block []byte
	next  atomic.Pointer[node]
	uses  atomic.Uint32
}

type shard struct {
	buckets atomic.Pointer[[]atomic.Pointer[node]] // a power of two of them

	mu       sync.Mutex
	ring     []*node // nil where a block was dropped
	free     []int32 // the places in ring without a block
	hand     int
	bytesMax int64
	bytes    int64
	full     atomic.Bool // something was dropped
	_        [24]byte    // keeps neighbours off the cache line of a busy shard
}

// New returns a cache of at most bytesMax bytes, overhead included; 0 means BytesDefault.
func New(bytesMax int64) *Cache {
	if bytesMax <= 0 {
		bytesMax = BytesDefault
	}
	c := &Cache{}
	perShard := powerOfTwo(bytesMax / shardCount / bucketBytes)
	for i := range c.shards {
		s := &c.shards[i]
		s.setBuckets(perShard)
		s.bytesMax = bytesMax / shardCount
	}
	c.ghosts = newGhosts(bytesMax / ghostBytes)
	return c
}

// powerOfTwo returns the smallest that is not below n.
func powerOfTwo(n int64) int { return 1 << bits.Len64(uint64(max(n, 1)-1)) }

func (s *shard) setBuckets(n int) {
	b := make([]atomic.Pointer[node], n)
	s.buckets.Store(&b)
}

func (c *Cache) shard(hash uint64) *shard { return &c.shards[hash>>(64-shardBits)] }

// bucket returns the beginning of the chain that a hash belongs into.
func (s *shard) bucket(hash uint64) *atomic.Pointer[node] {
	b := *s.buckets.Load()
	return &b[hash&uint64(len(b)-1)]
}

func (s *shard) find(k Key, hash uint64) *node {
	n := s.bucket(hash).Load()
	for n != nil && n.key != k {
		n = n.next.Load()
	}
	return n
}

// Get returns the block, nil when it is not there. The block must not be changed.
func (c *Cache) Get(k Key) []byte {
	if c == nil {
		return nil
	}
	hash := k.hash()
	n := c.shard(hash).find(k, hash)
	if n == nil {
		c.misses.Add()
		return nil
	}
	if u := n.uses.Load(); u < usesMax {
		n.uses.Store(u + 1) // of two at once one may be lost
	}
	c.hits.Add()
	return n.block
}

func cost(blockBytes int) int64 { return int64(blockBytes) + nodeOverheadBytes }

// Wants says whether a block that was missed should be put into the cache: nothing had to be dropped
// until now, or it was missed before, not long ago.
func (c *Cache) Wants(k Key) bool {
	if c == nil {
		return false
	}
	hash := k.hash()
	return !c.shard(hash).full.Load() || c.ghosts.seen(hash)
}

// Put adds a block, which nobody may change any more. A block that is larger than a shard is not
// kept, and of two of one key the first is.
func (c *Cache) Put(k Key, block []byte) {
	if c == nil || cost(cap(block)) > c.shards[0].bytesMax {
		return
	}
	hash := k.hash()
	s := c.shard(hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.find(k, hash) != nil {
		return
	}
	for s.bytes+cost(cap(block)) > s.bytesMax {
		s.full.Store(true)
		s.evictLocked()
	}
	if n := len(*s.buckets.Load()); len(s.ring) >= chainMax*n {
		s.growLocked(2 * n)
	}
	// Not used yet: what is read once only shall be the first to go.
	n := &node{key: k, block: block}
	if last := len(s.free) - 1; last >= 0 {
		s.ring[s.free[last]] = n // the hand has just passed there
		s.free = s.free[:last]
	} else {
		s.ring = append(s.ring, n)
	}
	s.bytes += cost(cap(block))
	s.linkLocked(n, hash)
}

func (s *shard) linkLocked(n *node, hash uint64) {
	b := s.bucket(hash)
	n.next.Store(b.Load())
	b.Store(n)
}

// growLocked hangs all nodes into n buckets. Readers on their way may miss some.
func (s *shard) growLocked(n int) {
	s.setBuckets(n)
	for _, n := range s.ring {
		if n != nil {
			s.linkLocked(n, n.key.hash())
		}
	}
}

// evictLocked drops the first block that the hand finds without uses; each that it passes loses one.
// It ends after at most usesMax + 1 rounds, unless readers add uses all the time.
func (s *shard) evictLocked() {
	for ; ; s.hand++ {
		if s.hand >= len(s.ring) {
			s.hand = 0
		}
		n := s.ring[s.hand]
		if n == nil {
			continue
		}
		u := n.uses.Load()
		if u == 0 {
			break
		}
		n.uses.Store(u - 1)
	}
	n := s.ring[s.hand]
	s.unlinkLocked(n)
	s.bytes -= cost(cap(n.block))
	s.ring[s.hand] = nil
	s.free = append(s.free, int32(s.hand))
	s.hand++
}

func (s *shard) unlinkLocked(n *node) {
	at := s.bucket(n.key.hash())
	for at.Load() != n {
		at = &at.Load().next
	}
	at.Store(n.next.Load())
}

// Stats of a cache since it was made.
type Stats struct {
	Hits, Misses uint64
	Bytes        int64 // now, overhead included
	Blocks       int64 // now
}

// Stats sums over the shards.
func (c *Cache) Stats() Stats {
	if c == nil {
		return Stats{}
	}
	st := Stats{Hits: c.hits.Sum(), Misses: c.misses.Sum()}
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		st.Bytes += s.bytes
		st.Blocks += int64(len(s.ring) - len(s.free))
		s.mu.Unlock()
	}
	return st
}
