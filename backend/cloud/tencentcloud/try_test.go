package tencentcloud

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/guestos"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/contract"
)

// A check on Windows tells whether the server has the one password, looks at the user first, and leaves nothing behind.
func TestSimTryFinds(t *testing.T) {
	const user, secret = "Administrator", "Last-Password-123"
	for name, tc := range map[string]struct {
		has        string
		conditions guestos.Conditions
		match      int
		state      cloud.UserState
		unknown    string
		tried      bool
		wrong      int
	}{
		"as it was set":   {has: secret, tried: true},
		"changed by hand": {has: "Set-by-hand-123", match: cloud.NoMatch, tried: true, wrong: 1},
		"locked out": {has: secret, conditions: guestos.Conditions{Locked: []string{user}}, match: cloud.NoMatch, state: cloud.UserLocked,
			unknown: "locked out"},
		"a low threshold": {has: "Set-by-hand-123", conditions: guestos.Conditions{LockoutThreshold: 2}, match: cloud.NoMatch,
			unknown: "locks the account at 2"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSimulated(t, model.Options{OperationTime: time.Millisecond})
			s.poll = time.Millisecond
			id := s.add(t, model.Server{Platform: model.Windows})
			if err := s.world.SetLogin(id, user, tc.has); err != nil {
				t.Fatal(err)
			}
			if err := s.world.SetGuest(id, model.Guest{Conditions: tc.conditions}); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			got, err := s.Checker(cloud.CheckCommand).CheckPassword(ctx, cloud.PasswordCheck{InstanceID: id, Username: user,
				Platform: cloud.Windows, Values: []string{secret}})
			if err != nil || got.Match != tc.match || got.State != tc.state || got.Tried != tc.tried || !strings.Contains(got.Unknown, tc.unknown) {
				t.Errorf("%+v, %v", got, err)
			}
			if n := s.limiter.(*contract.CountLimiter).Count("RunCommand"); n != 2 {
				t.Errorf("the limiter was waited for %d times", n)
			}
			server, _ := s.world.Server(id)
			if wrong := server.WrongTries[user]; wrong.Count != tc.wrong || !wrong.LockedOut.IsZero() || server.Logins[user] != tc.has {
				t.Errorf("the server counts %+v", wrong)
			}
			for _, i := range s.world.Invocations(nil) {
				if strings.Contains(i.Text+i.Output, secret) {
					t.Error("the history holds the password")
				}
			}
			for _, e := range s.world.Log(0) {
				seen := fmt.Sprint(e.Params) + e.Password
				if raw, err := base64.StdEncoding.DecodeString(strings.Trim(e.Params["Content"], `"`)); err == nil {
					seen += string(raw)
				}
				if strings.Contains(seen, secret) {
					t.Errorf("%s holds the password", e.Action)
				}
			}
		})
	}
}
