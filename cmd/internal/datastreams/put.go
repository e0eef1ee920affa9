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
// request may be taken in part, and what failed must not come behind what followed it.
func (c *Client) Put(ctx context.Context, arn string, records []engine.DataStreamRecord) error {
	s, err := streamOf(arn)
	if err != nil {
		return err
	}
	pending := make([]*engine.DataStreamRecord, len(records))
	for i := range records {
		pending[i] = &records[i]
	}
	for attempt := 1; len(pending) > 0; attempt++ {
		batch, rest := nextBatch(pending)
		failed, err := c.send(ctx, s, batch)
		if err != nil && !passing(err) {
			return err
		}
		if len(failed) < len(batch) {
			attempt = 0
		}
		if pending = merged(failed, rest, pending); len(failed) == 0 {
			continue
		}
		if attempt >= attemptsMax {
			return err
		}
		if e := c.wait(ctx, max(attempt, 1)); e != nil {
			return errors.Join(e, err)
		}
	}
	return nil
}

// nextBatch takes the first record of each partition key, as many as a request holds, in their order. A record
// that would not fit ends it.
func nextBatch(pending []*engine.DataStreamRecord) (batch []*engine.DataStreamRecord, taken map[*engine.DataStreamRecord]bool) {
	taken, seen, size := map[*engine.DataStreamRecord]bool{}, map[string]bool{}, 0
	for _, r := range pending {
		if seen[r.PartitionKey] {
			continue
		}
		n := len(r.Data) + len(r.PartitionKey)
		if len(batch) == putRecordsMax || len(batch) > 0 && size+n > putBytesMax {
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
			err = &refusal{status: http.StatusOK, kind: r.ErrorCode, text: r.ErrorMessage}
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
