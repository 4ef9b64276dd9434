package backend

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/hashicorp/vault/sdk/logical"
)

// cache holds storage entries of one prefix in memory, decoded. Its values are shared: nobody changes
// one, writers put a new one. Absent entries are not remembered, so that asking for random names
// takes no memory.
type cache[T any] struct {
	storage logical.Storage
	prefix  string
	decode  func(raw []byte) (*T, error)

	mu     sync.RWMutex
	values map[string]*T
	// changes counts drops and writes, so that a read of storage that one of them overtook is not
	// remembered.
	changes uint64
}

func newCache[T any](storage logical.Storage, prefix string, decode func([]byte) (*T, error)) *cache[T] {
	return &cache[T]{storage: storage, prefix: prefix, decode: decode, values: map[string]*T{}}
}

// get returns the entry of that name, or nil if there is none.
func (c *cache[T]) get(ctx context.Context, name string) (*T, error) {
	if !isName(name) { // nothing is stored under it, and storage fails on ".."
		return nil, nil
	}
	c.mu.RLock()
	value, ok := c.values[name]
	changes := c.changes
	c.mu.RUnlock()
	if ok {
		return value, nil
	}
	entry, err := c.storage.Get(ctx, c.prefix+name)
	if err != nil {
		return nil, storageError("read", c.prefix+name, err)
	}
	if entry == nil {
		return nil, nil
	}
	if value, err = c.decode(entry.Value); err != nil {
		return nil, &unreadable{c.prefix + name, err}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes == changes {
		c.values[name] = value
	}
	return value, nil
}

// unreadable is the error of an entry that is there and cannot be decoded, as one that a newer plugin version
// wrote. It concerns no other entry.
type unreadable struct {
	key string
	err error
}

func (u *unreadable) Error() string { return u.key + ": " + u.err.Error() }

func (u *unreadable) Unwrap() error { return u.err }

func isUnreadable(err error) bool {
	var u *unreadable
	return errors.As(err, &u)
}

// put writes an entry and remembers it. A failed write may have landed, so the entry is dropped then.
func (c *cache[T]) put(ctx context.Context, name string, value *T) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode %s%s: %w", c.prefix, name, err)
	}
	if err := c.storage.Put(ctx, &logical.StorageEntry{Key: c.prefix + name, Value: raw}); err != nil {
		c.drop(name)
		return storageError("write", c.prefix+name, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	c.values[name] = value
	return nil
}

// remove deletes an entry.
func (c *cache[T]) remove(ctx context.Context, name string) error {
	defer c.drop(name)
	if err := c.storage.Delete(ctx, c.prefix+name); err != nil {
		return storageError("delete", c.prefix+name, err)
	}
	return nil
}

// drop forgets an entry, so that the next get reads storage.
func (c *cache[T]) drop(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	delete(c.values, name)
}

// list returns the names of all entries, sorted.
func (c *cache[T]) list(ctx context.Context) ([]string, error) {
	return listNames(ctx, c.storage, c.prefix)
}

// listNames lists the entries directly under a prefix, sorted.
func listNames(ctx context.Context, storage logical.Storage, prefix string) ([]string, error) {
	names, err := storage.List(ctx, prefix)
	if err != nil {
		return nil, storageError("list", strings.TrimSuffix(prefix, "/"), err)
	}
	return names, nil
}

// record is the schema version that every storage entry of this package carries. An entry of a newer
// schema is refused, not guessed at.
type record struct {
	Schema int `json:"schema"`
}

const schemaVersion = 1

// checkSchema looks at an entry's schema alone, since a newer one may have other types.
func checkSchema(raw []byte) error {
	var r record
	if json.Unmarshal(raw, &r) == nil && r.Schema > schemaVersion {
		return fmt.Errorf("the stored entry has schema %d, this plugin version knows %d: run the newer plugin version that wrote it", r.Schema,
			schemaVersion)
	}
	return nil
}
