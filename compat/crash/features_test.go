package crash

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// featureItems is how many items there are about, of featureBytes each, so that an index needs several
	// steps and a Scan gives them all at once.
	featureItems = 900
	featureBytes = 500
	featureDims  = 8
	featureKinds = 7
	// featureLifeMax bounds the life of a process, buildLifeMax while indexes are built and deleted.
	featureLifeMax = 60 * time.Millisecond
	buildLifeMax   = 12 * time.Millisecond
	// builds is how often the indexes are built; between two builds they are deleted.
	builds = 3
	// featureKills is the least number of kills.
	featureKills = 12
	// nearest is how many neighbours a search wants. Of two that are as near as this the server, which counts in
	// 32 bits, may name either.
	nearest  = 10
	sameness = 1e-5
)

// thing is an item of the test: what the model knows of it.
type thing struct {
	version int
	kind    string
	vector  [featureDims]float64
}

func (x thing) item(pk string) object {
	item := keyOf(pk)
	var vector []object
	for _, f := range x.vector {
		vector = append(vector, object{"N": strconv.FormatFloat(f, 'f', 3, 64)})
	}
	item["v"], item["g"], item["vec"] = attrN(x.version), attrS(x.kind), object{"L": vector}
	item["stuff"] = attrS(strings.Repeat("s", featureBytes))
	return item
}

// features is one table on which everything is switched on, its only writer, and what there must be.
type features struct {
	t       *testing.T
	bin     string
	file    string
	rnd     *rand.Rand
	lives   lives
	s       *server
	things  map[string]thing
	version int
	kills   int
	written int
}

// call does an operation that must succeed.
func (f *features) call(operation string, in object) map[string]any {
	f.t.Helper()
	a := f.s.call(f.t.Context(), operation, in)
	require.True(f.t, a.ok(), "%s: %+v", operation, a)
	return a.body
}

func (f *features) random() thing {
	f.version++
	x := thing{version: f.version, kind: fmt.Sprint("g", f.rnd.IntN(featureKinds))}
	for i := range x.vector {
		x.vector[i] = float64(f.rnd.IntN(2001)-1000) / 1000
	}
	return x
}

// write changes one item. Without an answer it is not known whether it has: it is done again after the kill,
// with the same outcome.
func (f *features) write() {
	pk := fmt.Sprint("item-", f.rnd.IntN(featureItems))
	x, operation, in := f.random(), "PutItem", object{"TableName": table}
	switch f.rnd.IntN(4) {
	case 0:
		operation, in["Key"] = "DeleteItem", keyOf(pk)
	case 1:
		operation, in["Key"] = "UpdateItem", keyOf(pk)
		in["UpdateExpression"] = "SET v = :v, g = :g, vec = :vec, stuff = :s"
		item := x.item(pk)
		in["ExpressionAttributeValues"] = object{":v": item["v"], ":g": item["g"], ":vec": item["vec"], ":s": item["stuff"]}
	default:
		in["Item"] = x.item(pk)
	}
	for {
		a := f.s.call(f.t.Context(), operation, in)
		if a.status == 0 {
			f.restart()
			continue
		}
		require.True(f.t, a.ok(), "%s: %+v", operation, a)
		break
	}
	f.written++
	if operation == "DeleteItem" {
		delete(f.things, pk)
		return
	}
	f.things[pk] = x
}

// restart kills the process, if it still runs, and starts another.
func (f *features) restart() {
	f.s.kill()
	f.kills++
	f.s = start(f.t, f.bin, f.file)
}

// outlive writes through one kill after the other until a look says that it is over.
func (f *features) outlive(life time.Duration, over func() bool) {
	for !over() {
		dead := time.AfterFunc(f.lives.next(f.t, life), f.s.kill)
		for was := f.kills; f.kills == was; {
			f.write()
		}
		dead.Stop()
	}
}

// indexes tells the indexes of a list in the table's description, and whether all of them are there.
func (f *features) indexes(list string) (n int, active bool) {
	description := f.call("DescribeTable", object{"TableName": table})["Table"].(object)
	indexes, _ := description[list].([]any)
	for _, ix := range indexes {
		if ix.(object)["IndexStatus"] != "ACTIVE" {
			return len(indexes), false
		}
	}
	return len(indexes), true
}

// build makes an index of both kinds, one after the other, over kills.
func (f *features) build() {
	f.call("UpdateTable", object{
		"TableName": table, "AttributeDefinitions": []object{{"AttributeName": "g", "AttributeType": "S"}},
		"GlobalSecondaryIndexUpdates": []object{{"Create": object{
			"IndexName": "by-kind", "KeySchema": []object{{"AttributeName": "g", "KeyType": "HASH"}},
			"Projection": object{"ProjectionType": "ALL"},
		}}},
	})
	there := func(list string) func() bool {
		return func() bool {
			n, active := f.indexes(list)
			return n == 1 && active
		}
	}
	f.outlive(buildLifeMax, there("GlobalSecondaryIndexes"))
	f.call("UpdateTable", object{
		"TableName": table,
		"VectorIndexUpdates": []object{{"Create": object{
			"IndexName": "by-vector", "VectorAttribute": object{"AttributeName": "vec"}, "Dimensions": featureDims,
			"DistanceFunction": "EUCLIDEAN", "Projection": object{"ProjectionType": "ALL"},
		}}},
	})
	f.outlive(buildLifeMax, there("VectorIndexes"))
}

// unbuild deletes them, over kills.
func (f *features) unbuild() {
	for list, name := range map[string]string{"GlobalSecondaryIndex": "by-kind", "VectorIndex": "by-vector"} {
		f.call("UpdateTable", object{
			"TableName": table, list + "Updates": []object{{"Delete": object{"IndexName": name}}},
		})
		f.outlive(buildLifeMax, func() bool {
			n, _ := f.indexes(list + "es")
			return n == 0
		})
	}
}

// found are the versions of items by key.
func found(items []any) map[string]int {
	out := map[string]int{}
	for _, it := range items {
		out[it.(object)["pk"].(object)["S"].(string)] = numberIn(it.(object), "v")
	}
	return out
}

func versionsOf(things map[string]thing, want func(thing) bool) map[string]int {
	out := map[string]int{}
	for pk, x := range things {
		if want(x) {
			out[pk] = x.version
		}
	}
	return out
}

func all(thing) bool { return true }

// verify compares the table and its indexes with the model.
func (f *features) verify() {
	f.t.Helper()
	body := f.call("Scan", object{"TableName": table, "ConsistentRead": true})
	require.Nil(f.t, body["LastEvaluatedKey"])
	require.Equal(f.t, versionsOf(f.things, all), found(body["Items"].([]any)))
	for g := range featureKinds {
		kind := fmt.Sprint("g", g)
		body := f.call("Query", object{
			"TableName": table, "IndexName": "by-kind", "KeyConditionExpression": "g = :g",
			"ExpressionAttributeValues": object{":g": attrS(kind)},
		})
		require.Equal(f.t, versionsOf(f.things, func(x thing) bool { return x.kind == kind }), found(body["Items"].([]any)))
	}
	for range 5 {
		f.search(f.random())
	}
}

// search compares a search with the exact one. The table is small enough that they must be the same.
func (f *features) search(at thing) {
	f.t.Helper()
	distance := func(x thing) (sum float64) {
		for i, v := range x.vector {
			sum += (v - at.vector[i]) * (v - at.vector[i])
		}
		return sum
	}
	near := slices.SortedFunc(maps.Keys(f.things), func(a, b string) int {
		return cmp.Compare(distance(f.things[a]), distance(f.things[b]))
	})[:nearest]
	body := f.call("SearchVectors", object{
		"TableName": table, "IndexName": "by-vector", "TopK": nearest, "SearchVector": at.item("")["vec"].(object)["L"],
	})
	var pks []string
	for _, r := range body["SearchResults"].([]any) {
		pks = append(pks, r.(object)["Item"].(object)["pk"].(object)["S"].(string))
	}
	require.Len(f.t, pks, nearest)
	require.Len(f.t, slices.Compact(slices.Sorted(slices.Values(pks))), nearest, "%v", pks)
	for i, pk := range pks {
		require.Contains(f.t, f.things, pk)
		require.InDelta(f.t, distance(f.things[near[i]]), distance(f.things[pk]), sameness, "%v, not %v", pks, near)
	}
}

// TestIndexesOverKills: indexes that are built while somebody writes and the process is killed again and again
// hold what the table holds, its stream tells every change, and it can be restored as it was in the middle of it.
func TestIndexesOverKills(t *testing.T) {
	if testing.Short() {
		t.Skip("kills processes for some seconds")
	}
	f := &features{
		t: t, bin: binary(t), file: filepath.Join(t.TempDir(), "crash.keystone"), things: map[string]thing{},
		rnd: rand.New(rand.NewPCG(seed, 50)),
	}
	f.lives.rnd = f.rnd
	f.s = start(t, f.bin, f.file)
	createTable(t, f.s)
	f.call("UpdateContinuousBackups", object{
		"TableName": table, "PointInTimeRecoverySpecification": object{"PointInTimeRecoveryEnabled": true},
	})
	stream := &tail{state: map[string]string{}}
	require.NoError(t, stream.find(t.Context(), f.s))
	for range featureItems {
		f.write()
	}
	f.build()
	for range builds - 1 {
		f.verify()
		f.unbuild()
		f.build()
	}
	building := f.kills
	time.Sleep(2 * time.Millisecond) //nolint:sleep // the moment that is restored lies between two writes
	then, before := time.Now(), maps.Clone(f.things)
	time.Sleep(2 * time.Millisecond) //nolint:sleep // and so does its end
	f.outlive(featureLifeMax, func() bool { return f.kills >= building+featureKills })
	f.verify()
	require.NoError(t, stream.verify(t.Context(), f.s))

	f.call("RestoreTableToPointInTime", object{
		"SourceTableName": table, "TargetTableName": "earlier", "RestoreDateTime": float64(then.UnixMilli()) / 1000,
	})
	f.outlive(featureLifeMax, func() bool {
		return f.call("DescribeTable", object{"TableName": "earlier"})["Table"].(object)["TableStatus"] == "ACTIVE"
	})
	body := f.call("Scan", object{"TableName": "earlier", "ConsistentRead": true})
	require.Equal(t, versionsOf(before, all), found(body["Items"].([]any)))
	f.verify()
	f.s.kill()
	out, err := exec.Command(f.bin, "verify", f.file).CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Logf("%d kills, %d while indexes were built, %d writes", f.kills, building, f.written)
}
