// Command gen writes the generated part of the contract from model.json alone: the structs, enums
// and service interface of engine/api, the constraint tables of engine/validate and the shape
// tables of the slow codec in dynamowire/codec.
//
// Run it in the root of the repository: go run ./scripts/gen
//
// model.json is our own compact description of the service: operations, errors and shapes with
// their limits, patterns and enums, in the orders in which the service prints and checks them. A
// test regenerates everything in memory and compares it with the files on disk.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sort"
)

func main() {
	root := flag.String("root", ".", "root of the repository")
	flag.Parse()
	if err := run(*root); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// run generates all files below root.
func run(root string) error {
	m, err := loadModel(modelJSON)
	if err != nil {
		return err
	}
	files, err := generate(m)
	if err != nil {
		return err
	}
	paths := make([]string, 0, len(files))
	for p := range files {
		paths = append(paths, p)
	}
	sort.Strings(paths)
	for _, p := range paths {
		full := filepath.Join(root, filepath.FromSlash(p))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(full, files[p], 0o644); err != nil {
			return err
		}
	}
	return nil
}

// generate returns the text of every generated file by its path below the root.
func generate(m *model) (map[string][]byte, error) {
	files := make(map[string][]byte)
	steps := []func(*model, map[string][]byte) error{
		genStructs, genEnums, genService, genForward, genConstraints, genSlow,
	}
	for _, step := range steps {
		if err := step(m, files); err != nil {
			return nil, err
		}
	}
	return files, nil
}
