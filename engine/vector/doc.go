// Package vector finds the nearest of many vectors: distances, exact search, and a graph that answers
// approximately without looking at more than a small part of them. It knows neither items nor storage.
//
// The graph is a hierarchy of proximity graphs (HNSW: Malkov and Yashunin, 2016): every vector is a node
// of level 0 and, with a probability that falls by a constant factor, of the levels above it. A search
// goes down from the top, greedily, and looks around at level 0. A node has at most Params.M neighbors at
// the upper levels and twice as many at level 0; they are chosen for diversity: who is nearer to a
// neighbor that was chosen already than to the node itself comes last.
//
// What is special here:
//
//   - Nodes belong to partitions, and links never leave one: each partition is a graph of its own, so
//     that a search in one of them loses nothing to the others, however small it is.
//   - A vector that was put in is found at once, because searches look at it; it gets its links later, when
//     the writer has time. Until then it is loose.
//   - Besides, there is a code for each vector, in a quarter of its bytes, by which Scan finds exactly the
//     nearest of all in a small part of the time (codes.go). Where vectors have so little structure that a
//     graph would have to look at a large part of them, searches are scans.
//   - A removed vector stays in the graph as a dead node, through which searches still pass. Repair takes
//     the dead out: whoever was linked to one gets other neighbors, from those of the dead.
//   - One goroutine changes the graph while any number search it; see Graph.
//   - The graph knows which of its pages have changed. A page holds the vectors or the links of PageNodes
//     nodes; whoever stores pages can bring back the graph as of that time.
//
// A page of vectors, with one entry for each node:
//
//	| state 1B | 0 1B | key: uvarint length, bytes | note: uvarint length, bytes | floats 4B each |
//
// and a page of links:
//
//	| state 1B | level 1B | for each level from 0 on: uvarint count, neighbors 4B each |
//
// Integers and floats are little-endian. A free node has its state alone. That a node is loose is in the page
// of links, and whether it is dead in that of vectors, so that linking one does not change its vector's page.
package vector

import "errors"

// ErrCorrupt: the pages of a graph do not fit together.
var ErrCorrupt = errors.New("vector: corrupt page of a graph")

// Metric says how the distance of two vectors is measured. Stored: never renumber.
type Metric uint8

const (
	// Cosine is 1 less the cosine of the angle: 0 for the same direction, 2 for the opposite one. A vector
	// of zeros has the distance 1 from all.
	Cosine Metric = 1
	// Euclidean is the length of the difference.
	Euclidean Metric = 2
	// Dot is the inner product; a greater one is nearer.
	Dot Metric = 3
)
