package engine_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/build"
)

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
