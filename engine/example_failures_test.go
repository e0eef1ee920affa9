package engine_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/build"
)

// What a request fails with through no fault of its own is told apart with errors.Is.
func ExampleOpen_failures() {
	ctx := context.Background()
	db, err := engine.Open("", engine.Options{InMemory: true})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := db.Client().Create("users").PK(build.StringKey("id")).Run(ctx); err != nil {
		log.Fatal(err)
	}
	if err := db.Close(); err != nil {
		log.Fatal(err)
	}
	err = db.Table("users").Put(map[string]string{"id": "u1"}).Run(ctx)
	damage, damaged := errors.AsType[*engine.DamageError](err)
	switch {
	case damaged:
		fmt.Println("damaged:", damage.Region, damage.Offset)
	case errors.Is(err, engine.ErrFull):
		fmt.Println("make room, or delete something")
	case errors.Is(err, engine.ErrFailed):
		fmt.Println("close it, look after the disk, and open it again")
	case errors.Is(err, engine.ErrClosed):
		fmt.Println("closed, and nothing was done")
	}
	// Output: closed, and nothing was done
}
