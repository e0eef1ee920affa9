package catalog

import "maps"

// Scaling says how the provisioned throughput of a table with replicas follows what is consumed. All replicas have
// the same.
type Scaling struct {
	// Write are the settings of write capacity by the name of the index, "" for the table.
	Write map[string]AutoScaling `json:"write,omitempty"`
	// Read are those of read capacity, by region and then by index.
	Read map[string]map[string]AutoScaling `json:"read,omitempty"`
}

// AutoScaling is how one throughput is scaled.
type AutoScaling struct {
	// Min and Max are capacity units.
	Min int64 `json:"min,omitempty"`
	Max int64 `json:"max,omitempty"`
	// Disabled: it is not scaled.
	Disabled bool           `json:"disabled,omitempty"`
	Role     string         `json:"role,omitempty"`
	Policy   *ScalingPolicy `json:"policy,omitempty"`
}

// ScalingPolicy is what the throughput follows.
type ScalingPolicy struct {
	Name string `json:"name,omitempty"`
	// Target is how much of the throughput is to be consumed, in percent.
	Target float64 `json:"target"`
	// DisableIn: it never goes down.
	DisableIn bool `json:"disableIn,omitempty"`
	// InCooldown and OutCooldown are in seconds.
	InCooldown  int64 `json:"inCooldown,omitempty"`
	OutCooldown int64 `json:"outCooldown,omitempty"`
}

// Writes returns the settings of write capacity that is scaled, of an index or with "" of the table; nil for none.
func (s *Scaling) Writes(index string) *AutoScaling { return scaled(s.Write, index) }

// Reads is the same for read capacity in a region.
func (s *Scaling) Reads(region, index string) *AutoScaling { return scaled(s.Read[region], index) }

func scaled(of map[string]AutoScaling, index string) *AutoScaling {
	a, ok := of[index]
	if !ok || a.Disabled || a.Policy == nil {
		return nil
	}
	return &a
}

// SetWrite and SetRead give settings.
func (s *Scaling) SetWrite(index string, a AutoScaling) {
	if s.Write == nil {
		s.Write = map[string]AutoScaling{}
	}
	s.Write[index] = a
}

// SetRead gives settings of read capacity in a region.
func (s *Scaling) SetRead(region, index string, a AutoScaling) {
	if s.Read == nil {
		s.Read = map[string]map[string]AutoScaling{}
	}
	if s.Read[region] == nil {
		s.Read[region] = map[string]AutoScaling{}
	}
	s.Read[region][index] = a
}

// Clone shares nothing with s that a change would reach into.
func (s Scaling) Clone() Scaling {
	s.Write = maps.Clone(s.Write)
	s.Read = maps.Clone(s.Read)
	for region, of := range s.Read {
		s.Read[region] = maps.Clone(of)
	}
	return s
}
