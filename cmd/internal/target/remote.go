package target

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/keystone-db/kstone/dynamowire/client"
	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/api"
)

// Variables that all AWS tools know.
const (
	envAccessKey       = "AWS_ACCESS_KEY_ID"
	envSecretKey       = "AWS_SECRET_ACCESS_KEY"
	envSessionToken    = "AWS_SESSION_TOKEN"
	envRegion          = "AWS_REGION"
	envDefaultRegion   = "AWS_DEFAULT_REGION"
	envProfile         = "AWS_PROFILE"
	envCredentialsFile = "AWS_SHARED_CREDENTIALS_FILE"
	envConfigFile      = "AWS_CONFIG_FILE"
	envCABundle        = "AWS_CA_BUNDLE"
)

// profileDefault is the profile of those who name none, and need not be there.
const profileDefault = "default"

// signedService is the service's name in signatures.
const signedService = "dynamodb"

// openServer makes a client of the endpoint. Nothing is sent yet.
func (t Target) openServer(ctx context.Context) (Service, error) { return t.client(ctx, nil) }

// replicaTimeout is how long a step of replication may take at the other server.
const replicaTimeout = 30 * time.Second

// Replica makes a client of the server that serves a region, for tables with replicas there. Nothing is sent yet.
func Replica(ctx context.Context, endpoint, region string) (api.Replicator, error) {
	return Target{Endpoint: endpoint, Region: region}.client(ctx, func(c *http.Client) { c.Timeout = replicaTimeout })
}

// client makes a client of the endpoint; with sets what is special about its exchanges.
func (t Target) client(ctx context.Context, with func(*http.Client)) (*client.Client, error) {
	if !strings.Contains(t.Endpoint, "://") {
		t.Endpoint = "http://" + t.Endpoint
	}
	endpoint, err := url.Parse(t.Endpoint)
	if err != nil || endpoint.Host == "" {
		return nil, fmt.Errorf("--endpoint %q is no URL such as http://localhost:8000", t.Endpoint)
	}
	who, err := t.identify(ctx, endpoint)
	if err != nil {
		return nil, err
	}
	opts := client.Options{After: time.After, Random: rand.Float64}
	if who.credentials.HasKeys() {
		opts.Sign = who.sign
	}
	if bundle := os.Getenv(envCABundle); bundle != "" && endpoint.Scheme == "https" {
		if opts.HTTP, err = trusting(bundle); err != nil {
			return nil, err
		}
	}
	if with != nil {
		if opts.HTTP == nil {
			opts.HTTP = client.NewHTTP()
		}
		with(opts.HTTP)
	}
	return client.New(t.Endpoint, opts)
}

// trusting makes exchanges with servers whose certificates the authorities of a PEM file signed.
func trusting(bundle string) (*http.Client, error) {
	text, err := os.ReadFile(bundle)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", envCABundle, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s: %s has no certificate in PEM form", envCABundle, bundle)
	}
	return &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true,
			TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
		},
		// The signature is for one host.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// Explain says in a line why there was no answer, what to do about a damaged file, and whom the server took one for that had no
// credentials; other errors of the service are returned as they are.
func (t Target) Explain(ctx context.Context, err error) error {
	switch api.CodeOf(err) {
	case api.UnrecognizedClient, api.InvalidSignature, api.MissingAuthenticationToken:
		endpoint, e := url.Parse(t.Endpoint)
		if e != nil {
			return err
		}
		if who, e := t.identify(ctx, endpoint); e == nil && !who.credentials.HasKeys() {
			return fmt.Errorf("%w: %w", noCredentials(t.Endpoint, firstOf(t.Profile, os.Getenv(envProfile))), err)
		}
		return err
	default:
	}
	if t.Endpoint == "" && errors.Is(err, engine.ErrDamaged) {
		return damaged(t.Path, err)
	}
	op, ok := errors.AsType[*net.OpError](err)
	if t.Endpoint == "" || !ok || op.Op != "dial" {
		return err
	}
	return fmt.Errorf("no server at %s: %w", t.Endpoint, op)
}

// identity is who asks.
type identity struct {
	credentials aws.Credentials
	region      string
}

// identify looks for credentials and region as AWS tools do: the environment, then the shared
// files. A profile that is asked for by a flag comes before the keys of the environment. Without
// credentials only this machine is asked, by the signature of nobody.
func (t Target) identify(ctx context.Context, endpoint *url.URL) (identity, error) {
	who := identity{
		credentials: aws.Credentials{
			AccessKeyID: os.Getenv(envAccessKey), SecretAccessKey: os.Getenv(envSecretKey),
			SessionToken: os.Getenv(envSessionToken),
		},
		region: firstOf(t.Region, os.Getenv(envRegion), os.Getenv(envDefaultRegion)),
	}
	profile := firstOf(t.Profile, os.Getenv(envProfile))
	if t.Profile != "" || !who.credentials.HasKeys() || who.region == "" {
		shared, err := loadProfile(ctx, firstOf(profile, profileDefault))
		switch {
		case err == nil:
			if t.Profile != "" || !who.credentials.HasKeys() {
				who.credentials = shared.Credentials
			}
			who.region = firstOf(who.region, shared.Region)
		case !errors.As(err, new(config.SharedConfigProfileNotExistError)):
			return who, fmt.Errorf("profile %s: %w", firstOf(profile, profileDefault), err)
		case profile != "":
			return who, fmt.Errorf("there is no profile %s in the files of ~/.aws", profile)
		}
	}
	if !who.credentials.HasKeys() && !isLoopback(endpoint.Hostname()) {
		return who, noCredentials(t.Endpoint, profile)
	}
	who.region = firstOf(who.region, regionOf(endpoint.Hostname()), engine.DefaultRegion)
	return who, nil
}

// noCredentials tells how to give some. Profiles that log in or take on a role have no keys in the
// files.
func noCredentials(endpoint, profile string) error {
	if profile == "" {
		return fmt.Errorf("no credentials for %s: set %s and %s, or give --profile", endpoint, envAccessKey, envSecretKey)
	}
	return fmt.Errorf(`profile %s has no access key: eval "$(aws configure export-credentials --profile %s --format env)"`,
		profile, profile)
}

func loadProfile(ctx context.Context, name string) (config.SharedConfig, error) {
	return config.LoadSharedConfigProfile(ctx, name, func(o *config.LoadSharedConfigOptions) {
		if file := os.Getenv(envCredentialsFile); file != "" {
			o.CredentialsFiles = []string{file}
		}
		if file := os.Getenv(envConfigFile); file != "" {
			o.ConfigFiles = []string{file}
		}
	})
}

// sign signs a request as of now.
func (who identity) sign(r *http.Request, body []byte) error {
	sum := sha256.Sum256(body)
	return v4.NewSigner().SignHTTP(r.Context(), who.credentials, r, hex.EncodeToString(sum[:]), signedService,
		who.region, time.Now())
}

// regionOf is the region in the name of a host of the service: dynamodb.REGION.amazonaws.com.
func regionOf(host string) string {
	labels := strings.Split(host, ".")
	if len(labels) > 2 && labels[0] == signedService && strings.Contains(host, ".amazonaws.com") {
		return labels[1]
	}
	return ""
}

// isLoopback is true of hosts that are this machine.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// firstOf is the first text that is not empty.
func firstOf(texts ...string) string {
	for _, s := range texts {
		if s != "" {
			return s
		}
	}
	return ""
}
