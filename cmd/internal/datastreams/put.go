package datastreams

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/keystone-db/kstone/engine"
)

// Limits of PutRecords.
const (
	putRecordsMax = 500
	// putBytesMax is 5 MB of data and partition keys, less what a service may count beside.
	putBytesMax = 5<<20 - 64<<10
)

const (
	// attemptsMax is how often in a row nothing may be taken; then the records come again later.
	attemptsMax = 6
	// backOffFirst and backOffMax bound the time between attempts.
	backOffFirst = 50 * time.Millisecond
	backOffMax   = 2 * time.Second
)

// backOff waits before an attempt; the first one is 1.
func backOff(ctx context.Context, attempt int) error {
	t := time.NewTimer(min(backOffFirst<<(attempt-1), backOffMax))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// put is the request, and its answer.
type (
	putIn struct {
		stream
		Records []putRecord `json:"Records"`
	}
	putRecord struct {
		Data         []byte `json:"Data"`
		PartitionKey string `json:"PartitionKey"`
	}
	putOut struct {
		FailedRecordCount int
		Records           []struct {
			ErrorCode, ErrorMessage string
		}
	}
)

// Put implements engine.DataStreams. Of records with the same partition key one is on its way at a time: a
// request may be taken in part, and what failed must not come behind what followed it. A request that is refused
// for what is in it is divided until the records are found that it is refused for.
func (c *Client) Put(ctx context.Context, arn string, records []engine.DataStreamRecord) error {
	s, err := streamOf(arn)
	if err != nil {
		return err
	}
	p := putting{client: c, stream: s, most: putRecordsMax}
	p.pending = make([]*engine.DataStreamRecord, len(records))
	for i := range records {
		p.pending[i] = &records[i]
	}
	for attempt := 1; len(p.pending) > 0; attempt++ {
		moved, err := p.step(ctx)
		if moved {
			attempt = 0
		}
		if err == nil {
			continue
		}
		if !passing(err) || attempt >= attemptsMax {
			return err
		}
		if e := c.wait(ctx, max(attempt, 1)); e != nil {
			return errors.Join(e, err)
		}
	}
	return p.refusal(records)
}

// putting is one call of Put.
type putting struct {
	client  *Client
	stream  stream
	pending []*engine.DataStreamRecord
	// most is how many records the next request may have.
	most int
	// refused are records that are left out, and why the last one is.
	refused map[*engine.DataStreamRecord]bool
	why     error
}

// step makes a request. moved says that some of it is done with; an error is that of the rest of it.
func (p *putting) step(ctx context.Context) (moved bool, err error) {
	batch, rest := nextBatch(p.pending, p.most)
	failed, err := p.client.send(ctx, p.stream, batch)
	switch {
	case err != nil && !wrong(err):
	case err != nil && len(batch) > 1:
		p.most, moved, err = len(batch)/2, true, nil
	case err != nil:
		// The record, unless something is wrong with the data stream.
		if e := p.client.Check(ctx, p.stream.StreamARN); e != nil {
			return false, errors.Join(e, err)
		}
		if p.refused == nil {
			p.refused = map[*engine.DataStreamRecord]bool{}
		}
		p.refused[batch[0]], p.why, failed, err = true, err, nil, nil
		p.most = putRecordsMax
	default:
		p.most = min(2*p.most, putRecordsMax)
	}
	p.pending = merged(failed, rest, p.pending)
	return moved || len(failed) < len(batch), err
}

// refusal tells which records were left out.
func (p *putting) refusal(records []engine.DataStreamRecord) error {
	if len(p.refused) == 0 {
		return nil
	}
	out := &engine.DataStreamRefused{Err: p.why}
	for i := range records {
		if p.refused[&records[i]] {
			out.Records = append(out.Records, i)
		}
	}
	return out
}

// wrong says whether a refusal is of what a request holds.
func wrong(err error) bool {
	r, ok := errors.AsType[*refusal](err)
	if !ok || r.status == http.StatusRequestEntityTooLarge {
		return ok
	}
	switch r.kind {
	case "ValidationException", "InvalidArgumentException", "SerializationException":
		return true
	}
	return false
}

// nextBatch takes the first record of each partition key, as many as a request holds, in their order. A record
// that would not fit ends it.
func nextBatch(pending []*engine.DataStreamRecord, most int) (batch []*engine.DataStreamRecord, taken map[*engine.DataStreamRecord]bool) {
	taken, seen, size := map[*engine.DataStreamRecord]bool{}, map[string]bool{}, 0
	for _, r := range pending {
		if seen[r.PartitionKey] {
			continue
		}
		n := len(r.Data) + len(r.PartitionKey)
		if len(batch) == most || len(batch) > 0 && size+n > putBytesMax {
			break
		}
		seen[r.PartitionKey], taken[r] = true, true
		batch, size = append(batch, r), size+n
	}
	return batch, taken
}

// merged is what is still to be sent, in its order: what failed, and what was not sent.
func merged(failed []*engine.DataStreamRecord, sent map[*engine.DataStreamRecord]bool, pending []*engine.DataStreamRecord) []*engine.DataStreamRecord {
	for _, r := range failed {
		delete(sent, r)
	}
	out := pending[:0]
	for _, r := range pending {
		if !sent[r] {
			out = append(out, r)
		}
	}
	return out
}

// send makes one request. It returns the records that were not taken, and why; with a passing error they may
// be taken when they come again.
func (c *Client) send(ctx context.Context, s stream, batch []*engine.DataStreamRecord) (failed []*engine.DataStreamRecord, err error) {
	in := putIn{stream: s, Records: make([]putRecord, len(batch))}
	for i, r := range batch {
		in.Records[i] = putRecord{Data: r.Data, PartitionKey: r.PartitionKey}
	}
	var out putOut
	if err := c.call(ctx, s, "PutRecords", in, &out); err != nil {
		return batch, err
	}
	if len(out.Records) != len(batch) {
		return batch, fmt.Errorf("kinesis: %d results of %d records", len(out.Records), len(batch))
	}
	for i, r := range out.Records {
		if r.ErrorCode != "" {
			failed = append(failed, batch[i])
			if e := (&refusal{status: http.StatusOK, kind: r.ErrorCode, text: r.ErrorMessage}); err == nil || wrong(err) {
				err = e // what passes first: what is wrong comes alone later
			}
		}
	}
	return failed, err
}

// passing says that an error may not come again: of one record, too much at once, or of the service itself.
func passing(err error) bool {
	r, ok := errors.AsType[*refusal](err)
	if !ok {
		return false // no answer: the next look finds out
	}
	switch r.kind {
	case "ProvisionedThroughputExceededException", "KMSThrottlingException", "LimitExceededException", "InternalFailure":
		return true
	}
	return r.status == http.StatusOK || r.status >= http.StatusInternalServerError
}
