package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/keystone-db/kstone/engine"
)

// A fork is the whole database once more, at no cost: each test of a program can have its own.
func ExampleDB_Fork() {
	db, ctx := shop(), context.Background()
	defer func() { check(db.Close()) }()

	fork, err := db.Fork()
	check(err)
	check(fork.Table("orders").Put(Order{Customer: "c#1", Date: "2026-03-04", Total: 99}).Run(ctx))
	check(fork.Table("orders").Delete("c#1", "2025-12-24").Run(ctx))

	for _, d := range []*engine.DB{fork, db} {
		orders, err := d.Table("orders").Query().PK("c#1").All(ctx)
		check(err)
		fmt.Println(len(orders), orders[0].Get("sk").Text())
	}
	check(fork.Close())
	// Output:
	// 3 2026-01-02
	// 3 2025-12-24
}

// A database in memory goes back to a state that it had before, or to nothing.
func ExampleDB_Reset() {
	db, ctx := shop(), context.Background()
	defer func() { check(db.Close()) }()

	check(db.Checkpoint("three orders"))
	for range 2 {
		check(db.Table("orders").Put(Order{Customer: "c#1", Date: "2026-03-04", Total: 99}).Run(ctx))
		check(db.Reset("three orders"))
	}
	n, err := db.Table("orders").Scan().Count(ctx)
	check(err)
	fmt.Println(n)
	check(db.Reset(""))
	_, err = db.Table("orders").Scan().Count(ctx)
	fmt.Println(err)
	// Output:
	// 3
	// ResourceNotFoundException: Requested resource not found
}

func ExampleDB_Checkpoint() {
	db := shop()
	defer func() { check(db.Close()) }()

	check(db.Checkpoint("seeded"))
	check(db.Reset("seeded"))
	fmt.Println(db.Reset("seed"))
	// Output: reset to "seed": engine: no such checkpoint
}

// A checkpoint costs what is changed after it.
func ExampleDB_DropCheckpoint() {
	db := shop()
	defer func() { check(db.Close()) }()

	check(db.Checkpoint("seeded"))
	check(db.DropCheckpoint("seeded"))
	fmt.Println(errors.Is(db.DropCheckpoint("seeded"), engine.ErrNoCheckpoint))
	// Output: true
}

// What is in memory can be saved to a file, and another database in memory begin with it.
func ExampleDB_Save() {
	dir, err := os.MkdirTemp("", "kstone")
	check(err)
	defer func() { _ = os.RemoveAll(dir) }()
	path, ctx := filepath.Join(dir, "shop.kstone"), context.Background()

	db := shop()
	check(db.Save(ctx, path, engine.SaveOptions{}))
	check(db.Close())

	again, err := engine.OpenInMemory(engine.Options{Load: path})
	check(err)
	n, err := again.Table("orders").Scan().Count(ctx)
	check(err)
	fmt.Println(n)
	check(again.Close())
	// Output: 3
}
