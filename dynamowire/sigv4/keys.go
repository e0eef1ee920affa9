package sigv4

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keystone-db/kstone/engine/api"
)

// Limits of a credentials file.
const (
	// KeysMax is how many access keys a file may have.
	KeysMax = 100_000
	// lineMaxBytes is the longest line: a list of tables.
	lineMaxBytes = 64 << 10
)

// Names of the settings.
const (
	settingID      = "aws_access_key_id"
	settingSecret  = "aws_secret_access_key"
	settingToken   = "aws_session_token"
	settingExpiry  = "expires"
	settingAccess  = "access"
	settingTables  = "tables"
	settingAccount = "account"
	// settingBuckets names the buckets of exports, imports and bulk puts.
	settingBuckets = "buckets"

	accessFull     = "read-write"
	accessReadOnly = "read-only"

	accountDigits = 12
)

// Key is one access key and what it may do.
type Key struct {
	// User is the name in error texts: the name of the section.
	User string
	// ReadOnly keys may not change anything.
	ReadOnly bool
	// Account is that of the user, twelve digits; empty for the account whose tables are served.
	Account string

	id, secret, token string
	expires           time.Time
	// tables holds names, or beginnings of names that end with '*'; nil stands for every table. buckets holds
	// those of buckets; nil stands for every bucket, of a key that is bound to tables for none.
	tables, buckets []string
	// days holds the signing keys of the last even and the last odd day: around midnight requests of
	// two days come mixed.
	days [2]atomic.Pointer[daily]
}

// daily holds the signing key of a day.
type daily struct {
	day, region, service string
	// macs are HMACs with the signing key: reset, they need not digest it again.
	macs sync.Pool // hash.Hash
}

// Keys are the access keys of a file.
type Keys struct{ byID map[string]*Key }

// Len is the number of keys.
func (k *Keys) Len() int { return len(k.byID) }

// ReadKeys reads a credentials file. It has the form of ~/.aws/credentials, and such a file can be
// used as it is: a section is a user.
//
//	# comment
//	[reports]                                   the user's name, as error texts give it
//	aws_access_key_id     = AKIAEXAMPLE
//	aws_secret_access_key = wJalrXUtnFEMI/K7MDENG
//	aws_session_token     = …                   optional: requests must have this token
//	expires               = 2027-01-01T00:00:00Z   optional: when the token ends
//	access                = read-only           optional; read-write when absent
//	tables                = Orders, Archive-*   optional; all when absent. A table stands for its
//	                                            indexes and streams too
//	buckets               = exports, in-*       optional: where exports, imports and bulk puts read and write;
//	                                            all when absent, but none for a key with tables
//	account               = 210987654321        optional: the user's account, when it is another one than that of
//	                                            the tables. He reaches those by their ARNs whose policies let him in
//
// Other settings, such as region, are an error, so that a misspelled restriction does not vanish;
// those that clients keep in such files are listed in clientSettings and ignored.
func ReadKeys(r io.Reader) (*Keys, error) {
	keys := &Keys{byID: map[string]*Key{}}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, lineMaxBytes)
	var current *Key
	number := 0
	for lines.Scan() {
		number++
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		var err error
		if name, ok := section(line); ok {
			err = keys.add(current)
			current = &Key{User: name}
		} else {
			err = current.set(line)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("after line %d: %w", number, err)
	}
	if err := keys.add(current); err != nil {
		return nil, fmt.Errorf("line %d: %w", number, err)
	}
	if keys.Len() == 0 {
		return nil, errors.New("no access key: add a section such as [me] with " + settingID + " and " + settingSecret)
	}
	return keys, nil
}

// section is the user of a line such as [user].
func section(line string) (string, bool) {
	if line[0] != '[' || line[len(line)-1] != ']' {
		return "", false
	}
	return strings.TrimSpace(line[1 : len(line)-1]), true
}

// add takes a section that is complete; nil is none.
func (k *Keys) add(key *Key) error {
	switch {
	case key == nil:
		return nil
	case key.User == "":
		return errors.New("the section before has no name: give one such as [me]")
	case key.id == "" || key.secret == "":
		return fmt.Errorf("section [%s] lacks %s or %s", key.User, settingID, settingSecret)
	case k.byID[key.id] != nil:
		return fmt.Errorf("section [%s] has the access key id of another section", key.User)
	case len(k.byID) == KeysMax:
		return fmt.Errorf("more than %d access keys", KeysMax)
	}
	k.byID[key.id] = key
	return nil
}

// clientSettings says which settings mean something to clients only.
func clientSettings(name string) bool {
	switch name {
	case "region", "output", "endpoint_url", "aws_account_id":
		return true
	}
	return false
}

// set takes one setting of a section. The value is never told in an error: it may be a secret.
func (k *Key) set(line string) error {
	name, value, ok := strings.Cut(line, "=")
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	switch {
	case !ok:
		return errors.New("neither [user] nor name = value")
	case k == nil:
		return fmt.Errorf("%q stands before the first [user]", name)
	case value == "":
		return fmt.Errorf("%s is empty", name)
	}
	var err error
	switch name {
	case settingID:
		k.id = value
	case settingSecret:
		k.secret = value
	case settingToken:
		k.token = value
	case settingExpiry:
		return k.setExpiry(value)
	case settingAccess:
		k.ReadOnly = value == accessReadOnly
		if !k.ReadOnly && value != accessFull {
			return fmt.Errorf("%s: want %s or %s", name, accessReadOnly, accessFull)
		}
	case settingTables:
		k.tables, err = names(name, value)
	case settingBuckets:
		k.buckets, err = names(name, value)
	case settingAccount:
		if len(value) != accountDigits || strings.Trim(value, "0123456789") != "" {
			return fmt.Errorf("%s: want %d digits", name, accountDigits)
		}
		k.Account = value
	default:
		if !clientSettings(name) {
			return fmt.Errorf("unknown setting %q", name)
		}
	}
	return err
}

func (k *Key) setExpiry(value string) error {
	at, err := time.Parse(time.RFC3339, value)
	if err != nil {
		return fmt.Errorf("%s: want a time such as 2027-01-01T00:00:00Z", settingExpiry)
	}
	k.expires = at
	return nil
}

// names reads a list of names and beginnings of names.
func names(setting, value string) ([]string, error) {
	var out []string
	for name := range strings.SplitSeq(value, ",") {
		name = strings.TrimSpace(name)
		if i := strings.IndexByte(name, '*'); name == "" || i >= 0 && i != len(name)-1 {
			return nil, fmt.Errorf("%s: want names between commas, each with at most one * at its end", setting)
		}
		out = append(out, name)
	}
	return out, nil
}

// Unbound says that the key is not bound to tables or buckets.
func (k *Key) Unbound() bool { return k.tables == nil && k.buckets == nil }

// MayReach says whether the key may reach the table.
func (k *Key) MayReach(table string) bool { return k.tables == nil || among(k.tables, table) }

// MayReachBucket says whether the key may have objects of the bucket read and written.
func (k *Key) MayReachBucket(bucket string) bool {
	return k.Unbound() || among(k.buckets, bucket)
}

func among(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool {
		prefix, open := strings.CutSuffix(n, "*")
		return n == name || open && strings.HasPrefix(name, prefix)
	})
}

// checkToken makes checks 13 and 14.
func (k *Key) checkToken(token string, now time.Time) error {
	switch {
	case subtle.ConstantTimeCompare([]byte(token), []byte(k.token)) != 1:
		return api.Errorf(api.UnrecognizedClient, msgBadToken)
	case !k.expires.IsZero() && !now.Before(k.expires):
		return api.Errorf(api.ExpiredToken, msgExpiredToken)
	}
	return nil
}

const dayLength = 24 * time.Hour

// daily is what belongs to the day of a time, derived when it is not at hand.
func (k *Key) daily(at time.Time, region, service string) *daily {
	slot := &k.days[at.Unix()/int64(dayLength/time.Second)&1]
	var text [dayChars]byte
	day := at.AppendFormat(text[:0], dateForm[:dayChars])
	if d := slot.Load(); d != nil && d.day == string(day) && d.region == region && d.service == service {
		return d
	}
	d := &daily{day: string(day), region: region, service: service}
	signing := []byte("AWS4" + k.secret)
	for _, part := range [...]string{d.day, region, service, terminator} {
		mac := hmac.New(sha256.New, signing)
		mac.Write([]byte(part))
		signing = mac.Sum(nil)
	}
	d.macs.New = func() any { return hmac.New(sha256.New, signing) }
	slot.Store(d)
	return d
}
