//go:build realssh

package realssh

import (
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

const (
	// was is a user's password at first, becomes the one that a reset is to set.
	was     = "First-password-1"
	becomes = "Second-password-2"
)

// TestResets sets a password on servers of many kinds. Whatever becomes of it, the server has the old password or the new one: the
// new one after a success, and the old one after every refusal that is certain.
func TestResets(t *testing.T) {
	Need(t)
	t.Parallel()
	const talks, lies = `echo hello; echo warning >&2`, `echo 'cloudpw: exit 0 password set'`
	key := NewKey(t)
	for name, c := range map[string]struct {
		options Options
		fields  cloud.Values
		prepare string // a line of shell before the reset
		kind    cloud.Kind
		says    string
		mended  string // a line of shell after which the reset succeeds
	}{
		"by sudo": {},
		"as root": {options: Options{Admin: "root"}, fields: cloud.Values{"login_user": "root"}},
		"as root, without sudo": {
			options: Options{Admin: "root"}, fields: cloud.Values{"login_user": "root", "sudo": "never"},
		},
		"a shell that talks": {prepare: "sed -i \"1i " + talks + "\" ~admin/.bashrc"},
		"a shell that says it is done": {
			prepare: "sed -i \"1i " + lies + "\" ~admin/.bashrc", kind: cloud.Unknown, says: "last line",
		},
		"a banner before the login": {options: Options{Config: []string{"Banner /etc/passwd"}}},
		"a login shell like others": {prepare: "usermod -s /bin/sh admin"},
		"sudo wants a terminal": {
			options: Options{Sudo: []string{"Defaults requiretty", "admin ALL=(ALL) NOPASSWD: ALL"}},
			kind:    cloud.Refused, says: "tty",
		},
		"sudo gets a terminal": {
			options: Options{Sudo: []string{"Defaults requiretty", "admin ALL=(ALL) NOPASSWD: ALL"}},
			fields:  cloud.Values{"sudo": "tty"},
		},
		"a terminal where none is due": {fields: cloud.Values{"sudo": "tty"}},
		"sudo wants a password": {
			options: Options{Sudo: []string{"admin ALL=(ALL) ALL"}}, kind: cloud.Refused, says: "sudo",
			mended: "echo 'admin ALL=(ALL) NOPASSWD: ALL' >>/etc/sudoers",
		},
		"no sudo for this user":    {options: Options{Sudo: []string{""}}, kind: cloud.Refused, says: "sudo"},
		"sudo is not used":         {fields: cloud.Values{"sudo": "never"}, kind: cloud.Refused, says: "root"},
		"pam_faillock":             {options: Options{Faillock: true}, prepare: lockOut + "; faillock --user app --reset"},
		"password logins off":      {options: Options{Config: []string{"PasswordAuthentication no"}}},
		"the account was locked":   {prepare: "passwd -l app"},
		"the account has expired":  {prepare: "usermod -e 1 app"},
		"the password has expired": {prepare: "chage -d 0 app"},
		"no such user":             {prepare: "userdel app", kind: cloud.Refused, says: "no such user"},
		"the key is not installed": {
			prepare: "echo >~admin/.ssh/authorized_keys", kind: cloud.Refused, says: "SHA256:",
			mended: "echo '" + key.Public + "' >~admin/.ssh/authorized_keys",
		},
		"the login user has expired":  {prepare: "usermod -e 1 admin", kind: cloud.Refused, says: "admin"},
		"the login user has no shell": {prepare: "usermod -s /usr/sbin/nologin admin", kind: cloud.Refused},
		"a forced command": {
			prepare: "sed -i 's/^/command=\"id\" /' ~admin/.ssh/authorized_keys", kind: cloud.Refused, says: "sudo",
		},
		"no chpasswd": {
			prepare: "touch /tmp/none && mount --bind /tmp/none /usr/sbin/chpasswd",
			kind:    cloud.Refused, says: "chpasswd", mended: "umount /usr/sbin/chpasswd",
		},
		"a lock that is held": {
			prepare: "sh -c 'exec 9>/run/cloudpw.lock; flock 9; exec sleep 600' >/dev/null 2>&1 & echo $! >/run/holder; sleep 0.2",
			kind:    cloud.Unknown, says: "in time", mended: "kill $(cat /run/holder)",
		},
		"the disk is full": {
			options: Options{EtcSize: "1m"}, prepare: "dd if=/dev/zero of=/etc/full bs=4k 2>/dev/null; true",
			kind: cloud.Unknown, says: "chpasswd", mended: "rm /etc/full",
		},
		"the shadow file is locked": {
			prepare: "echo 1 >/etc/shadow.lock", kind: cloud.Unknown, says: "chpasswd", mended: "rm /etc/shadow.lock",
		},
		"/etc is read-only": {
			prepare: "mount -o remount,ro /etc", kind: cloud.Unknown, says: "chpasswd",
			mended: "mount -o remount,rw /etc",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			options := c.options
			options.Keys, options.Users = []string{key.Public}, map[string]string{"app": was}
			s := Start(t, options)
			f := newFleet(t, key, c.fields, 10*time.Second)
			f.add(t, "web-1", s)
			if c.prepare != "" {
				s.Sh(t, c.prepare)
			}
			order := time.Now().Unix()
			err := f.reset(t.Context(), "web-1", "app", becomes, order)
			if got := kindOf(err); got != c.kind {
				t.Fatalf("%q, want %q: %v", got, c.kind, err)
			}
			if err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("%q does not say %q", err, c.says)
			}
			if err != nil && (strings.Contains(err.Error(), becomes) || strings.Contains(err.Error(), "$6$")) {
				t.Errorf("the error has a secret: %v", err)
			}
			if name == "no such user" {
				return
			}
			switch set := s.has(t, "app", order); {
			case err == nil && !set:
				t.Error("a success, and the server has another password")
			case c.kind.CertainlyNothingDone() && err != nil && set:
				t.Error("a refusal, and the server has the new password")
			}
			if c.mended != "" {
				s.Sh(t, c.mended)
				if err := f.reset(t.Context(), "web-1", "app", becomes, order); err != nil || !s.has(t, "app", order) {
					t.Errorf("after that: %v", err)
				}
			}
		})
	}
}

// TestAServerAcceptsWhatWasSet logs in as people do.
func TestAServerAcceptsWhatWasSet(t *testing.T) {
	Need(t)
	t.Parallel()
	key := NewKey(t)
	s := Start(t, Options{Keys: []string{key.Public}, Faillock: true, Users: map[string]string{"app": was, "other": was}})
	f := newFleet(t, key, nil, usualTimeout)
	f.add(t, "web-1", s)
	order := time.Now().Unix()
	if err := f.reset(t.Context(), "web-1", "app", becomes, order); err != nil {
		t.Fatal(err)
	}
	if !s.Login(t, "app", becomes) || s.Login(t, "app", was) || !s.Login(t, "other", was) {
		t.Error("a server does not accept what was set, or another user's password has changed")
	}
	if err := f.reset(t.Context(), "web-1", "app", was, order-1); err == nil || s.has(t, "app", order-1) {
		t.Errorf("an older value was taken: %v", err)
	}
	s.NewHostKeys(t)
	if err := f.reset(t.Context(), "web-1", "app", was, order+1); kindOf(err) != cloud.Refused || s.has(t, "app", order+1) {
		t.Errorf("a server with another host key: %v", err)
	}
	// What the server and its processes could see is no secret.
	if log := s.Log(); strings.Contains(log, becomes) {
		t.Error("sshd's log has the password")
	}
}
