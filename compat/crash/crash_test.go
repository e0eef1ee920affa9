package crash

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// cycles of kill and recovery, of each of two files.
	cycles = 12
	// clients write at once, each to items of its own.
	clients = 8
	// killAfterMax bounds the load before a kill.
	killAfterMax = 400 * time.Millisecond
	// plainItems is how many items a client writes one by one; pairs how many it writes in twos.
	plainItems = 6
	pairs      = 4
	table      = "crash"
	seed       = 20261125
)

type object = map[string]any

func attrS(s string) object { return object{"S": s} }
func attrN(n int) object    { return object{"N": strconv.Itoa(n)} }

func keyOf(pk string) object { return object{"pk": attrS(pk)} }

// register is what one client knows about one item: an acknowledged version, and the versions that
// were sent after it without an answer.
type register struct {
	acked   int
	pending []int
}

// allows says whether a process may show this version after a kill.
func (r *register) allows(v int) bool {
	if v == r.acked {
		return true
	}
	return slices.Contains(r.pending, v)
}

// settle makes a version that was seen the known one.
func (r *register) settle(v int) { r.acked, r.pending = v, nil }

// transfer is a transaction whose answer never came: it is sent again with its token.
type transfer struct {
	token string
	pair  int
	value int
}

// client is one writer. It is the only one that writes its items.
type client struct {
	id      int
	rnd     *rand.Rand
	version int
	plain   [plainItems]register
	pair    [pairs]register
	counter [pairs]int // transactions on a pair that are known to have run
	unsure  *transfer
	done    *transfer // the newest one that was answered
	acks    int
	replays int
}

func (c *client) plainKey(i int) string { return fmt.Sprintf("c%d-plain%d", c.id, i) }
func (c *client) pairKey(i int, half string) string {
	return fmt.Sprintf("c%d-pair%d-%s", c.id, i, half)
}

// errProtocol is an answer that no healthy server gives.
var errProtocol = errors.New("unexpected answer")

// begin runs a transaction on a server that lives.
func (c *client) begin(ctx context.Context, s *server) error {
	gone, err := c.transact(ctx, s, c.newTransfer(0))
	if gone {
		return fmt.Errorf("%w: the server is gone", errProtocol)
	}
	return err
}

// load writes until the server is gone.
func (c *client) load(ctx context.Context, s *server) error {
	for ctx.Err() == nil && c.unsure == nil {
		var gone bool
		var err error
		if c.rnd.IntN(3) == 0 {
			gone, err = c.transact(ctx, s, c.newTransfer(c.rnd.IntN(pairs)))
		} else {
			gone, err = c.write(ctx, s, c.rnd.IntN(plainItems))
		}
		if gone || err != nil {
			return err
		}
	}
	return nil
}

// write puts or updates one item.
func (c *client) write(ctx context.Context, s *server, i int) (gone bool, err error) {
	c.version++
	r, v := &c.plain[i], c.version
	r.pending = append(r.pending, v)
	var a answer
	if c.rnd.IntN(2) == 0 {
		item := keyOf(c.plainKey(i))
		item["v"], item["pad"] = attrN(v), attrS(fmt.Sprintf("%0*d", c.rnd.IntN(2000), v))
		a = s.call(ctx, "PutItem", object{"TableName": table, "Item": item})
	} else {
		a = s.call(ctx, "UpdateItem", object{
			"TableName": table, "Key": keyOf(c.plainKey(i)), "UpdateExpression": "SET v = :v",
			"ExpressionAttributeValues": object{":v": attrN(v)},
		})
	}
	switch {
	case a.status == 0:
		return true, nil
	case !a.ok():
		return false, fmt.Errorf("%w: write: %d %s %v", errProtocol, a.status, a.kind, a.body)
	}
	r.settle(v)
	c.acks++
	return false, nil
}

// newTransfer is one of the client's next version.
func (c *client) newTransfer(pair int) *transfer {
	c.version++
	return &transfer{token: fmt.Sprintf("crash-%d-%d", c.id, c.version), pair: pair, value: c.version}
}

// transact sends a transaction and notes what came of it.
func (c *client) transact(ctx context.Context, s *server, t *transfer) (gone bool, err error) {
	if gone, err = c.send(ctx, s, t); gone || err != nil {
		c.unsure = t
		return gone, err
	}
	c.unsure, c.done = nil, t
	c.pair[t.pair].settle(t.value)
	c.counter[t.pair]++
	c.acks++
	return false, nil
}

// send writes both halves of a pair and counts, under a token.
func (c *client) send(ctx context.Context, s *server, t *transfer) (gone bool, err error) {
	half := func(name string) object {
		return object{"Update": object{
			"TableName": table, "Key": keyOf(c.pairKey(t.pair, name)),
			"UpdateExpression":          "SET v = :v ADD n :one",
			"ExpressionAttributeValues": object{":v": attrN(t.value), ":one": attrN(1)},
		}}
	}
	a := s.call(ctx, "TransactWriteItems", object{
		"ClientRequestToken": t.token,
		"TransactItems":      []object{half("left"), half("right")},
	})
	switch {
	case a.status == 0:
		return true, nil
	case !a.ok():
		return false, fmt.Errorf("%w: transaction: %d %s %v", errProtocol, a.status, a.kind, a.body)
	}
	return false, nil
}

// read returns v and n of an item, zero for an absent one.
func (c *client) read(ctx context.Context, s *server, pk string) (v, n int, err error) {
	a := s.call(ctx, "GetItem", object{"TableName": table, "Key": keyOf(pk), "ConsistentRead": true})
	if !a.ok() {
		return 0, 0, fmt.Errorf("%w: read: %d %s %v", errProtocol, a.status, a.kind, a.body)
	}
	item, _ := a.body["Item"].(object)
	return numberIn(item, "v"), numberIn(item, "n"), nil
}

func numberIn(item object, name string) int {
	value, _ := item[name].(object)
	text, _ := value["N"].(string)
	n, _ := strconv.Atoi(text)
	return n
}

// verify looks at everything the client ever wrote, after a kill.
func (c *client) verify(ctx context.Context, s *server) error {
	for i := range c.plain {
		v, _, err := c.read(ctx, s, c.plainKey(i))
		if err != nil {
			return err
		}
		if !c.plain[i].allows(v) {
			return fmt.Errorf("%s is %d, acknowledged %d, unanswered %v",
				c.plainKey(i), v, c.plain[i].acked, c.plain[i].pending)
		}
		c.plain[i].settle(v)
	}
	for i := range c.pair {
		if err := c.verifyPair(ctx, s, i); err != nil {
			return err
		}
	}
	return errors.Join(c.replay(ctx, s, c.done, c.send), c.replay(ctx, s, c.unsure, c.transact))
}

// replay does a call again with its token: the transaction has run once after this, whether before the kill or now.
func (c *client) replay(ctx context.Context, s *server, t *transfer, do func(context.Context, *server, *transfer) (bool, error)) error {
	if t == nil {
		return nil
	}
	c.replays++
	if gone, err := do(ctx, s, t); gone || err != nil {
		return errors.Join(err, fmt.Errorf("replay of %s: server gone %v", t.token, gone))
	}
	return c.verifyPair(ctx, s, t.pair)
}

// verifyPair checks that both halves agree and that every transaction ran once.
func (c *client) verifyPair(ctx context.Context, s *server, i int) error {
	lv, ln, err := c.read(ctx, s, c.pairKey(i, "left"))
	if err != nil {
		return err
	}
	rv, rn, err := c.read(ctx, s, c.pairKey(i, "right"))
	if err != nil {
		return err
	}
	if lv != rv || ln != rn {
		return fmt.Errorf("half a transaction: pair %d has %d/%d and %d/%d", i, lv, ln, rv, rn)
	}
	known, open := c.counter[i], c.unsure != nil && c.unsure.pair == i
	switch {
	case ln == known && lv == c.pair[i].acked:
	case open && ln == known+1 && lv == c.unsure.value:
	default:
		return fmt.Errorf("pair %d is %d after %d transactions, known %d after %d (unsure %v)",
			i, lv, ln, c.pair[i].acked, known, open)
	}
	return nil
}

// each runs f for all clients at once.
func each(all []*client, f func(*client) error) error {
	var wg sync.WaitGroup
	errs := make([]error, len(all))
	for i, c := range all {
		wg.Go(func() {
			if err := f(c); err != nil {
				errs[i] = fmt.Errorf("client %d: %w", c.id, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func createTable(t *testing.T, s *server) {
	t.Helper()
	a := s.call(t.Context(), "CreateTable", object{
		"TableName": table, "BillingMode": "PAY_PER_REQUEST",
		"KeySchema":            []object{{"AttributeName": "pk", "KeyType": "HASH"}},
		"AttributeDefinitions": []object{{"AttributeName": "pk", "AttributeType": "S"}},
		"StreamSpecification":  object{"StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES"},
	})
	require.True(t, a.ok(), "%+v", a)
}

// TestLossIsFound proves the checks: a file from before the load lacks what was acknowledged.
func TestLossIsFound(t *testing.T) {
	bin, file := binary(t), filepath.Join(t.TempDir(), "crash.keystone")
	c := &client{rnd: rand.New(rand.NewPCG(seed, 1))}
	s := start(t, bin, file)
	createTable(t, s)
	s.kill()
	before, err := os.ReadFile(file)
	require.NoError(t, err)
	s = start(t, bin, file)
	for i := range plainItems {
		gone, err := c.write(t.Context(), s, i)
		require.NoError(t, err)
		require.False(t, gone)
	}
	require.NoError(t, c.begin(t.Context(), s))
	require.NoError(t, c.verify(t.Context(), s))
	s.kill()
	require.NoError(t, os.WriteFile(file, before, 0o600))
	require.ErrorContains(t, c.verify(t.Context(), start(t, bin, file)), "acknowledged")
}

// TestKill kills a durable server under load, again and again: with a plain file and an encrypted one,
// whose log and compression are other ones at each start.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("kills processes for tens of seconds")
	}
	bin := binary(t)
	t.Run("plain", func(t *testing.T) { killAndVerify(t, bin, func(int) []string { return nil }) })
	t.Run("encrypted", func(t *testing.T) {
		key := filepath.Join(t.TempDir(), "key")
		require.NoError(t, os.WriteFile(key, []byte(strings.Repeat("5a", 32)), 0o600))
		killAndVerify(t, bin, func(cycle int) []string {
			return []string{
				"--encryption-key-file", key, "--compression", []string{"s2", "zstd", "none"}[cycle%3],
				"--log-bytes", []string{"65536", "1000000", "33554432", "131072"}[cycle%4],
			}
		})
	})
}

// killAndVerify kills servers that are started with more flags in each cycle.
func killAndVerify(t *testing.T, bin string, flags func(cycle int) []string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "crash.keystone")
	rnd := rand.New(rand.NewPCG(seed, 1))
	all := make([]*client, clients)
	for i := range all {
		all[i] = &client{id: i, rnd: rand.New(rand.NewPCG(seed, uint64(i)+2))}
	}
	stream := &tail{state: map[string]string{}}
	for cycle := range cycles {
		s := start(t, bin, file, flags(cycle)...)
		if cycle == 0 {
			createTable(t, s)
			require.NoError(t, stream.find(t.Context(), s))
			// However soon it is killed, there is something to be found.
			require.NoError(t, each(all, func(c *client) error { return c.begin(t.Context(), s) }))
		}
		require.NoError(t, stream.verify(t.Context(), s), "after kill %d", cycle)
		require.NoError(t, each(all, func(c *client) error { return c.verify(t.Context(), s) }),
			"after kill %d", cycle)
		timer := time.AfterFunc(time.Duration(rnd.Int64N(int64(killAfterMax))), s.kill)
		require.NoError(t, each(all, func(c *client) error { return c.load(t.Context(), s) }))
		timer.Stop()
		s.kill()
	}
	s := start(t, bin, file, flags(cycles)...)
	require.NoError(t, each(all, func(c *client) error { return c.verify(t.Context(), s) }))
	require.NoError(t, stream.verify(t.Context(), s))
	// Who reads the stream later reads the same.
	again := &tail{arn: stream.arn, shard: stream.shard, state: map[string]string{}}
	require.NoError(t, again.verify(t.Context(), s))
	require.Equal(t, stream, again)
	acks, replays := 0, 0
	for _, c := range all {
		acks, replays = acks+c.acks, replays+c.replays
	}
	t.Logf("%d kills, %d acknowledged writes, %d transactions replayed, %d stream records",
		cycles, acks, replays, stream.records)
}
