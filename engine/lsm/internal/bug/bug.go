// Package bug names the faults that the crash harness plants in the engine to prove that it would
// find them. Without the build tag plantedbugs Enabled is the constant false and every planted
// point compiles to nothing.
package bug

// Name of a planted fault.
type Name string
