package lint

import "strings"

const modulePath = "github.com/keystone-db/kstone/"

// anything as an allowed import stands for every package of the module.
const anything = "*"

// importTable says which packages of the module each package may import, tests aside. An entry
// that ends with "/..." stands for the package and everything below it.
//
// Data flows down, imports point down: doors know engine/api and engine/attr, never the engine's
// insides; exec never sees expression text; nothing above engine/storage knows files.
var importTable = map[string][]string{
	// values, contract, language
	"engine/number":   {},
	"engine/attr":     {"engine/number"},
	"engine/api":      {"engine/attr"},
	"engine/schema":   {"engine/attr"},
	"engine/ttl":      {"engine/attr", "engine/number"},
	"engine/key":      {"engine/attr", "engine/number", "engine/schema"},
	"engine/validate": {"engine/api", "engine/attr", "engine/number"},
	"engine/capacity": {"engine/api", "engine/attr"},
	"expr":            {"engine/attr", "engine/number"},

	"partiql": {"engine/attr", "engine/number", "engine/plan", "engine/schema", "expr"},

	// semantics
	"engine/plan":      {"engine/api", "engine/attr", "engine/key", "engine/index", "engine/number", "engine/schema", "expr"},
	"engine/index":     {"engine/schema", "engine/attr", "engine/key", "engine/number"},
	"engine/vector":    {},
	"engine/neighbors": {"engine/attr", "engine/key", "engine/lease", "engine/schema", "engine/storage", "engine/vector"},
	"engine/changelog": {"engine/storage", "engine/attr", "engine/key"},
	"engine/catalog":   {"engine/storage", "engine/schema", "engine/key", "engine/stream", "engine/api"},
	"engine/stream":    {"engine/storage", "engine/schema", "engine/attr", "engine/key", "engine/api"},
	"engine/exec": {"engine/plan", "expr", "engine/schema", "engine/attr", "engine/number",
		"engine/key", "engine/index", "engine/ttl", "engine/lease", "engine/capacity", "engine/storage", "engine/catalog",
		"engine/changelog", "engine/replica", "engine/stream", "engine/api"},
	"engine/crossref": {"engine/storage", "engine/schema", "engine/attr", "engine/key", "engine/index", "engine/ttl",
		"engine/backups", "engine/catalog", "engine/changelog", "engine/stream", "engine/exec", "engine/neighbors",
		"engine/replica", "engine/vector"},
	"engine": {"engine/...", "expr", "partiql", "dynamowire/codec"},
	// for people, over any api.Service
	"engine/build": {"engine/api", "engine/attr", "engine/number"},

	"engine/lease":    {"engine/key", "engine/storage"},
	"engine/replica":  {"engine/attr", "engine/key", "engine/storage"},
	"engine/backups":  {"engine/catalog", "engine/key", "engine/storage"},
	"engine/tasks":    {"engine/key", "engine/lease", "engine/storage"},
	"engine/policy":   {},
	"engine/insights": {},
	"engine/kinesis":  {"dynamowire/codec", "engine/attr"},
	"engine/follow":   {"engine/key", "engine/lease", "engine/schema", "engine/storage", "engine/stream"},

	// objects and their formats: lines of DynamoDB JSON are read and written by the codec that doors have
	"engine/objects":             {},
	"engine/transfer":            {"engine/api", "engine/attr"},
	"engine/transfer/compressed": {"engine/api"},
	"engine/transfer/csv":        {"engine/api", "engine/attr", "engine/transfer"},
	"engine/transfer/ion":        {"engine/api", "engine/attr", "engine/number", "engine/transfer"},
	"engine/transfer/input":      {"engine/api", "engine/objects", "engine/transfer/..."},
	"engine/transfer/manifest":   {},
	"engine/transfer/jsonl":      {"dynamowire/codec", "engine/api", "engine/attr", "engine/transfer"},

	// storage
	"engine/storage":             {},
	"engine/storage/storagetest": {"engine/storage"},
	"engine/storage/memstore":    {"engine/storage"},
	"engine/lsm":                 {"engine/storage", "engine/lsm/archive", "engine/lsm/internal/..."},
	"engine/lsm/archive":         {},

	// inside the LSM: each part only the ones below it
	"engine/lsm/internal/bug":        {},
	"engine/lsm/internal/invariants": {},
	"engine/lsm/internal/spread":     {},
	"engine/lsm/internal/crypt":      {},
	"engine/lsm/internal/base":       {"engine/storage"},
	"engine/lsm/internal/vfs":        {"engine/storage", "engine/lsm/internal/base"},
	"engine/lsm/internal/cache":      lsmParts("base", "bug", "invariants", "spread"),
	"engine/lsm/internal/merge":      lsmParts("base", "bug", "invariants"),
	"engine/lsm/internal/memtable":   lsmParts("base", "bug", "invariants", "merge"),
	"engine/lsm/internal/log":        lsmParts("base", "bug", "crypt", "invariants", "vfs"),
	"engine/lsm/internal/table":      lsmParts("base", "bug", "crypt", "invariants", "vfs", "cache", "merge", "spread"),
	"engine/lsm/internal/superblock": lsmParts("base", "bug", "crypt", "invariants", "vfs", "log"),
	"engine/lsm/internal/space":      lsmParts("base", "bug", "invariants", "vfs", "log"),
	"engine/lsm/internal/ondisk":     lsmParts("base", "crypt", "log", "manifest", "space", "superblock"),
	"engine/lsm/internal/archived":   lsmParts("base", "crypt", "log"),
	"engine/lsm/internal/newfile": lsmParts("base", "bug", "crypt", "invariants", "vfs", "log", "space", "superblock",
		"manifest", "table"),
	"engine/lsm/internal/verify":  lsmParts("base", "crypt", "log", "manifest", "ondisk", "space", "superblock", "table", "vfs"),
	"engine/lsm/internal/inspect": lsmParts("base", "log", "manifest", "ondisk", "superblock", "table", "vfs"),
	"engine/lsm/internal/salvage": lsmParts("base", "crypt", "log", "manifest", "memtable", "merge", "ondisk", "space", "superblock", "table", "vfs"),
	"engine/lsm/internal/manifest": lsmParts("base", "bug", "invariants", "vfs", "log", "space",
		"superblock", "table"),

	// doors
	"dynamowire/codec": {"engine/api", "engine/attr", "engine/number"},
	"dynamowire/sigv4": {"engine/api"},
	"dynamowire": {"dynamowire/codec", "dynamowire/sigv4", "engine/api", "engine/attr",
		"engine/number"},
	"dynamowire/client":   {"dynamowire/codec", "engine/api", "engine/attr"},
	"dynamowire/dump":     {"dynamowire/codec", "engine/api", "engine/attr", "engine/number"},
	"dynamowire/awslocal": {"dynamowire", "engine", "engine/api"},
	// grpcapi serves any operation as dynamowire.Call does, and knows its access keys
	"grpcapi": {"dynamowire", "dynamowire/codec", "dynamowire/sigv4", "engine/api", "engine/attr", "engine/number",
		"grpcapi/..."},
	"grpcapi/keystonev1": {},
	"grpcapi/internal/...": {"dynamowire/codec", "engine/api", "engine/attr", "engine/number", "grpcapi/internal/...",
		"grpcapi/keystonev1"},
	"grpcapi/client": {"dynamowire/codec", "engine/api", "engine/attr", "engine/build", "grpcapi/internal/...",
		"grpcapi/keystonev1"},

	// programs, tests of the built binary, tools
	"cmd/kstone":          {anything},
	"cmd/kstone-server":   {anything},
	"cmd/internal/...":    {anything},
	"compat":              {},
	"compat/doors":        {},
	"compat/crash":        {},
	"compat/mapping":      {},
	"compat/internal/...": {},
	"scripts/...":         {},
	"scripts/bench":       {"engine/lsm", "engine/storage"}, // a module of its own
}

// lsmParts names parts of the LSM, beside the contract that all of them may know.
func lsmParts(names ...string) []string {
	parts := []string{"engine/storage"}
	for _, name := range names {
		parts = append(parts, "engine/lsm/internal/"+name)
	}
	return parts
}

// moduleTable says who may import a third-party module; who is not named may import all modules
// that are not here.
var moduleTable = map[string][]string{
	"github.com/aws/":                     {"compat/...", "dynamowire/awslocal", "cmd/..."},
	"github.com/spf13/cobra":              {"cmd/..."},
	"github.com/go-chi/chi":               {"dynamowire"},
	"github.com/jedib0t/go-pretty":        {"cmd/..."},
	"golang.org/x/term":                   {"cmd/..."},
	"google.golang.org/grpc":              {"grpcapi/...", "cmd/..."},
	"google.golang.org/protobuf":          {"grpcapi/..."},
	"github.com/klauspost/compress/":      {"engine/lsm/...", "dynamowire", "dynamowire/dump", "engine/transfer/compressed"},
	"github.com/rs/zerolog":               {"engine", "dynamowire", "grpcapi", "cmd/..."},
	"github.com/cockroachdb/apd":          {"engine/number"},
	"golang.org/x/sys":                    {"engine/lsm/internal/vfs", "engine/vector", "cmd/..."},
	"github.com/rogpeppe/go-internal":     {},
	"github.com/cockroachdb/datadriven":   {},
	"github.com/anishathalye/porcupine":   {"engine/storage/storagetest"},
	"github.com/stretchr/testify/assert":  {"engine/storage/storagetest"},
	"github.com/stretchr/testify/require": {"engine/storage/storagetest", "compat/..."},
}

// allowedImports finds a package's row, "/..." rows included.
func allowedImports(pkg string) ([]string, bool) {
	if row, ok := importTable[pkg]; ok {
		return row, true
	}
	for name, row := range importTable {
		if strings.HasSuffix(name, "/...") && covers(name, pkg) {
			return row, true
		}
	}
	return nil, false
}

// covers says whether the entry of a table stands for the package.
func covers(entry, pkg string) bool {
	if entry == anything || entry == pkg {
		return true
	}
	prefix, ok := strings.CutSuffix(entry, "/...")
	return ok && (pkg == prefix || strings.HasPrefix(pkg, prefix+"/"))
}

// coversAny says whether one of the entries stands for the package.
func coversAny(entries []string, pkg string) bool {
	for _, entry := range entries {
		if covers(entry, pkg) {
			return true
		}
	}
	return false
}
