package main

import "strings"

// statement is one statement of PartiQL in a script.
type statement struct {
	text string
	line int // on which it begins, from 1
}

// splitStatements cuts a script at the semicolons outside of quotes and comments. What is empty
// between two of them is no statement. A quote or comment without an end goes to the end of the
// script, for the service to report.
func splitStatements(script string) []statement {
	var out []statement
	for start := 0; start < len(script); {
		end := statementEnd(script, start)
		if text := script[start:end]; firstWord(text) != "" {
			lead := len(text) - len(strings.TrimLeft(text, " \t\r\n"))
			out = append(out, statement{
				text: strings.TrimSpace(text), line: 1 + strings.Count(script[:start+lead], "\n"),
			})
		}
		start = end + 1
	}
	return out
}

// statementEnd is where the statement at start ends: at a semicolon or the end of the script.
func statementEnd(script string, start int) int {
	for i := start; i < len(script); {
		if script[i] == ';' {
			return i
		}
		i += tokenLength(script[i:])
	}
	return len(script)
}

// tokenLength is the length of a quoted text or comment at the front of a script that is not empty,
// and 1 for anything else. A doubled quote inside a text is the end of one and the start of the next.
func tokenLength(s string) int {
	end, open := "", 1
	switch {
	case s[0] == '\'' || s[0] == '"':
		end = s[:1]
	case strings.HasPrefix(s, "--"):
		end, open = "\n", len("--")
	case strings.HasPrefix(s, "/*"):
		end, open = "*/", len("/*")
	default:
		return 1
	}
	n := strings.Index(s[open:], end)
	if n < 0 {
		return len(s)
	}
	return open + n + len(end)
}

// firstWord is the first letter sequence of a statement in upper case, behind blanks and comments;
// what begins with something else gives that byte, and an empty statement nothing.
func firstWord(text string) string {
	for text != "" {
		switch {
		case strings.ContainsRune(" \t\r\n\f\v", rune(text[0])):
			text = text[1:]
		case strings.HasPrefix(text, "--"), strings.HasPrefix(text, "/*"):
			text = text[tokenLength(text):]
		default:
			n := 0
			for n < len(text) && (text[n]|0x20) >= 'a' && (text[n]|0x20) <= 'z' {
				n++
			}
			return strings.ToUpper(text[:max(n, 1)])
		}
	}
	return ""
}

// isRead says whether a statement changes nothing.
func isRead(text string) bool {
	switch firstWord(text) {
	case "SELECT", "EXPLAIN":
		return true
	}
	return false
}
