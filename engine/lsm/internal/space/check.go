package space

import (
	"fmt"
	"slices"

	"github.com/keystone-db/kstone/engine/lsm/internal/log"
)

// Check derives the map anew from what is used and says where this one differs: there, space is lost
// or is about to have two owners.
func (m *Map) Check(used []log.Extent) error {
	derived, err := New(m.start, m.end, used)
	if err != nil {
		return err
	}
	for i := range max(len(m.free), len(derived.free)) {
		if i < len(m.free) && i < len(derived.free) && m.free[i] == derived.free[i] {
			continue
		}
		return fmt.Errorf("space: free is %v, not %v", m.free[i:], derived.free[i:])
	}
	if i := slices.IndexFunc(m.holes, func(h log.Extent) bool { return m.free.common(h) != h.Length }); i >= 0 {
		return fmt.Errorf("space: the hole %v is not free", m.holes[i])
	}
	if m.freeBytes != derived.freeBytes {
		return fmt.Errorf("space: %d bytes count as free, not %d", m.freeBytes, derived.freeBytes)
	}
	return nil
}
