// Package memstore is the in-memory backend of the storage contract, made to be difficult.
//
// It obeys engine/storage to the letter and no further. Left alone it is a plain ordered map with
// key locks. With the hostile switches of Options it behaves like the worst backend that the
// contract still allows: fn is rerun on states that are thrown away, updates conflict or end
// uncertain, answers and visibility lag and overtake each other, snapshots expire, and slices are
// overwritten the moment they stop being valid. What passes its tests on a hostile memstore is
// ready for a cluster.
//
// How a commit goes:
//
//  1. all named keys are locked in key order, exact keys, shared or exclusive, first come first
//     served;
//  2. fn runs on the newest versions, committed or still pending;
//  3. the commit becomes pending: the next updater of its keys reads what it wrote, nobody else
//     does; the keys are unlocked;
//  4. it is published, and only then answered, when every earlier pending commit that touches one
//     of its keys is published. Commits that share no key may overtake each other. Updates that
//     wrote nothing take the same way, so that an answer never rests on a state that may vanish.
//
// Publication is the point at which an update takes effect, so the order of publications is the
// serial order of the history.
//
// memstore also checks its caller: a key that is written without being named needs a guard and
// never changes it while present, and the slices given to Put must not change. A breach is
// answered with ErrMisuse, which no program should ever see.
package memstore
