package cache

import "sync/atomic"

// ghosts remember the last blocks that were asked for in vain, by 16 bits of their hash: four to a
// word, the newest lowest. Some are mistaken for others, and of two that come at once one may be lost;
// both only cost or bring a block that is in the cache for a while.
type ghosts struct {
	words []atomic.Uint64 // a power of two of them
}

const (
	ghostBits     = 16
	ghostsPerWord = 64 / ghostBits
)

func newGhosts(n int64) ghosts {
	return ghosts{words: make([]atomic.Uint64, powerOfTwo(n/ghostsPerWord))}
}

// seen says whether the hash is remembered, and remembers it if not.
func (g *ghosts) seen(hash uint64) bool {
	w := &g.words[hash&uint64(len(g.words)-1)]
	// The bits above those that choose a word, and below those that choose a shard.
	mark := hash>>(64-shardBits-ghostBits)&(1<<ghostBits-1) | 1 // 0 is an empty place
	have := w.Load()
	for i := range ghostsPerWord {
		if have>>(i*ghostBits)&(1<<ghostBits-1) == mark {
			return true
		}
	}
	w.Store(have<<ghostBits | mark)
	return false
}
