package grpcapi

import (
	"context"

	"github.com/keystone-db/kstone/engine/api"
)

// subscribe streams the changes of a table for as long as the client wants and the server runs.
func subscribe(
	ctx context.Context, s *Server, in *api.SubscribeInput, _ bool, _ func() error,
	send func(*api.SubscribeOutput) error,
) error {
	feeder, ok := s.svc.(api.Feeder)
	if !ok {
		return api.Errorf(api.UnknownOperation, api.MsgNotBuilt, "Subscribe")
	}
	leave, err := enterFeed(ctx)
	if err != nil {
		return err
	}
	defer leave()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.stopping, cancel)()
	err = feeder.Subscribe(ctx, in, func(out *api.SubscribeOutput) error { return sendRecords(out, send) })
	if err != nil && s.stopping.Err() != nil {
		return api.Errorf(api.Unavailable, api.MsgUnavailable)
	}
	return err
}

// sendRecords sends a delivery, in parts when it is large. A part but the last ends at its last record.
func sendRecords(out *api.SubscribeOutput, send func(*api.SubscribeOutput) error) error {
	last, err := parts(out.Records, recordSize, func(part []api.FeedRecord) error {
		end := part[len(part)-1].Dynamodb
		return send(&api.SubscribeOutput{Records: part, Position: end.SequenceNumber.Value})
	})
	if err != nil {
		return err
	}
	return send(&api.SubscribeOutput{Records: last, Position: out.Position})
}

func recordSize(r *api.FeedRecord) int {
	const around = 200 // bytes beside the items
	return around + len(r.Dynamodb.Keys) + len(r.Dynamodb.OldImage) + len(r.Dynamodb.NewImage)
}
