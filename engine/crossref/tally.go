package crossref

import (
	"github.com/cespare/xxhash/v2"
)

// buckets of a tally.
const buckets = 4096

// sum is what is known of the rows of a bucket.
type sum struct {
	hash uint64 // of all rows, added up
	rows int64
}

// tally sums up rows in any order: two tallies of the same rows are equal, and in the buckets of rows that
// differ they are not, but for one case in 2⁶⁴.
type tally [buckets]sum

func bucketOf(k []byte) int { return int(xxhash.Sum64(k) % buckets) }

func (t *tally) add(k, v []byte) {
	var d xxhash.Digest
	d.Reset()
	_, _ = d.Write(k) // never fails
	_, _ = d.Write([]byte{byte(len(k)), byte(len(k) >> 8)})
	_, _ = d.Write(v)
	s := &t[bucketOf(k)]
	s.hash += d.Sum64()
	s.rows++
}

// pair is both sides of a cross-reference: what should be there, and what is.
type pair struct {
	want, have tally
}

// differs says whether rows of the key's bucket are wrong.
func (p *pair) differs(k []byte) bool {
	b := bucketOf(k)
	return p.want[b] != p.have[b]
}

func (p *pair) equal() bool { return p.want == p.have }
