package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestTranslateLocalFlags(t *testing.T) {
	for _, tt := range []struct{ in, out, ignored string }{
		{"", "", ""},
		{"version", "version", ""},
		{"--help", "--help", ""},
		{"-help", "serve --help", ""},
		{"serve -inMemory -help", "serve --in-memory --help", ""},
		{"-version", "version", ""},
		{"serve --port 1 --in-memory", "serve --port 1 --in-memory", ""},
		{"--port 1", "serve --port 1", ""},
		{"--port=1", "serve --port=1", ""},
		{"-port 8000", "serve --port=8000", ""},
		{"-port=8000", "serve --port=8000", ""},
		{"-port", "serve --port=", ""},
		{"-inMemory -sharedDb", "serve --in-memory", ""},
		{"serve -inMemory", "serve --in-memory", ""},
		{"-dbPath /data", "serve --db=/data/kstone.keystone", ""},
		{"-dbPath ./data/", "serve --db=data/kstone.keystone", ""},
		{"-delayTransientStatuses", "serve --table-delay=1s", ""},
		{"-Djava.library.path=./lib -jar D.jar -inMemory", "serve --in-memory", "-Djava.library.path=./lib -jar"},
		{"-cors a,b -optimizeDbBeforeStartup -disableTelemetry -port 1", "serve --port=1",
			"-cors -optimizeDbBeforeStartup -disableTelemetry"},
		{"--sync off -inMemory", "serve --sync off --in-memory", ""},
	} {
		t.Run(tt.in, func(t *testing.T) {
			out, ignored := translateLocalFlags(strings.Fields(tt.in))
			assert.Equal(t, strings.Fields(tt.out), append([]string{}, out...))
			assert.Equal(t, strings.Fields(tt.ignored), append([]string{}, ignored...))
		})
	}
}
