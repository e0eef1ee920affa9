// Package invariants says whether the costly self-checks are compiled in: go build -tags invariants.
package invariants
