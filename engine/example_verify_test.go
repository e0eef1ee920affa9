package engine_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/keystone-db/kstone/engine"
)

func ExampleVerify() {
	dir, err := os.MkdirTemp("", "verify")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "my.keystone")
	db, err := engine.Open(path, engine.Options{})
	if err != nil {
		log.Fatal(err)
	}
	if err := db.Close(); err != nil {
		log.Fatal(err)
	}

	// One of its two superblocks is lost.
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("oops"), 4100); err != nil {
		log.Fatal(err)
	}
	if err := f.Close(); err != nil {
		log.Fatal(err)
	}

	report, err := engine.Verify(context.Background(), path, engine.VerifyOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report.OK, report.Errors)
	for _, fault := range report.Faults {
		fmt.Println(fault.String())
	}
	// Output:
	// false 1
	// error: superblock at offset 4096 (4096 bytes), copy 1: it does not verify
}
