package backend

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// An error is rendered once, whatever stands between it and the hint, and keeps the type that Vault goes by.
func TestErrorAtMount(t *testing.T) {
	h := hint.New("read", "a")
	denied := &cloud.Error{Kind: cloud.Denied, Message: "may not; see: read a", Hint: h, RequestID: "r-1"}
	core := &rotation.Error{Kind: rotation.Conflict, Message: hint.Textf("last error: %s", denied)}
	for _, c := range []struct {
		err    error
		status int
		want   string
	}{
		{conflictf("%s", h), http.StatusConflict, "vault read x/a"},
		{vaultError("connection prod", denied), http.StatusBadRequest, "connection prod: may not; see: vault read x/a, cloud request id r-1"},
		{vaultError("", core), http.StatusConflict, "last error: may not; see: vault read x/a, cloud request id r-1"},
		{vaultError("reading", fmt.Errorf("role web: %w", core)), http.StatusConflict,
			"reading: role web: last error: may not; see: vault read x/a, cloud request id r-1"},
		{withWayOut(denied, h), http.StatusBadRequest, "may not; see: vault read x/a, cloud request id r-1; vault read x/a"},
		{fmt.Errorf("wrapped: %w", conflictf("%s", h)), http.StatusConflict, "wrapped: vault read x/a"},
		{withWayOut(errors.New("plain"), h), http.StatusInternalServerError, "plain; vault read x/a"},
	} {
		if strings.Contains(c.err.Error(), "vault ") || strings.Contains(c.err.Error(), documentedMount) {
			t.Errorf("a log line would claim a mount: %v", c.err)
		}
		err := errorAt("x/", c.err)
		if got, _ := statusOf(nil, err); got != c.status || err.Error() != c.want {
			t.Errorf("%v became %d %v, want %d %s", c.err, got, err, c.status, c.want)
		}
	}
	if err := errorAt("x/", nil); err != nil {
		t.Errorf("nil became %v", err)
	}
	if err := errorAt("x/", logical.ErrReadOnly); err != logical.ErrReadOnly { //nolint:errorlint // Vault compares it so.
		t.Errorf("ErrReadOnly became %v", err)
	}
}

// An answer's texts are rendered at any depth. Strings are left alone, whatever they hold.
func TestAnswerAtMount(t *testing.T) {
	text, same := hint.Textf("see: %s", hint.New("read", "a")), "vault read cloudpw/a"
	resp := warn(&logical.Response{Warnings: []string{same}, Data: map[string]any{
		"password": same, "last_error": text,
		"group":       map[string]any{"last_error": text},
		"permissions": []map[string]any{{"message": text, "action": same}},
		"left_out":    map[string]hint.Text{"i-1": text},
	}}, text)
	resp = responseAt("x/", warn(resp, text))
	group, permissions := resp.Data["group"].(map[string]any), resp.Data["permissions"].([]map[string]any)
	for name, got := range map[string]any{
		"warning": resp.Warnings[1], "another warning": resp.Warnings[2], "last_error": resp.Data["last_error"], "group": group["last_error"],
		"message": permissions[0]["message"], "left_out": resp.Data["left_out"].(map[string]string)["i-1"],
	} {
		if got != "see: vault read x/a" {
			t.Errorf("%s: %q", name, got)
		}
	}
	if resp.Data["password"] != same || permissions[0]["action"] != same || resp.Warnings[0] != same {
		t.Errorf("a string was changed: %v", resp)
	}
	if _, ok := resp.Data[warningsField]; ok || len(resp.Warnings) != 3 {
		t.Errorf("warnings are left in the data: %v", resp)
	}
	if resp := responseAt("x/", warn(nil, text)); resp.Data != nil || len(resp.Warnings) != 1 {
		t.Errorf("an answer of nothing but a warning: %+v", resp)
	}
	if responseAt("x/", warn(nil)) != nil {
		t.Error("no warning made an answer")
	}
}

// No package below this one writes commands about a mount into its texts: they are hints, which package hint alone renders.
func TestPackagesBelowKnowNoMount(t *testing.T) {
	command := regexp.MustCompile(`\bvault (-?\w[\w=-]* )*?(read|write|list|delete|lease revoke -prefix|path-help)\b`)
	checked := 0
	for _, below := range []string{"cloud", "rotation", "password", "text", "guard"} {
		err := filepath.WalkDir(below, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			checked++
			for _, declared := range file.Decls {
				if general, ok := declared.(*ast.GenDecl); ok && general.Tok == token.IMPORT {
					continue
				}
				ast.Inspect(declared, func(n ast.Node) bool {
					literal, ok := n.(*ast.BasicLit)
					if !ok || literal.Kind != token.STRING {
						return true
					}
					if s, err := strconv.Unquote(literal.Value); err != nil || strings.Contains(s, documentedMount) || command.MatchString(s) {
						t.Errorf("%s: %s names a command about a mount; make it a hint", path, literal.Value)
					}
					return true
				})
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if checked < 100 {
		t.Errorf("only %d files were looked at", checked)
	}
}

// A stored failure names the mount of whoever reads it, and the log line about it none.
func TestStoredFailuresNameTheMountOfTheRequest(t *testing.T) {
	h := leasedRole(t, nil)
	log := &kept{}
	h.Logger().(hclog.InterceptLogger).RegisterSink(hclog.NewSinkAdapter(&hclog.LoggerOptions{Output: log, Level: hclog.Trace}))
	check := cloud.CheckHint("prod")
	h.cloud.fail("StartReset", &cloud.Error{Kind: cloud.Denied, Message: "a permission is missing; see: " + check.String(), Hint: check})
	at := func(mount, path string) string {
		t.Helper()
		resp, err := h.HandleRequest(t.Context(), &logical.Request{Operation: logical.ReadOperation, Path: path, Storage: h.storage,
			MountPoint: mount})
		if err != nil {
			return err.Error()
		}
		return fmt.Sprint(resp.Data["last_error"], resp.Data["failing"])
	}
	_ = at("team/", "creds/web") // makes the account due
	h.waitFor(t, webAccount, func(a map[string]any) bool {
		return strings.Contains(fmt.Sprint(a["last_error"]), "a permission is missing")
	})
	for _, mount := range []string{"team/", "other/"} {
		for _, path := range []string{webAccount, "creds/web", "status"} {
			if got := at(mount, path); !strings.Contains(got, "a permission is missing; see: vault read "+mount+"check/prod") ||
				strings.Contains(got, documentedMount) {
				t.Errorf("%s at %s says: %s", path, mount, got)
			}
		}
	}
	raw, err := h.storage.Get(t.Context(), "account/prod/srv-1/root")
	if err != nil || raw == nil || !strings.Contains(string(raw.Value), `{"verb":"read","path":"check/prod"}`) ||
		strings.Contains(string(raw.Value), "vault ") {
		t.Errorf("stored is %+v (%v)", raw, err)
	}
	if text := log.String(); !strings.Contains(text, "a permission is missing; see: read check/prod") ||
		strings.Contains(text, "vault read") || strings.Contains(text, documentedMount) {
		t.Errorf("logged %s", text)
	}
}
