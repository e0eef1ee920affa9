// Package storagetest states every property of the storage contract as a test that any backend
// can run.
//
//	func TestStore(t *testing.T) {
//		storagetest.Run(t, func(t testing.TB) storage.Store { return open(t) })
//	}
//
// Each property opens stores of its own through the given function. A backend that cannot keep a
// property skips it by name and says why. Properties that need help from the backend (a stalled
// publication, a failed log, a lost answer, a second store) look for the hook interfaces of this
// package on the store and skip themselves without one.
//
// The tests hold no property by luck of timing: where a test has to give a wrong backend the
// chance to be wrong it yields the processor, and a right backend passes at any speed. Setting
// KSTONE_STORAGETEST_LONG multiplies the work of the concurrent properties.
package storagetest

import (
	"os"
	"testing"

	"github.com/keystone-db/kstone/engine/storage"
)

// LongEnv names the environment variable that makes the concurrent properties long.
const LongEnv = "KSTONE_STORAGETEST_LONG"

// Open returns an empty store. The suite closes it; whatever else needs an end goes to t.Cleanup.
type Open func(t testing.TB) storage.Store

// Property is one named statement of the contract.
type Property struct {
	Name string
	// Check fails t when a store of open lacks the property.
	Check func(t testing.TB, open Open)
}

// Skip leaves out one property of a backend, for a reason that the test's output shows.
type Skip struct {
	Name   string
	Reason string
}

// Hooks that a backend may offer on its Store.
type (
	// Staller keeps updates from becoming visible and answered until release is called. They
	// still run, take their place in the order and give their keys back.
	Staller interface {
		StallPublish() (release func())
	}
	// LogFailer makes the log fail for whatever is not visible yet and all that follows.
	LogFailer interface {
		FailLog()
	}
	// AnswerLoser makes the next update or batch that writes answer ErrUncertain.
	AnswerLoser interface {
		LoseNextAnswer(applied bool)
	}
	// Sharer opens another store on the same bytes.
	Sharer interface {
		Second() (storage.Store, error)
	}
)

// Properties lists every property, in the order of Run.
func Properties() []Property {
	var all []Property
	for _, part := range [][]Property{
		updateProperties(), serialProperties(), multiProperties(), contextProperties(),
		seqProperties(), snapshotProperties(), iterProperties(), rangeProperties(),
		limitProperties(), faultProperties(), modelProperties(), linearProperties(),
	} {
		all = append(all, part...)
	}
	return all
}

// Run checks every property that is not skipped, each as a subtest. A skip that names no property
// fails: it would hide a renamed one.
func Run(t *testing.T, open Open, skips ...Skip) {
	reasons := map[string]string{}
	for _, s := range skips {
		reasons[s.Name] = s.Reason
	}
	for _, p := range Properties() {
		reason, skipped := reasons[p.Name]
		delete(reasons, p.Name)
		t.Run(p.Name, func(t *testing.T) {
			if skipped {
				t.Skip(reason)
			}
			p.Check(t, open)
		})
	}
	for name := range reasons {
		t.Errorf("storagetest: no property %q to skip", name)
	}
}

// work scales the number of rounds of a concurrent property.
func work(n int) int {
	if os.Getenv(LongEnv) != "" {
		return n * 25
	}
	return n
}
