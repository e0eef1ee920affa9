package dynamowire

import (
	"bytes"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Of what an answer takes from chance only the form is known: of a table's id that it is a version 4
// UUID, of the id of a shard, backup, export, import or bulk operation its last part, of an iterator, which is opaque and holds the shard's id, what comes
// after the ARN (wire-facts §7.1).
var (
	tableIDs  = regexp.MustCompile(`("TableId":"|tableId: )[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\b`)
	shardIDs  = regexp.MustCompile(`(shardId-\d{20}-)([0-9a-f]{8})\b`)
	copyIDs   = regexp.MustCompile(`(/(?:backup|export|import|bulk-operation)/0\d{13}-)([0-9a-f]{8})\b`)
	iterators = regexp.MustCompile(`("(?:Next)?ShardIterator":"arn:[^|"]+\|1\|)([A-Za-z0-9+/]{40,}={0,2})"`)
	named     = regexp.MustCompile(`\b(HEX|ITERATOR)(\d+)\b`)
)

// chance holds the parts of ids and iterators that answers gave, in order. Files name them HEX1,
// ITERATOR1 and so on, in answers and in the requests that send them back.
type chance struct{ hexes, iterators []string }

// inAnswer puts names for the parts by chance.
func (c *chance) inAnswer(body []byte) []byte {
	if !bytes.Contains(body, []byte(`ableId`)) && !bytes.Contains(body, []byte("Shard")) && !copyIDs.Match(body) {
		return body // of megabytes maybe, which the patterns are slow to read
	}
	text := tableIDs.ReplaceAllString(string(body), `${1}UUID`)
	for _, ids := range []*regexp.Regexp{shardIDs, copyIDs} {
		text = ids.ReplaceAllStringFunc(text, func(id string) string {
			m := ids.FindStringSubmatch(id)
			return m[1] + "HEX" + number(&c.hexes, m[2])
		})
	}
	return []byte(iterators.ReplaceAllStringFunc(text, func(member string) string {
		m := iterators.FindStringSubmatch(member)
		return m[1] + "ITERATOR" + number(&c.iterators, m[2]) + `"`
	}))
}

// number is the place of a part among those seen, from 1.
func number(seen *[]string, part string) string {
	at := slices.Index(*seen, part)
	if at < 0 {
		at = len(*seen)
		*seen = append(*seen, part)
	}
	return strconv.Itoa(at + 1)
}

// inRequest puts the parts where their names stand.
func (c *chance) inRequest(text string) string {
	if len(c.hexes)+len(c.iterators) == 0 {
		return text
	}
	return named.ReplaceAllStringFunc(text, func(name string) string {
		m := named.FindStringSubmatch(name)
		seen := c.hexes
		if m[1] == "ITERATOR" {
			seen = c.iterators
		}
		if at := count(m[2]); at >= 1 && at <= len(seen) {
			return seen[at-1]
		}
		return name
	})
}

func TestChance(t *testing.T) {
	var c chance
	iterator := strings.Repeat("A", 40) + "="
	require.Equal(t, `{"ShardId":"shardId-00000001767225600000-HEX1","ParentShardId":"shardId-00000001767225600000-HEX2"}`,
		string(c.inAnswer([]byte(`{"ShardId":"shardId-00000001767225600000-01234567","ParentShardId":"shardId-00000001767225600000-89abcdef"}`))))
	require.Equal(t, `{"NextShardIterator":"arn:x|1|ITERATOR1"}`,
		string(c.inAnswer([]byte(`{"NextShardIterator":"arn:x|1|`+iterator+`"}`))))
	require.Equal(t, `shardId-1-89abcdef arn:x|1|`+iterator+` HEX3`, c.inRequest(`shardId-1-HEX2 arn:x|1|ITERATOR1 HEX3`))
}
