package dynamowire

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// shorthand is how exchanges write what is too long to read: @rep(TEXT,N) is TEXT N times, and
// @list(TEXT,SEPARATOR,N) is N texts with the separator between them, in which # counts from 1, or from
// M with M-N. The text of a list may hold repetitions.
var shorthand = regexp.MustCompile(`@(?:rep\((.*?),(\d+)\)|list\((.*?),(, ?|; ),(?:(\d+)-)?(\d+)\))`)

// spelled writes the shorthands of a request or an answer out.
func spelled(text string) string {
	return shorthand.ReplaceAllStringFunc(text, func(short string) string {
		m := shorthand.FindStringSubmatch(short)
		if m[2] != "" {
			return strings.Repeat(m[1], count(m[2]))
		}
		from := 1
		if m[5] != "" {
			from = count(m[5])
		}
		var texts []string
		for text := spelled(m[3]); from <= count(m[6]); from++ {
			texts = append(texts, strings.ReplaceAll(text, "#", strconv.Itoa(from)))
		}
		return strings.Join(texts, m[4])
	})
}

func count(digits string) int {
	n, err := strconv.Atoi(digits)
	if err != nil {
		panic(err) // the pattern lets nothing else through than digits
	}
	return n
}

// asWritten is an answer as the file writes it, when it is the same with the shorthands written out.
func asWritten(answer, expected string) string {
	if answer == spelled(expected) {
		return expected
	}
	return answer
}

func TestShorthand(t *testing.T) {
	require.Equal(t, `{"a":"xxx"}`, spelled(`{"a":"@rep(x,3)"}`))
	require.Equal(t, `[{"n":1},{"n":2}]`, spelled(`[@list({"n":#},,,2)]`))
	require.Equal(t, "a(1), a(2)", spelled("@list(a(#),, ,2)"))
	require.Equal(t, "a3xx,a4xx", spelled("@list(a#@rep(x,2),,,3-4)"))
	require.Equal(t, "plain @rep(x) #", spelled("plain @rep(x) #"))
	require.Equal(t, "@rep(x,2)", asWritten("xx", "@rep(x,2)"))
	require.Equal(t, "xxx", asWritten("xxx", "@rep(x,2)"))
}
