//go:build !plantedbugs

package bug

// Build says that faults can be planted.
const Build = false

// Enabled says whether a fault is planted: never in this build.
func Enabled(Name) bool { return false }
