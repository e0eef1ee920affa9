package keystonev1_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/keystone-db/kstone/grpcapi/keystonev1"
)

var rewrite = flag.Bool("rewrite", false, "add what is new to testdata/fields.txt")

const listFile = "testdata/fields.txt"

// TestOnlyGrows: everything that a client may have been built against is still there, unchanged. New
// fields and calls are added to the list by `go test ./grpcapi/keystonev1 -rewrite`; a line that is not
// true any more stays and fails.
func TestOnlyGrows(t *testing.T) {
	text, err := os.ReadFile(listFile)
	require.NoError(t, err)
	promised := slices.DeleteFunc(strings.Split(string(text), "\n"), func(line string) bool { return line == "" })
	present := lines(keystonev1.File_keystonev1_keystone_proto)
	for _, line := range promised {
		require.True(t, slices.Contains(present, line), "was promised to clients and is gone: %s", line)
	}
	if *rewrite {
		promised = append(promised, present...)
		slices.Sort(promised)
		all := strings.Join(slices.Compact(promised), "\n") + "\n"
		require.NoError(t, os.WriteFile(listFile, []byte(all), 0o600))
		return
	}
	for _, line := range present {
		require.True(t, slices.Contains(promised, line), "is new, add it by -rewrite: %s", line)
	}
}

// lines describes the file: a line for each field and call.
func lines(file protoreflect.FileDescriptor) []string {
	out := messageLines(nil, file.Messages())
	for i := range file.Services().Len() {
		methods := file.Services().Get(i).Methods()
		for j := range methods.Len() {
			m := methods.Get(j)
			out = append(out, fmt.Sprintf("call %s: %s%s -> %s%s", m.FullName(), stream(m.IsStreamingClient()),
				m.Input().FullName(), stream(m.IsStreamingServer()), m.Output().FullName()))
		}
	}
	slices.Sort(out)
	return out
}

func stream(is bool) string {
	if is {
		return "stream "
	}
	return ""
}

func messageLines(out []string, messages protoreflect.MessageDescriptors) []string {
	for i := range messages.Len() {
		m := messages.Get(i)
		for j := range m.Fields().Len() {
			f := m.Fields().Get(j)
			oneof := ""
			if o := f.ContainingOneof(); o != nil {
				oneof = " in " + string(o.Name())
			}
			out = append(out, fmt.Sprintf("%s %d %s %s%s", m.FullName(), f.Number(), f.Name(), typeName(f), oneof))
		}
		out = messageLines(out, m.Messages())
	}
	return out
}

func typeName(f protoreflect.FieldDescriptor) string {
	name := f.Kind().String()
	if f.Message() != nil {
		name = string(f.Message().FullName())
	}
	if f.IsMap() {
		return "map<" + typeName(f.MapKey()) + "," + typeName(f.MapValue()) + ">"
	}
	return strings.TrimPrefix(f.Cardinality().String()+" ", "optional ") + name
}

// TestEverythingIsDocumented: every message, field and call has a comment in keystone.proto.
func TestEverythingIsDocumented(t *testing.T) {
	text, err := os.ReadFile("keystone.proto")
	require.NoError(t, err)
	before := ""
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		declares := strings.HasSuffix(line, ";") && strings.Contains(line, " = ") ||
			strings.HasPrefix(line, "message ") || strings.HasPrefix(line, "rpc ") ||
			strings.HasPrefix(line, "service ") || strings.HasPrefix(line, "oneof ")
		if declares && !strings.HasPrefix(line, "option ") {
			require.True(t, strings.HasPrefix(before, "//"), "line %d has no comment: %s", i+1, line)
		}
		before = line
	}
}
