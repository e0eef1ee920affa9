// Package fakes3 answers the few calls of S3 that kstone makes, for tests. It was written after the
// documentation of S3; it is not S3.
package fakes3

import (
	"crypto/md5" //nolint:gosec // what S3 has for an entity tag
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Settings are how a server answers.
type Settings struct {
	// Plain refuses conditional puts, as older services do.
	Plain bool
	// Page is how many names a list holds; 0 means 1,000.
	Page int
	// Key is the access key that requests must have; empty takes all.
	Key string
}

// Server holds buckets in memory. It is an http.Handler; requests address buckets by path.
type Server struct {
	Settings

	mu      sync.Mutex
	before  func(w http.ResponseWriter, r *http.Request) bool
	buckets map[string]map[string]string
}

// New makes a server with empty buckets.
func New(settings Settings, buckets ...string) *Server {
	s := &Server{Settings: settings, buckets: map[string]map[string]string{}}
	for _, b := range buckets {
		s.buckets[b] = map[string]string{}
	}
	return s
}

// Intercept has before see each request first, unless it is nil; when it returns true it has answered.
// It may be called while requests are under way, also such as their client gave up.
func (s *Server) Intercept(before func(w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = before
}

// Set puts an object.
func (s *Server) Set(bucket, key, content string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buckets[bucket][key] = content
}

// Get returns an object, empty when it is not there.
func (s *Server) Get(bucket, key string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buckets[bucket][key]
}

// Keys lists a bucket.
func (s *Server) Keys(bucket string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sortedKeys(s.buckets[bucket])
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Fault answers an error.
func Fault(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "<Error><Code>"+code+"</Code><Message>"+code+"</Message></Error>")
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	before := s.before
	s.mu.Unlock()
	if before != nil && before(w, r) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	objects, ok := s.buckets[name]
	switch {
	case s.Key != "" && !strings.Contains(r.Header.Get("Authorization"), "Credential="+s.Key+"/"):
		Fault(w, http.StatusForbidden, "AccessDenied")
	case !ok:
		Fault(w, http.StatusNotFound, "NoSuchBucket")
	case key == "":
		s.list(w, r, objects)
	case r.Method == http.MethodPut:
		s.put(w, r, objects, key)
	case r.Method == http.MethodDelete:
		delete(objects, key)
		w.WriteHeader(http.StatusNoContent)
	default:
		s.get(w, r, objects, key)
	}
}

func (s *Server) put(w http.ResponseWriter, r *http.Request, objects map[string]string, key string) {
	_, taken := objects[key]
	switch conditional := r.Header.Get("If-None-Match") != ""; {
	case conditional && s.Plain:
		Fault(w, http.StatusNotImplemented, "NotImplemented")
	case conditional && taken:
		Fault(w, http.StatusPreconditionFailed, "PreconditionFailed")
	default:
		data, err := io.ReadAll(r.Body)
		if err != nil {
			Fault(w, http.StatusBadRequest, "IncompleteBody")
			return
		}
		if sum := r.Header.Get("Content-MD5"); sum != "" && sum != checksum(data) {
			Fault(w, http.StatusBadRequest, "BadDigest")
			return
		}
		objects[key] = string(data)
		w.Header().Set("ETag", tag(string(data)))
	}
}

func checksum(data []byte) string {
	sum := md5.Sum(data) //nolint:gosec // see the import
	return base64.StdEncoding.EncodeToString(sum[:])
}

func tag(content string) string {
	sum := md5.Sum([]byte(content)) //nolint:gosec // see the import
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

func (s *Server) get(w http.ResponseWriter, r *http.Request, objects map[string]string, key string) {
	content, ok := objects[key]
	if !ok {
		Fault(w, http.StatusNotFound, "NoSuchKey")
		return
	}
	if want := r.Header.Get("If-Match"); want != "" && want != tag(content) {
		Fault(w, http.StatusPreconditionFailed, "PreconditionFailed")
		return
	}
	w.Header().Set("ETag", tag(content))
	status := http.StatusOK
	if from, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ok {
		n, err := strconv.Atoi(strings.TrimSuffix(from, "-"))
		if err != nil || n >= len(content) {
			Fault(w, http.StatusRequestedRangeNotSatisfiable, "InvalidRange")
			return
		}
		content, status = content[n:], http.StatusPartialContent
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	w.WriteHeader(status)
	if r.Method == http.MethodGet {
		_, _ = io.WriteString(w, content)
	}
}

type listAnswer struct {
	XMLName               xml.Name `xml:"ListBucketResult"`
	IsTruncated           bool
	NextContinuationToken string
	Contents              []listEntry
}

type listEntry struct {
	Key  string
	Size int
	ETag string
}

func (s *Server) list(w http.ResponseWriter, r *http.Request, objects map[string]string) {
	q := r.URL.Query()
	after := max(q.Get("start-after"), q.Get("continuation-token"))
	var a listAnswer
	for _, key := range sortedKeys(objects) {
		if !strings.HasPrefix(key, q.Get("prefix")) || key <= after {
			continue
		}
		if n := len(a.Contents); n == max(s.Page, 1) && s.Page > 0 || n == 1000 {
			a.IsTruncated, a.NextContinuationToken = true, a.Contents[n-1].Key
			break
		}
		a.Contents = append(a.Contents, listEntry{key, len(objects[key]), tag(objects[key])})
	}
	w.Header().Set("Content-Type", "application/xml")
	_ = xml.NewEncoder(w).Encode(a)
}
