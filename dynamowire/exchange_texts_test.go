package dynamowire

import (
	"encoding/json"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"
)

// verbs are the places of texts that hold something else in each answer. Package sigv4 has bare ones.
var verbs = regexp.MustCompile(`%(?:\[\d+\])?[sdvq]?`)

// TestEveryTextIsShown: each text that a client can see stands in an answer of testdata, so that its
// bytes, its place and what raises it are pinned beside the section of the facts. The texts are those of
// engine/api/testdata, which has all of them.
func TestEveryTextIsShown(t *testing.T) {
	list, err := os.ReadFile("../engine/api/testdata/texts.golden")
	require.NoError(t, err)
	shown := shownTexts(t)
	texts := 0
	for line := range strings.Lines(string(list)) {
		name, quoted, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " = ")
		if !ok {
			continue // the name of a package
		}
		text, err := strconv.Unquote(quoted)
		require.NoError(t, err, line)
		texts++
		if strings.HasPrefix(name, "MsgFeed") {
			continue // those of change feeds, which this door does not have
		}
		if strings.HasPrefix(name, "MsgReplicate") {
			continue // those that databases tell each other: TestReplicateRefuses of engine
		}
		if name == "MsgNotBuilt" {
			continue // that of a service which has not all operations: TestCallErrors
		}
		if strings.HasPrefix(name, "msgMany") {
			continue // those of requests too long for a file: TestManyElements of the codec
		}
		if name == "msgDeniedAbroad" {
			continue // needs a key of another account: TestOtherAccounts of compat
		}
		if name == "MsgPolicyLocksOut" {
			continue // needs signatures and a database: TestResourcePolicies of compat
		}
		if name == "MsgPolicySize" {
			continue // of a document too long for a file: TestResourcePolicies of engine
		}
		if name == "MsgExportsAtOnce" {
			continue // of 300 requests: TestExportsAtOnce of engine
		}
		if name == "MsgTablesAtOnce" || name == "MsgIndexedAtOnce" {
			continue // of hundreds of tables: TestStrictPassing of engine
		}
		if name == "MsgRestoresAtOnce" {
			continue // of 50 requests: TestRestoresAtOnce of engine
		}
		if strings.HasSuffix(name, "UTF8") {
			continue // those of Go programs, since JSON is UTF-8: TestNotUTF8 of engine
		}
		parts := verbs.Split(text, -1)
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		if !regexp.MustCompile(strings.Join(parts, `[^\x00]*?`)).MatchString(shown) {
			t.Errorf("no answer has %s: %s", name, text)
		}
	}
	require.Greater(t, texts, 300)
}

// shownTexts are the different texts of all answers, with a zero byte between them.
func shownTexts(t *testing.T) string {
	seen := map[string]bool{}
	var all strings.Builder
	add := func(text string) {
		if !seen[text] {
			seen[text] = true
			all.WriteString(text + "\x00")
		}
	}
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			for line := range strings.Lines(d.Expected) {
				var tree any
				if json.Unmarshal([]byte(line), &tree) != nil {
					add(line)
					continue
				}
				addTexts(tree, add)
			}
			return d.Expected
		})
	})
	return all.String()
}

// addTexts adds the strings of JSON, those of objects by their members' names too.
func addTexts(tree any, add func(string)) {
	switch v := tree.(type) {
	case string:
		add(v)
	case []any:
		for _, e := range v {
			addTexts(e, add)
		}
	case map[string]any:
		for name, e := range v {
			add(name)
			addTexts(e, add)
		}
	}
}
