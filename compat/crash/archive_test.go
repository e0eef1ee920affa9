package crash

import (
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// archiveCycles of kill, recovery and a restore to a point between them.
const archiveCycles = 2

// TestArchiveOverKills restores what a durable server had at points between kills, and at the end, from the
// archive that it kept: nothing that was answered is missing.
func TestArchiveOverKills(t *testing.T) {
	if testing.Short() {
		t.Skip("kills processes for some seconds")
	}
	bin, dir := binary(t), t.TempDir()
	file, kept := filepath.Join(dir, "crash.keystone"), filepath.Join(dir, "kept")
	archive := []string{"--archive", kept, "--archive-interval", "20ms"}
	rnd := rand.New(rand.NewPCG(seed, 9))
	c := &client{rnd: rand.New(rand.NewPCG(seed, 10))}
	s := start(t, bin, file, archive...)
	createTable(t, s)
	require.NoError(t, c.begin(t.Context(), s))
	for range archiveCycles {
		timer := time.AfterFunc(time.Duration(rnd.Int64N(int64(killAfterMax))), s.kill)
		require.NoError(t, c.load(t.Context(), s))
		timer.Stop()
		s.kill()
		s = start(t, bin, file, archive...)
		require.NoError(t, c.verify(t.Context(), s))
		then, restored := *c, filepath.Join(dir, "restored.keystone")
		restoreNow := func() {
			restore(t, bin, kept, restored, "--force", "--to-time", time.Now().Format(time.RFC3339Nano))
		}
		restoreNow() // a time is restored as exactly as marks come, on a busy machine late
		restoreNow() // by now the archive has all that was answered, whatever the marks
		at := start(t, bin, restored)
		require.NoError(t, then.verify(t.Context(), at))
		at.kill()
	}
	timer := time.AfterFunc(killAfterMax, s.kill)
	require.NoError(t, c.load(t.Context(), s))
	timer.Stop()
	s.kill()
	s = start(t, bin, file, archive...)
	require.NoError(t, c.verify(t.Context(), s))
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGTERM)) // ships what is left
	<-s.exited
	newest := filepath.Join(dir, "newest.keystone")
	restore(t, bin, kept, newest)
	require.NoError(t, c.verify(t.Context(), start(t, bin, newest)))
}

// restore runs kstone restore until the archive covers the point. A process that was killed early may have left
// no base backup, and the next one may still be making it.
func restore(t *testing.T, bin, archive, file string, more ...string) {
	t.Helper()
	args := append([]string{"restore", "--archive", archive}, more...)
	for {
		out, err := exec.Command(bin, append(args, file)...).CombinedOutput()
		if err == nil {
			return
		}
		require.Regexp(t, "covers the time up to|the archive has no base backup", string(out), strings.Join(args, " "))
		time.Sleep(pollEvery) //nolint:sleep // until another process has done its work
	}
}
