package backend

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

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
					if s, err := strconv.Unquote(literal.Value); err != nil || strings.Contains(s, "cloudpw/") || command.MatchString(s) {
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
		return fmt.Sprint(resp.Data["last_error"], resp.Data["summary"])
	}
	_ = at("team/", "creds/web") // makes the account due
	h.waitFor(t, webAccount, func(a map[string]any) bool {
		return strings.Contains(fmt.Sprint(a["last_error"]), "a permission is missing")
	})
	for _, mount := range []string{"team/", "other/"} {
		for _, path := range []string{webAccount, "creds/web", "status"} {
			if got := at(mount, path); !strings.Contains(got, "a permission is missing; see: vault read "+mount+"check/prod") ||
				strings.Contains(got, "cloudpw/") {
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
		strings.Contains(text, "vault read") || strings.Contains(text, "cloudpw/") {
		t.Errorf("logged %s", text)
	}
}
