package rotation

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

// Storage prefixes. The records of accounts and groups are to be seal-wrapped by the backend;
// bindings hold no secret.
const (
	AccountPrefix = "account/"
	GroupPrefix   = "group/"
	bindingPrefix = "binding/"
)

// accountKey is where a record is stored: an account's, or a group's.
func accountKey(id ID) string {
	if id.isGroup() {
		return GroupPrefix + id.Connection + "/" + id.Username
	}
	return AccountPrefix + id.String()
}

// storageError is what callers see when storage fails, with Vault's reason, which no log has; whether a failed write has
// landed is unknown.
func storageError(what string, id ID, err error) *Error {
	return &Error{Kind: Unavailable, Message: fmt.Sprintf("storage failed while %s account %s; nothing was handed out, try again: %v", what, id, err), Err: err}
}

func loadAccount(ctx context.Context, s logical.Storage, id ID) (*Account, error) {
	raw, err := s.Get(ctx, accountKey(id))
	if err != nil {
		return nil, storageError("reading", id, err)
	}
	if raw == nil {
		return nil, nil
	}
	a, err := decodeAccount(raw.Value)
	if err != nil {
		return nil, &Error{Kind: Unavailable, Message: fmt.Sprintf("account %s: %v", id, err), Err: err}
	}
	return a, nil
}

// writeTimeout bounds the core's own writes: longer than storage takes that works at all.
const writeTimeout = time.Minute

// writeContext is that of a write. A write that is given up with its caller's request may land all the same,
// later than the record has been read back, and undo what was written meanwhile. So a caller who goes away
// ends none: only storage that does not answer at all does.
func writeContext(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
}

// deleteRecord deletes what is stored under a key.
func deleteRecord(ctx context.Context, s logical.Storage, key string) error {
	ctx, cancel := writeContext(ctx)
	defer cancel()
	return s.Delete(ctx, key)
}

func saveAccount(ctx context.Context, s logical.Storage, a *Account) error {
	ctx, cancel := writeContext(ctx)
	defer cancel()
	a.Schema = schemaVersion
	raw, err := encodeAccount(a)
	if err != nil {
		return storageError("encoding", a.ID, err)
	}
	if err := s.Put(ctx, &logical.StorageEntry{Key: accountKey(a.ID), Value: raw, SealWrap: true}); err != nil {
		return storageError("writing", a.ID, err)
	}
	return nil
}

// binding is the marker that makes an account unique over provider, instance id and user name,
// whichever connection leads there. It outlives a deleted account as its tombstone.
type binding struct {
	Schema int `json:"schema"`
	// Account is who holds the binding; nil after a delete.
	Account *ID `json:"account,omitempty"`
	// InitialOverwritten remembers, past a delete, that the cloud's initial password is not the
	// server's any more, or that a client knows it whose lease has ended.
	InitialOverwritten bool `json:"initial_overwritten,omitempty"`
}

// bindingKey folds the case of Windows user names, which Windows does not distinguish.
func bindingKey(provider string, id ID, foldCase bool) string {
	user := id.Username
	if foldCase {
		user = strings.ToLower(user)
	}
	return bindingPrefix + provider + "/" + id.InstanceID + "/" + user
}

func loadBinding(ctx context.Context, s logical.Storage, key string, id ID) (binding, error) {
	var b binding
	raw, err := s.Get(ctx, key)
	if err != nil {
		return b, storageError("reading the binding of", id, err)
	}
	if raw == nil {
		return b, nil
	}
	if err := json.Unmarshal(raw.Value, &b); err != nil {
		return b, storageError("decoding the binding of", id, err)
	}
	if b.Schema > schemaVersion {
		return b, errorf(Unavailable, "the binding of account %s has schema %d, newer than %d: run the newer plugin version that wrote it", id, b.Schema, schemaVersion)
	}
	return b, nil
}

func saveBinding(ctx context.Context, s logical.Storage, key string, id ID, b binding) error {
	ctx, cancel := writeContext(ctx)
	defer cancel()
	b.Schema = schemaVersion
	raw, err := json.Marshal(b)
	if err != nil {
		return storageError("encoding the binding of", id, err)
	}
	if err := s.Put(ctx, &logical.StorageEntry{Key: key, Value: raw}); err != nil {
		return storageError("writing the binding of", id, err)
	}
	return nil
}
