package expr

import (
	_ "embed"
	"strings"
)

// reservedText lists the service's reserved words: upper case, sorted, one a line.
//
//go:embed reserved-words.txt
var reservedText string

// IsReserved tells whether word, in any case, may not be written bare as an attribute name.
func IsReserved(word string) bool {
	lo, hi := 0, len(reservedText)
	for lo < hi {
		mid := (lo + hi) / 2
		start := strings.LastIndexByte(reservedText[lo:mid], '\n') + 1 + lo
		end := len(reservedText)
		if n := strings.IndexByte(reservedText[start:], '\n'); n >= 0 {
			end = start + n
		}
		switch c := compareUpper(word, reservedText[start:end]); {
		case c == 0:
			return true
		case c < 0:
			hi = start
		default:
			lo = end + 1
		}
	}
	return false
}

// compareUpper compares the ASCII upper case of word with upper, without making that upper case.
func compareUpper(word, upper string) int {
	for i := 0; i < len(word) && i < len(upper); i++ {
		c := word[i]
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		if c != upper[i] {
			return int(c) - int(upper[i])
		}
	}
	return len(word) - len(upper)
}
