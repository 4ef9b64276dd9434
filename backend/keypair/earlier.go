package keypair

import (
	"context"
	"slices"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/store"
)

// An earlier key is one that a write of keys/<name> has replaced. It is kept while an account of a role
// waits for an initial password under that name, since the instance may have been launched with it.

const (
	// maxEarlierKeys keeps the entry far below the limit of Vault's storage: 8192 bits take 6.4 KiB.
	maxEarlierKeys = 10
	// earlierKeyStays is the least time for which a replaced key is kept.
	earlierKeyStays = time.Hour
)

// Earlier is a replaced key as stored.
type Earlier struct {
	PEM      string    `json:"pem"`
	Created  time.Time `json:"created"`
	Replaced time.Time `json:"replaced"`
}

// earlierKeys parses the replaced keys, the newest first.
func (k *Record) earlierKeys() ([]*password.PrivateKey, error) {
	keys := make([]*password.PrivateKey, 0, len(k.Earlier))
	for _, e := range k.Earlier {
		parsed, err := password.ParsePrivateKey([]byte(e.PEM), nil)
		if err != nil {
			return nil, err
		}
		keys = append(keys, parsed)
	}
	return keys, nil
}

// Replace makes the record of a new key, which keeps the one that it replaces, and those before. old is nil where it
// replaces none.
func Replace(name string, old *Record, by *password.PrivateKey, now time.Time) (*Record, error) {
	text := string(by.PEM())
	next := &Record{Header: store.Header{Schema: store.SchemaVersion}, PEM: text, Created: now}
	if old == nil {
		return next, nil
	}
	next.Earlier = []Earlier{{PEM: old.PEM, Created: old.Created, Replaced: now}}
	for _, e := range old.Earlier {
		if e.PEM != text { // else it is back in use
			next.Earlier = append(next.Earlier, e)
		}
	}
	if len(next.Earlier) > maxEarlierKeys {
		return nil, request.Conflictf(
			"private_key: keys/%s has replaced %d keys within the last hour, or while accounts wait for their initial "+
				"passwords, and keeps no more; read those accounts first, or write another name", name, maxEarlierKeys)
	}
	return next, nil
}

// EarlierData is what reading a key tells of those that it has replaced.
func (k *Record) EarlierData() ([]map[string]any, error) {
	data := []map[string]any{}
	keys, err := k.earlierKeys()
	if err != nil {
		return nil, err
	}
	for i, e := range k.Earlier {
		data = append(data, map[string]any{
			"fingerprints": keys[i].Fingerprints().Map(), "created_time": request.Timestamp(e.Created),
			"replaced_time": request.Timestamp(e.Replaced),
		})
	}
	return data, nil
}

// DropEarlier deletes the keys that a key has replaced long ago, unless somebody awaits what it decrypts, and reports
// whether it did.
func (s *Store) DropEarlier(ctx context.Context, name string, now time.Time, awaited func(*Record) (bool, error)) (bool, error) {
	defer s.Lock(name)()
	stored, _, err := s.Load(ctx, name)
	if err != nil || stored == nil {
		return false, err
	}
	kept := slices.DeleteFunc(slices.Clone(stored.Earlier), func(e Earlier) bool { return now.Sub(e.Replaced) >= earlierKeyStays })
	if len(kept) == len(stored.Earlier) {
		return false, nil
	}
	if is, err := awaited(stored); err != nil || is {
		return false, err
	}
	stored.Earlier = kept
	return true, s.Put(ctx, name, stored)
}
