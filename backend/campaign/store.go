package campaign

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/store"
)

// Prefix is where campaigns are stored, and partPrefix where the parts of their lists are. They hold no secret.
const (
	Prefix     = "campaign/"
	partPrefix = "campaign-part/"
)

func partKey(id string, n int) string { return partPrefix + id + "/" + strconv.Itoa(n) }

// writeTimeout bounds a write. It is not cut short with the request for which it is made: a write that is given up may land
// later, over a newer one.
const writeTimeout = time.Minute

func writeContext(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
}

// files are the stored campaigns.
type files struct{ storage logical.Storage }

func (f files) put(ctx context.Context, key string, value any) error {
	ctx, cancel := writeContext(ctx)
	defer cancel()
	raw, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode %s: %w", key, err)
	}
	if err := f.storage.Put(ctx, &logical.StorageEntry{Key: key, Value: raw}); err != nil {
		return request.StorageError("write", key, err)
	}
	return nil
}

func (f files) remove(ctx context.Context, key string) error {
	ctx, cancel := writeContext(ctx)
	defer cancel()
	if err := f.storage.Delete(ctx, key); err != nil {
		return request.StorageError("delete", key, err)
	}
	return nil
}

func get[T any](ctx context.Context, f files, key string) (*T, error) {
	entry, err := f.storage.Get(ctx, key)
	if err != nil {
		return nil, request.StorageError("read", key, err)
	}
	if entry == nil {
		return nil, nil
	}
	value, err := decode[T](entry.Value)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return value, nil
}

// part reads a part of a list. One that is missing is an error: something else than this package has deleted it.
func (f files) part(ctx context.Context, id string, n int) (*part, error) {
	p, err := get[part](ctx, f, partKey(id, n))
	if err == nil && p == nil {
		err = fmt.Errorf("%w: %s", errNoPart, partKey(id, n))
	}
	return p, err
}

var errNoPart = errors.New("a part of a campaign is missing in storage")

// removeParts deletes the parts of a list.
func (f files) removeParts(ctx context.Context, id string) error {
	names, err := store.ListNames(ctx, f.storage, partPrefix+id+"/")
	if err != nil {
		return err
	}
	for _, name := range names {
		err = errors.Join(err, f.remove(ctx, partPrefix+id+"/"+name))
	}
	return err
}

// listed are the ids below a prefix.
func (f files) listed(ctx context.Context, prefix string) ([]string, error) {
	names, err := store.ListNames(ctx, f.storage, prefix)
	for i, name := range names {
		names[i] = strings.TrimSuffix(name, "/")
	}
	return names, err
}
