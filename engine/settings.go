package engine

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/validate"
)

// kmsARN is how a key is shown: as given when it is an ARN, else as a key of the table's account.
func kmsARN(tableARN, id string) string {
	if strings.HasPrefix(id, "arn:") {
		return id
	}
	if id == "" {
		id = "alias/aws/dynamodb"
	}
	parts := strings.SplitN(tableARN, ":", 6)
	if !strings.HasPrefix(id, "alias/") {
		id = "key/" + id
	}
	return "arn:aws:kms:" + parts[3] + ":" + parts[4] + ":" + id
}

// tagged finds the table of a tag operation by its ARN; text is the operation's word for none. One that is CREATING
// is not found: DynamoDB does this (TestTagsOfPassingTables).
func (db *core) tagged(ctx context.Context, arn, text string) (*catalog.Table, error) {
	t, err := db.catalog.Lookup(ctx, tableName(arn))
	switch {
	case err == nil && t.Status != catalog.StatusCreating:
		return t, nil
	case err != nil && api.CodeOf(notFound(err, arn)) != api.ResourceNotFound:
		return nil, err
	}
	return nil, api.Errorf(api.ResourceNotFound, "%s", text)
}

// TagResource adds tags to a table, replacing those of the same keys.
func (db *core) TagResource(ctx context.Context, in *api.TagResourceInput) (*api.TagResourceOutput, error) {
	if err := validate.TagResource(in, db.rules); err != nil {
		return nil, err
	}
	t, err := db.tagged(ctx, in.ResourceArn.Value, fmt.Sprintf(api.MsgTagArnNotFound, in.ResourceArn.Value))
	if err != nil {
		return nil, err
	}
	_, err = db.catalog.Update(ctx, t.Table.Name, false, func(r *catalog.Record) error {
		if r.Status == catalog.StatusDeleting {
			return busy(r)
		}
		for _, tag := range in.Tags {
			i := slices.IndexFunc(r.Tags, func(o catalog.Tag) bool { return o.Key == tag.Key.Value })
			if i < 0 {
				r.Tags = append(r.Tags, catalog.Tag{Key: tag.Key.Value, Value: tag.Value.Value})
			} else {
				r.Tags[i].Value = tag.Value.Value
			}
		}
		if len(r.Tags) > validate.TagsMax {
			return api.Errorf(api.Validation, api.MsgTagCount)
		}
		return nil
	})
	return &api.TagResourceOutput{}, notFound(err, t.Table.Name)
}

// UntagResource removes tags; unknown keys are no error.
func (db *core) UntagResource(ctx context.Context, in *api.UntagResourceInput) (*api.UntagResourceOutput, error) {
	if err := validate.UntagResource(in, db.rules); err != nil {
		return nil, err
	}
	t, err := db.tagged(ctx, in.ResourceArn.Value, api.MsgNotFound)
	if err != nil {
		return nil, err
	}
	_, err = db.catalog.Update(ctx, t.Table.Name, false, func(r *catalog.Record) error {
		if r.Status == catalog.StatusDeleting {
			return busy(r)
		}
		r.Tags = slices.DeleteFunc(r.Tags, func(tag catalog.Tag) bool {
			return slices.Contains(in.TagKeys, tag.Key)
		})
		return nil
	})
	return &api.UntagResourceOutput{}, notFound(err, t.Table.Name)
}

// tagsPage is the page size of ListTagsOfResource: unsure (wire-facts §10 #29).
const tagsPage = 10

// ListTagsOfResource answers a table's tags in pages. The token is the number of tags before.
func (db *core) ListTagsOfResource(ctx context.Context, in *api.ListTagsOfResourceInput) (*api.ListTagsOfResourceOutput, error) {
	if err := validate.ListTagsOfResource(in, db.rules); err != nil {
		return nil, err
	}
	t, err := db.tagged(ctx, in.ResourceArn.Value, fmt.Sprintf(api.MsgTagArnNotFound, in.ResourceArn.Value))
	if err != nil {
		return nil, err
	}
	start := 0
	if in.NextToken.Set {
		// One that no answer held counts as none: DynamoDB does this (TestTagsOfPassingTables).
		if start, err = strconv.Atoi(in.NextToken.Value); err != nil || start < 0 || start > len(t.Tags) {
			start = 0
		}
	}
	end := min(start+tagsPage, len(t.Tags))
	out := &api.ListTagsOfResourceOutput{Tags: make([]api.Tag, 0, end-start)}
	for _, tag := range t.Tags[start:end] {
		out.Tags = append(out.Tags, api.Tag{Key: api.Some(tag.Key), Value: api.Some(tag.Value)})
	}
	if end < len(t.Tags) {
		out.NextToken = api.Some(strconv.Itoa(end))
	}
	return out, nil
}

// UpdateTimeToLive stores the setting; from then on expired items are absent. The service refuses a
// second change within the hour, here only with Options.StrictLimits, and otherwise while the first is
// under way, which takes Options.TableDelay.
func (db *core) UpdateTimeToLive(ctx context.Context, in *api.UpdateTimeToLiveInput) (*api.UpdateTimeToLiveOutput, error) {
	if err := validate.UpdateTimeToLive(in, db.rules); err != nil {
		return nil, err
	}
	spec := in.TimeToLiveSpecification
	name, attribute := tableName(in.TableName.Value), spec.AttributeName.Value
	now := db.exec.Now().UnixMilli()
	if err := db.strictPassing(ctx); err != nil {
		return nil, err
	}
	_, err := db.catalog.Update(ctx, name, false, func(r *catalog.Record) error {
		if err := busy(r); err != nil {
			return err
		}
		switch on := r.Table.TTL; {
		case on != "" && on != attribute:
			return api.Errorf(api.Validation, api.MsgTTLOther, on)
		case on != "" && spec.Enabled.Value:
			return api.Errorf(api.Validation, api.MsgTTLEnabled)
		case on == "" && !spec.Enabled.Value:
			return api.Errorf(api.Validation, api.MsgTTLDisabled)
		case now < r.TTLUntilMs,
			db.opts.StrictLimits && now < r.TTLChangedMs+ttlChangeInterval.Milliseconds():
			return api.Errorf(api.Validation, api.MsgTTLBusy)
		}
		r.TTLChangedMs, r.TTLUntilMs = now, now+db.opts.TableDelay.Milliseconds()
		if spec.Enabled.Value {
			r.EnableTTL(attribute)
		} else {
			r.DisableTTL()
		}
		db.shared(r, now)
		return nil
	})
	if err != nil {
		return nil, notFound(err, name)
	}
	db.background.jobs.look()
	db.background.sweeper.look()
	db.wakeSenders()
	return &api.UpdateTimeToLiveOutput{TimeToLiveSpecification: spec}, nil
}

// DescribeTimeToLive answers the setting.
func (db *core) DescribeTimeToLive(ctx context.Context, in *api.DescribeTimeToLiveInput) (*api.DescribeTimeToLiveOutput, error) {
	if err := validate.DescribeTimeToLive(in, db.rules); err != nil {
		return nil, err
	}
	t, err := db.lookup(ctx, in.TableName.Value)
	if err != nil {
		return nil, err
	}
	d := &api.TimeToLiveDescription{TimeToLiveStatus: api.Some(api.TimeToLiveStatusDisabled)}
	changing := db.exec.Now().UnixMilli() < t.TTLUntilMs
	switch {
	case t.Table.TTL != "" && changing:
		d.TimeToLiveStatus = api.Some(api.TimeToLiveStatusEnabling)
	case t.Table.TTL != "":
		d.TimeToLiveStatus = api.Some(api.TimeToLiveStatusEnabled)
	case changing:
		d.TimeToLiveStatus = api.Some(api.TimeToLiveStatusDisabling)
	}
	if t.Table.TTL != "" || changing {
		d.AttributeName = api.Some(t.TTLAttribute)
	}
	return &api.DescribeTimeToLiveOutput{TimeToLiveDescription: d}, nil
}

// The service's default quotas (wire-facts §6.24), in capacity units.
const (
	accountUnitsMax = 80_000
	tableUnitsMax   = 40_000
)

// DescribeLimits answers the quotas of an account.
func (db *core) DescribeLimits(_ context.Context, _ *api.DescribeLimitsInput) (*api.DescribeLimitsOutput, error) {
	return &api.DescribeLimitsOutput{
		AccountMaxReadCapacityUnits:  api.Some[int64](accountUnitsMax),
		AccountMaxWriteCapacityUnits: api.Some[int64](accountUnitsMax),
		TableMaxReadCapacityUnits:    api.Some[int64](tableUnitsMax),
		TableMaxWriteCapacityUnits:   api.Some[int64](tableUnitsMax),
	}, nil
}

// endpointCacheMinutes is how long a client may keep the answer of DescribeEndpoints.
const endpointCacheMinutes = 1440

// DescribeEndpoints answers where this database listens, since clients will connect to it.
func (db *core) DescribeEndpoints(_ context.Context, _ *api.DescribeEndpointsInput) (*api.DescribeEndpointsOutput, error) {
	address := db.opts.Endpoint
	if address == "" {
		address = "dynamodb." + db.opts.Region + ".amazonaws.com"
	}
	return &api.DescribeEndpointsOutput{Endpoints: []api.Endpoint{{
		Address: api.Some(address), CachePeriodInMinutes: api.Some[int64](endpointCacheMinutes),
	}}}, nil
}
