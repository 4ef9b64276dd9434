// Package keypair stores the private keys of a mount ([Store]), finds the one for an instance's initial password
// ([NameFor]), decrypts that, and keeps keys that were replaced for as long as somebody may need them.
package keypair

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/store"
)

// Prefix is where keys are stored.
const Prefix = "key/"

// Store stores the keys of a mount. Writers of one name hold its lock.
type Store struct {
	store.Locks
	storage logical.Storage
}

// NewStore makes the store of the keys.
func NewStore(storage logical.Storage) *Store { return &Store{store.NewLocks(), storage} }

// Record is a key as stored. Keys are used so rarely, once for each initial password, that they
// are not kept in memory.
type Record struct {
	store.Header
	// PEM is the private key, PKCS#8, not encrypted: the storage entry is.
	PEM string `json:"pem"`
	// Generated is set if the private half was made here and never existed elsewhere.
	Generated bool      `json:"generated,omitempty"`
	Created   time.Time `json:"created"`
	// AllowedConnections are names or globs; none means that no connection may use the key.
	AllowedConnections []string `json:"allowed_connections"`
	// Earlier are the keys that it has replaced, the newest first.
	Earlier []Earlier `json:"earlier,omitempty"`
}

// Load returns a stored key, or nil if there is none of that name.
func (s *Store) Load(ctx context.Context, name string) (*Record, *password.PrivateKey, error) {
	if !request.IsName(name) { // nothing is stored under it, and storage fails on ".."
		return nil, nil, nil
	}
	entry, err := s.storage.Get(ctx, Prefix+name)
	if err != nil {
		return nil, nil, request.StorageError("read", Prefix+name, err)
	}
	if entry == nil {
		return nil, nil, nil
	}
	if err := store.CheckSchema(entry.Value); err != nil {
		return nil, nil, fmt.Errorf("key/%s: %w", name, err)
	}
	var stored Record
	if err := json.Unmarshal(entry.Value, &stored); err != nil {
		// The cause could quote what it could not read.
		return nil, nil, fmt.Errorf("key/%s: the stored entry cannot be decoded", name)
	}
	parsed, err := password.ParsePrivateKey([]byte(stored.PEM), nil)
	if err != nil {
		return nil, nil, fmt.Errorf("key/%s: %w", name, err)
	}
	return &stored, parsed, nil
}

// Put writes a key.
func (s *Store) Put(ctx context.Context, name string, key *Record) error {
	raw, err := json.Marshal(key)
	if err != nil {
		return fmt.Errorf("key/%s cannot be encoded", name)
	}
	if err := s.storage.Put(ctx, &logical.StorageEntry{Key: Prefix + name, Value: raw, SealWrap: true}); err != nil {
		return request.StorageError("write", Prefix+name, err)
	}
	return nil
}

// Remove deletes a key.
func (s *Store) Remove(ctx context.Context, name string) error {
	if err := s.storage.Delete(ctx, Prefix+name); err != nil {
		return request.StorageError("delete", Prefix+name, err)
	}
	return nil
}

// List returns the names of all keys, sorted.
func (s *Store) List(ctx context.Context) ([]string, error) {
	return store.ListNames(ctx, s.storage, Prefix)
}

// NameFor is the name of the key for an instance's initial password: the role's, or else that of
// the instance's key pair in the cloud.
func NameFor(roleKey, instanceID, keyPair string) (string, error) {
	switch {
	case roleKey != "":
		return roleKey, nil
	case keyPair == "":
		return "", request.Invalidf(
			"instance %s has no key pair in the cloud that would name its key, and without a key pair the cloud makes no initial password; "+
				"if it was launched with one all the same, set the role's key", instanceID)
	case !request.IsName(keyPair):
		return "", request.Invalidf("instance %s: its key pair is called %.64q in the cloud, a name that Vault cannot use; "+
			"store its private key under another: %s; then give the role key=%s", instanceID, keyPair, WriteHint(similarName(keyPair)),
			similarName(keyPair))
	}
	return keyPair, nil
}

// Decrypt opens an initial password for the core.
func (s *Store) Decrypt(ctx context.Context, c rotation.Ciphertext) (string, error) {
	name, err := NameFor(c.Key, c.ID.InstanceID, c.Facts.KeyName)
	if err != nil {
		return "", err
	}
	stored, key, err := s.Load(ctx, name)
	if err != nil {
		return "", err
	}
	if stored == nil {
		return "", request.Invalidf("instance %s: there is no key keys/%s to decrypt its initial password with; %s; or set the role's key",
			c.ID.InstanceID, name, StoreHint(name))
	}
	// A connection may name any instance, and a cloud of its own answers whatever it likes for one. So what is
	// decrypted for it says whose key it may use, and not what is asked for.
	if !stored.Allows(c.ID.Connection) {
		return "", request.Invalidf("instance %s: %s", c.ID.InstanceID, Refusal(name, stored, c.ID.Connection))
	}
	earlier, err := stored.earlierKeys()
	if err != nil {
		return "", fmt.Errorf("key/%s: %w", name, err)
	}
	for _, candidate := range append([]*password.PrivateKey{key}, earlier...) {
		plain, err := password.DecryptInitial(candidate, c.Value)
		if err == nil {
			return plain, nil
		}
		if errors.Is(err, password.ErrFIPS) {
			return "", request.Unavailablef("instance %s: %s", c.ID.InstanceID, err)
		}
	}
	return "", s.undecryptable(ctx, c, name, key, len(earlier))
}

// fingerprintTimeout bounds the question for a fingerprint, which only makes an error clearer.
const fingerprintTimeout = 10 * time.Second

// undecryptable explains a failed decryption from the names and fingerprints of both keys. The failed
// decryption itself tells nothing: its ciphertext is the guest's.
func (s *Store) undecryptable(ctx context.Context, c rotation.Ciphertext, name string, key *password.PrivateKey, earlier int) error {
	prints := key.Fingerprints()
	launched := "the instance names no key pair in the cloud"
	advice := rightKey(name, c)
	if c.Facts.KeyName != "" {
		launched = fmt.Sprintf("the instance's key pair in the cloud is %q", c.Facts.KeyName)
		fingerprint := cloudFingerprint(ctx, c)
		switch {
		case fingerprint == "":
			launched += ", whose fingerprint the cloud does not tell"
		case prints.Contains(fingerprint):
			launched += " with fingerprint " + fingerprint
			advice = hint.Plain("the fingerprints agree, so the cloud's ciphertext is damaged, or something inside the server has replaced it")
		default:
			launched += " with fingerprint " + fingerprint
		}
	}
	also := ""
	if earlier > 0 {
		also = fmt.Sprintf(" and %d earlier keys of that name", earlier)
	}
	return request.Invalidf("instance %s: %s. Used was keys/%s (fingerprints: SHA256 %s, MD5 %s, EC2 created %s, EC2 imported %s)%s; %s; %s",
		c.ID.InstanceID, password.ErrDecrypt, name, prints.SHA256, prints.MD5, prints.AWSCreated, prints.AWSImported, also, launched, advice)
}

// rightKey is the way out where an instance's password was not encrypted for the key that was used.
func rightKey(used string, c rotation.Ciphertext) hint.Text {
	name := similarName(c.Facts.KeyName)
	advice := hint.Textf("store the private key of the key pair that the instance was launched with: %s", WriteHint(name))
	if name != used || c.Key != "" {
		return hint.Textf("%s; then give the role key=%s", advice, name)
	}
	return advice
}

// StoreHint tells how to store the private key of a key pair under its name.
func StoreHint(name string) hint.Text { return hint.Textf("store it: %s", WriteHint(name)) }

// WriteHint stores a private key from a file that is called like it.
func WriteHint(name string) hint.Hint {
	return hint.New("write", "keys/"+name, "private_key=@"+name+".pem")
}

var outsideNames = regexp.MustCompile(`[^\w-]+`)

// similarName is a name that Vault can use, made of a key pair's name at the cloud.
func similarName(keyPair string) string {
	if request.IsName(keyPair) {
		return keyPair
	}
	name := strings.Trim(outsideNames.ReplaceAllString(keyPair, "-"), "-")
	if !request.IsName(name) {
		return "my-key"
	}
	return name
}

// cloudFingerprint asks the cloud for the key pair's fingerprint; "" if it does not tell.
func cloudFingerprint(ctx context.Context, c rotation.Ciphertext) string {
	if c.Fingerprint == nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, fingerprintTimeout)
	defer cancel()
	fingerprint, err := c.Fingerprint(ctx)
	if err != nil {
		return ""
	}
	return fingerprint
}
