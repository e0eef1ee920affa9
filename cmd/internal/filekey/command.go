package filekey

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// commandWait bounds the wait for a program that prints a key.
const commandWait = time.Minute

// runCommand takes the key from what a program prints. The program gets our stdin and environment,
// without the keys in it, and its stderr is shown.
func runCommand(ctx context.Context, line string, stderr io.Writer) ([]byte, error) {
	words, err := splitWords(line)
	if err != nil {
		return nil, err
	}
	if len(words) == 0 {
		return nil, errors.New("no command: give a program that prints the key")
	}
	ctx, cancel := context.WithTimeout(ctx, commandWait)
	defer cancel()
	out := &boundedBuffer{bytes: make([]byte, 0, textMaxBytes), left: textMaxBytes}
	defer func() { clear(out.bytes) }()
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, out, stderr
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return strings.HasPrefix(name, "KSTONE_") && strings.HasSuffix(name, "ENCRYPTION_KEY")
	})
	cmd.WaitDelay = time.Second // for children that keep the pipe open
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%s did not end within %s", words[0], commandWait)
		}
		return nil, fmt.Errorf("%s: %w", words[0], err)
	}
	key, err := parse(out.bytes)
	if err != nil {
		return nil, fmt.Errorf("%s printed %w", words[0], err)
	}
	return key, nil
}

// boundedBuffer keeps what is written up to a bound, and drops the rest.
type boundedBuffer struct {
	bytes []byte
	left  int
}

func (b *boundedBuffer) Write(p []byte) (int, error) {
	n := min(len(p), b.left)
	b.bytes = append(b.bytes, p[:n]...)
	b.left -= n
	return len(p), nil
}

var errQuote = errors.New("a quote has no end")

// splitWords divides a command line at blanks outside of quotes. A quote holds its text together as it
// is and may stand inside a word; nothing else has a meaning.
func splitWords(line string) ([]string, error) {
	var words []string
	var word []byte
	inside := false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; c {
		case ' ', '\t', '\n', '\r':
			if inside {
				words, word, inside = append(words, string(word)), word[:0], false
			}
		case '\'', '"':
			end := strings.IndexByte(line[i+1:], c)
			if end < 0 {
				return nil, errQuote
			}
			word = append(word, line[i+1:i+1+end]...)
			i += 1 + end
			inside = true
		default:
			word = append(word, c)
			inside = true
		}
	}
	if inside {
		words = append(words, string(word))
	}
	return words, nil
}
