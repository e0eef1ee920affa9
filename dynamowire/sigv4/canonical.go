package sigv4

import (
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// appendCanonical appends the canonical request, whose hash is signed.
func appendCanonical(dst []byte, r *Request, a *authorization) []byte {
	dst = append(append(dst, r.Method...), '\n')
	dst = append(appendPath(dst, r.Path), '\n')
	dst = append(appendQuery(dst, r.RawQuery), '\n')
	for name := range strings.SplitSeq(a.signedHeaders, ";") {
		dst = append(append(dst, name...), ':')
		if name == hostHeader {
			dst = append(dst, strings.TrimSpace(r.Host)...)
		} else {
			dst = appendValues(dst, r.Header[canonicalName(name)])
		}
		dst = append(dst, '\n')
	}
	dst = append(append(append(dst, '\n'), a.signedHeaders...), '\n')
	return hex.AppendEncode(dst, r.BodySum[:])
}

// canonicalName is http.CanonicalHeaderKey without an allocation for what every client signs.
func canonicalName(name string) string {
	switch name {
	case "x-amz-date":
		return headerAmzDate
	case "x-amz-target":
		return headerTarget
	case "x-amz-security-token":
		return headerToken
	case "content-type":
		return "Content-Type"
	case "content-length":
		return "Content-Length"
	}
	return http.CanonicalHeaderKey(name)
}

// appendValues appends the values of a header, each trimmed and with runs of blanks made one.
func appendValues(dst []byte, values []string) []byte {
	for i, v := range values {
		if i > 0 {
			dst = append(dst, ',')
		}
		v = strings.TrimSpace(v)
		if !strings.Contains(v, "  ") {
			dst = append(dst, v...)
			continue
		}
		for j := range len(v) {
			if v[j] != ' ' || v[j-1] != ' ' {
				dst = append(dst, v[j])
			}
		}
	}
	return dst
}

// appendPath appends the path with its segments encoded once more than they came.
func appendPath(dst []byte, path string) []byte {
	if path == "" {
		return append(dst, '/')
	}
	return appendEncoded(dst, path, '/')
}

// appendQuery appends the parameters, sorted by name and value, without the signature itself.
func appendQuery(dst []byte, rawQuery string) []byte {
	if rawQuery == "" {
		return dst
	}
	var pairs []string
	for pair := range strings.SplitSeq(rawQuery, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if pair == "" || name == queryPrefix+paramSignature {
			continue
		}
		pairs = append(pairs, recoded(name)+"="+recoded(value))
	}
	// The sort is by name first: '=' is above '-' and the digits, which names may hold.
	slices.SortFunc(pairs, func(a, b string) int {
		nameA, valueA, _ := strings.Cut(a, "=")
		nameB, valueB, _ := strings.Cut(b, "=")
		if c := strings.Compare(nameA, nameB); c != 0 {
			return c
		}
		return strings.Compare(valueA, valueB)
	})
	return append(dst, strings.Join(pairs, "&")...)
}

// recoded gives a part of a query string the one encoding that is signed.
func recoded(part string) string {
	plain, err := url.QueryUnescape(part)
	if err != nil {
		plain = part
	}
	return string(appendEncoded(nil, plain, 0))
}

const upperHex = "0123456789ABCDEF"

// appendEncoded percent-encodes all but unreserved characters and keep.
func appendEncoded(dst []byte, s string, keep byte) []byte {
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == '-', c == '.', c == '_', c == '~', c == keep && keep != 0:
			dst = append(dst, c)
		default:
			dst = append(dst, '%', upperHex[c>>4], upperHex[c&0xF])
		}
	}
	return dst
}
