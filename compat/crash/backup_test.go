package crash

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// copiedItems have copiedBytes each: a backup and a restore take several steps.
	copiedItems = 4000
	copiedBytes = 2000
	batchItems  = 25
	// copyLifeMax bounds the life of a process while it copies.
	copyLifeMax = 40 * time.Millisecond
)

// fillCopied writes all items with a version.
func fillCopied(t *testing.T, s *server, version int) {
	t.Helper()
	for first := 0; first < copiedItems; first += batchItems {
		var puts []object
		for i := first; i < first+batchItems; i++ {
			item := keyOf(fmt.Sprint("item-", i))
			item["v"], item["pad"] = attrN(version), attrS(strings.Repeat("x", copiedBytes))
			puts = append(puts, object{"PutRequest": object{"Item": item}})
		}
		a := s.call(t.Context(), "BatchWriteItem", object{"RequestItems": object{table: puts}})
		require.True(t, a.ok(), "%+v", a)
	}
}

// versions counts the items of a table by version.
func versions(t *testing.T, s *server, table string) map[string]int {
	t.Helper()
	found := map[string]int{}
	in := object{"TableName": table}
	for {
		a := s.call(t.Context(), "Scan", in)
		require.True(t, a.ok(), "%+v", a)
		items, _ := a.body["Items"].([]any)
		for _, it := range items {
			v, _ := it.(object)["v"].(object)["N"].(string)
			found[v]++
		}
		if in["ExclusiveStartKey"] = a.body["LastEvaluatedKey"]; in["ExclusiveStartKey"] == nil {
			return found
		}
	}
}

// TestCopiesOverKills: a backup and restores go on after each SIGKILL and come to the right end.
func TestCopiesOverKills(t *testing.T) {
	if testing.Short() {
		t.Skip("kills processes for some seconds")
	}
	bin, file := binary(t), filepath.Join(t.TempDir(), "crash.keystone")
	lives := lives{rnd: rand.New(rand.NewPCG(seed, 20))}
	s := start(t, bin, file)
	createTable(t, s)
	ctx := t.Context()
	a := s.call(ctx, "UpdateContinuousBackups", object{
		"TableName": table, "PointInTimeRecoverySpecification": object{"PointInTimeRecoveryEnabled": true},
	})
	require.True(t, a.ok(), "%+v", a)
	fillCopied(t, s, 1)
	then := time.Now()
	time.Sleep(time.Second) //nolint:sleep // the moment that is restored lies between the two
	fillCopied(t, s, 2)
	a = s.call(ctx, "CreateBackup", object{"TableName": table, "BackupName": "over-kills"})
	require.True(t, a.ok(), "%+v", a)
	arn := a.body["BackupDetails"].(object)["BackupArn"]
	// outlive kills servers until a look at one says that it is over.
	outlive := func(look func() string, end string) {
		for status := ""; status != end; {
			time.Sleep(lives.next(t, copyLifeMax)) //nolint:sleep // how far it comes is left to chance
			s.kill()
			s = start(t, bin, file)
			status = look()
		}
	}
	outlive(func() string {
		a := s.call(ctx, "DescribeBackup", object{"BackupArn": arn})
		require.True(t, a.ok(), "%+v", a)
		return a.body["BackupDescription"].(object)["BackupDetails"].(object)["BackupStatus"].(string)
	}, "AVAILABLE")
	tableStatus := func(name string) func() string {
		return func() string {
			a := s.call(ctx, "DescribeTable", object{"TableName": name})
			require.True(t, a.ok(), "%+v", a)
			return a.body["Table"].(object)["TableStatus"].(string)
		}
	}
	a = s.call(ctx, "RestoreTableFromBackup", object{"TargetTableName": "restored", "BackupArn": arn})
	require.True(t, a.ok(), "%+v", a)
	outlive(tableStatus("restored"), "ACTIVE")
	require.Equal(t, map[string]int{"2": copiedItems}, versions(t, s, "restored"))
	a = s.call(ctx, "RestoreTableToPointInTime", object{
		"SourceTableName": table, "TargetTableName": "earlier", "RestoreDateTime": float64(then.UnixMilli()) / 1000,
	})
	require.True(t, a.ok(), "%+v", a)
	outlive(tableStatus("earlier"), "ACTIVE")
	require.Equal(t, map[string]int{"1": copiedItems}, versions(t, s, "earlier"))
	a = s.call(ctx, "DeleteBackup", object{"BackupArn": arn})
	require.True(t, a.ok(), "%+v", a)
	a = s.call(ctx, "DeleteTable", object{"TableName": table})
	require.True(t, a.ok(), "%+v", a)
	s.kill()
	s = start(t, bin, file)
	a = s.call(ctx, "ListBackups", object{"BackupType": "ALL"})
	require.Len(t, a.body["BackupSummaries"], 1, "that of the deleted table")
	s.kill()
	out, err := exec.Command(bin, "verify", file).CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Logf("%d kills", lives.kills)
}
