package client

import (
	"context"

	"github.com/keystone-db/kstone/engine/api"
)

// Subscribe is that of api.Feeder. A feed whose connection breaks, or whose server goes away for a time,
// is begun anew behind its last delivery, so that deliver sees one sequence without a gap or a repetition.
// It fails when the server stays away for minutes, or as api.Feeder says.
func (s *service) Subscribe(
	ctx context.Context, in *api.SubscribeInput, deliver func(*api.SubscribeOutput) error,
) error {
	f := feed{s: s, in: *in, deliver: deliver}
	if err := f.pin(ctx); err != nil {
		return err
	}
	for try := 1; ; try++ {
		before := f.messages
		err := f.follow(ctx)
		if err == nil || f.refused {
			return err
		}
		if f.messages > before {
			try = 1
		}
		if try >= feedTriesMax || s.opts.Tries == 1 || !again(api.RepeatFree, err) {
			return err
		}
		if err := s.pause(ctx, try, err); err != nil {
			return err
		}
	}
}

// feed is a subscription over any number of calls.
type feed struct {
	s       *service
	in      api.SubscribeInput // how the next call begins
	deliver func(*api.SubscribeOutput) error
	// messages counts those of all calls.
	messages int
	// refused: deliver has failed.
	refused bool
}

// pin names the stream by its ARN. A table stands for its present stream, and would stand for another one
// later if its stream were disabled and enabled while the connection is broken.
func (f *feed) pin(ctx context.Context) error {
	if f.in.StreamArn.Set || !f.in.TableName.Set {
		return nil
	}
	out, err := f.s.DescribeTable(ctx, &api.DescribeTableInput{TableName: f.in.TableName})
	if api.CodeOf(err) == api.ResourceNotFound || api.CodeOf(err) == api.Validation {
		return nil // Subscribe says it in its own words
	}
	if err != nil {
		return err
	}
	if spec := out.Table.StreamSpecification; spec != nil && spec.StreamEnabled.Value && out.Table.LatestStreamArn.Set {
		f.in.StreamArn, f.in.TableName = out.Table.LatestStreamArn, api.Opt[string]{}
	}
	return nil
}

// follow makes one call and delivers what it brings.
func (f *feed) follow(ctx context.Context) error {
	c, out := subscribeCall(), new(api.SubscribeOutput)
	m := outgoing{codec: c.request, in: &f.in}
	resumed := f.messages > 0
	return f.s.stream(ctx, c, &m, out, func() error {
		whole := *out
		*out = api.SubscribeOutput{}
		f.in.StartingPosition, f.in.SequenceNumber = api.Some(api.StartAfter), api.Some(whole.Position)
		f.in.Timestamp.Set = false
		f.messages++
		if resumed && len(whole.Records) == 0 {
			resumed = false
			return nil // the beginning of a call, not of the feed
		}
		if err := f.deliver(&whole); err != nil {
			f.refused = true
			return err
		}
		return nil
	})
}
