package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
)

const prefix = "thing/"

// thing is an entry.
type thing struct {
	Header
	Word string `json:"word"`
}

func decodeThing(raw []byte) (*thing, error) {
	if err := CheckSchema(raw); err != nil {
		return nil, err
	}
	var t thing
	return &t, json.Unmarshal(raw, &t)
}

// watched is storage that tells of its reads.
type watched struct {
	logical.Storage
	onGet func()
}

func (w *watched) Get(ctx context.Context, key string) (*logical.StorageEntry, error) {
	entry, err := w.Storage.Get(ctx, key)
	if w.onGet != nil {
		w.onGet()
	}
	return entry, err
}

func TestCache(t *testing.T) {
	reads := 0
	storage := &watched{Storage: new(logical.InmemStorage), onGet: func() { reads++ }}
	c := NewCache(storage, prefix, decodeThing)
	if got, err := c.Get(t.Context(), "a"); got != nil || err != nil {
		t.Errorf("an entry that is not there: %v, %v", got, err)
	}
	for _, name := range []string{"b", "a"} {
		if err := c.Put(t.Context(), name, &thing{Word: name}); err != nil {
			t.Fatal(err)
		}
	}
	reads = 0
	for range 3 {
		if got, err := c.Get(t.Context(), "a"); err != nil || got == nil || got.Word != "a" {
			t.Errorf("%v, %v", got, err)
		}
	}
	if reads != 0 {
		t.Errorf("%d reads of storage for what is known", reads)
	}
	c.Drop("a")
	if got, err := c.Get(t.Context(), "a"); err != nil || got == nil || got.Word != "a" || reads != 1 {
		t.Errorf("after a drop: %v, %v, %d reads of storage", got, err, reads)
	}
	if err := c.Remove(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	if names, err := c.List(t.Context()); err != nil || fmt.Sprint(names) != "[a]" {
		t.Errorf("listed %v, %v", names, err)
	}
	if got, err := c.Get(t.Context(), "b"); got != nil || err != nil {
		t.Errorf("after its removal: %v, %v", got, err)
	}
}

// A read of storage that a write overtakes must not bring the old value back.
func TestCacheRace(t *testing.T) {
	storage := &watched{Storage: new(logical.InmemStorage)}
	c := NewCache(storage, prefix, decodeThing)
	if err := c.Put(t.Context(), "r", &thing{Word: "old"}); err != nil {
		t.Fatal(err)
	}
	c.Drop("r")
	overtaken := false
	storage.onGet = func() {
		if !overtaken {
			overtaken = true
			if err := c.Put(t.Context(), "r", &thing{Word: "new"}); err != nil {
				t.Error(err)
			}
		}
	}
	if _, err := c.Get(t.Context(), "r"); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Get(t.Context(), "r"); err != nil || got.Word != "new" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestCacheOfBrokenEntries(t *testing.T) {
	storage := new(logical.InmemStorage)
	c := NewCache(storage, prefix, decodeThing)
	for name, raw := range map[string]string{"x": "{", "newer": `{"schema":2,"word":["other"]}`} {
		if err := storage.Put(t.Context(), &logical.StorageEntry{Key: prefix + name, Value: []byte(raw)}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Get(t.Context(), name); !IsUnreadable(err) || !strings.Contains(err.Error(), prefix+name) {
			t.Errorf("a broken entry: %v", err)
		}
	}
	if got, err := c.Get(t.Context(), "../x"); got != nil || err != nil {
		t.Errorf("an odd name: %v, %v", got, err)
	}
	storage.Underlying().FailGet(true)
	if _, err := c.Get(t.Context(), "y"); err == nil || IsUnreadable(err) {
		t.Errorf("a failed read: %v", err)
	}
	storage.Underlying().FailGet(false)
	storage.Underlying().FailPut(true)
	if err := c.Put(t.Context(), "y", &thing{}); err == nil {
		t.Error("a failed write is silent")
	}
	storage.Underlying().FailPut(false)
	if got, err := c.Get(t.Context(), "y"); got != nil || err != nil {
		t.Errorf("a failed write is remembered: %v, %v", got, err)
	}
}

func TestLocks(t *testing.T) {
	l := NewLocks()
	unlock := l.Lock("a")
	if l.TryLock("a") != nil {
		t.Error("one lock was taken twice")
	}
	other := ""
	for i := 0; other == ""; i++ {
		if name := fmt.Sprint("n", i); !l.Shared("a", name) {
			other = name
		}
	}
	if !l.Shared("a", "a") {
		t.Error("a name does not share its lock with itself")
	}
	second := l.TryLock(other)
	if second == nil {
		t.Fatalf("%s has a lock of its own, which nobody holds", other)
	}
	second()
	unlock()
	first, again := l.RLock("a"), l.RLock("a")
	if l.TryLock("a") != nil {
		t.Error("a lock was taken that two readers hold")
	}
	first()
	again()
	if unlock = l.TryLock("a"); unlock == nil {
		t.Fatal("a lock is held that was given back")
	}
	unlock()
}

func TestSame(t *testing.T) {
	a := &thing{Word: "a"}
	for _, c := range []struct {
		a, b *thing
		want bool
	}{{nil, nil, true}, {a, nil, false}, {nil, a, false}, {a, a, true}, {a, &thing{Word: "a"}, true}, {a, &thing{Word: "b"}, false}} {
		if got := Same(c.a, c.b); got != c.want {
			t.Errorf("%v and %v: %v", c.a, c.b, got)
		}
	}
}
