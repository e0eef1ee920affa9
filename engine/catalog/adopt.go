package catalog

import (
	"fmt"
	"time"

	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/schema"
)

// Adopted returns the row of a table whose own one is lost: nothing is known of it but its key. nextSub is
// above all subs that its keys have had.
func Adopted(t schema.Table, nextSub uint32, now time.Time) (k, v []byte, err error) {
	r := &Record{
		Table: t, NextSub: nextSub, Status: StatusActive, CreatedMs: now.UnixMilli(), Billing: Billing{OnDemand: true},
		UUID: fmt.Sprintf("00000000-0000-4000-8000-%012x", t.ID),
	}
	for i := range t.Key.Len() {
		r.Definitions = append(r.Definitions, t.Key.At(i))
	}
	v, err = r.encode()
	return key.AppendCatalog(nil, key.SubTable, t.Name), v, err
}
