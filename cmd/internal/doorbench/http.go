package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// head is that of the AWS SDK, with a signature that nobody checks.
func head(operation string, length int) string {
	return "POST / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nUser-Agent: aws-sdk-go-v2/1.39.0 ua/2.1 os/linux lang/go#1.26 " +
		"md/GOOS#linux md/GOARCH#amd64 api/dynamodb#1.50.0 m/E,Z\r\nContent-Length: " + strconv.Itoa(length) +
		"\r\nAccept-Encoding: identity\r\nAmz-Sdk-Invocation-Id: 5a1b7a1e-6c1f-4d5e-9a44-0f3f2f4c6b7d\r\n" +
		"Amz-Sdk-Request: attempt=1; max=3\r\nAuthorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260102/" +
		"us-east-1/dynamodb/aws4_request, SignedHeaders=accept-encoding;amz-sdk-invocation-id;content-length;" +
		"content-type;host;x-amz-date;x-amz-target, Signature=" +
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\r\n" +
		"Content-Type: application/x-amz-json-1.0\r\nX-Amz-Date: 20260102T030405Z\r\n" +
		"X-Amz-Target: DynamoDB_20120810." + operation + "\r\n\r\n"
}

// link is a connection over HTTP, for one request at a time.
type link struct {
	conn net.Conn
	r    *bufio.Reader
}

// connect opens connections to a server over HTTP.
func connect(address string, n int) (links []*link, closeAll func(), err error) {
	const readBytes = 64 << 10
	closeAll = func() {
		for _, l := range links {
			_ = l.conn.Close()
		}
	}
	for range n {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			closeAll()
			return nil, nil, err
		}
		links = append(links, &link{conn, bufio.NewReaderSize(conn, readBytes)})
	}
	return links, closeAll, nil
}

// do sends a request and reads the answer, whose body it gives to the sink.
func (l *link) do(request []byte, sink io.Writer) error {
	if _, err := l.conn.Write(request); err != nil {
		return err
	}
	length, status := -1, []byte(nil)
	for {
		line, err := l.r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if status == nil {
			status = bytes.Clone(line)
		}
		if line = bytes.TrimSpace(line); len(line) == 0 {
			break
		}
		if name, value, _ := bytes.Cut(line, []byte(": ")); bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return err
			}
		}
	}
	if length < 0 || !bytes.Contains(status, []byte(" 200 ")) {
		return fmt.Errorf("an answer over HTTP without a length, or %q", status)
	}
	_, err := io.CopyN(sink, l.r, int64(length))
	return err
}

// callHTTP makes a call of random ones of the bodies.
func callHTTP(links []*link, operation string, bodies [][]byte) caller {
	requests := make([][]byte, len(bodies))
	for i, body := range bodies {
		requests[i] = append([]byte(head(operation, len(body))), body...)
	}
	return func(_ context.Context, worker int, random *rand.Rand) error {
		return links[worker].do(requests[random.IntN(len(requests))], io.Discard)
	}
}

// post sends one request, whose answer may be long.
func post(ctx context.Context, address, operation string, body []byte) ([]byte, error) {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head(operation, len(body)) + string(body))))
	if err != nil {
		return nil, err
	}
	r.URL, r.RequestURI = &url.URL{Scheme: "http", Host: address, Path: "/"}, ""
	answer, err := http.DefaultClient.Do(r.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	p, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answered %s", operation, answer.Status)
	}
	return p, err
}
