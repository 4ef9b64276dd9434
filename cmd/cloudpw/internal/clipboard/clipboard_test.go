//go:build !windows

package clipboard

import (
	"os"
	"path/filepath"
	"testing"
)

// board is a clipboard in a file, whose programs are shell scripts.
func board(t *testing.T, write string) (c *Clipboard, content string) {
	t.Helper()
	content = filepath.Join(t.TempDir(), "content")
	shell := func(script string) []string { return []string{"sh", "-c", script, content} }
	return &Clipboard{tool{write: shell(write), read: shell(`cat "$0"`), clear: shell(`: >"$0"`)}}, content
}

func TestTheClipboardIsCleared(t *testing.T) {
	c, content := board(t, `cat >"$0"`)
	if err := c.Put(t.Context(), "secret"); err != nil {
		t.Fatal(err)
	}
	if in, err := os.ReadFile(content); err != nil || string(in) != "secret" {
		t.Fatalf("the clipboard has %q, %v", in, err)
	}
	if err := c.Clear(t.Context(), "secret"); err != nil {
		t.Fatal(err)
	}
	if in, err := os.ReadFile(content); err != nil || len(in) > 0 {
		t.Errorf("the clipboard has %q, %v", in, err)
	}
	// What is not ours stays.
	if err := c.Put(t.Context(), "copied meanwhile"); err != nil {
		t.Fatal(err)
	}
	if err := c.Clear(t.Context(), "secret"); err != nil {
		t.Fatal(err)
	}
	if in, err := os.ReadFile(content); err != nil || string(in) != "copied meanwhile" {
		t.Errorf("the clipboard has %q, %v", in, err)
	}
}

// TestAFailedPutLeavesNothing: a program may fail after it has done its work.
func TestAFailedPutLeavesNothing(t *testing.T) {
	c, content := board(t, `cat >"$0"; exit 1`)
	if err := c.Put(t.Context(), "secret"); err == nil {
		t.Error("it does not fail")
	}
	if in, err := os.ReadFile(content); err != nil || len(in) > 0 {
		t.Errorf("the clipboard has %q, %v", in, err)
	}
}

// TestAClipboardThatCannotBeCleared: the person has to know that the password is still in it.
func TestAClipboardThatCannotBeCleared(t *testing.T) {
	c, content := board(t, `cat >"$0"`)
	c.tool.clear = []string{"false"}
	if err := os.WriteFile(content, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.Clear(t.Context(), "secret"); err == nil {
		t.Error("it does not fail")
	}
}
