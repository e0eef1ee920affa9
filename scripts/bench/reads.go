package main

import (
	"math/rand/v2"
	"strings"
)

const (
	// drawn is how many items are drawn before the clock runs.
	drawn = 1 << 20
	// warmGets fill the cache.
	warmGets     = 100_000
	mixedWorkers = 4
	scanMax      = 100
)

// reads measures gets and scans of a loaded store that nobody writes.
func reads(c *child) error {
	r := rand.New(rand.NewPCG(7, 8))
	uniform, zipf := uniformItems(c.items, drawn, r), zipfItems(c.items, drawn, r)
	var key []byte
	for i := range warmGets {
		key = appendKey(key[:0], int(uniform[drawn-1-i]))
		if n, err := c.store.get(key); err != nil || n < 0 {
			return errMissing
		}
	}
	for _, row := range c.rows {
		items, makeKey, missing, limit := uniform, appendKey, false, 0
		switch {
		case strings.HasPrefix(row, "get-zipf"):
			items = zipf
		case strings.HasPrefix(row, "get-missing"):
			makeKey, missing = appendMissing, true
		case row == "scan-20":
			limit = 20
		case row == "scan-1000":
			limit = 1000
		}
		workers := 1
		if strings.HasSuffix(row, "-4g") {
			workers = 4
		}
		keys := make([][]byte, workers)
		op := func(w, i int, _ *rand.Rand) error {
			keys[w] = makeKey(keys[w][:0], int(items[(i*workers+w)%drawn]))
			if limit > 0 {
				_, err := c.store.scan(keys[w], limit)
				return err
			}
			n, err := c.store.get(keys[w])
			if err == nil && n < 0 != missing {
				err = errMissing
			}
			return err
		}
		s := c.begin(row)
		n, err := s.untilTime(workers, c.took, op)
		if err != nil {
			return err
		}
		s.end(n)
	}
	return c.store.close()
}

// mixed does gets, scans and overwrites of items of which a few are asked for often.
func mixed(c *child) error {
	r := rand.New(rand.NewPCG(9, 10))
	items := zipfItems(c.items, drawn, r)
	for _, row := range c.rows {
		updates, scans := 50, false
		switch row {
		case "mixed-95-5":
			updates = 5
		case "scans-with-updates":
			updates, scans = 5, true
		}
		var keys, vals [mixedWorkers][]byte
		op := func(w, i int, r *rand.Rand) error {
			at := int(items[(i*mixedWorkers+w)%drawn])
			keys[w] = appendKey(keys[w][:0], at)
			switch {
			case r.IntN(100) < updates:
				vals[w] = c.values.append(vals[w][:0], at, 5+i)
				return c.store.put(keys[w], vals[w])
			case scans:
				_, err := c.store.scan(keys[w], 1+r.IntN(scanMax))
				return err
			}
			n, err := c.store.get(keys[w])
			if err == nil && n < 0 {
				err = errMissing
			}
			return err
		}
		s := c.begin(row)
		n, err := s.untilTime(mixedWorkers, c.took, op)
		if err != nil {
			return err
		}
		s.end(n)
		s.own()
	}
	return c.store.close()
}
