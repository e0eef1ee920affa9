package serve

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
)

// Version is the version that the linker set, else the one of the module, as `go install` knows it.
func Version(linked string) string {
	if linked != "" {
		return linked
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

// clientHost is the name by which a client of this machine reaches the server.
func clientHost(host string) string {
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		return HostDefault
	}
	return host
}

// printStart writes where the server listens and what to paste to use it. The last line is "ready",
// for scripts that wait.
func printStart(w io.Writer, c Config, listeners, grpc []net.Listener) error {
	var b strings.Builder
	fmt.Fprintf(&b, "kstone %s, %s\n", c.Version, dataText(c))
	if !c.GRPCOnly {
		printHTTP(&b, c, listeners)
	}
	security := "plain text"
	if c.TLSCert != "" {
		security = "TLS"
	}
	for _, l := range grpc {
		fmt.Fprintf(&b, "gRPC on %s, %s\n", l.Addr(), security)
	}
	if !c.GRPCOnly {
		printEnvironment(&b, c, listeners[0])
	}
	b.WriteString("\nready\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// scheme is the one of the HTTP door's URLs.
func (c Config) scheme() string {
	if c.TLSCert != "" {
		return "https"
	}
	return "http"
}

func printHTTP(b *strings.Builder, c Config, listeners []net.Listener) {
	for _, l := range listeners {
		fmt.Fprintf(b, "listening on %s://%s\n", c.scheme(), l.Addr())
	}
}

// printEnvironment writes what to paste to use the HTTP door.
func printEnvironment(b *strings.Builder, c Config, l net.Listener) {
	endpoint := c.scheme() + "://" + net.JoinHostPort(clientHost(c.Host), strconv.Itoa(portOf(l)))
	fmt.Fprintf(b, `
export AWS_ENDPOINT_URL_DYNAMODB=%[1]s
export AWS_ENDPOINT_URL_DYNAMODB_STREAMS=%[1]s
export AWS_REGION=%[2]s
export AWS_DEFAULT_REGION=%[2]s
%[3]s
aws dynamodb list-tables --endpoint-url %[1]s
`, endpoint, c.Region, accessText(c))
}

// accessText is what a client needs beside the endpoint.
func accessText(c Config) string {
	var text string
	if c.Credentials == "" {
		text = "export AWS_ACCESS_KEY_ID=local\nexport AWS_SECRET_ACCESS_KEY=local\n"
	} else {
		text = fmt.Sprintf("export AWS_SHARED_CREDENTIALS_FILE=%s AWS_PROFILE=NAME # one of its sections\n", c.Credentials)
	}
	if c.TLSCert != "" {
		text += fmt.Sprintf("export AWS_CA_BUNDLE=%s # unless a known authority signed it\n", c.TLSCert)
	}
	return text
}

func dataText(c Config) string {
	switch {
	case c.InMemory && c.Save != "":
		return fmt.Sprintf("in memory: saved to %s when it is stopped, lost when it is killed", c.Save)
	case c.InMemory:
		return "in memory: nothing outlives the process"
	}
	return fmt.Sprintf("data in %s, sync %s", c.Path, c.Sync)
}

// writePortFile writes the port in one step: a reader sees the whole number or no file. A device or pipe is
// written to: a rename would put a file in its place.
func writePortFile(flag, path string, port int) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		if err := os.WriteFile(path, []byte(strconv.Itoa(port)+"\n"), 0); err != nil {
			return cannotWritePortFile(flag, err)
		}
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".port-*")
	if err != nil {
		return cannotWritePortFile(flag, err)
	}
	_, err = f.WriteString(strconv.Itoa(port) + "\n")
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return cannotWritePortFile(flag, err)
	}
	return nil
}

func cannotWritePortFile(flag string, err error) error {
	return fmt.Errorf("cannot write %s: give it a path in a folder that this user may write: %w", flag, err)
}
