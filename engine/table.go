package engine

import "github.com/keystone-db/kstone/engine/build"

// OpenInMemory opens an empty database that lives in memory until Close. Options of the file are ignored.
func OpenInMemory(opts Options) (*DB, error) {
	opts.InMemory = true
	return Open("", opts)
}

// Client returns the calls for people: typed builders over the operations of the database. All calls of
// it return the same Client.
func (db *DB) Client() *build.Client { return db.client }

// Table returns the calls of a table, given by its name or ARN. Nothing is looked up: the table need not
// exist yet.
func (db *DB) Table(name string) *build.Table { return db.client.Table(name) }
