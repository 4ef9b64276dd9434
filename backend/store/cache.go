// Package store keeps what the mount stores besides its accounts: entries of one kind under a prefix, decoded and in memory
// ([Cache]), the schema that each carries ([Header]), and the locks by which their writers exclude each other ([Locks]).
package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
)

// Cache holds storage entries of one prefix in memory, decoded. Its values are shared: nobody changes
// one, writers put a new one. Absent entries are not remembered, so that asking for random names
// takes no memory.
type Cache[T any] struct {
	storage logical.Storage
	prefix  string
	decode  func(raw []byte) (*T, error)

	mu     sync.RWMutex
	values map[string]*T
	// changes counts drops and writes, so that a read of storage that one of them overtook is not
	// remembered.
	changes uint64
}

// NewCache makes the cache of the entries under a prefix, which decode makes values of.
func NewCache[T any](storage logical.Storage, prefix string, decode func([]byte) (*T, error)) *Cache[T] {
	return &Cache[T]{storage: storage, prefix: prefix, decode: decode, values: map[string]*T{}}
}

// Get returns the entry of that name, or nil if there is none.
func (c *Cache[T]) Get(ctx context.Context, name string) (*T, error) {
	if !request.IsName(name) { // nothing is stored under it, and storage fails on ".."
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
		return nil, request.StorageError("read", c.prefix+name, err)
	}
	if entry == nil {
		return nil, nil
	}
	if value, err = c.decode(entry.Value); err != nil {
		return nil, Unreadable(c.prefix+name, err)
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

// Unreadable is the error of an entry that is there and cannot be decoded.
func Unreadable(key string, err error) error { return &unreadable{key, err} }

// Error implements error.
func (u *unreadable) Error() string { return u.key + ": " + u.err.Error() }

// Unwrap returns the cause.
func (u *unreadable) Unwrap() error { return u.err }

// IsUnreadable reports whether an entry is there and cannot be decoded.
func IsUnreadable(err error) bool {
	var u *unreadable
	return errors.As(err, &u)
}

// InMemory are the entries that are in memory at this moment. It waits for no storage.
func (c *Cache[T]) InMemory() map[string]*T {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return maps.Clone(c.values)
}

// Put writes an entry and remembers it. A failed write may have landed, so the entry is dropped then.
func (c *Cache[T]) Put(ctx context.Context, name string, value *T) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode %s%s: %w", c.prefix, name, err)
	}
	if err := c.storage.Put(ctx, &logical.StorageEntry{Key: c.prefix + name, Value: raw}); err != nil {
		c.Drop(name)
		return request.StorageError("write", c.prefix+name, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	c.values[name] = value
	return nil
}

// Remove deletes an entry.
func (c *Cache[T]) Remove(ctx context.Context, name string) error {
	defer c.Drop(name)
	if err := c.storage.Delete(ctx, c.prefix+name); err != nil {
		return request.StorageError("delete", c.prefix+name, err)
	}
	return nil
}

// Drop forgets an entry, so that the next get reads storage.
func (c *Cache[T]) Drop(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	delete(c.values, name)
}

// List returns the names of all entries, sorted.
func (c *Cache[T]) List(ctx context.Context) ([]string, error) {
	return ListNames(ctx, c.storage, c.prefix)
}

// ListNames lists the entries directly under a prefix, sorted.
func ListNames(ctx context.Context, storage logical.Storage, prefix string) ([]string, error) {
	names, err := storage.List(ctx, prefix)
	if err != nil {
		return nil, request.StorageError("list", strings.TrimSuffix(prefix, "/"), err)
	}
	return names, nil
}

// Header is the schema version that every storage entry but those of accounts carries. An entry of a newer
// schema is refused, not guessed at.
type Header struct {
	Schema int `json:"schema"`
}

// SchemaVersion is that of the entries which this version writes.
const SchemaVersion = 1

// CheckSchema looks at an entry's schema alone, since a newer one may have other types.
func CheckSchema(raw []byte) error {
	var r Header
	if json.Unmarshal(raw, &r) == nil && r.Schema > SchemaVersion {
		return fmt.Errorf("the stored entry has schema %d, this plugin version knows %d: run the newer plugin version that wrote it", r.Schema,
			SchemaVersion)
	}
	return nil
}
