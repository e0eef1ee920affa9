package main

import (
	"context"
	"fmt"

	"github.com/keystone-db/kstone/cmd/internal/target"
	"github.com/keystone-db/kstone/engine/api"
)

// openReplicas makes clients of the servers of other regions. Nothing is sent yet.
func openReplicas(ctx context.Context, urls map[string]string) (map[string]api.Replicator, error) {
	if len(urls) == 0 {
		return nil, nil
	}
	out := map[string]api.Replicator{}
	for region, url := range urls {
		r, err := target.Replica(ctx, url, region)
		if err != nil {
			return nil, fmt.Errorf("--replica %s=%s: %w", region, url, err)
		}
		out[region] = r
	}
	return out, nil
}
