package awslocal

import (
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"

	"github.com/keystone-db/kstone/engine"
)

// TB is what New needs of a *testing.T, *testing.B or *testing.F.
type TB interface {
	Helper()
	Cleanup(f func())
	Fatalf(format string, args ...any)
}

// Local is an empty database in memory with what talks to it.
type Local struct {
	// DB is the database itself, for what only Go programs can do.
	DB *engine.DB
	// Config makes further clients, with options of their own.
	Config aws.Config
	// Client and Streams are clients with this configuration.
	Client  *dynamodb.Client
	Streams *dynamodbstreams.Client

	t      TB
	server func() *Server
}

// New opens a database in memory for one test and closes it when the test ends. Its price is a fraction of a
// millisecond (BenchmarkNew), so every test can have its own, also in parallel, and in a bubble of
// testing/synctest, whose time it takes: items expire and tables become ACTIVE without waiting. The
// options change those of the database:
//
//	local := awslocal.New(t, func(o *engine.Options) { o.TableDelay = time.Second })
func New(t TB, options ...func(*engine.Options)) *Local {
	t.Helper()
	opts := engine.Options{InMemory: true}
	for _, change := range options {
		change(&opts)
	}
	db, err := engine.Open("", opts)
	if err != nil {
		t.Fatalf("awslocal: opening the database: %v", err)
		return nil
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Fatalf("awslocal: closing the database: %v", err)
		}
	})
	cfg := Config(db)
	if opts.Region != "" {
		cfg.Region = opts.Region
	}
	l := &Local{
		DB: db, Config: cfg, Client: dynamodb.NewFromConfig(cfg), Streams: dynamodbstreams.NewFromConfig(cfg), t: t,
	}
	l.server = sync.OnceValue(l.serve)
	return l
}

// URL is the address of a server of the database, such as http://127.0.0.1:40123, for clients in other
// languages and other processes. The first call starts the server, which stops when the test ends.
func (l *Local) URL() string {
	l.t.Helper()
	return l.server().URL
}

func (l *Local) serve() *Server {
	s, err := NewServer(l.DB)
	if err != nil {
		l.t.Fatalf("awslocal: starting a server: %v", err)
	}
	l.t.Cleanup(s.Close)
	return s
}
