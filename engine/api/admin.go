package api

import "context"

// Admin is what the service does on its own, on demand: for tests of programs and for operators. No
// operation of the wire stands for it.
type Admin interface {
	// RollStreamShards closes the open shards of an enabled stream and opens children of each: one, as
	// happens with age, or two that divide its partition keys, as happens with load.
	RollStreamShards(ctx context.Context, streamArn string, children int) error
}
