package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestSecretsAreHidden however they are printed.
func TestSecretsAreHidden(t *testing.T) {
	p := Password{Username: "root", Value: NewSecret("sw0rdfish")}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "p", p, "v", p.Value, "pointer", &p.Value)
	encoded, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	asText, err := p.Value.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"%v": fmt.Sprintf("%v %+v %#v %s %q %d %x", p, p, p, p.Value, p.Value, p.Value, p.Value),
		"pointer": fmt.Sprintf("%v %+v %#v", &p, &p.Value, []Secret{p.Value}), "log": log.String(), "JSON": string(encoded),
		"text": string(asText), "error": errors.Join(fmt.Errorf("x %v", p.Value)).Error()} {
		if strings.Contains(text, "sw0rdfish") || strings.Contains(text, fmt.Sprintf("%x", "sw0rdfish")) || !strings.Contains(text, hidden) {
			t.Errorf("%s: %s", name, text)
		}
	}
	if p.Value.Reveal() != "sw0rdfish" {
		t.Error("Reveal gives another value")
	}
}

// TestRead: what is asked for, and what comes back.
func TestRead(t *testing.T) {
	f, c := serve(t, func(r asked) (int, any) {
		if r.path == "cloudpw/creds/static" {
			return 200, m{"lease_id": "", "lease_duration": 2764800, "data": m{"password": "sw0rdfish"}}
		}
		return 200, m{"lease_id": "cloudpw/creds/web/i-1/abc", "lease_duration": 600, "renewable": true, "warnings": []string{"w"},
			"data": m{"username": "root", "password": "sw0rdfish", "instance_id": "i-1", "instance_name": "web-1", "private_ip": "10.0.0.1",
				"public_ip": "", "platform": "linux", "connection": "prod", "source": "reset", "version": 4, "created_time": "2026-11-25T09:37:42Z"}}
	})
	p, err := c.Read(t.Context(), Place{Role: "web", InstanceID: "i-1"}, ReadOptions{TTL: 10 * time.Minute, Wait: 100 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if got := f.all()[0]; got.path != "cloudpw/creds/web/i-1" || got.query != "ttl=600s&wait=45s" {
		t.Errorf("asked %s?%s", got.path, got.query)
	}
	if p.Value.Reveal() != "sw0rdfish" || p.LeaseID != "cloudpw/creds/web/i-1/abc" || p.LeaseDuration != 10*time.Minute || !p.Renewable ||
		p.Version != 4 || p.Name != "web-1" || len(p.Warnings) != 1 {
		t.Errorf("the password: %+v", p)
	}
	p, err = c.Read(t.Context(), Place{Role: "static"}, ReadOptions{})
	if err != nil || p.LeaseID != "" || p.LeaseDuration != 0 {
		t.Errorf("a static role: %+v, %v", p, err)
	}
	if got := f.all()[1]; got.query != "" {
		t.Errorf("asked ?%s", got.query)
	}
	if _, err := c.Read(t.Context(), Place{InstanceID: "i-1"}, ReadOptions{}); err == nil {
		t.Error("an account of no role was read")
	}
}

// TestReadAsksAgain while the password cannot be handed out, and not for other errors.
func TestReadAsksAgain(t *testing.T) {
	n := 0
	_, c := serve(t, func(asked) (int, any) {
		if n++; n == 1 {
			return refusal(503, "waits for its rotation")
		}
		return 200, data(m{"password": "sw0rdfish"})
	})
	var told []string
	waiting := func(message string) { told = append(told, message) }
	if _, err := c.Read(t.Context(), Place{Role: "web"}, ReadOptions{Wait: time.Minute, Waiting: waiting}); err != nil {
		t.Fatal(err)
	}
	if len(told) != 1 || told[0] != "waits for its rotation" || n != 2 {
		t.Errorf("told %q in %d requests", told, n)
	}
	n = 0
	if _, err := c.Read(t.Context(), Place{Role: "web"}, ReadOptions{Waiting: waiting}); !IsUnavailable(err) || n != 1 {
		t.Errorf("without a wait: %v in %d requests", err, n)
	}
	f, c := serve(t, func(asked) (int, any) { return refusal(409, "checked out") })
	if _, err := c.Read(t.Context(), Place{Role: "web"}, ReadOptions{Wait: time.Minute}); !IsConflict(err) || len(f.all()) != 1 {
		t.Errorf("a conflict: %v in %d requests", err, len(f.all()))
	}
}

// TestLeases: the id goes into the path, where the reader's policy allows it.
func TestLeases(t *testing.T) {
	f, c := serve(t, func(asked) (int, any) { return 200, m{"lease_id": "x", "lease_duration": 300} })
	if err := c.GiveBack(t.Context(), "cloudpw/creds/web/abc"); err != nil {
		t.Fatal(err)
	}
	if got := f.all()[0]; got.path != "sys/leases/revoke/cloudpw/creds/web/abc" || got.body["sync"] != true {
		t.Errorf("asked %+v", got)
	}
	if d, err := c.Renew(t.Context(), "cloudpw/creds/web/abc", 5*time.Minute); err != nil || d != 5*time.Minute {
		t.Errorf("renewed for %v, %v", d, err)
	}
	if got := f.all()[1]; got.path != "sys/leases/renew" || got.body["lease_id"] != "cloudpw/creds/web/abc" || got.body["increment"] != 300.0 {
		t.Errorf("asked %+v", got)
	}
	for _, id := range []string{"", "web", "cloudpw/creds/web", "cloudpw/creds/../../x/y", "auth/token/create/abc", "a/creds//b"} {
		if err := c.GiveBack(t.Context(), id); err == nil {
			t.Errorf("%q is taken for a lease", id)
		}
	}
	if len(f.all()) != 2 {
		t.Errorf("requests: %v", f.all())
	}
}
