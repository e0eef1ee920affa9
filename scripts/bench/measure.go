package main

import (
	"io/fs"
	"math/bits"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// histogram of durations in buckets of at most 1.6 %; safe for concurrent use.
type histogram struct {
	counts [64 * subBuckets]atomic.Uint32
	max    atomic.Int64
}

const (
	subBits    = 6
	subBuckets = 1 << subBits
)

func (h *histogram) add(d time.Duration) {
	n := uint64(max(d, 0))
	shift := max(bits.Len64(n)-subBits-1, 0)
	h.counts[shift*subBuckets+int(n>>shift)].Add(1)
	for old := h.max.Load(); int64(d) > old && !h.max.CompareAndSwap(old, int64(d)); old = h.max.Load() {
	}
}

// quantile in microseconds.
func (h *histogram) quantile(q float64) float64 {
	var total uint64
	for i := range h.counts {
		total += uint64(h.counts[i].Load())
	}
	rank, seen := uint64(q*float64(total)), uint64(0)
	for i := range h.counts {
		if seen += uint64(h.counts[i].Load()); seen > rank {
			shift := max(i/subBuckets-1, 0)
			return float64(uint64(i-shift*subBuckets)<<shift) / 1e3
		}
	}
	return 0
}

// cpu is what this process has computed.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// fromProc reads one number of a file of /proc/self with lines "name: number …"; 0 where there is none.
func fromProc(file, name string) float64 {
	text, err := os.ReadFile("/proc/self/" + file)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			n, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return n
		}
	}
	return 0
}

// anonymousMiB is the memory of this process that no file backs.
func anonymousMiB() float64 { return fromProc("status", "RssAnon") / 1024 }

// writtenMiB is what this process has caused to be written to disks.
func writtenMiB() float64 { return fromProc("io", "write_bytes") / (1 << 20) }

// diskMiB is what the files below a folder take, holes left out.
func diskMiB(dir string) float64 {
	var blocks int64
	_ = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		if info, err := d.Info(); err == nil {
			blocks += info.Sys().(*syscall.Stat_t).Blocks
		}
		return nil
	})
	return float64(blocks) * 512 / (1 << 20)
}
