package sigv4

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"                  //nolint:modules // signatures of another hand
	signer "github.com/aws/aws-sdk-go-v2/aws/signer/v4" //nolint:modules // signatures of another hand
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
)

const (
	testID     = "AKIDEXAMPLE"
	testSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	testFile   = "[me]\naws_access_key_id = " + testID + "\naws_secret_access_key = " + testSecret + "\n"
	testToken  = "[guest]\naws_access_key_id = TEMP\naws_secret_access_key = s\naws_session_token = T\n" +
		"expires = 2026-01-01T12:00:00Z\n"
)

var noon = time.Date(2026, 1, 1, 11, 30, 0, 0, time.UTC)

func testKeys(t testing.TB, text string) *Keys {
	t.Helper()
	keys, err := ReadKeys(strings.NewReader(text))
	require.NoError(t, err)
	return keys
}

// verify makes all checks; without its body's sum a request passes and fails the same first ones.
func verify(v *Verifier, r *Request, now time.Time) (*Key, error) {
	head := *r
	head.BodySum = [sha256.Size]byte{}
	claim, err := v.Check(&head, now)
	if err != nil {
		return nil, err
	}
	return v.Verify(&claim, r, now)
}

// TestPublishedVectors are signatures of the test suite that AWS publishes for this algorithm.
func TestPublishedVectors(t *testing.T) {
	at := time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)
	v := NewVerifier("us-east-1", testKeys(t, testFile))
	v.service = "service"
	for _, tt := range []struct {
		name, method, query, signed, signature string
		header                                 http.Header
		body                                   string
	}{
		{
			"get-vanilla", "GET", "", "host;x-amz-date",
			"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31", nil, "",
		},
		{
			"post-vanilla", "POST", "", "host;x-amz-date",
			"5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b", nil, "",
		},
		{
			"get-vanilla-query-order-key-case", "GET", "Param2=value2&Param1=value1", "host;x-amz-date",
			"b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500", nil, "",
		},
		{
			"get-header-value-trim", "GET", "", "host;my-header1;my-header2;x-amz-date",
			"acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
			http.Header{"My-Header1": {" value1"}, "My-Header2": {` "a   b   c"`}}, "",
		},
		{
			"post-x-www-form-urlencoded", "POST", "", "content-type;host;x-amz-date",
			"ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
			http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, "Param1=value1",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := Request{
				Method: tt.method, Path: "/", RawQuery: tt.query, Host: "example.amazonaws.com", Header: http.Header{},
				BodySum: sha256.Sum256([]byte(tt.body)),
			}
			maps.Copy(r.Header, tt.header)
			r.Header.Set("X-Amz-Date", "20150830T123600Z")
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+testID+"/20150830/us-east-1/service/aws4_request, "+
				"SignedHeaders="+tt.signed+", Signature="+tt.signature)
			key, err := verify(v, &r, at)
			require.NoError(t, err)
			require.Equal(t, "me", key.User)
			r.Method = "PUT"
			_, err = verify(v, &r, at)
			require.Equal(t, api.InvalidSignature, api.CodeOf(err))
		})
	}
}

// signed is a request that the SDK's own signer signed.
func signed(t testing.TB, presigned bool, c aws.Credentials, at time.Time, change func(*http.Request)) *Request {
	t.Helper()
	const body = `{"TableName":"t"}`
	r := httptest.NewRequest(http.MethodPost, "http://localhost:8000/", strings.NewReader(body))
	r.Header.Set("X-Amz-Target", "DynamoDB_20120810.DescribeTable")
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	if change != nil {
		change(r)
	}
	sum := sha256.Sum256([]byte(body))
	s := signer.NewSigner()
	if presigned {
		uri, header, err := s.PresignHTTP(t.Context(), c, r, hex.EncodeToString(sum[:]), service, "us-east-1", at)
		require.NoError(t, err)
		p := httptest.NewRequest(http.MethodPost, uri, nil)
		p.Header = header
		p.Header.Set(headerTarget, "DynamoDB_20120810.DescribeTable") // which the signer moved to the query
		r = p
	} else {
		require.NoError(t, s.SignHTTP(t.Context(), c, r, hex.EncodeToString(sum[:]), service, "us-east-1", at))
		r.Header.Set("Content-Length", strconv.Itoa(len(body))) // as a server finds it
	}
	return &Request{
		Method: r.Method, Path: r.URL.EscapedPath(), RawQuery: r.URL.RawQuery, Host: r.Host, Header: r.Header, BodySum: sum,
	}
}

var goodCredentials = aws.Credentials{AccessKeyID: testID, SecretAccessKey: testSecret}

// TestVerifySDK: what the SDK signs is accepted, in both forms, and nothing of it can be changed.
func TestVerifySDK(t *testing.T) {
	v := NewVerifier("us-east-1", testKeys(t, testFile+testToken))
	odd := func(r *http.Request) {
		r.URL.Path, r.URL.RawQuery = "/a b/ü", "b=2&a=%2F&a-=1&a=x+y&flag"
		r.Header.Set("X-Amz-Meta", "  a   b ")
		r.Header.Add("X-Amz-Meta", "c")
	}
	for _, presigned := range []bool{false, true} {
		for _, change := range []func(*http.Request){nil, odd} {
			key, err := verify(v, signed(t, presigned, goodCredentials, noon, change), noon)
			require.NoError(t, err)
			require.Equal(t, "me", key.User)
			for _, spoil := range []func(*Request){
				func(r *Request) { r.Method = "PUT" },
				func(r *Request) { r.Path += "x" },
				func(r *Request) { r.RawQuery += "&x=1" },
				func(r *Request) { r.Host += "x" },
				func(r *Request) { r.BodySum[0]++ },
				func(r *Request) { r.Header.Set("X-Amz-Target", "DynamoDB_20120810.DeleteTable") },
			} {
				r := signed(t, presigned, goodCredentials, noon, change)
				spoil(r)
				_, err = verify(v, r, noon)
				require.Equal(t, api.InvalidSignature, api.CodeOf(err))
			}
		}
		temporary := aws.Credentials{AccessKeyID: "TEMP", SecretAccessKey: "s", SessionToken: "T"}
		_, err := verify(v, signed(t, presigned, temporary, noon, nil), noon)
		require.NoError(t, err)
	}
}

// TestExpiresIsForS3: the query form may name any time of its own, and lives for 15 minutes.
func TestExpiresIsForS3(t *testing.T) {
	v := NewVerifier("us-east-1", testKeys(t, testFile))
	for _, seconds := range []string{"1", "604800", "0", "soon"} {
		r := signed(t, true, goodCredentials, noon, func(r *http.Request) { r.URL.RawQuery = "X-Amz-Expires=" + seconds })
		require.Contains(t, r.RawQuery, "X-Amz-Expires="+seconds)
		_, err := verify(v, r, noon.Add(skewMax))
		require.NoError(t, err, seconds)
		_, err = verify(v, r, noon.Add(skewMax+time.Second))
		require.ErrorContains(t, err, "Signature expired", seconds)
	}
}

// TestSigningKeyOfTheDay: requests of two days in turn, and a day that shares its place with another.
func TestSigningKeyOfTheDay(t *testing.T) {
	v := NewVerifier("us-east-1", testKeys(t, testFile))
	midnight := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	for _, at := range []time.Time{
		midnight.Add(-time.Second), midnight, midnight.Add(-time.Second), midnight.Add(24 * time.Hour), midnight,
	} {
		_, err := verify(v, signed(t, false, goodCredentials, at, nil), at)
		require.NoError(t, err, at)
	}
	v.SetKeys(testKeys(t, "[me]\naws_access_key_id="+testID+"\naws_secret_access_key=new"))
	_, err := verify(v, signed(t, false, goodCredentials, midnight, nil), midnight)
	require.Equal(t, api.InvalidSignature, api.CodeOf(err), "the old secret")
}

// TestVerifyInOrder: each fault of wire-facts §1.8 is told before all that come after it there, so
// every case keeps the faults of the later ones.
func TestVerifyInOrder(t *testing.T) {
	const (
		cred  = "AKID/20260101/us-east-1/dynamodb/aws4_request"
		date  = "20260101T113000Z"
		sum   = "0000000000000000000000000000000000000000000000000000000000000000"
		https = "X-Amz-Algorithm=A&X-Amz-Credential=C&X-Amz-Signature=S&X-Amz-SignedHeaders=host&X-Amz-Date="
	)
	header := func(credential, signed string) string {
		return "AWS4-HMAC-SHA256 Credential=" + credential + ", SignedHeaders=" + signed + ", Signature=" + sum
	}
	long := "AKID/20260102/eu-west-1/s3/v4"
	for _, tt := range []struct{ auth, date, query, code, text string }{
		{"AWS4-X", "", "X-Amz-Algorithm=A", "InvalidSignatureException",
			"Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header."},
		{"", "", "", "MissingAuthenticationTokenException", "Request is missing Authentication Token"},
		{"AWS3 x", "", "", "MissingAuthenticationTokenException", "Request is missing Authentication Token"},
		{"AWS4-X Credential=a, lone", "", "", "IncompleteSignatureException",
			"'lone' not a valid key=value pair (missing equal-sign) in Authorization header: 'AWS4-X Credential=a, lone'."},
		{"AWS4-X", "", "", "IncompleteSignatureException", "Authorization header requires 'Credential' parameter. " +
			"Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. " +
			"Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. Authorization=AWS4-X"},
		{"", "", "X-Amz-Algorithm=", "IncompleteSignatureException",
			"AWS query-string parameters must include 'X-Amz-Algorithm'. AWS query-string parameters must include " +
				"'X-Amz-Credential'. AWS query-string parameters must include 'X-Amz-Signature'. AWS query-string parameters " +
				"must include 'X-Amz-SignedHeaders'. AWS query-string parameters must include 'X-Amz-Date'. " +
				"Re-examine the query-string parameters."},
		{"AWS4-X Credential=a SignedHeaders=b Signature=c", "yesterday", "", "IncompleteSignatureException",
			"Date must be in ISO-8601 'basic format'. Got 'yesterday'. See http://en.wikipedia.org/wiki/ISO_8601"},
		{"", "", https + "20260101T113000.5Z", "IncompleteSignatureException",
			"Date must be in ISO-8601 'basic format'. Got '20260101T113000.5Z'. See http://en.wikipedia.org/wiki/ISO_8601"},
		{"AWS4-X Credential=a SignedHeaders=b Signature=c", "20260101T111459Z", "", "InvalidSignatureException",
			"Signature expired: 20260101T111459Z is now earlier than 20260101T111500Z (20260101T113000Z - 15 min.)"},
		{"", "", https + "20260101T114501Z", "InvalidSignatureException",
			"Signature not yet current: 20260101T114501Z is still later than 20260101T114500Z (20260101T113000Z + 15 min.)"},
		{"AWS4-X Credential=a SignedHeaders=b Signature=c", date, "", "InvalidSignatureException",
			"'Host' must be a 'SignedHeader' in the AWS Authorization."},
		{"AWS4-X Credential=a SignedHeaders=host Signature=c", date, "", "InvalidSignatureException",
			"'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization."},
		{"AWS4-X Credential=a SignedHeaders=host;x-amz-target Signature=c", date, "", "IncompleteSignatureException",
			"Unsupported AWS 'algorithm': 'AWS4-X' (only AWS4-HMAC-SHA256 for now). "},
		{header("a/b/c/d", "host;x-amz-target"), date, "", "IncompleteSignatureException",
			"Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'a/b/c/d'"},
		{header(cred+"/x", "host;x-amz-target"), date, "", "IncompleteSignatureException",
			"Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '" + cred + "/x'"},
		{header(long, "host;x-amz-target"), date, "", "InvalidSignatureException",
			"Credential should be scoped to a valid region, not 'eu-west-1'. Credential should be scoped to correct service: " +
				"'dynamodb'. Credential should be scoped with a valid terminator: 'aws4_request', not 'v4'. " +
				"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20260102' != " +
				"'20260101', from '20260101T113000Z'."},
		{header(cred+"//", "host;x-amz-target"), date, "", "UnrecognizedClientException",
			"The security token included in the request is invalid."},
		{header(strings.Replace(cred, "AKID", testID, 1), "host;x-amz-target"), date, "", "InvalidSignatureException",
			"The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key " +
				"and signing method. Consult the service documentation for details."},
	} {
		r := &Request{Method: "POST", Path: "/", RawQuery: tt.query, Host: "h", Header: http.Header{"X-Amz-Target": {"t"}}}
		for name, value := range map[string]string{headerAuthorization: tt.auth, headerAmzDate: tt.date} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		wantError(t, r, tt.code, tt.text)
	}
	token := func(s string) *Request {
		c := aws.Credentials{AccessKeyID: "TEMP", SecretAccessKey: "s", SessionToken: s}
		return signed(t, false, c, noon, nil)
	}
	wantError(t, token("other"), "UnrecognizedClientException", "The security token included in the request is invalid")
	wantError(t, token(""), "UnrecognizedClientException", "The security token included in the request is invalid")
	v := NewVerifier("us-east-1", testKeys(t, testToken))
	_, err := verify(v, token("T"), noon.Add(30*time.Minute-15*time.Minute))
	require.NoError(t, err)
	c := aws.Credentials{AccessKeyID: "TEMP", SecretAccessKey: "s", SessionToken: "T"}
	late := noon.Add(30 * time.Minute)
	_, err = verify(v, signed(t, false, c, late, nil), late)
	require.EqualError(t, err, "ExpiredTokenException: The security token included in the request is expired")
}

func wantError(t *testing.T, r *Request, code, text string) {
	t.Helper()
	_, err := verify(NewVerifier("us-east-1", testKeys(t, testFile+testToken)), r, noon)
	var e *api.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, api.Code(code), e.Code)
	require.Equal(t, text, e.Message)
}

// TestCheckFormAgrees: what Verify takes in its checks 1, 2 and 4 the check without keys takes too.
func TestCheckFormAgrees(t *testing.T) {
	for _, presigned := range []bool{false, true} {
		r := signed(t, presigned, goodCredentials, noon, nil)
		require.NoError(t, CheckForm(r.Header, r.RawQuery))
	}
	require.Equal(t, api.MissingAuthenticationToken, api.CodeOf(CheckForm(http.Header{}, "")))
	require.Equal(t, api.IncompleteSignature, api.CodeOf(CheckForm(http.Header{"Authorization": {"AWS4-"}}, "")))
	require.Equal(t, api.IncompleteSignature, api.CodeOf(CheckForm(http.Header{}, "X-Amz-Algorithm=A")))
}

func TestReadKeysErrors(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", "no access key: add a section such as [me] with aws_access_key_id and aws_secret_access_key"},
		{"aws_access_key_id = a", `line 1: "aws_access_key_id" stands before the first [user]`},
		{"[a]\nhello", "line 2: neither [user] nor name = value"},
		{"[a]\naws_access_key_id =", "line 2: aws_access_key_id is empty"},
		{"[a]\n\n# c\n[b]", "line 4: section [a] lacks aws_access_key_id or aws_secret_access_key"},
		{"[]\naws_access_key_id=a\naws_secret_access_key=b", "line 3: the section before has no name: give one such as [me]"},
		{testFile + testFile, "line 6: section [me] has the access key id of another section"},
		{"[a]\nacces = read-only", `line 2: unknown setting "acces"`},
		{"[a]\naccess = readonly", "line 2: access: want read-only or read-write"},
		{"[a]\nexpires = soon", "line 2: expires: want a time such as 2027-01-01T00:00:00Z"},
		{"[a]\ntables = x, *y", "line 2: tables: want names between commas, each with at most one * at its end"},
		{"[a]\ntables = x,,y", "line 2: tables: want names between commas, each with at most one * at its end"},
		{"[a]\naccount = 1234", "line 2: account: want 12 digits"},
		{"[a]\naccount = 12345678901x", "line 2: account: want 12 digits"},
		{"[a]\naws_secret_access_key = " + strings.Repeat("x", lineMaxBytes), "after line 1: bufio.Scanner: token too long"},
	} {
		_, err := ReadKeys(strings.NewReader(tt.text))
		require.EqualError(t, err, tt.want)
	}
}

func TestKeyMayReach(t *testing.T) {
	keys := testKeys(t, testFile+"region = x\naccess = read-only\ntables = Orders, Old-*\nbuckets = out, in-*\n")
	key := keys.byID[testID]
	require.True(t, key.ReadOnly)
	require.False(t, key.Unbound())
	for bucket, want := range map[string]bool{"out": true, "in-1": true, "out2": false, "other": false} {
		require.Equal(t, want, key.MayReachBucket(bucket), bucket)
	}
	for table, want := range map[string]bool{"Orders": true, "Orders2": false, "Old-1": true, "Old": false, "": false} {
		require.Equal(t, want, key.MayReach(table), table)
	}
	require.True(t, testKeys(t, testFile).byID[testID].MayReach("any"))
}

// FuzzVerify: whatever a request says, the answer is one of the errors of §1.8, and never a key.
func FuzzVerify(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host;a, Signature=00",
		"20260101T113000Z", "a=b&c", "v  w")
	f.Add("AWS4-X a,b= ,=c", "", "X-Amz-Algorithm=%zz&X-Amz-Date=20260101T113000Z", "")
	r := signed(f, true, goodCredentials, noon, nil)
	f.Add("", "", r.RawQuery[:len(r.RawQuery)-1], "")
	v := NewVerifier("us-east-1", testKeys(f, testFile))
	f.Fuzz(func(t *testing.T, auth, date, query, value string) {
		r := &Request{Method: "POST", Path: value, RawQuery: query, Host: value, Header: http.Header{
			headerAuthorization: {auth}, headerAmzDate: {date}, "A": {value, value},
		}}
		key, err := verify(v, r, noon)
		var e *api.Error
		if key != nil || !errors.As(err, &e) {
			t.Fatalf("key %v, error %v", key, err)
		}
		switch e.Code {
		case api.InvalidSignature, api.IncompleteSignature, api.MissingAuthenticationToken, api.UnrecognizedClient:
		default:
			t.Fatal(err)
		}
		if err := CheckForm(r.Header, query); err != nil && e.Code != api.CodeOf(err) {
			t.Fatalf("without keys %v, with keys %v", err, e)
		}
		appendCanonical(nil, r, &authorization{signedHeaders: auth})
	})
}

// FuzzReadKeys: a file is refused or has keys, each with an id and a secret.
func FuzzReadKeys(f *testing.F) {
	f.Add(testFile + testToken + "tables = a, b*\naccess = read-only")
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := ReadKeys(strings.NewReader(text))
		if (err == nil) != (keys != nil && keys.Len() > 0) {
			t.Fatal(keys, err)
		}
	})
}

// BenchmarkVerify is what a signature costs with its signing key at hand.
func BenchmarkVerify(b *testing.B) {
	v := NewVerifier("us-east-1", testKeys(b, testFile))
	r := signed(b, false, goodCredentials, noon, nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := verify(v, r, noon); err != nil {
			b.Fatal(err)
		}
	}
}

// TestVerifyAllocations: DESIGN §8 wants a signature to cost next to nothing.
func TestVerifyAllocations(t *testing.T) {
	v := NewVerifier("us-east-1", testKeys(t, testFile))
	r := signed(t, false, goodCredentials, noon, nil)
	got := testing.AllocsPerRun(100, func() {
		if _, err := verify(v, r, noon); err != nil {
			t.Fatal(err)
		}
	})
	// The race detector makes pools forget.
	require.LessOrEqual(t, got, 10.0)
}
