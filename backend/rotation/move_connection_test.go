package rotation

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// deletingStorage is a steppedStorage whose deletes are steps, too.
type deletingStorage struct{ *steppedStorage }

func (s deletingStorage) Delete(ctx context.Context, key string) error {
	fails := s.step()
	if !fails || s.landed {
		if err := s.Storage.Delete(ctx, key); err != nil {
			return err
		}
	}
	if fails {
		return errStep
	}
	return nil
}

// cutMove is a move whose storage failed at one step, as another process finds it.
type cutMove struct {
	t        *testing.T
	s        deletingStorage
	c        *Core // not started
	old, new ID
	begun    bool // the old record says that the account goes on, or is no more
}

// stored is a record as it is stored.
func (m *cutMove) stored(id ID) *Account {
	m.t.Helper()
	a, err := loadAccount(m.t.Context(), m.s, id)
	if err != nil {
		m.t.Fatal(err)
	}
	return a
}

// cut has storage fail at step n of a move; nil: it has fewer steps.
func cut(t *testing.T, n int, landed bool) *cutMove {
	t.Helper()
	s := deletingStorage{&steppedStorage{Storage: &logical.InmemStorage{}, steps: -1, landed: landed}}
	c := firstBoots(t, s, time.Now)
	m := &cutMove{t: t, s: s, old: firstBoot(t, c, "one")}
	if !given(t, c, m.old) {
		t.Fatal("not given: this shows nothing")
	}
	m.new = m.old
	m.new.Connection = "other"
	s.mu.Lock()
	s.steps = n
	s.mu.Unlock()
	_, err := c.MoveTo(t.Context(), m.old, m.new.Connection, "", Facts{Place: genuine})
	if err == nil && s.steps >= 0 {
		return nil
	}
	if err == nil {
		t.Fatalf("step %d: moved, though storage failed", n)
	}
	left := m.stored(m.old)
	m.begun = left == nil || left.Successor != nil
	m.c = firstBoots(t, s, time.Now)
	return m
}

// third is a binding of the account's user by a third connection.
func (m *cutMove) third() Binding {
	b := bindingOn("third", "one", cloud.Linux)
	b.Place = genuine
	return b
}

// live are the records of the account that count, of those that exist.
func (m *cutMove) live() []ID {
	var live []ID
	for _, id := range []ID{m.old, m.new} {
		if a := m.stored(id); a != nil && a.Successor == nil {
			if len(a.Versions) != 1 || a.Versions[0].Password != "first-boot" {
				m.t.Errorf("%s has %v", id, a.Versions)
			}
			live = append(live, id)
		}
	}
	return live
}

// TestAMoveAtEveryStep has storage fail once at each step of a move, whether what was written landed or not. Whatever is done next
// by another process, and also if nothing is, the account is live at one connection, with its password and with what is known of
// that, and no other account gets its user.
func TestAMoveAtEveryStep(t *testing.T) {
	for name, next := range map[string]func(ctx context.Context, m *cutMove) (gone bool){
		"nothing":        func(context.Context, *cutMove) bool { return false },
		"the same again": func(ctx context.Context, m *cutMove) bool { m.again(ctx); return false },
		"a delete":       func(ctx context.Context, m *cutMove) bool { return m.deleted(ctx) },
		"a take-over":    func(ctx context.Context, m *cutMove) bool { m.takenOver(ctx); return false },
		"another role": func(ctx context.Context, m *cutMove) bool {
			if _, err := m.c.Bind(ctx, m.third()); !wanted(err, Conflict) {
				m.t.Errorf("a third connection's role gets the account's user: %v", err)
			}
			return false
		},
	} {
		for _, landed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, landed %v", name, landed), func(t *testing.T) {
				begun, notBegun := 0, 0
				for n := 0; ; n++ {
					done := false
					synctest.Test(t, func(t *testing.T) { done = moveStep(t, n, landed, next, &begun, &notBegun) })
					if done {
						break
					}
				}
				if begun < 4 || notBegun < 3 {
					t.Errorf("%d steps after the one that decides, %d before", begun, notBegun)
				}
			})
		}
	}
}

// moveStep is one step of it; true: there is none.
func moveStep(t *testing.T, n int, landed bool, next func(context.Context, *cutMove) bool, begun, notBegun *int) bool {
	t.Helper()
	m := cut(t, n, landed)
	if m == nil {
		return true
	}
	if m.begun {
		*begun++
	} else {
		*notBegun++
	}
	gone := next(t.Context(), m)
	m.c.Start()
	pass(time.Minute)
	live := m.live()
	want := 1
	if gone {
		want = 0
	}
	if len(live) != want {
		t.Fatalf("step %d: live are %v", n, live)
	}
	for _, id := range []ID{m.old, m.new} {
		if a := m.stored(id); a != nil && a.Successor != nil {
			t.Errorf("step %d: the move is not finished after a minute", n)
		}
	}
	if gone {
		return false
	}
	a := m.stored(live[0])
	known, err := loadInitial(t.Context(), m.s, a.InitialKey, a.ID)
	if err != nil || known.Several || !slices.Equal(known.Accounts, []string{live[0].String()}) {
		t.Errorf("step %d: of the initial password is known %+v, %v", n, known, err)
	}
	return false
}

// again repeats the move.
func (m *cutMove) again(ctx context.Context) {
	_, err := m.c.MoveTo(ctx, m.old, m.new.Connection, "", Facts{Place: genuine})
	if err != nil && !wanted(err, NoRecord) {
		m.t.Errorf("the same move again: %v", err)
	}
	if live := m.live(); !slices.Equal(live, []ID{m.new}) || m.stored(m.old) != nil {
		m.t.Errorf("after the same move again live are %v", live)
	}
}

// deleted deletes the account under its new name, and reports whether it had that.
func (m *cutMove) deleted(ctx context.Context) bool {
	there, err := m.c.get(ctx, m.new)
	if err != nil {
		m.t.Fatal(err)
	}
	if err := m.c.Delete(ctx, m.new, true); err != nil {
		m.t.Errorf("a delete: %v", err)
	}
	return there != nil
}

// takenOver gives the account's user to a third connection.
func (m *cutMove) takenOver(ctx context.Context) {
	if n, err := m.c.TakeOver(ctx, m.third()); n != 1 || err != nil {
		m.t.Errorf("a take-over: %d, %v", n, err)
	}
	if _, err := m.c.Bind(ctx, m.third()); err != nil {
		m.t.Errorf("a role after a take-over: %v", err)
	}
	if live := m.live(); len(live) != 1 || m.begun != (live[0] == m.new) {
		m.t.Errorf("after a take-over live are %v", live)
	}
}
