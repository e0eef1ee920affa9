package engine_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/keystone-db/kstone/engine"
)

func ExampleSalvage() {
	dir, err := os.MkdirTemp("", "salvage")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	damaged, path := filepath.Join(dir, "damaged.keystone"), filepath.Join(dir, "new.keystone")
	db, err := engine.Open(damaged, engine.Options{})
	if err != nil {
		log.Fatal(err)
	}
	if err := db.Close(); err != nil {
		log.Fatal(err)
	}

	// Both superblocks are lost.
	f, err := os.OpenFile(damaged, os.O_WRONLY, 0)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := f.WriteAt(make([]byte, 8192), 0); err != nil {
		log.Fatal(err)
	}
	if err := f.Close(); err != nil {
		log.Fatal(err)
	}

	report, err := engine.Salvage(context.Background(), damaged, path, engine.SalvageOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for _, loss := range report.Losses {
		fmt.Println(loss.String())
	}
	fmt.Println(report.Verified.OK)
	// Output:
	// superblock at offset 0 (4096 bytes), copy 0: it does not verify
	// superblock at offset 4096 (4096 bytes), copy 1: it does not verify
	// manifest: nothing says where it is; tables are looked for in the whole file, and what was deleted may be there again
	// true
}
