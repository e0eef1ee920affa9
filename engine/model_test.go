package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/lsm"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/storage/memstore"
)

// modelAttr is a key attribute; without a name there is none.
type modelAttr struct {
	name string
	typ  attr.Type
}

type modelIndex struct {
	name       string
	local      bool
	hash, sort modelAttr
	projection string
	include    []string
}

// modelTable is a table as the model keeps it.
type modelTable struct {
	name       string
	hash, sort modelAttr
	indexes    []modelIndex
	exists     bool
	items      map[string]modelItem // by their printed keys
	living
}

// modelTables have every kind of key and of projection; key values hold zero bytes.
func modelTables() []*modelTable {
	pk, sk := modelAttr{"pk", attr.S}, modelAttr{"sk", attr.N}
	g, h := modelAttr{"g", attr.S}, modelAttr{"h", attr.N}
	l, j := modelAttr{"l", attr.S}, modelAttr{"j", attr.B}
	bk := modelAttr{"bk", attr.B}
	return []*modelTable{
		{name: "plain", hash: pk},
		{name: "numbers", hash: modelAttr{"pk", attr.N}, sort: l},
		{name: "indexed", hash: pk, sort: sk, indexes: []modelIndex{
			{name: "all", hash: g, sort: h, projection: "ALL"},
			{name: "keys", hash: g, projection: "KEYS_ONLY"},
			{name: "some", hash: h, sort: l, projection: "INCLUDE", include: []string{"a", "v"}},
			{name: "lall", local: true, hash: pk, sort: l, projection: "ALL"},
			{name: "lkeys", local: true, hash: pk, sort: h, projection: "KEYS_ONLY"},
			{name: "lsome", local: true, hash: pk, sort: j, projection: "INCLUDE", include: []string{"n"}},
		}},
		{name: "binary", hash: bk, sort: j, indexes: []modelIndex{
			{name: "flip", hash: j, sort: bk, projection: "ALL"},
			{name: "strings", hash: l, sort: j, projection: "KEYS_ONLY"},
		}},
	}
}

// keyAttributes are those of the table's key.
func (t *modelTable) keyAttributes() []modelAttr {
	if t.sort.name == "" {
		return []modelAttr{t.hash}
	}
	return []modelAttr{t.hash, t.sort}
}

func (ix *modelIndex) keyAttributes() []modelAttr {
	if ix.sort.name == "" {
		return []modelAttr{ix.hash}
	}
	return []modelAttr{ix.hash, ix.sort}
}

// indexKeys are attributes of index keys that are not the table's own, each once.
func (t *modelTable) indexKeys() []modelAttr {
	var list []modelAttr
	for i := range t.indexes {
		for _, k := range t.indexes[i].keyAttributes() {
			if !slices.Contains(list, k) && !slices.Contains(t.keyAttributes(), k) {
				list = append(list, k)
			}
		}
	}
	return list
}

func names(attributes []modelAttr) []string {
	var list []string
	for _, a := range attributes {
		list = append(list, a.name)
	}
	return list
}

func (t *modelTable) keyOf(it modelItem) modelItem { return it.project(names(t.keyAttributes())) }

// has says whether an item has an entry in the index.
func (ix *modelIndex) has(it modelItem) bool {
	for _, k := range ix.keyAttributes() {
		if it[k.name] == nil {
			return false
		}
	}
	return true
}

// entry is what the index holds of an item.
func (t *modelTable) entry(ix *modelIndex, it modelItem) modelItem {
	if ix == nil || ix.projection == "ALL" {
		return it
	}
	return it.project(slices.Concat(names(t.keyAttributes()), names(ix.keyAttributes()), ix.include))
}

func (t *modelTable) createInput() *api.CreateTableInput {
	schema := func(keys []modelAttr) []api.KeySchemaElement {
		var list []api.KeySchemaElement
		for i, k := range keys {
			list = append(list, api.KeySchemaElement{
				AttributeName: api.Some(k.name), KeyType: api.Some([]string{"HASH", "RANGE"}[i]),
			})
		}
		return list
	}
	in := &api.CreateTableInput{
		TableName: api.Some(t.name), BillingMode: api.Some("PAY_PER_REQUEST"), KeySchema: schema(t.keyAttributes()),
	}
	for _, k := range slices.Concat(t.keyAttributes(), t.indexKeys()) {
		in.AttributeDefinitions = append(in.AttributeDefinitions, api.AttributeDefinition{
			AttributeName: api.Some(k.name), AttributeType: api.Some(k.typ.String()),
		})
	}
	for i := range t.indexes {
		ix := &t.indexes[i]
		p := &api.Projection{ProjectionType: api.Some(ix.projection), NonKeyAttributes: ix.include}
		if ix.local {
			in.LocalSecondaryIndexes = append(in.LocalSecondaryIndexes, api.LocalSecondaryIndex{
				IndexName: api.Some(ix.name), KeySchema: schema(ix.keyAttributes()), Projection: p,
			})
		} else {
			in.GlobalSecondaryIndexes = append(in.GlobalSecondaryIndexes, api.GlobalSecondaryIndex{
				IndexName: api.Some(ix.name), KeySchema: schema(ix.keyAttributes()), Projection: p,
			})
		}
	}
	return in
}

// program runs random operations on a database and on the model and compares every answer. Its seed
// decides all of it.
type program struct {
	db     *DB
	clock  *modelClock
	ctx    context.Context
	rnd    *rand.Rand
	tables []*modelTable
	reopen func() (*DB, error) // nil where there is nothing to come back to
	often  int                 // more reopenings of a thousand steps
	last   *api.TransactWriteItemsInput
	tokens int
	did    string // the operation that runs, for the report
}

// run makes steps and at the end compares everything. The error says what differs.
func (p *program) run(steps int) error {
	for step := range steps {
		if err := p.step(); err != nil {
			return fmt.Errorf("step %d, %s: %w", step, p.did, err)
		}
	}
	for _, t := range p.tables {
		if err := p.compare(t); err != nil {
			return fmt.Errorf("after %d steps, %s: %w", steps, p.did, err)
		}
	}
	return consistent(p.ctx, p.db.served.Load().store, p.clock.now())
}

func (p *program) step() error {
	t := pick(p.rnd, p.tables...)
	if !t.exists {
		return p.create(t)
	}
	switch n := p.rnd.IntN(1000); {
	case n < 2:
		return p.drop(t)
	case n < 3+p.often && p.reopen != nil:
		p.did = "close and open"
		var err error
		p.db, err = p.reopen()
		return err
	case n < 6:
		return p.compare(t)
	case n < 36:
		return p.change(t)
	case n < 250:
		return p.put(t)
	case n < 450:
		return p.updateItem(t)
	case n < 530:
		return p.remove(t)
	case n < 600:
		return p.batchWrite()
	case n < 700:
		return p.transact()
	case n < 750:
		return p.get(t)
	case n < 800:
		return p.getMany()
	case n < 930:
		return p.query(t)
	}
	return p.scan(t)
}

// settle repeats what a conflict of storage refused: nothing has happened then.
func (p *program) settle(do func() error) error {
	const attempts = 100
	for range attempts {
		err := do()
		if !refusedByConflict(err) && codeOf(err) != api.TransactionInProgress {
			return err
		}
	}
	return errors.New("conflicts do not end")
}

func (p *program) create(t *modelTable) error {
	p.did = "create " + t.name
	t.exists, t.items = true, map[string]modelItem{}
	t.living = living{clock: p.clock, ghosts: map[string]modelItem{}}
	t.indexes = slices.DeleteFunc(slices.Clone(t.indexes), func(ix modelIndex) bool { return ix.name == lateName })
	return p.settle(func() error { _, err := p.db.CreateTable(p.ctx, t.createInput()); return err })
}

func (p *program) drop(t *modelTable) error {
	if t.pending != nil || t.leaving { // a table whose index is being made is not dropped
		if err := p.work(); err != nil {
			return err
		}
	}
	p.did = "drop " + t.name
	t.exists, p.last = false, nil
	refused := false
	return p.settle(func() error {
		_, err := p.db.DeleteTable(p.ctx, &api.DeleteTableInput{TableName: api.Some(t.name)})
		if refused && codeOf(err) == api.ResourceNotFound {
			return nil // the first call began what the second one ended
		}
		refused = err != nil
		return err
	})
}

// key draws a key of the table, from so few that it often is that of an item.
func (p *program) key(t *modelTable) modelItem {
	k := modelItem{}
	for _, a := range t.keyAttributes() {
		k[a.name] = modelValue(p.rnd, a.typ)
	}
	return k
}

// item draws an item: some index keys, some other attributes.
func (p *program) item(t *modelTable) modelItem {
	it := p.key(t)
	for _, k := range t.indexKeys() {
		if p.rnd.IntN(4) > 0 {
			it[k.name] = modelValue(p.rnd, k.typ)
		}
	}
	if it[lateKey.name] == nil && p.rnd.IntN(2) == 0 {
		it[lateKey.name] = modelValue(p.rnd, lateKey.typ)
	}
	if p.rnd.IntN(3) == 0 {
		it[ttlName] = p.clock.ms.Load()/1000 + int64(p.rnd.IntN(8)) - 2
	}
	for _, name := range modelAttributes {
		if p.rnd.IntN(2) == 0 {
			it[name] = modelValue(p.rnd, usualType(name))
		}
	}
	return it
}

// modelWrite is one write of an item, alone or in a batch or transaction.
type modelWrite struct {
	table     *modelTable
	kind      string
	key, item modelItem // item of a put
	condition *modelCondition
	update    func(modelItem) (modelItem, []string)
	text      string
	p         placeholders
	legacy    legacyWrite
}

func (p *program) write(t *modelTable, kind string) *modelWrite {
	w := &modelWrite{table: t, kind: kind, key: p.key(t), p: placeholders{rnd: p.rnd}}
	switch kind {
	case "put":
		w.item = p.item(t)
		w.key = t.keyOf(w.item)
	case "update":
		w.text, w.update = w.p.update(t.indexKeys())
	}
	if kind == "check" || p.rnd.IntN(3) == 0 {
		c := w.p.condition(slices.Concat(modelAttributes, []string{t.hash.name}), 2)
		w.condition = &c
	}
	p.did = w.String()
	return w
}

func (w *modelWrite) String() string {
	text := w.kind + " " + w.table.name + " " + shown(w.key)
	if w.item != nil {
		text += " " + shown(w.item)
	}
	text += " " + shownValues(w.p.values)
	if w.condition != nil {
		text += " if " + w.condition.text
	}
	return text + " " + w.text
}

func (w *modelWrite) conditionText() (o api.Opt[string]) {
	if w.condition != nil && w.legacy.expected == nil {
		o = api.Some(w.condition.text)
	}
	return o
}

// outcome is what a write must do: the item afterwards, nil when absent, or the code of the error and
// its possible texts.
func (w *modelWrite) outcome() (after modelItem, code api.Code, texts []string) {
	old := w.table.items[shown(w.key)]
	if w.condition != nil && !w.condition.eval(old) {
		return old, api.ConditionalCheckFailed, []string{api.MsgConditionFailed}
	}
	switch w.kind {
	case "put":
		return w.item, "", nil
	case "delete":
		return nil, "", nil
	case "check":
		return old, "", nil
	}
	base := old
	if base == nil {
		if w.legacy.deletes {
			return nil, "", nil
		}
		base = w.key
	}
	after, refusals := w.update(base)
	if refusals != nil {
		return old, api.Validation, refusals
	}
	return after, "", nil
}

// store makes the model's items what a write leaves. A write removes the item past its time that it
// meets.
func (w *modelWrite) store(after modelItem) {
	defer w.table.expire()
	if w.kind != "check" {
		delete(w.table.ghosts, shown(w.key))
	}
	if after == nil {
		delete(w.table.items, shown(w.key))
	} else {
		w.table.items[shown(w.key)] = after
	}
}

// settleWrite runs one write, compares its error, and takes its effect over. It reports whether the
// write took place.
func (p *program) settleWrite(w *modelWrite, do func() error) (done bool, err error) {
	after, code, texts := w.outcome()
	err = p.settle(do)
	if code == "" {
		if err == nil {
			w.store(after)
		}
		return err == nil, err
	}
	var own *api.Error
	if !errors.As(err, &own) || own.Code != code || !slices.Contains(texts, own.Message) {
		return false, fmt.Errorf("got %w, want %s %q", err, code, texts)
	}
	return false, nil
}

func differs(what, got, want string) error {
	if got != want {
		return fmt.Errorf("%s:\n got %s\nwant %s", what, got, want)
	}
	return nil
}

func (p *program) put(t *modelTable) error {
	w := p.write(t, "put")
	w.asLegacy()
	p.did = w.String()
	in := &api.PutItemInput{
		TableName: api.Some(t.name), Item: encodedItem(w.item), ConditionExpression: w.conditionText(),
		ExpressionAttributeNames: w.p.names, ExpressionAttributeValues: w.p.values,
		Expected: w.legacy.expected, ConditionalOperator: w.legacy.operator,
	}
	if p.rnd.IntN(2) == 0 {
		in.ReturnValues = api.Some("ALL_OLD")
	}
	old := t.items[shown(w.key)]
	var out *api.PutItemOutput
	done, err := p.settleWrite(w, func() (err error) { out, err = p.db.PutItem(p.ctx, in); return err })
	if err != nil || !done || !in.ReturnValues.Set {
		return err
	}
	return differs("old item", shownItem(out.Attributes), shownOrNone(old))
}

func (p *program) updateItem(t *modelTable) error {
	w := p.write(t, "update")
	w.asLegacy()
	p.did = w.String()
	in := &api.UpdateItemInput{
		TableName: api.Some(t.name), Key: encodedItem(w.key), UpdateExpression: api.Some(w.text),
		ConditionExpression: w.conditionText(), ReturnValues: api.Some(pick(p.rnd, "NONE", "ALL_OLD", "ALL_NEW")),
		ExpressionAttributeNames: w.p.names, ExpressionAttributeValues: w.p.values,
		Expected: w.legacy.expected, ConditionalOperator: w.legacy.operator, AttributeUpdates: w.legacy.updates,
	}
	if w.legacy.updates != nil {
		in.UpdateExpression = api.Opt[string]{}
	}
	want := map[string]string{"NONE": "-", "ALL_OLD": shownOrNone(t.items[shown(w.key)])}
	var out *api.UpdateItemOutput
	done, err := p.settleWrite(w, func() (err error) { out, err = p.db.UpdateItem(p.ctx, in); return err })
	if err != nil || !done {
		return err
	}
	want["ALL_NEW"] = shownOrNone(t.items[shown(w.key)])
	return differs(in.ReturnValues.Value, shownItem(out.Attributes), want[in.ReturnValues.Value])
}

func (p *program) remove(t *modelTable) error {
	w := p.write(t, "delete")
	w.asLegacy()
	p.did = w.String()
	in := &api.DeleteItemInput{
		TableName: api.Some(t.name), Key: encodedItem(w.key), ConditionExpression: w.conditionText(),
		ExpressionAttributeNames: w.p.names, ExpressionAttributeValues: w.p.values,
		Expected: w.legacy.expected, ConditionalOperator: w.legacy.operator,
	}
	if p.rnd.IntN(2) == 0 {
		in.ReturnValues = api.Some("ALL_OLD")
	}
	old := t.items[shown(w.key)]
	var out *api.DeleteItemOutput
	done, err := p.settleWrite(w, func() (err error) { out, err = p.db.DeleteItem(p.ctx, in); return err })
	if err != nil || !done || !in.ReturnValues.Set {
		return err
	}
	return differs("old item", shownItem(out.Attributes), shownOrNone(old))
}

// distinct draws writes on different items of the tables that exist.
func (p *program) distinct(most int, kinds ...string) []*modelWrite {
	var list []*modelWrite
	seen := map[string]bool{}
	for range 1 + p.rnd.IntN(most) {
		t := pick(p.rnd, p.tables...)
		if !t.exists {
			continue
		}
		w := p.write(t, pick(p.rnd, kinds...))
		if at := t.name + shown(w.key); !seen[at] {
			seen[at] = true
			list = append(list, w)
		}
	}
	return list
}

func (p *program) batchWrite() error {
	list := p.distinct(8, "put", "delete")
	if len(list) == 0 {
		return nil
	}
	p.did = fmt.Sprint("batch of ", list)
	in := &api.BatchWriteItemInput{}
	for _, w := range list {
		request := api.WriteRequest{DeleteRequest: &api.DeleteRequest{Key: encodedItem(w.key)}}
		if w.kind == "put" {
			request = api.WriteRequest{PutRequest: &api.PutRequest{Item: encodedItem(w.item)}}
		}
		i := slices.IndexFunc(in.RequestItems, func(e api.BatchWriteItemRequestMapEntry) bool { return e.Key == w.table.name })
		if i < 0 {
			i = len(in.RequestItems)
			in.RequestItems = append(in.RequestItems, api.BatchWriteItemRequestMapEntry{Key: w.table.name})
		}
		in.RequestItems[i].Value = append(in.RequestItems[i].Value, request)
		w.store(w.item)
	}
	slices.SortFunc(in.RequestItems, func(a, b api.BatchWriteItemRequestMapEntry) int { return strings.Compare(a.Key, b.Key) })
	for len(in.RequestItems) > 0 {
		err := p.settle(func() error {
			out, err := p.db.BatchWriteItem(p.ctx, in)
			if err == nil {
				in.RequestItems = out.UnprocessedItems
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *modelWrite) action() api.TransactWriteItem {
	table, key := api.Some(w.table.name), encodedItem(w.key)
	switch w.kind {
	case "put":
		return api.TransactWriteItem{Put: &api.Put{TableName: table, Item: encodedItem(w.item),
			ConditionExpression:      w.conditionText(),
			ExpressionAttributeNames: w.p.names, ExpressionAttributeValues: w.p.values}}
	case "delete":
		return api.TransactWriteItem{Delete: &api.Delete{TableName: table, Key: key,
			ConditionExpression:      w.conditionText(),
			ExpressionAttributeNames: w.p.names, ExpressionAttributeValues: w.p.values}}
	case "update":
		return api.TransactWriteItem{Update: &api.Update{TableName: table, Key: key,
			UpdateExpression: api.Some(w.text), ConditionExpression: w.conditionText(),
			ExpressionAttributeNames: w.p.names, ExpressionAttributeValues: w.p.values}}
	}
	return api.TransactWriteItem{ConditionCheck: &api.ConditionCheck{TableName: table, Key: key,
		ConditionExpression:      w.conditionText(),
		ExpressionAttributeNames: w.p.names, ExpressionAttributeValues: w.p.values}}
}

// transact runs a transaction, or the last one that succeeded once more with its token.
func (p *program) transact() error {
	if p.last != nil && p.rnd.IntN(5) == 0 {
		p.did = "the last transaction again"
		return p.settle(func() error { _, err := p.db.TransactWriteItems(p.ctx, p.last); return err })
	}
	list := p.distinct(6, "put", "update", "delete", "check")
	if len(list) == 0 {
		return nil
	}
	p.did = fmt.Sprint("transaction of ", list)
	p.tokens++
	in := &api.TransactWriteItemsInput{ClientRequestToken: api.Some(fmt.Sprint("token", p.tokens))}
	after := make([]modelItem, len(list))
	want, fails := "", false
	for i, w := range list {
		in.TransactItems = append(in.TransactItems, w.action())
		item, code, _ := w.outcome()
		after[i] = item
		reason := map[api.Code]string{"": "None", api.ConditionalCheckFailed: "ConditionalCheckFailed",
			api.Validation: "ValidationError"}[code]
		want, fails = want+" "+reason, fails || code != ""
	}
	err := p.settle(func() error { _, err := p.db.TransactWriteItems(p.ctx, in); return err })
	if fails {
		var own *api.Error
		if !errors.As(err, &own) || own.Code != api.TransactionCanceled {
			return fmt.Errorf("got %w, want the reasons%s", err, want)
		}
		var got strings.Builder
		for _, r := range own.Reasons {
			got.WriteString(" " + r.Code.Value)
		}
		return differs("reasons", got.String(), want)
	}
	if err != nil {
		return err
	}
	p.last = in
	for i, w := range list {
		w.store(after[i])
	}
	return nil
}

func (p *program) get(t *modelTable) error {
	k := p.key(t)
	p.did = "get " + t.name + " " + shown(k)
	out, err := p.db.GetItem(p.ctx, &api.GetItemInput{TableName: api.Some(t.name), Key: encodedItem(k)})
	if err != nil {
		return err
	}
	return differs("item", shownItem(out.Item), shownOrNone(t.items[shown(k)]))
}

// getMany reads some items of one table, in a batch and in a transaction.
func (p *program) getMany() error {
	list := p.distinct(10, "delete")
	p.did = "get many"
	in := &api.TransactGetItemsInput{}
	batch := &api.BatchGetItemInput{}
	found := map[string]int{}
	for _, w := range list {
		if w.table != list[0].table {
			continue
		}
		k := encodedItem(w.key)
		in.TransactItems = append(in.TransactItems,
			api.TransactGetItem{Get: &api.Get{TableName: api.Some(w.table.name), Key: k}})
		if batch.RequestItems == nil {
			batch.RequestItems = []api.BatchGetRequestMapEntry{{Key: w.table.name}}
		}
		batch.RequestItems[0].Value.Keys = append(batch.RequestItems[0].Value.Keys, k)
		if it := w.table.items[shown(w.key)]; it != nil {
			found[shown(it)]++
		}
	}
	if batch.RequestItems == nil {
		return nil
	}
	out, err := p.db.TransactGetItems(p.ctx, in)
	if err != nil {
		return err
	}
	got := map[string]int{}
	for i := range out.Responses {
		if it := out.Responses[i].Item; it != nil {
			got[shownItem(it)]++
		}
	}
	if err := differs("transaction", fmt.Sprint(got), fmt.Sprint(found)); err != nil {
		return err
	}
	several, err := p.db.BatchGetItem(p.ctx, batch)
	if err != nil {
		return err
	}
	clear(got)
	for _, it := range several.Responses[0].Value {
		got[shownItem(it)]++
	}
	return differs("batch", fmt.Sprint(got), fmt.Sprint(found))
}

// modelStores are the stores under the model's programs.
func modelStores(t *testing.T) map[string]func(uint64, *modelClock) (*DB, func() (*DB, error)) {
	memory := func(change func(*memstore.Options)) func(uint64, *modelClock) (*DB, func() (*DB, error)) {
		return func(seed uint64, c *modelClock) (*DB, func() (*DB, error)) {
			opts := memstore.Hostile(seed)
			change(&opts)
			s, err := memstore.Open(opts)
			require.NoError(t, err)
			return openModel(t, s, c), nil
		}
	}
	small := lsm.Options{MemtableBytes: 64 << 10, CacheBytes: 256 << 10, LogBytes: 1 << 20, Sync: lsm.SyncOff}
	file := func(key []byte) func(uint64, *modelClock) (*DB, func() (*DB, error)) {
		return func(_ uint64, c *modelClock) (*DB, func() (*DB, error)) {
			opts := small
			opts.EncryptionKey = key
			path := filepath.Join(t.TempDir(), "model")
			open := func() *DB {
				s, err := lsm.Open(path, opts)
				require.NoError(t, err)
				return openModel(t, s, c)
			}
			db := open()
			return db, func() (*DB, error) {
				if err := db.Close(); err != nil {
					return nil, err
				}
				db = open()
				return db, nil
			}
		}
	}
	return map[string]func(uint64, *modelClock) (*DB, func() (*DB, error)){
		"hostile":   memory(func(*memstore.Options) {}),
		"conflicts": memory(func(o *memstore.Options) { o.Conflict, o.ConflictMulti = 0.02, 0.5 }),
		"lsm": func(_ uint64, c *modelClock) (*DB, func() (*DB, error)) {
			opts := small
			opts.InMemory = true
			s, err := lsm.Open("", opts)
			require.NoError(t, err)
			return openModel(t, s, c), nil
		},
		"file":      file(nil),
		"encrypted": file([]byte("the key of the model's file, 32b")),
	}
}

// openModel opens a database that does background work only on demand.
func openModel(t *testing.T, s storage.Store, c *modelClock) *DB {
	t.Helper()
	var db *DB
	settled(t, func() (err error) { db, err = OpenStore(s, Options{Clock: c.now, NoBackground: true}); return err })
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// modelSteps is the length of one program; `make night` runs long ones.
func modelSteps() int {
	switch {
	case os.Getenv("KSTONE_NIGHT") != "":
		return 300_000
	case testing.Short():
		return 1000
	}
	return 5000
}

func newProgram(t *testing.T, seed uint64, c *modelClock, db *DB, reopen func() (*DB, error)) *program {
	return &program{
		db: db, clock: c, reopen: reopen, ctx: t.Context(), tables: modelTables(), rnd: rand.New(rand.NewPCG(seed, 11)),
	}
}

// TestModel runs random programs against the database and a plain map. KSTONE_NIGHT makes them long
// and their seeds new.
func TestModel(t *testing.T) {
	seed := uint64(1)
	if os.Getenv("KSTONE_NIGHT") != "" {
		seed = rand.Uint64()
	}
	for name, open := range modelStores(t) {
		t.Run(name, func(t *testing.T) {
			t.Logf("seed %d", seed)
			c := newModelClock()
			db, reopen := open(seed, c)
			require.NoError(t, newProgram(t, seed, c, db, reopen).run(modelSteps()))
		})
	}
}

// forgetfulStore loses one of the writes of keys that an update does not name: index entries.
type forgetfulStore struct {
	storage.Store
	puts  bool
	until int // writes before the one that is lost
}

type forgetfulTx struct {
	storage.Tx
	s     *forgetfulStore
	named []storage.Named
}

func (t forgetfulTx) loses(key []byte) bool {
	if slices.ContainsFunc(t.named, func(n storage.Named) bool { return string(n.Key) == string(key) }) {
		return false
	}
	t.s.until--
	return t.s.until == 0
}

func (t forgetfulTx) Put(key, value []byte) {
	if !t.s.puts || !t.loses(key) {
		t.Tx.Put(key, value)
	}
}

func (t forgetfulTx) Delete(key []byte) {
	if t.s.puts || !t.loses(key) {
		t.Tx.Delete(key)
	}
}

func (s *forgetfulStore) Update(ctx context.Context, named []storage.Named, opts storage.UpdateOptions, fn func(storage.Tx) error) error {
	return s.Store.Update(ctx, named, opts, func(tx storage.Tx) error { return fn(forgetfulTx{tx, s, named}) })
}

// TestModelFindsPlantedErrors: one lost index entry, or one that stays, is found. An expiry row that
// stays is none: the sweep drops it.
func TestModelFindsPlantedErrors(t *testing.T) {
	if testing.Short() {
		t.Skip("what the model finds does not depend on who looks for races")
	}
	const plants = 5
	for name, puts := range map[string]bool{"lost entry": true, "entry that stays": false} {
		t.Run(name, func(t *testing.T) {
			found := 0
			for i := range plants {
				store, err := memstore.Open(memstore.Options{})
				require.NoError(t, err)
				c := newModelClock()
				db := openModel(t, &forgetfulStore{Store: store, puts: puts, until: 100 + 17*i}, c)
				if err = newProgram(t, 1, c, db, nil).run(3000); err != nil {
					t.Log(err)
					found++
				}
			}
			require.Greater(t, found, plants/2)
		})
	}
}
