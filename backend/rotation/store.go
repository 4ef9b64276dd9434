package rotation

import (
	"context"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
	"github.com/hashicorp/vault/sdk/logical"
)

// Storage prefixes. The records of accounts and groups are to be seal-wrapped by the backend;
// bindings, and what is known of initial passwords, hold no secret.
const (
	AccountPrefix = "account/"
	GroupPrefix   = "group/"
	bindingPrefix = "binding/"
)

// accountKey is where a record is stored: an account's, or a group's.
func accountKey(id ID) string {
	if id.IsGroup() {
		return GroupPrefix + id.Connection + "/" + id.Username
	}
	return AccountPrefix + id.String()
}

// storageError is what callers see when storage fails, with Vault's reason, which no log has; whether a failed write has
// landed is unknown.
func storageError(what string, id ID, err error) *Error {
	return &Error{Kind: Unavailable, Message: hint.Textf("storage failed while %s account %s; nothing was handed out, try again: %v", what, id,
		err), Err: err}
}

func loadAccount(ctx context.Context, s logical.Storage, id ID) (*Account, error) {
	raw, err := s.Get(ctx, accountKey(id))
	if err != nil {
		return nil, storageError("reading", id, err)
	}
	if raw == nil {
		return nil, nil
	}
	a, err := protocol.DecodeAccount(raw.Value)
	if err != nil {
		return nil, &Error{Kind: Unavailable, Message: hint.Textf("account %s: %v", id, err), Err: err}
	}
	if a.ID == id {
		a.ID = id // which shares its text with what it is asked for by
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
	a.Schema = protocol.SchemaVersion
	raw, err := protocol.EncodeAccount(a)
	if err != nil {
		return storageError("encoding", a.ID, err)
	}
	if err := s.Put(ctx, &logical.StorageEntry{Key: accountKey(a.ID), Value: raw, SealWrap: true}); err != nil {
		return storageError("writing", a.ID, err)
	}
	return nil
}
