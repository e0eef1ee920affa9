package catalog

import (
	"slices"

	"github.com/keystone-db/kstone/engine/api"
)

// Destination is a data stream that a table writes its changes to, or did. All that ever were stay.
type Destination struct {
	StreamARN string `json:"streamArn"`
	// Status is the service's word. One passing state ends by itself when UntilMs, in milliseconds since 1970,
	// has come: UPDATING. ENABLING and DISABLING end with work that begins then.
	Status  string `json:"status"`
	UntilMs int64  `json:"untilMs,omitempty"`
	// SinceMs is when the status was entered. It tells two times in the same status apart.
	SinceMs int64 `json:"sinceMs"`
	// Home tells the database in which it was enabled from copies of that.
	Home string `json:"home,omitempty"`
	// Description says why it could not be enabled, or is not any more.
	Description string `json:"description,omitempty"`
	// Precision is the service's word, empty when none was asked for.
	Precision string `json:"precision,omitempty"`
}

// leaving says that it is to get what was written before it was left, and nothing more.
func (d Destination) leaving() bool { return d.Status == api.DestinationStatusDisabling }

// Destination returns the one of an ARN, nil for none.
func (r *Record) Destination(arn string) *Destination {
	i := slices.IndexFunc(r.Destinations, func(d Destination) bool { return d.StreamARN == arn })
	if i < 0 {
		return nil
	}
	return &r.Destinations[i]
}

// WithDestinations returns the names of the tables that have or had data streams.
func (c *Catalog) WithDestinations() []string {
	var names []string
	for name, t := range c.snapshot().all() {
		if len(t.Destinations) > 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
