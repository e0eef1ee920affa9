//go:build plantedbugs

package bug

import "sync/atomic"

// Build says that faults can be planted.
const Build = true

// planted is the one fault that is active; the harness tests each fault alone.
var planted atomic.Pointer[Name]

// Enabled says whether the fault is planted.
func Enabled(n Name) bool {
	p := planted.Load()
	return p != nil && *p == n
}

// Plant activates one fault for the whole process until the returned function is called.
func Plant(n Name) (remove func()) {
	planted.Store(&n)
	return func() { planted.Store(nil) }
}
