package sigv4

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSecret(t *testing.T) {
	v := NewVerifier("us-east-1", testKeys(t, `
[plain]
aws_access_key_id = P
aws_secret_access_key = secret
[guest]
aws_access_key_id = G
aws_secret_access_key = secret
aws_session_token = token
expires = `+noon.Format("2006-01-02T15:04:05Z")+`
`))
	key, err := v.Secret("P", "secret", "", noon)
	require.NoError(t, err)
	require.Equal(t, "plain", key.User)
	before := noon.Add(-1)
	key, err = v.Secret("G", "secret", "token", before)
	require.NoError(t, err)
	require.Equal(t, "guest", key.User)
	for _, tt := range []struct{ id, secret, token, want string }{
		{"P", "wrong", "", "UnrecognizedClientException: " + msgUnknownKey},
		{"P", "", "", "UnrecognizedClientException: " + msgUnknownKey},
		{"N", "", "", "UnrecognizedClientException: " + msgUnknownKey},
		{"", "", "", "UnrecognizedClientException: " + msgUnknownKey},
		{"P", "secret", "token", "UnrecognizedClientException: " + msgBadToken},
		{"G", "secret", "", "UnrecognizedClientException: " + msgBadToken},
	} {
		_, err := v.Secret(tt.id, tt.secret, tt.token, before)
		require.EqualError(t, err, tt.want)
	}
	_, err = v.Secret("G", "secret", "token", noon)
	require.ErrorContains(t, err, msgExpiredToken)

	key, err = v.Named("G", before)
	require.NoError(t, err, "who has shown a certificate needs no token")
	require.Equal(t, "guest", key.User)
	_, err = v.Named("G", noon)
	require.ErrorContains(t, err, msgExpiredToken)
	_, err = v.Named("N", noon)
	require.ErrorContains(t, err, msgUnknownKey)
	require.EqualError(t, MissingToken(), "MissingAuthenticationTokenException: "+msgNoToken)
}
