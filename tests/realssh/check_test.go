//go:build realssh

package realssh

import (
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// check looks which of two passwords a user has, by a check method of the provider.
func (f *fleet) check(t *testing.T, method, host, user string, values ...string) (cloud.PasswordFinding, error) {
	t.Helper()
	return f.provider.(cloud.PasswordCheckers).Checker(method).CheckPassword(t.Context(), cloud.PasswordCheck{
		InstanceID: host, Username: user, Platform: cloud.Linux, Values: values,
	})
}

// TestChecksByCommand compares passwords with the shadow files of real servers, whose hashes are Debian's own (yescrypt) or ours.
func TestChecksByCommand(t *testing.T) {
	Need(t)
	t.Parallel()
	key := NewKey(t)
	offForApp := []string{"Match User app", "PasswordAuthentication no", "Match all"}
	for name, c := range map[string]struct {
		options Options
		prepare string
		state   cloud.UserState
	}{
		"usable":              {},
		"locked":              {prepare: "passwd -l app", state: cloud.UserLocked},
		"expired":             {prepare: "usermod -e 1 app", state: cloud.UserExpired},
		"to be changed":       {prepare: "chage -d 0 app", state: cloud.UserExpired},
		"password logins off": {options: Options{Config: []string{"PasswordAuthentication no"}}, state: cloud.UserLoginOff},
		"off for this user":   {options: Options{Config: offForApp}, state: cloud.UserLoginOff},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			options := c.options
			options.Keys, options.Users = []string{key.Public}, map[string]string{"app": was}
			s := Start(t, options)
			f := newFleet(t, key, nil, usualTimeout)
			f.add(t, "web-1", s)
			if c.prepare != "" {
				s.Sh(t, c.prepare)
			}
			shadow := s.ShadowOf(t, "app")
			found, err := f.check(t, cloud.CheckCommand, "web-1", "app", becomes, was)
			if err != nil || found.Match != 1 || found.State != c.state {
				t.Errorf("%+v, %v; want a match with the second, and the state %q", found, err, c.state)
			}
			if found, err := f.check(t, cloud.CheckCommand, "web-1", "app", becomes); err != nil || !found.Different() {
				t.Errorf("another password: %+v, %v", found, err)
			}
			if s.ShadowOf(t, "app") != shadow {
				t.Error("a look has changed something")
			}
			if err := f.reset(t.Context(), "web-1", "app", becomes, time.Now().Unix()); err != nil {
				t.Fatal(err)
			}
			if found, err := f.check(t, cloud.CheckCommand, "web-1", "app", becomes, was); err != nil || found.Match != 0 {
				t.Errorf("after a reset: %+v, %v", found, err)
			}
		})
	}
}

// TestPermissionsAreChecked has the provider look at a fleet as path check/ does.
func TestPermissionsAreChecked(t *testing.T) {
	Need(t)
	t.Parallel()
	key := NewKey(t)
	f := newFleet(t, key, nil, usualTimeout)
	if err := f.provider.Verify(t.Context()); err != nil {
		t.Errorf("without a host: %v", err)
	}
	f.add(t, "good", Start(t, Options{Keys: []string{key.Public}}))
	if err := f.provider.Verify(t.Context()); err != nil {
		t.Errorf("with a good host: %v", err)
	}
	f = newFleet(t, key, nil, usualTimeout)
	f.add(t, "no-key", Start(t, Options{}))
	if err := f.provider.Verify(t.Context()); err == nil {
		t.Error("a key that no host knows is fine")
	}
}
