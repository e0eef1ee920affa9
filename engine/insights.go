package engine

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/exec"
	"github.com/keystone-db/kstone/engine/insights"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/validate"
)

// insightsPage is the page size of ListContributorInsights without MaxResults: unsure.
const insightsPage = 100

// insightsOf is the setting of a table, or of one of its global indexes.
func insightsOf(t *catalog.Table, index string) catalog.Insights { return t.Insights[index] }

// insightsStatus is the service's word for a setting at a time.
func insightsStatus(s catalog.Insights, nowMs int64) string {
	switch passing := nowMs < s.UntilMs; {
	case s.Enabled && passing:
		return api.ContributorInsightsStatusEnabling
	case s.Enabled:
		return api.ContributorInsightsStatusEnabled
	case passing:
		return api.ContributorInsightsStatusDisabling
	}
	return api.ContributorInsightsStatusDisabled
}

// hasGlobal says whether insights can be asked about a part of a table: the table itself or a global index.
func hasGlobal(t *schema.Table, index string) bool {
	return index == "" || slices.ContainsFunc(t.Indexes, func(ix schema.Index) bool { return ix.Name == index && !ix.Local })
}

// countable refuses a change of insights of a table that comes or goes, or of an index that does not serve yet.
func countable(r *catalog.Record, index string) error {
	switch {
	case r.Status == catalog.StatusCreating:
		return catalog.ErrNotFound
	case r.Status == catalog.StatusDeleting:
		return api.Errorf(api.Validation, api.MsgInsightsState, "TableStatus")
	case !hasGlobal(&r.Table, index):
		return api.Errorf(api.ResourceNotFound, api.MsgInsightsIndex, index, r.Table.Name)
	}
	if ix := r.Table.Index(index); index != "" && (ix.Building || ix.DeleteOnly) {
		return api.Errorf(api.Validation, api.MsgInsightsState, "IndexStatus")
	}
	return nil
}

// UpdateContributorInsights turns counting the keys of a table or global index on or off. Counting begins at
// once, with counters of zero; the status passes as those of tables do. Without a mode both kinds are counted, whatever
// was counted before.
func (db *core) UpdateContributorInsights(ctx context.Context, in *api.UpdateContributorInsightsInput) (*api.UpdateContributorInsightsOutput, error) {
	if err := validate.UpdateContributorInsights(in); err != nil {
		return nil, err
	}
	name, index := tableName(in.TableName.Value), in.IndexName.Value
	now := db.exec.Now().UnixMilli()
	next := catalog.Insights{Enabled: in.ContributorInsightsAction.Value == api.ContributorInsightsActionEnable}
	var was catalog.Insights
	t, err := db.catalog.Update(ctx, name, false, func(r *catalog.Record) error {
		if err := countable(r, index); err != nil {
			return err
		}
		was = r.Insights[index]
		next.Mode = in.ContributorInsightsMode.Or(api.ContributorInsightsModeAccessedAndThrottledKeys)
		if !next.Enabled {
			next.Mode = was.Mode
		}
		next.ChangedMs, next.CreatedMs, next.UntilMs = now, was.CreatedMs, now+db.opts.TableDelay.Milliseconds()
		if next.Enabled && !was.Enabled {
			next.CreatedMs = now
		}
		if next.Enabled == was.Enabled && next.Mode == was.Mode {
			next = was
			return nil
		}
		r.SetInsights(index, next)
		return nil
	})
	if err != nil {
		return nil, notFound(err, name)
	}
	switch {
	case next.Enabled:
		db.background.insights.look()
	case was.Enabled:
		if err := db.forgetInsights(ctx, t, index); err != nil {
			return nil, err
		}
	}
	return &api.UpdateContributorInsightsOutput{
		TableName: api.Some(name), IndexName: in.IndexName,
		ContributorInsightsStatus: api.Some(insightsStatus(next, now)), ContributorInsightsMode: modeOf(next),
	}, nil
}

// modeOf is a setting's mode; absent where there never was one.
func modeOf(s catalog.Insights) api.Opt[string] {
	if s.Mode == "" {
		return api.Opt[string]{}
	}
	return api.Some(s.Mode)
}

// DescribeContributorInsights answers the setting and the names of the rules by which keys are counted.
func (db *core) DescribeContributorInsights(ctx context.Context, in *api.DescribeContributorInsightsInput) (*api.DescribeContributorInsightsOutput, error) {
	if err := validate.DescribeContributorInsights(in); err != nil {
		return nil, err
	}
	t, err := db.lookup(ctx, in.TableName.Value)
	if err != nil {
		return nil, err
	}
	index := in.IndexName.Value
	if !hasGlobal(&t.Table, index) {
		return nil, api.Errorf(api.ResourceNotFound, api.MsgInsightsIndex, index, t.Table.Name)
	}
	s := insightsOf(t, index)
	out := &api.DescribeContributorInsightsOutput{
		TableName: api.Some(t.Table.Name), IndexName: in.IndexName,
		ContributorInsightsStatus: api.Some(insightsStatus(s, db.exec.Now().UnixMilli())),
		LastUpdateDateTime:        fromMillis(s.ChangedMs), ContributorInsightsMode: modeOf(s),
	}
	if s.Enabled {
		out.ContributorInsightsRuleList = rulesOf(t, index, s)
	}
	return out, nil
}

// rulesOf are the names of a table's or index's rules: of partition keys and, with a sort key, of whole keys,
// each by accesses and by throttled requests.
func rulesOf(t *catalog.Table, index string, s catalog.Insights) []string {
	name, sorted := t.Table.Name, t.Table.Key.HasRange()
	if index != "" {
		name += "-" + index
		i := slices.IndexFunc(t.Table.Indexes, func(ix schema.Index) bool { return ix.Name == index })
		sorted = t.Table.Indexes[i].Key.HasRange()
	}
	kinds := []string{"PKC", "PKT"}
	if sorted {
		kinds = []string{"PKC", "SKC", "PKT", "SKT"}
	}
	var out []string
	for _, kind := range kinds {
		if s.Mode == api.ContributorInsightsModeThrottledKeys && strings.HasSuffix(kind, "C") {
			continue
		}
		out = append(out, "DynamoDBContributorInsights-"+kind+"-"+name+"-"+strconv.FormatInt(s.CreatedMs, 10))
	}
	return out
}

// ListContributorInsights answers the settings of a table and its global indexes, or of all tables, but for those that
// are off.
func (db *core) ListContributorInsights(ctx context.Context, in *api.ListContributorInsightsInput) (*api.ListContributorInsightsOutput, error) {
	if err := validate.ListContributorInsights(in); err != nil {
		return nil, err
	}
	after, err := base64.StdEncoding.DecodeString(in.NextToken.Value)
	if err != nil {
		return nil, api.Errorf(api.Validation, api.MsgInsightsToken)
	}
	names := []string{tableName(in.TableName.Value)}
	if !in.TableName.Set {
		if names, _, err = db.catalog.Names(ctx, "", db.catalog.Count()); err != nil {
			return nil, err
		}
	}
	limit := int(in.MaxResults.Or(insightsPage))
	if limit <= 0 {
		limit = insightsPage
	}
	now := db.exec.Now().UnixMilli()
	out := &api.ListContributorInsightsOutput{ContributorInsightsSummaries: []api.ContributorInsightsSummary{}}
	for _, name := range names {
		t, err := db.lookup(ctx, name)
		switch {
		case api.CodeOf(err) == api.ResourceNotFound && !in.TableName.Set:
			continue // deleted meanwhile
		case err != nil:
			return nil, err
		}
		for _, index := range globalNames(&t.Table) {
			position := name + "\x00" + index
			s := insightsOf(t, index)
			status := insightsStatus(s, now)
			if position <= string(after) || status == api.ContributorInsightsStatusDisabled {
				continue
			}
			if len(out.ContributorInsightsSummaries) == limit {
				out.NextToken = api.Some(base64.StdEncoding.EncodeToString(after))
				return out, nil
			}
			after = []byte(position)
			summary := api.ContributorInsightsSummary{
				TableName: api.Some(name), ContributorInsightsStatus: api.Some(status),
				ContributorInsightsMode: modeOf(s),
			}
			if index != "" {
				summary.IndexName = api.Some(index)
			}
			out.ContributorInsightsSummaries = append(out.ContributorInsightsSummaries, summary)
		}
	}
	return out, nil
}

// globalNames are the table itself, as the empty name, and its global indexes in the order of names.
func globalNames(t *schema.Table) []string {
	names := []string{""}
	for i := range t.Indexes {
		if !t.Indexes[i].Local {
			names = append(names, t.Indexes[i].Name)
		}
	}
	slices.Sort(names)
	return names
}

// note counts a row's key of a table or index. single says that the request is about that row alone and not
// about its partition; refused is why it was throttled, nil when it was not.
func (db *core) note(t *catalog.Table, ix *schema.Index, row []byte, single bool, refused error) {
	if len(t.Insights) == 0 {
		return
	}
	index := ""
	if ix != nil && !ix.Local {
		index = ix.Name
	}
	s := insightsOf(t, index)
	if !s.Enabled || refused == nil && s.Mode == api.ContributorInsightsModeThrottledKeys || len(row) < key.HeadBytes {
		return
	}
	keys := db.insights.Of(insights.ID{Table: t.Table.ID, Index: index})
	partitions, items := &keys.Partitions, &keys.Items
	if refused != nil {
		partitions, items = &keys.ThrottledPartitions, &keys.ThrottledItems
	}
	part, whole := key.Parts(row)
	partitions.Add(part)
	if single && t.Table.Key.HasRange() {
		items.Add(whole)
	}
}

// noteActions counts the keys of writes.
func (db *core) noteActions(actions []exec.Action, refused error) {
	for i := range actions {
		db.note(actions[i].Table, nil, actions[i].Write.Key, true, refused)
	}
}

// noteGets counts the keys of reads.
func (db *core) noteGets(gets []exec.Gets, keys [][]byte, refused error) {
	at := 0
	for i := range gets {
		for range gets[i].Count {
			db.note(gets[i].Table, nil, keys[at], true, refused)
			at++
		}
	}
}

// KeyCount is how often one key was asked for or throttled.
type KeyCount struct {
	// Key has the key attributes: those of the partition key, and of the sort key where whole keys are
	// counted.
	Key attr.Item
	// Count may be too high by Over, where there are more keys than counters.
	Count uint64
	Over  uint64
}

// KeyCounts are the most frequent keys by one rule.
type KeyCounts struct {
	// Rule is the rule's name as DescribeContributorInsights gives it.
	Rule string
	// Total is how often keys were counted in all.
	Total uint64
	// Keys are the most frequent ones, the most frequent first.
	Keys []KeyCount
}

// ContributorInsights tells the keys of a table, or of one of its global indexes, that were asked for most
// and throttled most since UpdateContributorInsights turned their counting on. The 100 most frequent ones are stored every
// minute and by Close; what a crash loses, and keys below them, count from the last opening on. n is how many keys of each
// rule are wanted. The error is ResourceNotFound for a table or index that is not there; without counting there are no
// rules.
func (db *DB) ContributorInsights(ctx context.Context, table, index string, n int) ([]KeyCounts, error) {
	return serve(ctx, db, &keyQuestion{table, index, n}, (*core).keyCounts)
}

type keyQuestion struct {
	table, index string
	n            int
}

func (db *core) keyCounts(ctx context.Context, q *keyQuestion) ([]KeyCounts, error) {
	t, err := db.lookup(ctx, q.table)
	if err != nil {
		return nil, err
	}
	if !hasGlobal(&t.Table, q.index) {
		return nil, api.Errorf(api.ResourceNotFound, api.MsgInsightsIndex, q.index, t.Table.Name)
	}
	s := insightsOf(t, q.index)
	if !s.Enabled {
		return nil, nil
	}
	k := &t.Table.Key
	for i := range t.Table.Indexes {
		if ix := &t.Table.Indexes[i]; ix.Name == q.index {
			k = &ix.Key
		}
	}
	counters := db.insights.Of(insights.ID{Table: t.Table.ID, Index: q.index})
	var out []KeyCounts
	for _, rule := range rulesOf(t, q.index, s) {
		var c *insights.Counter
		switch strings.Split(rule, "-")[1] {
		case "PKC":
			c = &counters.Partitions
		case "SKC":
			c = &counters.Items
		case "PKT":
			c = &counters.ThrottledPartitions
		default:
			c = &counters.ThrottledItems
		}
		top, total := c.Top(q.n)
		counts := KeyCounts{Rule: rule, Total: total, Keys: make([]KeyCount, len(top))}
		for i, e := range top {
			item, err := keyItem(k, []byte(e.Key))
			if err != nil {
				return nil, err
			}
			counts.Keys[i] = KeyCount{Key: item, Count: e.Count, Over: e.Over}
		}
		out = append(out, counts)
	}
	return out, nil
}

var errKeyForm = errors.New("engine: a counted key is not one of its table")

// keyItem makes the attributes of a key without its head: the partition part, and the sort key of a table.
func keyItem(k *schema.Key, b []byte) (attr.Item, error) {
	const lengthBytes = 2
	next := func() ([]byte, bool) {
		if len(b) < lengthBytes {
			return nil, false
		}
		n := int(binary.BigEndian.Uint16(b))
		if len(b)-lengthBytes < n {
			return nil, false
		}
		field := b[lengthBytes : lengthBytes+n]
		b = b[lengthBytes+n:]
		return field, true
	}
	part, ok := next()
	if !ok {
		return nil, errKeyForm
	}
	sort := b
	b = part
	item := attr.NewItem()
	for i, a := range k.Hash {
		field := b
		if i < len(k.Hash)-1 {
			if field, ok = next(); !ok {
				return nil, errKeyForm
			}
		}
		item.Value(a.Name, keyValue(a.Type, field))
	}
	if len(sort) > 0 && k.HasRange() {
		item.Value(k.Range[0].Name, keyValue(k.Range[0].Type, sort))
	}
	return item.Build()
}

// keyValue is the value of an encoded key attribute.
func keyValue(t attr.Type, b []byte) attr.Value {
	switch t {
	case attr.N:
		return attr.AppendNumber(nil, b)
	case attr.B:
		return attr.Binary(b)
	}
	return attr.String(string(b))
}
