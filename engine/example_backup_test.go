package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/build"
)

// An archive has the log of a database. A restore brings back the state of any second, here of the last one.
func ExampleRestoreArchive() {
	dir, err := os.MkdirTemp("", "kstone")
	check(err)
	defer func() { _ = os.RemoveAll(dir) }()
	at, ctx := func(name string) string { return filepath.Join(dir, name) }, context.Background()

	to, err := engine.OpenArchive(at("archive"))
	check(err)
	db, err := engine.Open(at("shop.kstone"), engine.Options{Archive: to})
	check(err)
	_, err = db.Client().Create("orders").PK(build.StringKey("pk")).SK(build.StringKey("sk")).Run(ctx)
	check(err)
	check(db.Table("orders").Put(Order{Customer: "c#1", Date: "2026-01-02", Total: 7}).Run(ctx))
	check(db.Close()) // ships what is left
	fmt.Println(db.ArchiveStatus().Err)

	from, err := engine.OpenExistingArchive(at("archive"))
	check(err)
	// PointInTime{Time: …} restores the state of that second.
	_, err = engine.RestoreArchive(ctx, at("restored.kstone"), from, engine.PointInTime{}, engine.RestoreOptions{})
	check(err)
	restored, err := engine.Open(at("restored.kstone"), engine.Options{})
	check(err)
	var order Order
	_, err = restored.Table("orders").Get("c#1", "2026-01-02").Into(ctx, &order)
	check(err)
	fmt.Println(order.Total)
	check(restored.Close())
	// Output:
	// <nil>
	// 7
}

// A backup goes to another machine as a stream.
func ExampleDB_BackupTo() {
	dir, err := os.MkdirTemp("", "kstone")
	check(err)
	defer func() { _ = os.RemoveAll(dir) }()
	at, ctx := func(name string) string { return filepath.Join(dir, name) }, context.Background()

	db, err := engine.Open(at("shop.kstone"), engine.Options{})
	check(err)
	var connection bytes.Buffer
	sent, err := db.BackupTo(ctx, &connection, engine.BackupOptions{})
	check(err)
	received, err := engine.ReceiveBackup(ctx, at("copy.kstone"), &connection, engine.RestoreOptions{})
	check(err)
	fmt.Println(sent == received)
	check(db.Close())
	// Output: true
}

// A backup is an ordinary database file, made while the database is in use. Incremental ones hold only
// what has changed since another backup.
func ExampleDB_Backup() {
	dir, err := os.MkdirTemp("", "kstone")
	check(err)
	defer func() { _ = os.RemoveAll(dir) }()
	at, ctx := func(name string) string { return filepath.Join(dir, name) }, context.Background()

	db, err := engine.Open(at("shop.kstone"), engine.Options{})
	check(err)
	_, err = db.Client().Create("orders").PK(build.StringKey("pk")).SK(build.StringKey("sk")).Run(ctx)
	check(err)
	check(db.Table("orders").Put(Order{Customer: "c#1", Date: "2026-01-02", Total: 7}).Run(ctx))
	_, err = db.Backup(ctx, at("monday.kstone"), engine.BackupOptions{})
	check(err)
	check(db.Table("orders").Put(Order{Customer: "c#1", Date: "2026-01-03", Total: 9}).Run(ctx))
	_, err = db.Backup(ctx, at("tuesday.kstone"), engine.BackupOptions{Base: at("monday.kstone")})
	check(err)
	check(db.Close())

	chain := []string{at("monday.kstone"), at("tuesday.kstone")}
	_, err = engine.RestoreBackups(ctx, at("restored.kstone"), chain, engine.RestoreOptions{})
	check(err)
	restored, err := engine.Open(at("restored.kstone"), engine.Options{})
	check(err)
	var order Order
	_, err = restored.Table("orders").Get("c#1", "2026-01-03").Into(ctx, &order)
	check(err)
	fmt.Println(order.Total)
	check(restored.Close())
	// Output: 9
}
