package engine

import (
	"math"
	"strconv"
	"time"

	"github.com/keystone-db/kstone/engine/lsm"
)

// SampleKind is the type of a sample, by its name in Prometheus.
type SampleKind string

// Kinds of samples.
const (
	Counter   SampleKind = "counter"   // grows from 0 at Open on
	Gauge     SampleKind = "gauge"     // is as it is now
	Histogram SampleKind = "histogram" // counts by size since Open, in buckets
)

// Sample is one figure of Stats in the manner of Prometheus: names end with their unit (bytes,
// seconds), those of counters with _total.
type Sample struct {
	Name, Help string
	Kind       SampleKind
	// Points have one value, or one for each value of a label, or the buckets of a histogram.
	Points []SamplePoint
}

// SamplePoint is one value of a sample.
type SamplePoint struct {
	// Suffix comes after the name: _bucket, _sum and _count of histograms.
	Suffix string
	// Label and LabelValue tell points of a sample apart; empty when there is one only.
	Label, LabelValue string
	Value             float64
}

// samples collects.
type samples struct{ list []Sample }

func (s *samples) add(kind SampleKind, name, help string, points ...SamplePoint) {
	s.list = append(s.list, Sample{Name: "kstone_" + name, Help: help, Kind: kind, Points: points})
}

func (s *samples) gauge(name, help string, value float64) {
	s.add(Gauge, name, help, SamplePoint{Value: value})
}

func (s *samples) counter(name, help string, value uint64) {
	s.add(Counter, name+"_total", help, SamplePoint{Value: float64(value)})
}

func (s *samples) time(name, help string, d time.Duration) {
	s.add(Counter, name+"_seconds_total", help, SamplePoint{Value: d.Seconds()})
}

func flag(set bool) float64 {
	if set {
		return 1
	}
	return 0
}

// Samples lists the figures for a collector of Prometheus or another of its kind, always the same ones
// in the same order. AppendPrometheus writes them as text.
func (s *Stats) Samples() []Sample {
	var out samples
	s.spaceSamples(&out)
	s.logSamples(&out)
	s.memorySamples(&out)
	s.tableSamples(&out)
	s.workSamples(&out)
	s.consumerSamples(&out)
	var logs []SamplePoint
	for _, l := range s.ChangeLogs {
		logs = append(logs, SamplePoint{Label: "table", LabelValue: l.Table, Value: float64(l.Bytes)})
	}
	out.add(Gauge, "change_log_bytes", "Bytes of keys and values of the change log of a table, about.", logs...)
	return out.list
}

func (s *Stats) spaceSamples(out *samples) {
	region := func(name string, bytes int64) SamplePoint {
		return SamplePoint{Label: "region", LabelValue: name, Value: float64(bytes)}
	}
	out.add(Gauge, "file_bytes", "Size of the database file by region; the sum is the file.",
		region("superblock", s.SuperblockBytes), region("log", s.LogTotal), region("manifest", s.ManifestBytes),
		region("tables", s.TableSpace), region("spills", s.SpillBytes), region("held", s.HeldBytes),
		region("free", s.FreeBytes))
	out.gauge("hole_bytes", "Free bytes of the file that take no room on the disk.", float64(s.HoleBytes))
	out.gauge("writable", "Is 1 while writes are taken, 0 after a failure of the log or when opened for reading.",
		flag(s.Poisoned == nil && !s.ReadOnly))
	out.gauge("disk_full", "Is 1 while puts are refused for want of space.", flag(s.Full))
	out.gauge("write_amplification", "Bytes written since the open by bytes of the batches.", s.WriteAmplification)
	out.gauge("space_amplification", "Size of all tables by that of the lowest ones.", s.SpaceAmplification)
	out.gauge("read_amplification", "Tables that a get may have to come to.", s.ReadAmplification)
}

func (s *Stats) logSamples(out *samples) {
	out.gauge("log_use_bytes", "Bytes of the log that are not free.", float64(s.LogUse))
	out.gauge("log_segments", "Segments of the log.", float64(s.Segments))
	out.gauge("log_visible_lsn", "Number of the last published batch.", float64(s.VisibleLSN))
	out.gauge("log_tail_lsn", "Number of the first batch that replay would apply.", float64(s.TailLSN))
	out.gauge("log_pinned_stripe", "Stripe with the oldest batch that is in memory only, -1 without.", float64(s.PinnedStripe))
	out.counter("log_groups", "Groups of batches written, empty ones included.", s.Groups)
	out.counter("log_written_bytes", "Bytes of groups.", s.LogBytes)
	out.counter("log_payload_bytes", "Bytes of batches in groups.", s.PayloadBytes)
	out.counter("log_syncs", "Syncs beside the writes.", s.Syncs)
	out.counter("log_claims", "Segments that were begun.", s.Claims)
	out.counter("spills", "Batches too large for the log.", s.Spills)
	out.counter("spilled_bytes", "Bytes of batches too large for the log.", s.SpilledBytes)
	out.counter("manifest_written_bytes", "Bytes of groups of the manifest.", s.ManifestWritten)
	out.add(Histogram, "log_group_batches", "Batches of a group that has some.", s.groupBuckets()...)
	out.counter("stalls", "Waits of writers for room or by the gate's delay.", s.Stalls)
	out.time("stall", "Time that writers waited for room or by the gate's delay.", s.StallTotal)
	out.gauge("stall_longest_seconds", "Longest wait of a writer since the open.", s.StallMax.Seconds())
	out.gauge("stalled_writers", "Writers that wait for room now.", float64(s.StalledNow))
}

func (s *Stats) groupBuckets() []SamplePoint {
	var points []SamplePoint
	var sum uint64
	for i, n := range s.GroupSizes {
		sum += n
		le := "+Inf"
		if most := lsm.GroupSizeMax(i); most > 0 {
			le = strconv.Itoa(most)
		}
		points = append(points, SamplePoint{Suffix: "_bucket", Label: "le", LabelValue: le, Value: float64(sum)})
	}
	return append(points, SamplePoint{Suffix: "_sum", Value: float64(s.Frames)},
		SamplePoint{Suffix: "_count", Value: float64(sum)})
}

func (s *Stats) memorySamples(out *samples) {
	out.gauge("memtable_bytes", "Bytes of memtables.", float64(s.MemtableBytes))
	out.gauge("memtable_budget_bytes", "Bytes of memtables from which they are flushed.", float64(s.MemtableBudget))
	out.gauge("memtable_versions", "Versions of keys in memtables.", float64(s.MemtableVersions))
	out.counter("cache_hits", "Blocks found in the cache.", s.Cache.Hits)
	out.counter("cache_misses", "Blocks not found in the cache.", s.Cache.Misses)
	out.gauge("cache_bytes", "Bytes of blocks in the cache.", float64(s.Cache.Bytes))
	out.gauge("cache_budget_bytes", "Room of the cache.", float64(s.Cache.Budget))
	out.gauge("vector_bytes", "Bytes of memory of graphs of vectors, about.", float64(s.VectorBytes))
	out.gauge("vector_budget_bytes", "Room of graphs of vectors.", float64(s.VectorBudget))
	out.gauge("resident_bytes", "Bytes of filters, indexes and properties in memory.", float64(s.ResidentBytes))
	out.gauge("resident_tables", "Tables whose filters and indexes are in memory.", float64(s.ResidentTables))
	out.counter("filter_asked", "Questions to filters about a key.", s.FilterAsked)
	out.counter("filter_negative", "Answers that spared a look into a table.", s.FilterNegative)
	out.counter("filter_false_positive", "Answers that led into a table in vain.", s.FilterFalse)
	out.counter("filter_prefix_asked", "Questions to filters about a partition.", s.PrefixAsked)
	out.counter("filter_prefix_negative", "Answers that spared a scan of a table.", s.PrefixNegative)
}

func (s *Stats) tableSamples(out *samples) {
	var tables, bytes []SamplePoint
	for l, level := range s.Levels {
		name := strconv.Itoa(l)
		tables = append(tables, SamplePoint{Label: "level", LabelValue: name, Value: float64(level.Tables)})
		bytes = append(bytes, SamplePoint{Label: "level", LabelValue: name, Value: float64(level.Bytes)})
	}
	out.add(Gauge, "level_tables", "Tables of a level, over all stripes.", tables...)
	out.add(Gauge, "level_bytes", "Bytes of the tables of a level.", bytes...)
	out.gauge("level0_tables_max", "Most tables of level 0 that one stripe has.", float64(s.Level0Max))
	out.gauge("table_entries", "Versions in tables.", float64(s.TableEntries))
	out.gauge("table_tombstones", "Keys in tables that are deleted there.", float64(s.TableTombstones))
	out.gauge("dead_ranges", "Dropped ranges that may still have keys in tables.", float64(s.DeadRanges))
	out.gauge("corrupt_stripes", "Stripes with a table that does not verify.", float64(s.CorruptStripes))
}

func (s *Stats) workSamples(out *samples) {
	out.counter("flushes", "Passes of the flusher.", s.Passes)
	out.counter("flush_failures", "Passes that did not end well.", s.FlushFailures)
	out.counter("flushed_bytes", "Bytes of tables that flushes wrote.", s.FlushedBytes)
	out.time("flush", "Time in passes.", s.FlushTime)
	out.counter("compactions", "Compactions that wrote.", s.Compactions)
	out.counter("compaction_moves", "Tables that went down unwritten.", s.Moves)
	why := []SamplePoint{}
	for _, r := range []struct {
		name  string
		count uint64
	}{
		{"writes", s.CompactFor.Writes}, {"reads", s.CompactFor.Reads}, {"size", s.CompactFor.Size},
		{"space", s.CompactFor.Space}, {"dead", s.CompactFor.Dead}, {"room", s.CompactFor.Room},
	} {
		why = append(why, SamplePoint{Label: "reason", LabelValue: r.name, Value: float64(r.count)})
	}
	out.add(Counter, "compactions_by_reason_total", "Compactions and moves, by what they were made for.", why...)
	out.counter("compaction_failures", "Compactions that did not end well.", s.CompactFailures)
	out.counter("compaction_read_bytes", "Bytes of tables that compactions read.", s.CompactRead)
	out.counter("compaction_written_bytes", "Bytes of tables that compactions wrote.", s.CompactWritten)
	out.time("compaction", "Time in compactions, of all workers.", s.CompactTime)
	out.counter("scrub_passes", "Passes of the background check.", s.ScrubPasses)
	out.counter("scrub_bytes", "Bytes that the background check read.", s.ScrubBytes)
	out.counter("scrub_faults", "Times the background check met something wrong.", s.ScrubFaults)
	out.gauge("snapshots", "Open snapshots.", float64(s.Snapshots))
	out.gauge("forks", "Open forks that read this file.", float64(s.Forks))
	out.gauge("snapshot_oldest_seconds", "How long the oldest snapshot has been open.", s.OldestSnapshotAge.Seconds())
	out.gauge("snapshot_oldest_behind", "Batches since the oldest snapshot.", float64(s.OldestSnapshot))
	out.gauge("snapshot_oldest_bytes", "Keys and values written since the oldest snapshot.", float64(s.OldestSnapshotBytes))
	out.counter("snapshots_ended", "Snapshots that were past a limit.", s.SnapshotsEnded)
	if s.Archived {
		out.gauge("archive_covered_timestamp_seconds", "Up to when the archive has everything.", unixSeconds(s.ArchiveCovered))
		out.gauge("archive_base_timestamp_seconds", "When the newest base backup in the archive was made.", unixSeconds(s.ArchiveBase))
		out.counter("archive_gaps", "Times the log went on without its archive.", uint64(s.ArchiveGaps))
		out.gauge("archive_failing", "Is 1 when the last shipment to the archive failed.", flag(s.ArchiveFailing))
	}
}

// unixSeconds is 0 for no time.
func unixSeconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

func (s *Stats) consumerSamples(out *samples) {
	var lag, passed, missed, refused []SamplePoint
	for _, c := range s.Consumers {
		point := SamplePoint{Label: "consumer", LabelValue: c.Table + "/" + c.Consumer}
		point.Value = c.Lag.Seconds()
		lag = append(lag, point)
		point.Value = float64(c.Passed)
		passed = append(passed, point)
		point.Value = float64(c.Missed)
		missed = append(missed, point)
		point.Value = float64(c.Refused)
		refused = append(refused, point)
	}
	out.add(Gauge, "consumer_lag_seconds", "Time since a consumer of a table's changes had all of them, 0 while it has.", lag...)
	out.add(Gauge, "consumer_passed_records", "Changes that were delivered to a consumer since it was added.", passed...)
	out.add(Gauge, "consumer_refused_records", "Changes that a consumer would never take and that were left out, since the start.", refused...)
	out.add(Gauge, "consumer_missed", "How often changes were too old before a consumer had them.", missed...)
}

// AppendPrometheus appends the samples in the text format of Prometheus, version 0.0.4.
func (s *Stats) AppendPrometheus(dst []byte) []byte {
	for _, sample := range s.Samples() {
		dst = append(append(append(dst, "# HELP "...), sample.Name...), ' ')
		dst = append(append(dst, sample.Help...), '\n')
		dst = append(append(append(dst, "# TYPE "...), sample.Name...), ' ')
		dst = append(append(dst, sample.Kind...), '\n')
		for _, p := range sample.Points {
			dst = append(append(dst, sample.Name...), p.Suffix...)
			if p.Label != "" {
				dst = append(append(append(dst, '{'), p.Label...), '=')
				dst = append(strconv.AppendQuote(dst, p.LabelValue), '}')
			}
			dst = append(appendNumber(append(dst, ' '), p.Value), '\n')
		}
	}
	return dst
}

// appendNumber writes whole numbers without an exponent, as people read them.
func appendNumber(dst []byte, v float64) []byte {
	if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
		return strconv.AppendInt(dst, int64(v), 10)
	}
	return strconv.AppendFloat(dst, v, 'g', -1, 64)
}
