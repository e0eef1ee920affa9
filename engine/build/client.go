package build

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keystone-db/kstone/engine/api"
)

// Client makes calls to a service. It is safe for concurrent use.
type Client struct {
	service api.Service
	wait    func(ctx context.Context, d time.Duration) error

	schemasMu sync.Mutex                         // held by writers of schemas
	schemas   atomic.Pointer[map[string]*schema] // by table; the map never changes
}

// New returns a client of a service.
func New(service api.Service) *Client { return NewWith(service, Options{}) }

// Options of a client. The zero value is the default.
type Options struct {
	// Wait pauses before a request is repeated; it returns early with the context's error when that
	// ends. Default is a timer. Nothing waits unless a request has to be repeated.
	Wait func(ctx context.Context, d time.Duration) error
}

// NewWith returns a client of a service.
func NewWith(service api.Service, opts Options) *Client {
	c := &Client{service: service, wait: opts.Wait}
	if c.wait == nil {
		c.wait = pause
	}
	c.schemas.Store(&map[string]*schema{})
	return c
}

// pause waits for d, or for the end of ctx and returns its error.
func pause(ctx context.Context, d time.Duration) error {
	over, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	<-over.Done()
	return ctx.Err()
}

// Service is what the client calls, for requests that have no builder.
func (c *Client) Service() api.Service { return c.service }

// Table returns the calls of a table, given by its name or ARN. Nothing is looked up: the table need not
// exist yet.
func (c *Client) Table(name string) *Table { return &Table{client: c, name: name} }

// Query is Table(table).Query().
func (c *Client) Query(table string) *Query { return c.Table(table).Query() }

// Scan is Table(table).Scan().
func (c *Client) Scan(table string) *Scan { return c.Table(table).Scan() }

// Table makes calls to one table. It is safe for concurrent use.
type Table struct {
	client *Client
	name   string
}

// Name is the name or ARN that the table was asked for by.
func (t *Table) Name() string { return t.name }

// schema is what calls need to know of a table: the names of its key attributes.
type schema struct {
	key     keyNames
	indexes map[string]keyNames
}

// keyNames are the attributes of a key, in order. Keys of global indexes may have several of each.
type keyNames struct{ partition, sort []string }

// schemaOf returns the schema of a table, looking it up the first time.
func (c *Client) schemaOf(ctx context.Context, table string) (*schema, error) {
	if s := (*c.schemas.Load())[table]; s != nil {
		return s, nil
	}
	out, err := c.service.DescribeTable(ctx, &api.DescribeTableInput{TableName: api.Some(table)})
	if api.CodeOf(err) == api.ResourceNotFound {
		// The caller did not ask for a description: it gets what its own request would have got.
		return nil, api.Errorf(api.ResourceNotFound, api.MsgNotFound)
	}
	if err != nil {
		return nil, err
	}
	s := newSchema(out.Table)
	c.setSchema(table, s)
	return s, nil
}

func newSchema(d *api.TableDescription) *schema {
	s := &schema{indexes: map[string]keyNames{}}
	if d == nil {
		return s
	}
	s.key = keyNamesOf(d.KeySchema)
	for _, x := range d.LocalSecondaryIndexes {
		s.indexes[x.IndexName.Value] = keyNamesOf(x.KeySchema)
	}
	for _, x := range d.GlobalSecondaryIndexes {
		s.indexes[x.IndexName.Value] = keyNamesOf(x.KeySchema)
	}
	return s
}

func keyNamesOf(elements []api.KeySchemaElement) (k keyNames) {
	for _, e := range elements {
		if e.KeyType.Value == api.KeyTypeHash {
			k.partition = append(k.partition, e.AttributeName.Value)
		} else {
			k.sort = append(k.sort, e.AttributeName.Value)
		}
	}
	return k
}

// setSchema remembers the schema of a table, or forgets it when s is nil. Tables are few and change
// seldom, so a copy of the map is cheap and readers need no lock.
func (c *Client) setSchema(table string, s *schema) {
	c.schemasMu.Lock()
	defer c.schemasMu.Unlock()
	known := maps.Clone(*c.schemas.Load())
	if s == nil {
		delete(known, table)
	} else {
		known[table] = s
	}
	c.schemas.Store(&known)
}

// checked passes on the error of a call for which names of key attributes were needed. When it may come
// from names that are no longer right, as the table was dropped and created again, they are forgotten,
// so that the next call looks them up.
func (t *Table) checked(err error) error {
	if err != nil {
		switch api.CodeOf(err) {
		case api.Validation, api.ResourceNotFound:
			if (*t.client.schemas.Load())[t.name] != nil {
				t.client.setSchema(t.name, nil)
			}
		}
	}
	return err
}
