package memstore

import (
	"errors"
	"fmt"
	"time"

	"github.com/keystone-db/kstone/engine/storage"
)

// MaxUpdateDefault is the largest batch in bytes, as the contract asks of the LSM.
const MaxUpdateDefault = 256 << 20

// Options of a store. The zero value is a plain, friendly map. All chances are probabilities in
// 0..1, drawn from one source that Seed decides.
type Options struct {
	// Seed decides every random choice.
	Seed uint64

	// Rerun is the chance that fn is run once more, each time anew (so at most RerunMax extra
	// runs), on a consistent state that is then thrown away: an older one, or the current one.
	Rerun float64
	// Conflict is the chance that an update or batch is refused before anything is applied.
	Conflict float64
	// ConflictMulti is the chance that such a refusal blames a transaction.
	ConflictMulti float64
	// Uncertain is the chance that an answer is lost; half of these commits are applied, some of
	// them after the answer.
	Uncertain float64
	// Unavailable is the chance that an update or batch fails before anything is applied.
	Unavailable float64
	// Late is the largest number of scheduler yields between a commit and its publication.
	Late int
	// Expire is the chance that a snapshot dies after ExpireSteps or fewer calls.
	Expire float64
	// Stale is the largest number of publications by which a snapshot that asks for Recent, or a
	// state that fn is rerun on, lags.
	Stale int
	// Mangle hands out copies that are overwritten when their validity ends, and verifies that
	// nobody changed what storage owns.
	Mangle bool

	// MaxUpdate is the largest batch in bytes; zero means MaxUpdateDefault.
	MaxUpdate int
	// MaxSnapshotAge is how long a snapshot lives by Clock; zero means for ever.
	MaxSnapshotAge time.Duration
	// Clock tells the time for MaxSnapshotAge and UpdateOptions.NotAfter, which are ignored
	// without it.
	Clock func() time.Time
	// Shared lets Second open more stores on the same bytes.
	Shared bool
}

// Bounds of the hostile switches.
const (
	// RerunMax is the largest number of extra runs of one fn.
	RerunMax = 3
	// ExpireSteps is the largest number of calls that an expiring snapshot still answers.
	ExpireSteps = 64
	// StaleMax is the largest Options.Stale.
	StaleMax = 32
)

// ErrMisuse: the caller broke the contract. Nothing was applied.
var ErrMisuse = errors.New("memstore: storage contract broken by its caller")

// Hostile returns every switch that changes no answer: reruns, late visibility, stale Recent
// snapshots and mangled slices. A caller that honours the contract sees no error from it.
func Hostile(seed uint64) Options {
	return Options{Seed: seed, Rerun: 0.3, Late: 40, Stale: 8, Mangle: true}
}

// Cruel returns Hostile plus errors: conflicts, lost answers, unavailability, expiring snapshots.
func Cruel(seed uint64) Options {
	o := Hostile(seed)
	o.Conflict, o.Uncertain, o.Unavailable, o.Expire = 0.05, 0.02, 0.02, 0.05
	return o
}

func (o Options) withDefaults() Options {
	if o.MaxUpdate == 0 {
		o.MaxUpdate = MaxUpdateDefault
	}
	return o
}

func (o Options) validate() error {
	var errs []error
	chances := []struct {
		name  string
		value float64
	}{
		{"Rerun", o.Rerun}, {"Conflict", o.Conflict}, {"ConflictMulti", o.ConflictMulti},
		{"Uncertain", o.Uncertain}, {"Unavailable", o.Unavailable}, {"Expire", o.Expire},
	}
	for _, c := range chances {
		if !(c.value >= 0 && c.value <= 1) { // also refuses NaN
			errs = append(errs, fmt.Errorf("memstore: %s %v is not within 0..1", c.name, c.value))
		}
	}
	if o.Late < 0 {
		errs = append(errs, fmt.Errorf("memstore: Late %d is negative", o.Late))
	}
	if o.Stale < 0 || o.Stale > StaleMax {
		errs = append(errs, fmt.Errorf("memstore: Stale %d is not within 0..%d", o.Stale, StaleMax))
	}
	if o.MaxUpdate < 0 || o.MaxSnapshotAge < 0 {
		errs = append(errs, errors.New("memstore: a limit is negative"))
	}
	return errors.Join(errs...)
}

func (o Options) limits() storage.Limits {
	return storage.Limits{
		MaxKey:         storage.KeyMaxBytes,
		MaxValue:       storage.ValueMaxBytes,
		MaxUpdate:      o.MaxUpdate,
		MaxSnapshotAge: o.MaxSnapshotAge,
		Shared:         o.Shared,
	}
}
