// Package ttl holds the rules of time to live (wire-facts §6.16): which attribute values are times, and
// when an item is past its time.
package ttl

import (
	"time"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/number"
)

// HorizonSeconds: an item that expired longer ago than five years is left alone.
const HorizonSeconds = 5 * 365 * 24 * 3600

const millisPerSecond = 1000

// maxMillis bounds the times that have expiry rows: what lies beyond is never reached.
const maxMillis = 1 << 52

// seconds is the time that an item ends, in seconds since 1970. The attribute must be of type N, in
// seconds, or a Ts in milliseconds; anything else never ends.
func seconds(attribute string, item attr.Item) (float64, bool) {
	if attribute == "" || item == nil {
		return 0, false
	}
	v := item.Get(attribute)
	if v == nil {
		return 0, false
	}
	switch v.Type() {
	case attr.N:
		return number.Float(v.Payload()), true
	case attr.Ts:
		return number.Float(v.Payload()) / millisPerSecond, true
	}
	return 0, false
}

// Expired says whether an item is past its time to live at now.
func Expired(attribute string, item attr.Item, now time.Time) bool {
	s, ok := seconds(attribute, item)
	if !ok {
		return false
	}
	at := float64(now.UnixMilli()) / millisPerSecond
	return s < at && s >= at-HorizonSeconds
}

// Millis is when an item ends, in whole milliseconds since 1970, rounded down; false when it never
// does.
func Millis(attribute string, item attr.Item) (int64, bool) {
	s, ok := seconds(attribute, item)
	if !ok || s < 0 || s*millisPerSecond >= maxMillis {
		return 0, false
	}
	return int64(s * millisPerSecond), true
}
