package target

import (
	"context"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	sharedCredentials = "[default]\naws_access_key_id = DEFAULT\naws_secret_access_key = d\n" +
		"[work]\naws_access_key_id = WORK\naws_secret_access_key = w\naws_session_token = token\n"
	sharedConfig = "[default]\nregion = eu-west-1\n[profile work]\nregion = eu-north-1\n" +
		"[profile login]\nsso_start_url = https://example.com\nsso_region = eu-west-1\nsso_account_id = 123456789012\nsso_role_name = r\n"
)

// environment takes the place of whatever the machine has.
func environment(t *testing.T, vars map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{
		envAccessKey, envSecretKey, envSessionToken, envRegion, envDefaultRegion, envProfile, envCABundle,
	} {
		t.Setenv(name, "")
	}
	t.Setenv(envCredentialsFile, filepath.Join(dir, "credentials"))
	t.Setenv(envConfigFile, filepath.Join(dir, "config"))
	for name, value := range vars {
		switch name {
		case "credentials", "config":
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(value), 0o600))
		default:
			t.Setenv(name, value)
		}
	}
}

func TestIdentify(t *testing.T) {
	files := map[string]string{"credentials": sharedCredentials, "config": sharedConfig}
	with := func(more map[string]string) map[string]string {
		out := map[string]string{}
		for _, m := range []map[string]string{files, more} {
			maps.Copy(out, m)
		}
		return out
	}
	keys := map[string]string{envAccessKey: "ENV", envSecretKey: "e"}
	for _, tt := range []struct {
		name                       string
		env                        map[string]string
		target                     Target
		key, secret, token, region string
	}{
		{"nothing, on this machine", nil, Target{Endpoint: "http://[::1]:8000"}, "", "", "", "us-east-1"},
		{"environment", with(keys), Target{Endpoint: "http://h"}, "ENV", "e", "", "eu-west-1"},
		{"environment without files", map[string]string{envAccessKey: "ENV", envSecretKey: "e", envSessionToken: "t"},
			Target{Endpoint: "https://dynamodb.ap-south-1.amazonaws.com"}, "ENV", "e", "t", "ap-south-1"},
		{"default profile", files, Target{Endpoint: "http://h"}, "DEFAULT", "d", "", "eu-west-1"},
		{"profile of the environment", with(map[string]string{envProfile: "work"}), Target{Endpoint: "http://h"},
			"WORK", "w", "token", "eu-north-1"},
		{"profile by flag", with(keys), Target{Endpoint: "http://h", Profile: "work"}, "WORK", "w", "token", "eu-north-1"},
		{"region by flag", files, Target{Endpoint: "http://h", Region: "sa-east-1"}, "DEFAULT", "d", "", "sa-east-1"},
		{"region of the environment", with(map[string]string{envDefaultRegion: "ca-west-1"}), Target{Endpoint: "http://h"},
			"DEFAULT", "d", "", "ca-west-1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			environment(t, tt.env)
			endpoint, err := url.Parse(tt.target.Endpoint)
			require.NoError(t, err)
			who, err := tt.target.identify(context.Background(), endpoint)
			require.NoError(t, err)
			assert.Equal(t, []string{tt.key, tt.secret, tt.token, tt.region}, []string{
				who.credentials.AccessKeyID, who.credentials.SecretAccessKey, who.credentials.SessionToken, who.region,
			})
		})
	}
}

func TestIdentifyErrors(t *testing.T) {
	files := map[string]string{"credentials": sharedCredentials, "config": sharedConfig}
	for _, tt := range []struct {
		name   string
		env    map[string]string
		target Target
		want   string
	}{
		{"none for another machine", nil, Target{Endpoint: "http://h"}, "no credentials for http://h: set AWS_ACCESS_KEY_ID"},
		{"no such profile", files, Target{Endpoint: "http://localhost", Profile: "nobody"}, "there is no profile nobody"},
		{"a profile that logs in", files, Target{Endpoint: "http://h", Profile: "login"},
			`profile login has no access key: eval "$(aws configure export-credentials --profile login --format env)"`},
		{"no URL", nil, Target{Endpoint: "http://"}, `--endpoint "http://" is no URL`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			environment(t, tt.env)
			_, err := tt.target.Open(context.Background())
			assert.ErrorContains(t, err, tt.want)
		})
	}
}

func TestRegionOf(t *testing.T) {
	assert.Equal(t, "eu-west-1", regionOf("dynamodb.eu-west-1.amazonaws.com"))
	assert.Equal(t, "cn-north-1", regionOf("dynamodb.cn-north-1.amazonaws.com.cn"))
	assert.Empty(t, regionOf("localhost"))
	assert.Empty(t, regionOf("dynamodb.example.com"))
}
