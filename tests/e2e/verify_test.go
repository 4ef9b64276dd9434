//go:build e2e

package e2e

import (
	"crypto/sha512"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/go-crypt/x/crypt"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/guestos"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// checked is what accounts/ and verify/ show of a check.
type checked struct {
	Result  string `json:"check_result"`
	Version int    `json:"check_version"`
	User    string `json:"check_user_state"`
	Reason  string `json:"check_reason"`
	Drifted bool   `json:"drifted"`
}

// found is checked without its words for people.
func (c checked) found() checked {
	c.Reason = ""
	return c
}

// wrong is a server of a role of its own whose password is not, or not only, as Vault has left it.
type wrong struct {
	*env
	cloud    model.Cloud
	role     string
	snapshot string // taken when the first version was current
	one, two issued
	hashes   []string // of the server's shadow file, each without its setting
}

const setInside = "Set-Inside-The-Server-1"

// setByHand does what passwd does inside the server.
func (w *wrong) setByHand(t *testing.T) {
	t.Helper()
	w.setLogin(t, w.two.InstanceID, w.two.Username, setInside)
}

func (w *wrong) restoreDisk(t *testing.T) {
	t.Helper()
	w.restore(t, w.snapshot, w.two)
}

func (w *wrong) lock(t *testing.T) {
	w.guest(t, guestos.Conditions{Locked: []string{w.two.Username}})
}

func (w *wrong) disableLogin(t *testing.T) {
	w.guest(t, guestos.Conditions{NoPasswordLogin: true})
}

func (w *wrong) guest(t *testing.T, conditions guestos.Conditions) {
	t.Helper()
	if err := w.sim.SetGuest(t.Context(), w.two.InstanceID, model.Guest{Conditions: conditions}); err != nil {
		t.Fatal(err)
	}
}

// keepsBack: the password that is wrong is not handed out, and nothing else was done.
func (w *wrong) keepsBack(t *testing.T) {
	t.Helper()
	_, err := w.TryRead(t.Context(), "cloudpw/creds/"+w.role)
	text := harness.Refused(t, err, http.StatusServiceUnavailable)
	if !strings.Contains(text, "to check again: vault write -force cloudpw/verify/") {
		t.Errorf("a read is refused with %q", text)
	}
	w.sim.Refuses(t, w.two.InstanceID, w.two.Username, w.two.Password)
}

// handsOut: nothing was done, and the password that is right is handed out.
func (w *wrong) handsOut(t *testing.T) {
	t.Helper()
	if again := asIssued(t, w.Read(t, "cloudpw/creds/"+w.role)); again.Password != w.two.Password || again.Version != 2 {
		t.Errorf("version %d is handed out, want version 2", again.Version)
	}
}

// resets: the server has a new password.
func (w *wrong) resets(t *testing.T) {
	t.Helper()
	three := w.eventuallyVersion(t, w.role, 3)
	if slices.Contains([]string{w.one.Password, w.two.Password, setInside}, three.Password) || three.Source != "reset" {
		t.Errorf("version 3 from %s is an old password", three.Source)
	}
	w.sim.Refuses(t, w.two.InstanceID, w.two.Username, setInside)
	if versions := w.Read(t, "cloudpw/accounts/"+accountPath(w.two)).Data["versions"].([]any); len(versions) != 3 ||
		versions[2].(map[string]any)["reason"] != "drifted" {
		t.Errorf("the versions are %v", versions)
	}
}

// takesBack: Vault has the password of the server's old disk again.
func (w *wrong) takesBack(t *testing.T) {
	t.Helper()
	if three := w.issue(t, w.role); three.Version != 3 || three.Password != w.one.Password {
		t.Errorf("version %d, with the password of version 1: %v", three.Version, three.Password == w.one.Password)
	}
}

// TestChecksFindWhatIsWrong lets real scripts look at shadow files that are not as Vault has left them.
func TestChecksFindWhatIsWrong(t *testing.T) {
	t.Parallel()
	e := start(t)
	for _, cloud := range []model.Cloud{model.AWS, model.TencentCloud} {
		e.connect(t, cloud)
		for name, c := range map[string]struct {
			action string // of the role
			spoil  func(*wrong, *testing.T)
			want   checked
			sets   int // commands that set a password after that
			then   func(*wrong, *testing.T)
		}{
			"by-hand-report":  {"report", (*wrong).setByHand, checked{Result: "differs", Drifted: true}, 0, (*wrong).keepsBack},
			"by-hand-restore": {"restore", (*wrong).setByHand, checked{Result: "differs", Drifted: true}, 0, (*wrong).keepsBack},
			"by-hand-rotate":  {"rotate", (*wrong).setByHand, checked{Result: "differs", Drifted: true}, 1, (*wrong).resets},
			"snapshot-report": {"report", (*wrong).restoreDisk, checked{Result: "matches_version", Version: 1, Drifted: true}, 0,
				(*wrong).keepsBack},
			"snapshot-restore": {"restore", (*wrong).restoreDisk, checked{Result: "matches", Version: 3}, 0, (*wrong).takesBack},
			"snapshot-rotate": {"rotate", (*wrong).restoreDisk, checked{Result: "matches_version", Version: 1, Drifted: true}, 1,
				(*wrong).resets},
			"locked-rotate":    {"rotate", (*wrong).lock, checked{Result: "locked", Version: 2, User: "locked"}, 0, (*wrong).handsOut},
			"login-off-rotate": {"rotate", (*wrong).disableLogin, checked{Result: "matches", Version: 2, User: "login_off"}, 0, (*wrong).handsOut},
		} {
			t.Run(string(cloud)+"-"+name, func(t *testing.T) {
				t.Parallel()
				w := e.wrong(t, cloud, string(cloud)+"-"+name, c.action)
				c.spoil(w, t)
				before, entries := w.commands(t, w.two.InstanceID), w.sim.LastEntry(t)
				var answer, shown checked
				decode(t, w.Write(t, "cloudpw/verify/"+w.role+"/"+w.two.InstanceID, map[string]any{"wait": "45s"}).Data, &answer)
				if answer.found() != c.want {
					t.Fatalf("the check has found %+v, want %+v", answer, c.want)
				}
				c.then(w, t)
				if c.sets == 0 { // else the check is of an older version now
					decode(t, w.Read(t, "cloudpw/accounts/"+accountPath(w.two)).Data, &shown)
					if shown != answer {
						t.Errorf("accounts/ shows %+v after %+v", shown, answer)
					}
				}
				w.bare(t, before, entries, c.sets)
			})
		}
	}
}

// wrong makes a server whose account has two versions. What is wrong with it comes later.
func (e *env) wrong(t *testing.T, cloud model.Cloud, role, action string) *wrong {
	t.Helper()
	account := e.sim.Info.Seeded[cloud]
	server, err := e.sim.AddServer(t.Context(), model.Server{Cloud: cloud, AccountID: account.AccountID, Region: account.Region, Name: role,
		Platform: model.Linux})
	if err != nil {
		t.Fatal(err)
	}
	e.Write(t, "cloudpw/roles/"+role, map[string]any{"connection": string(cloud), "instance_ids": server.ID, "mode": "static",
		"source": "reset", "reset_method": "command", "min_reset_interval": 0, "check_method": "command", "drift_action": action})
	w := &wrong{env: e, cloud: cloud, role: role, one: e.first(t, role)}
	w.keepHash(t)
	w.snapshot = e.snapshot(t, server.ID)
	e.Write(t, "cloudpw/rotate-role/"+role, map[string]any{"wait": "45s"})
	w.two = e.eventuallyVersion(t, role, 2)
	w.keepHash(t)
	byHand := crypt.KeySHACrypt(sha512.New, []byte(setInside), []byte("cloudsim"), 1000) // as the simulator hashes what nobody has hashed
	w.hashes = append(w.hashes, string(byHand))
	return w
}

// keepHash notes the hash that the server has.
func (w *wrong) keepHash(t *testing.T) {
	t.Helper()
	server, err := w.sim.Server(t.Context(), w.one.InstanceID)
	if err != nil {
		t.Fatal(err)
	}
	hash := server.Hashes[w.one.Username]
	if !strings.HasPrefix(hash, "$6$") {
		t.Fatalf("the server's hash is %q", hash)
	}
	w.hashes = append(w.hashes, hash[strings.LastIndexByte(hash, '$')+1:])
}

// bare: one check was made and sets passwords were set since then, and neither commands, their output nor the requests to the
// cloud hold a password, or a hash of before.
func (w *wrong) bare(t *testing.T, before []model.Invocation, entries, sets int) {
	t.Helper()
	after := w.commands(t, w.two.InstanceID)[len(before):]
	if len(after) != 1+sets || !strings.Contains(after[0].Text, "look whether the password of one account") {
		t.Errorf("%d commands, want a check and %d that set a password: %+v", len(after), sets, after)
	}
	var seen strings.Builder
	for _, command := range after {
		fmt.Fprintln(&seen, command.Text, command.Output, command.Labels)
	}
	if !strings.Contains(seen.String(), "cloudpw: exit 0 checked") {
		t.Errorf("the search sees no output of a check in\n%s", seen.String())
	}
	for _, entry := range w.sim.Since(t, entries) {
		fmt.Fprintln(&seen, entry.Password, slices.Collect(maps.Values(entry.Params)))
	}
	for i, secret := range append([]string{w.one.Password, w.two.Password, setInside}, w.hashes...) {
		if secret == "" || strings.Contains(seen.String(), secret) {
			t.Errorf("secret %d stands in the history", i)
		}
	}
}

// TestChecksOfWindows: one login with the current password, which never locks an account, and is refused until another may be.
func TestChecksOfWindows(t *testing.T) {
	t.Parallel()
	e := start(t)
	const administrator = "Administrator"
	threeLock := guestos.Conditions{LockoutThreshold: 3}
	for _, cloud := range []model.Cloud{model.AWS, model.TencentCloud} {
		e.connect(t, cloud)
		for name, c := range map[string]struct {
			action     string
			byHand     bool
			conditions guestos.Conditions
			want       checked
			tried      bool // a password was
			then       func(*wrong, *testing.T)
		}{
			"right":         {"rotate", false, threeLock, checked{Result: "matches", Version: 2}, true, (*wrong).handsOut},
			"by-hand":       {"restore", true, threeLock, checked{Result: "differs", Drifted: true}, true, (*wrong).keepsBack},
			"by-hand-reset": {"rotate", true, threeLock, checked{Result: "differs", Drifted: true}, true, (*wrong).resets},
			"low-threshold": {"rotate", true, guestos.Conditions{LockoutThreshold: 2}, checked{Result: "unknown"}, false, (*wrong).handsOut},
			"disabled": {"rotate", false, guestos.Conditions{Disabled: []string{administrator}}, checked{Result: "unknown", User: "disabled"},
				false, (*wrong).handsOut},
		} {
			t.Run(string(cloud)+"-"+name, func(t *testing.T) {
				t.Parallel()
				w := e.windows(t, cloud, string(cloud)+"-win-"+name, c.action)
				w.guest(t, c.conditions)
				if c.byHand {
					w.setByHand(t)
				}
				before, entries := len(w.commands(t, w.two.InstanceID)), w.sim.LastEntry(t)
				verify := "cloudpw/verify/" + w.role + "/" + w.two.InstanceID
				var answer struct {
					checked
					Experimental bool   `json:"check_experimental"`
					NotBefore    string `json:"check_not_before"`
				}
				decode(t, w.Write(t, verify, map[string]any{"wait": "45s"}).Data, &answer)
				if answer.found() != c.want || !answer.Experimental || (answer.NotBefore != "") != c.tried {
					t.Fatalf("the check has found %+v, want %+v", answer, c.want)
				}
				c.then(w, t)
				if c.tried {
					_, err := w.Client.Logical().WriteWithContext(t.Context(), verify, nil)
					if text := harness.Refused(t, err, http.StatusConflict); !strings.Contains(text, "is left alone until 2") {
						t.Errorf("it is refused with %q", text)
					}
				}
				server, err := w.sim.Server(t.Context(), w.two.InstanceID)
				if err != nil {
					t.Fatal(err)
				}
				if wrong := server.WrongTries[administrator]; wrong.Count > 1 || !wrong.LockedOut.IsZero() {
					t.Errorf("the server counts %+v", wrong)
				}
				var seen strings.Builder
				tries := 0
				for _, command := range w.commands(t, w.two.InstanceID)[before:] {
					fmt.Fprintln(&seen, command.Text, command.Output, command.Labels)
					tries += strings.Count(command.Text, "try, once at most")
				}
				for _, entry := range w.sim.Since(t, entries) {
					fmt.Fprintln(&seen, entry.Password, slices.Collect(maps.Values(entry.Params)))
				}
				for i, secret := range []string{w.one.Password, w.two.Password, setInside} {
					if strings.Contains(seen.String(), secret) {
						t.Errorf("secret %d stands in the history", i)
					}
				}
				if tries != 1 {
					t.Errorf("%d commands try a password", tries)
				}
			})
		}
	}
}

// windows is wrong for a server with Windows, whose hashes nobody sees.
func (e *env) windows(t *testing.T, cloud model.Cloud, role, action string) *wrong {
	t.Helper()
	account := e.sim.Info.Seeded[cloud]
	server, err := e.sim.AddServer(t.Context(), model.Server{Cloud: cloud, AccountID: account.AccountID, Region: account.Region, Name: role,
		Platform: model.Windows})
	if err != nil {
		t.Fatal(err)
	}
	e.Write(t, "cloudpw/roles/"+role, map[string]any{"connection": string(cloud), "instance_ids": server.ID, "mode": "static",
		"source": "reset", "reset_method": "command", "min_reset_interval": 0, "check_method": "command", "drift_action": action})
	w := &wrong{env: e, cloud: cloud, role: role, one: e.first(t, role)}
	e.Write(t, "cloudpw/rotate-role/"+role, map[string]any{"wait": "45s"})
	w.two = e.eventuallyVersion(t, role, 2)
	return w
}
