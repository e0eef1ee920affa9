package client

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/keystone-db/kstone/engine/api"
)

// replicateTarget is dynamowire.ReplicateTarget.
const replicateTarget = "KStone_20261129.Replicate"

var _ api.Replicator = (*Client)(nil)

// Replicate implements api.Replicator: the server is a kstone in which tables of the caller have replicas. It is sent
// once, whoever replicates tries again.
func (c *Client) Replicate(ctx context.Context, in *api.ReplicateInput) (*api.ReplicateOutput, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	answer, err := c.exchange(ctx, replicateTarget, body)
	if err != nil {
		return nil, err
	}
	out := new(api.ReplicateOutput)
	if err := json.Unmarshal(answer, out); err != nil {
		return nil, fmt.Errorf("client: Replicate: the answer: %w", err)
	}
	return out, nil
}
