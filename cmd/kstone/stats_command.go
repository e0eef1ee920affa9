package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keystone-db/kstone/cmd/internal/show"
	"github.com/keystone-db/kstone/engine"
)

func newStats() *cobra.Command {
	return newData(dataCommand{
		use: "stats", reads: true, noItems: true,
		short: "Print the figures of a database: space, log, memory, tables, background work",
		long: `Of a file that no server uses this is what the file is now; counters begin at an open and are zero. With
--endpoint a running server is asked, at its /metrics (see kstone serve --metrics), where Prometheus
finds the same figures. As JSON, bytes and nanoseconds are whole numbers.`,
		example: "  kstone stats my.keystone\n  kstone stats --endpoint http://localhost:8000 --output json",
		run: func(s *session, _ []string) error {
			stats, err := readStats(s)
			if err != nil {
				return err
			}
			if s.out.Format == show.Table {
				return show.Facts(s.cmd.OutOrStdout(), s.out, statsFacts(stats))
			}
			text, err := json.Marshal(stats)
			if err != nil {
				return err
			}
			return show.Document(s.cmd.OutOrStdout(), s.out, text)
		},
	})
}

// readStats asks the file or the server.
func readStats(s *session) (*engine.Stats, error) {
	if db, ok := s.Service.(*engine.DB); ok {
		stats := db.Stats()
		return &stats, nil
	}
	url := strings.TrimSuffix(s.target.Endpoint, "/") + "/metrics"
	ask, err := http.NewRequestWithContext(s.ctx(), http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	ask.Header.Set("Accept", "application/json")
	client := &http.Client{Timeout: statsTimeout}
	answer, err := client.Do(ask)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "application/json" {
		return nil, fmt.Errorf("%s has no figures: start that server with --metrics on", url)
	}
	stats := new(engine.Stats)
	if err := json.NewDecoder(io.LimitReader(answer.Body, statsBytesMax)).Decode(stats); err != nil {
		return nil, errors.Join(fmt.Errorf("%s does not answer with figures", url), err)
	}
	return stats, nil
}

const (
	// statsTimeout bounds the wait for a server.
	statsTimeout = 30 * time.Second
	// statsBytesMax is how much of an answer is read.
	statsBytesMax = 1 << 20
)

// statsFacts are for people; JSON has the rest.
func statsFacts(s *engine.Stats) []show.Fact {
	return slices.Concat(spaceFacts(s), logFacts(s), memoryFacts(s), tableFigures(s), workFacts(s))
}

func fact(name, format string, args ...any) show.Fact {
	return show.Fact{Name: name, Value: fmt.Sprintf(format, args...)}
}

func spaceFacts(s *engine.Stats) []show.Fact {
	if s.InMemory {
		return []show.Fact{fact("file", "none, all is in memory")}
	}
	return []show.Fact{
		fact("file", "%s", size(s.FileBytes)),
		fact("  log", "%s in %d segments, %s in use", size(s.LogTotal), s.Segments, size(s.LogUse)),
		fact("  manifest", "%s, %s in use", size(s.ManifestBytes), size(s.ManifestUsed)),
		fact("  tables", "%s", size(s.TableSpace)),
		fact("  spills", "%s", size(s.SpillBytes)),
		fact("  held", "%s", size(s.HeldBytes)),
		fact("  free", "%s, %s of it holes", size(s.FreeBytes), size(s.HoleBytes)),
	}
}

func logFacts(s *engine.Stats) []show.Fact {
	pinned := "none"
	if s.PinnedStripe >= 0 {
		pinned = fmt.Sprintf("%d, from batch %s on", s.PinnedStripe, lsnText(s.PinnedLSN))
	}
	perGroup := 0.0
	if n := s.Groups - s.EmptyGroups; n > 0 {
		perGroup = float64(s.Frames) / float64(n)
	}
	return []show.Fact{
		fact("log position", "published %s, durable %s, tail %s", lsnText(s.VisibleLSN), lsnText(s.DurableLSN), lsnText(s.TailLSN)),
		fact("log tail pinned by stripe", "%s", pinned),
		fact("log written", "%s in %d groups, %.1f batches each", size(int64(s.LogBytes)), s.Groups, perGroup),
		fact("writers stalled", "%d times, %v in all, at most %v", s.Stalls, s.StallTotal, s.StallMax),
	}
}

// lsnText shows a number as its epoch and counter.
func lsnText(lsn uint64) string {
	const counterBits = 40
	return strconv.FormatUint(lsn>>counterBits, 10) + "." + strconv.FormatUint(lsn&(1<<counterBits-1), 10)
}

func memoryFacts(s *engine.Stats) []show.Fact {
	return []show.Fact{
		fact("memtables", "%s of %s, %d versions", size(s.MemtableBytes), size(s.MemtableBudget), s.MemtableVersions),
		fact("block cache", "%s of %s, %s hits", size(s.Cache.Bytes), size(s.Cache.Budget), share(s.Cache.Hits, s.Cache.Hits+s.Cache.Misses)),
		fact("graphs of vectors", "%s of %s", size(s.VectorBytes), size(s.VectorBudget)),
		fact("filters and indexes", "%s of %s, of %d tables", size(s.ResidentBytes), size(s.ResidentBudget), s.ResidentTables),
		fact("filters", "asked %d times, %s spared a look, %s false", s.FilterAsked,
			share(s.FilterNegative, s.FilterAsked), share(s.FilterFalse, s.FilterNegative+s.FilterFalse)),
	}
}

func tableFigures(s *engine.Stats) []show.Fact {
	facts := []show.Fact{fact("tables", "%d, %s, %d entries, %d of them tombstones", s.Tables, size(s.TableBytes), s.TableEntries, s.TableTombstones)}
	for l, level := range s.Levels {
		if level.Tables > 0 {
			facts = append(facts, fact("  level "+strconv.Itoa(l), "%d, %s, in %d stripes", level.Tables, size(level.Bytes), level.Stripes))
		}
	}
	for _, l := range s.ChangeLogs {
		facts = append(facts, fact("change log of "+l.Table, "%s", size(l.Bytes)))
	}
	return append(facts, fact("amplification", "write %.2f, space %.2f, read %.2f (at most %d)",
		s.WriteAmplification, s.SpaceAmplification, s.ReadAmplification, s.ReadAmplificationMax))
}

func workFacts(s *engine.Stats) []show.Fact {
	facts := []show.Fact{
		fact("flushes", "%d, %s, %v, %d failed", s.Passes, size(int64(s.FlushedBytes)), s.FlushTime.Round(time.Millisecond), s.FlushFailures),
		fact("compactions", "%d and %d moves, read %s, wrote %s, %v, %d failed", s.Compactions, s.Moves,
			size(int64(s.CompactRead)), size(int64(s.CompactWritten)), s.CompactTime.Round(time.Millisecond), s.CompactFailures),
		fact("background check", "%d passes, %s read, %d faults", s.ScrubPasses, size(int64(s.ScrubBytes)), s.ScrubFaults),
		fact("forks", "%d read this file", s.Forks),
		fact("snapshots", "%d, the oldest open for %v, %d batches and %s behind", s.Snapshots,
			s.OldestSnapshotAge.Round(time.Millisecond), s.OldestSnapshot, size(s.OldestSnapshotBytes)),
	}
	if s.CorruptStripes > 0 {
		facts = append(facts, fact("damaged", "%d stripes", s.CorruptStripes))
	}
	if s.Full {
		facts = append(facts, fact("disk", "full: puts are refused"))
	}
	return facts
}

// share of a whole in percent.
func share(part, whole uint64) string {
	if whole == 0 {
		return "-"
	}
	return strconv.FormatFloat(100*float64(part)/float64(whole), 'f', 1, 64) + " %"
}

// size of bytes for people.
func size(n int64) string {
	const step = 1024
	if n < step {
		return strconv.FormatInt(n, 10) + " B"
	}
	f, unit := float64(n), ""
	for _, unit = range [...]string{"KiB", "MiB", "GiB", "TiB"} {
		if f /= step; f < step {
			break
		}
	}
	return strconv.FormatFloat(f, 'f', 1, 64) + " " + unit
}
