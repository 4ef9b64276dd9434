package sshclient

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// questions is a keyboard-interactive login that asks some questions one after the other, and lets in who answers the first with the
// password.
func questions(first string, echo bool, more ...string) func(*ssh.ServerConfig) {
	return func(c *ssh.ServerConfig) {
		c.KeyboardInteractiveCallback = func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			answers, err := ask("", "", []string{first}, []bool{echo})
			if err != nil || len(answers) != 1 || answers[0] != "right" {
				return nil, errors.New("wrong")
			}
			for _, q := range more {
				if _, err := ask("", "", []string{q}, []bool{false}); err != nil {
					return nil, err
				}
			}
			if _, err := ask("", "Welcome", nil, nil); err != nil {
				return nil, err
			}
			return nil, nil
		}
	}
}

func TestVerdicts(t *testing.T) {
	for name, c := range map[string]struct {
		password string // of the server, by the method password
		config   func(*ssh.ServerConfig)
		tried    string
		want     Verdict
	}{
		"right":                {"right", nil, "right", Accepted},
		"wrong":                {"right", nil, "wrong", Wrong},
		"no passwords":         {"", nil, "right", NotOffered},
		"asked for it":         {"", questions("Password: ", false), "right", Accepted},
		"asked, wrong":         {"", questions("(app@web-1) Password: ", false), "wrong", Wrong},
		"a code, too":          {"", questions("Password: ", false, "Verification code: "), "right", MoreAsked},
		"a new one":            {"", questions("Password: ", false, "New password: "), "right", MoreAsked},
		"a code first":         {"", questions("Verification code: ", false), "right", OtherAsked},
		"one-time password":    {"", questions("One-time password (OATH) for `app': ", false), "right", OtherAsked},
		"a question in clear":  {"", questions("Password: ", true), "right", OtherAsked},
		"one attempt only":     {"right", func(c *ssh.ServerConfig) { c.MaxAuthTries = 1 }, "wrong", Wrong},
		"nothing needed":       {"right", func(c *ssh.ServerConfig) { c.NoClientAuth = true }, "wrong", NotNeeded},
		"password is not both": {"right", questions("Password: ", false), "wrong", Wrong},
		"and a key": {"", func(c *ssh.ServerConfig) {
			c.PasswordCallback = func(_ ssh.ConnMetadata, p []byte) (*ssh.Permissions, error) {
				if string(p) != "right" {
					return nil, errors.New("wrong")
				}
				return nil, &ssh.PartialSuccessError{Next: ssh.ServerAuthCallbacks{
					PublicKeyCallback: func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return nil, nil }}}
			}
		}, "right", Accepted},
	} {
		t.Run(name, func(t *testing.T) {
			var tries atomic.Int64
			s := &server{password: c.password, config: func(config *ssh.ServerConfig) {
				if c.config != nil {
					c.config(config)
				}
				config.AuthLogCallback = func(_ ssh.ConnMetadata, method string, err error) {
					if method == methodPassword || method == methodInteractive {
						tries.Add(1)
					}
				}
			}}
			s.start(t)
			got, err := Try(t.Context(), s.target(), c.tried, nil, Options{})
			if got != c.want || err != nil {
				t.Errorf("verdict %d, want %d: %v", got, c.want, err)
			}
			if n := tries.Load(); n > 1 {
				t.Errorf("the password was tried %d times", n)
			}
			if sent := got == Accepted || got == Wrong || got == MoreAsked; got.Sent() != sent {
				t.Errorf("Sent is %t", got.Sent())
			}
		})
	}
}

// TestLostTry has the server go away between the password and its answer.
func TestLostTry(t *testing.T) {
	s := &server{password: "right"}
	s.config = func(c *ssh.ServerConfig) {
		c.PasswordCallback = func(ssh.ConnMetadata, []byte) (*ssh.Permissions, error) {
			s.Cut()
			return nil, errors.New("gone")
		}
	}
	s.start(t)
	got, err := Try(t.Context(), s.target(), "right", nil, Options{})
	if got != Lost || !got.Sent() || cloud.KindOf(err) != cloud.Unknown || strings.Contains(err.Error(), "right") {
		t.Errorf("verdict %d, %v", got, err)
	}
}

// TestLostTryRepeatsNoPassword: a server may end the connection in words of its own.
func TestLostTryRepeatsNoPassword(t *testing.T) {
	const secret = "Some-Secret-1-Long"
	a := &attempt{password: secret}
	a.sent.Store(true)
	for _, before := range []string{"", strings.Repeat("x", maxReason-5)} {
		said := &stageError{stage: stageAuth, err: errors.New("ssh: disconnect, reason 2: " + before + " " + secret + " is wrong")}
		got, err := a.judge(t.Context(), Target{Name: "web-1"}, said)
		if got != Lost || strings.Contains(err.Error(), secret[:4]) || before == "" && !strings.Contains(err.Error(), "is wrong") {
			t.Errorf("verdict %d, %v", got, err)
		}
	}
}
