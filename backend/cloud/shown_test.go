package cloud

import (
	"runtime"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// TestShownKeepsNoMoreThanItShows has names of 4 MiB, whose first characters must not keep the rest in memory.
func TestShownKeepsNoMoreThanItShows(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var kept []Instance
	for range 32 {
		long := strings.Repeat("n", 4<<20)
		kept = append(kept, Instance{ID: long, Name: long, Tags: map[string]string{long: long}}.Shown())
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if after.HeapAlloc > before.HeapAlloc+(16<<20) {
		t.Errorf("%d instances keep %d MiB", len(kept), (after.HeapAlloc-before.HeapAlloc)>>20)
	}
	runtime.KeepAlive(kept)
}

func TestShownInstanceIsPrintableAndBounded(t *testing.T) {
	got := Instance{
		ID: "i-1", Name: "web\x1b[31m\nadmin\u202E", OSName: strings.Repeat("x", 1<<20), CloudState: "run\u200Bning", KeyName: "key\r\n",
		LoginUser: "root\x00", PrivateIP: "10.0.0.1 --option", PublicIP: "2001:db8::1",
		Tags: map[string]string{"env": "prod", "env\u200B": "prod", "team": "a\u2028b"},
	}.Shown()
	if got.ID != "i-1" || got.PrivateIP != "" || got.PublicIP != "2001:db8::1" || len(got.OSName) > 300 ||
		got.Name != "web\uFFFD[31m\uFFFDadmin\uFFFD" {
		t.Errorf("%+v", got)
	}
	for _, word := range []string{got.Name, got.CloudState, got.KeyName, got.LoginUser} {
		if err := text.Check(strings.ReplaceAll(word, "\uFFFD", "?")); err != nil || !strings.Contains(word, "\uFFFD") {
			t.Errorf("%q: %v", word, err)
		}
	}
	// What differs only in what nobody sees stays different.
	if len(got.Tags) != 3 || got.Tags["env"] != "prod" || got.Tags["env\uFFFD"] != "prod" || got.Tags["team"] != "a\uFFFDb" {
		t.Errorf("tags %q", got.Tags)
	}
}

func TestErrorIsPrintable(t *testing.T) {
	e := &Error{Kind: Refused, Code: "C\x1bD", Message: "no\nway\u202E", RequestID: "r\u200B1"}
	if got := e.Error(); got != "no\uFFFDway\uFFFD (C\uFFFDD), cloud request id r\uFFFD1" {
		t.Errorf("%q", got)
	}
}
