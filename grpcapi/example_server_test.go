package grpcapi_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/grpc/credentials"

	"github.com/keystone-db/kstone/dynamowire"
	"github.com/keystone-db/kstone/dynamowire/sigv4"
	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/build"
	"github.com/keystone-db/kstone/grpcapi"
	"github.com/keystone-db/kstone/grpcapi/client"
)

// certificate is one for the example's server, and what clients must trust.
func certificate() (tls.Certificate, *x509.CertPool) {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return s.TLS.Certificates[0], roots
}

// A server for others than oneself: with TLS, access keys, limits, and a word about every call.
func ExampleNewServer() {
	db, err := engine.OpenInMemory(engine.Options{})
	if err != nil {
		panic(err)
	}
	defer db.Close()
	keys, err := sigv4.ReadKeys(strings.NewReader(`
		[reports]
		aws_access_key_id = AKIAREPORTS
		aws_secret_access_key = a-secret-of-forty-characters
		access = read-only
	`))
	if err != nil {
		panic(err)
	}
	cert, roots := certificate()

	auth := grpcapi.NewAuth(sigv4.NewVerifier("us-east-1", keys), false, time.Now)
	messages := grpcapi.NewMessages(0, time.Now)
	options := grpcapi.Options{
		Logger:       zerolog.New(os.Stderr),
		Authenticate: auth.Authenticate,
		Access:       dynamowire.Access{Region: "us-east-1"},
		GRPC:         grpcapi.LimitOptions(),
	}
	options.GRPC = append(options.GRPC, auth.Options()...)
	options.GRPC = append(options.GRPC, messages.Option(credentials.NewServerTLSFromCert(&cert)))
	options.GRPC = append(options.GRPC, grpcapi.Observe(time.Now, func(c grpcapi.CallInfo) {
		fmt.Println(c.Method, c.Code) // or grpcapi.LogCalls(logger), or a metric
	})...)
	server := grpcapi.NewServer(db, options)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go func() { _ = server.Serve(l) }()
	defer server.GracefulStop()

	reports, err := client.Dial(l.Addr().String(), client.Options{
		TLS: &tls.Config{RootCAs: roots}, AccessKey: "AKIAREPORTS", SecretKey: "a-secret-of-forty-characters",
	})
	if err != nil {
		panic(err)
	}
	defer reports.Close()
	for name, err := range reports.Tables(context.Background()) {
		fmt.Println(name, err)
	}
	_, err = reports.Create("Music").PK(build.StringKey("Artist")).Run(context.Background())
	fmt.Println(api.CodeOf(err))
	// Output:
	// /keystone.v1.KeystoneDb/ListTables OK
	// /keystone.v1.KeystoneDb/CreateTable PermissionDenied
	// AccessDeniedException
}
