package keypair

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"golang.org/x/crypto/ssh"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func newKey(t *testing.T) *password.PrivateKey {
	t.Helper()
	key, err := password.GeneratePrivateKey(2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// encrypted is a password as a cloud tells it.
func encrypted(t *testing.T, key *password.PrivateKey, plain string) string {
	t.Helper()
	parsed, err := ssh.ParseRawPrivateKey(key.PEM())
	if err != nil {
		t.Fatal(err)
	}
	secret, err := rsa.EncryptPKCS1v15(rand.Reader, &parsed.(*rsa.PrivateKey).PublicKey, []byte(plain)) //nolint:staticcheck // what clouds use
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(secret)
}

func TestNameFor(t *testing.T) {
	for _, c := range []struct{ roleKey, keyPair, want, says string }{
		{"mine", "pair", "mine", ""},
		{"mine", "", "mine", ""},
		{"", "pair", "pair", ""},
		{"", "", "", "no key pair"},
		{"", "my pair/2", "", "write keys/my-pair-2 private_key=@my-pair-2.pem; then give the role key=my-pair-2"},
		{"", "..", "", "write keys/my-key private_key=@my-key.pem"},
	} {
		got, err := NameFor(c.roleKey, "srv-1", c.keyPair)
		if got != c.want || (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %q, %v", c, got, err)
		}
	}
}

func TestAllows(t *testing.T) {
	for _, c := range []struct {
		allowed []string
		want    bool
	}{{nil, false}, {[]string{"*"}, true}, {[]string{"prod"}, true}, {[]string{"pro*"}, true}, {[]string{"test", "other"}, false}} {
		k := &Record{AllowedConnections: c.allowed}
		if got := k.Allows("prod"); got != c.want {
			t.Errorf("%v: %v", c.allowed, got)
		}
	}
	k := &Record{AllowedConnections: []string{"test"}}
	if got := Refusal("k", k, "prod").At("cloudpw/"); !strings.Contains(got, "vault write cloudpw/keys/k allowed_connections=test,prod") {
		t.Error(got)
	}
	if len(k.AllowedConnections) != 1 {
		t.Errorf("a refusal changed the record: %v", k.AllowedConnections)
	}
}

// A key that is replaced goes on decrypting, for the connections that may use the name.
func TestDecrypt(t *testing.T) {
	s := NewStore(new(logical.InmemStorage))
	first, second, foreign := newKey(t), newKey(t), newKey(t)
	record, err := Replace("pair", nil, first, start)
	if err != nil {
		t.Fatal(err)
	}
	if record, err = Replace("pair", record, second, start.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	record.AllowedConnections = []string{"prod"}
	if err := s.Put(t.Context(), "pair", record); err != nil {
		t.Fatal(err)
	}
	ask := func(connection, keyPair, value string) (string, error) {
		return s.Decrypt(t.Context(), rotation.Ciphertext{
			ID: rotation.ID{Connection: connection, InstanceID: "srv-1", Username: "Administrator"}, Facts: rotation.Facts{KeyName: keyPair},
			Value: value, Fingerprint: func(context.Context) (string, error) { return "", errors.New("not told") },
		})
	}
	for name, key := range map[string]*password.PrivateKey{"its own": second, "the one before": first} {
		if got, err := ask("prod", "pair", encrypted(t, key, "fr0m-the-guest!")); err != nil || got != "fr0m-the-guest!" {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, c := range map[string]struct{ connection, keyPair, says string }{
		"a foreign key":        {"prod", "pair", "and 1 earlier keys of that name"},
		"an unknown key":       {"prod", "other", "there is no key keys/other"},
		"a foreign connection": {"test", "pair", "keys/pair is not for connection test"},
	} {
		if got, err := ask(c.connection, c.keyPair, encrypted(t, foreign, "fr0m-the-guest!")); got != "" || err == nil ||
			!strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "fr0m") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReplace(t *testing.T) {
	first, second := newKey(t), newKey(t)
	record, err := Replace("k", nil, first, start)
	if err != nil || len(record.Earlier) != 0 || !record.Created.Equal(start) {
		t.Fatalf("a new key: %+v, %v", record, err)
	}
	for i, c := range []struct {
		key     *password.PrivateKey
		earlier int
	}{{second, 1}, {first, 1}, {second, 1}} { // one that is back in use is no earlier one
		if record, err = Replace("k", record, c.key, start.Add(time.Hour)); err != nil || len(record.Earlier) != c.earlier {
			t.Fatalf("%d: %d earlier keys, %v", i, len(record.Earlier), err)
		}
	}
	record.Earlier = slices.Repeat([]Earlier{{PEM: "other"}}, maxEarlierKeys)
	if _, err := Replace("k", record, newKey(t), start); err == nil || !strings.Contains(err.Error(), "keeps no more") {
		t.Errorf("one more than are kept: %v", err)
	}
}

func TestDropEarlier(t *testing.T) {
	planned := errors.New("planned")
	for name, c := range map[string]struct {
		after   time.Duration
		awaited bool
		err     error
		dropped bool
	}{
		"replaced just now":   {earlierKeyStays - 1, false, nil, false},
		"nobody needs it":     {earlierKeyStays, false, nil, true},
		"somebody awaits it":  {earlierKeyStays, true, nil, false},
		"nobody can tell":     {earlierKeyStays, false, planned, false},
		"replaced a year ago": {365 * 24 * time.Hour, false, nil, true},
	} {
		s := NewStore(new(logical.InmemStorage))
		record, err := Replace("k", nil, newKey(t), start)
		if err != nil {
			t.Fatal(err)
		}
		record.Earlier = []Earlier{{PEM: record.PEM, Replaced: start}}
		if err := s.Put(t.Context(), "k", record); err != nil {
			t.Fatal(err)
		}
		dropped, err := s.DropEarlier(t.Context(), "k", start.Add(c.after), func(*Record) (bool, error) { return c.awaited, c.err })
		if dropped != c.dropped || !errors.Is(err, c.err) {
			t.Errorf("%s: %v, %v", name, dropped, err)
		}
		stored, _, err := s.Load(t.Context(), "k")
		if err != nil || (len(stored.Earlier) == 0) != c.dropped {
			t.Errorf("%s: %d earlier keys are stored, %v", name, len(stored.Earlier), err)
		}
	}
}

func TestStore(t *testing.T) {
	storage := new(logical.InmemStorage)
	s := NewStore(storage)
	for _, name := range []string{"none", "../odd"} {
		if record, key, err := s.Load(t.Context(), name); record != nil || key != nil || err != nil {
			t.Errorf("%s: %v, %v", name, record, err)
		}
	}
	for name, raw := range map[string]string{"broken": `{"pem":"s3cret`, "no-key": `{"pem":"s3cret"}`, "newer": `{"schema":2,"pem":["s3cret"]}`} {
		if err := storage.Put(t.Context(), &logical.StorageEntry{Key: Prefix + name, Value: []byte(raw)}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Load(t.Context(), name); err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if names, err := s.List(t.Context()); err != nil || fmt.Sprint(names) != "[broken newer no-key]" {
		t.Errorf("listed %v, %v", names, err)
	}
	if err := s.Remove(t.Context(), "broken"); err != nil {
		t.Fatal(err)
	}
	if record, _, err := s.Load(t.Context(), "broken"); record != nil || err != nil {
		t.Errorf("after its removal: %v, %v", record, err)
	}
}
