package guest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// server answers looks as one with an entry would, which it makes of the nonce in the script.
type server struct {
	*service
	setting, entry string
	lines          []string
}

func (s *server) Look(ctx context.Context, refs []cloud.ResetRef) (map[cloud.ResetRef]Run, error) {
	nonce := strings.Split(strings.Split(s.sent[0].Script.Text, "\nnonce='")[1], "'")[0]
	lines := append([]string{"password=hash", "setting=" + s.setting, "digest=" + look{nonce: nonce}.digest(s.entry)}, s.lines...)
	s.runs = []Run{{}, {State: Exited, Interpreter: Shell, Output: reportOf(lines...)}}
	return s.service.Look(ctx, refs)
}

var webCheck = cloud.PasswordCheck{InstanceID: "vm-1", Username: "web", Platform: cloud.Linux, Values: []string{"first", "second", "third"}}

// A check is one command, which carries no password, and finds which of them the server has.
func TestCheckerFinds(t *testing.T) {
	const setting = "$6$rounds=1000$saltsalt"
	entryOf, _ := newCrypter(setting)
	for password, want := range map[string]int{"first": 0, "third": 2, "another": cloud.NoMatch} {
		synctest.Test(t, func(t *testing.T) {
			s := &server{service: newService(), setting: setting, entry: entryOf(password), lines: []string{"locked=yes"}}
			s.hidden = 1
			got, err := Checker{Service: s, Hashing: NewHashing()}.CheckPassword(t.Context(), webCheck)
			if err != nil || got.Match != want || got.State != cloud.UserLocked || got.Unknown != "" || got.Different() != (want < 0) {
				t.Errorf("%s: %+v, %v", password, got, err)
			}
			if len(s.sent) != 1 || len(s.looked) != 3 {
				t.Errorf("%d commands, %d looks", len(s.sent), len(s.looked))
			}
			c := s.sent[0]
			if c.AtOnce() || c.Purpose != LookAtPassword || len(c.InstanceIDs) != 1 || c.Script.Sealed != "" {
				t.Errorf("sent %+v", c)
			}
			for _, value := range append(webCheck.Values, s.entry) {
				if strings.Contains(c.Script.Text, value) {
					t.Errorf("the command holds %q", value)
				}
			}
		})
	}
}

// What keeps a check from seeing anything is an error, and never a finding.
func TestCheckerFails(t *testing.T) {
	for name, c := range map[string]struct {
		run   Run
		err   error
		ready map[string]cloud.ResetRecord
		want  cloud.Kind
		text  string
	}{
		"cut off": {run: Run{State: CutOff, Failure: cloud.Errorf(cloud.Unknown, "lost")}, want: cloud.Refused,
			text: "cloud Run (run-1): lost"},
		"unsaid": {run: Run{State: CutOff}, want: cloud.Refused, text: "cloud Run (run-1): "},
		"failed": {run: Run{State: Exited, Interpreter: Shell, ExitCode: 127, Output: "id: not found"}, want: cloud.Refused,
			text: "id: not found"},
		"silent":     {run: Run{State: Exited, Interpreter: Shell}, want: cloud.Refused, text: "whole report"},
		"never ends": {run: Run{}, want: cloud.Refused, text: "see command run-1 in the history"},
		"slow":       {err: cloud.Errorf(cloud.Throttled, "slow"), want: cloud.Throttled, text: "slow"},
		"no answer":  {err: cloud.Errorf(cloud.Unknown, "no answer"), want: cloud.Unknown, text: "no answer"},
		"gone": {err: cloud.Errorf(cloud.Refused, "no"), ready: map[string]cloud.ResetRecord{"vm-1": {Gone: true}}, want: cloud.NotFound,
			text: "vm-1"},
		"not known": {err: cloud.Errorf(cloud.Refused, "no"), want: cloud.NotFound, text: "vm-1"},
		"else": {err: cloud.Errorf(cloud.Refused, "no way"), ready: map[string]cloud.ResetRecord{"vm-1": {}}, want: cloud.Refused,
			text: "no way"},
		"not allowed": {err: cloud.Errorf(cloud.Denied, "denied"), want: cloud.Denied, text: "denied"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				s := &refusing{newService(c.run), c.err}
				s.ready = c.ready
				got, err := Checker{Service: s, Hashing: NewHashing()}.CheckPassword(ctx, webCheck)
				if cloud.KindOf(err) != c.want || !strings.Contains(err.Error(), c.text) {
					t.Errorf("%v, want %s and %q", err, c.want, c.text)
				}
				if got.Match != cloud.NoMatch || got.State != "" {
					t.Errorf("found %+v", got)
				}
			})
		})
	}
}

// refusing refuses commands, and nothing else.
type refusing struct {
	*service
	refusal error
}

func (s *refusing) Send(ctx context.Context, c Command) (string, error) {
	if s.refusal != nil {
		return "", s.refusal
	}
	return s.service.Send(ctx, c)
}

// The reason that the cloud gives for an instance is better than that of the refused command.
func TestCheckerExplains(t *testing.T) {
	s := newService()
	s.err = cloud.Errorf(cloud.Refused, "the agent is not online")
	c := Checker{Service: &refusing{s, cloud.Errorf(cloud.Refused, "InvalidInstanceId")}, Hashing: NewHashing()}
	_, err := c.CheckPassword(t.Context(), webCheck)
	if !errors.Is(err, s.err) {
		t.Errorf("%v", err)
	}
	s.err = cloud.Errorf(cloud.Throttled, "slow")
	_, err = c.CheckPassword(t.Context(), webCheck)
	if cloud.KindOf(err) != cloud.Refused {
		t.Errorf("%v", err)
	}
}

// What can never be checked is refused before anything is sent.
func TestCheckerRefuses(t *testing.T) {
	s := newService()
	c := Checker{Service: s, Hashing: NewHashing()}
	if c != (Checker{Service: s, Hashing: c.Hashing}) {
		t.Error("two of the same are not equal")
	}
	for _, platform := range []cloud.Platform{cloud.Linux, cloud.Windows} {
		if err := c.CanCheck(cloud.Instance{Platform: platform}, "web"); err != nil {
			t.Error(err)
		}
	}
	for name, tc := range map[string]struct {
		platform cloud.Platform
		id, user string
		text     string
	}{
		"name on Windows":  {cloud.Windows, "vm-1", "a|b", "username"},
		"unknown platform": {"", "vm-1", "root", "leave it empty for this instance"},
		"username":         {cloud.Linux, "vm-1", "x;reboot", "username"},
		"id":               {cloud.Linux, "../x", "root", "is no id"},
	} {
		_, err := c.CheckPassword(t.Context(), cloud.PasswordCheck{InstanceID: tc.id, Username: tc.user, Platform: tc.platform,
			Values: []string{"x"}})
		if cloud.KindOf(err) != cloud.Refused || !strings.Contains(err.Error(), tc.text) {
			t.Errorf("%s: %v", name, err)
		}
		if can := c.CanCheck(cloud.Instance{Platform: tc.platform}, tc.user); name != "id" && can == nil {
			t.Errorf("%s: a role may be written", name)
		}
	}
	s.limits.Unavailable = cloud.Errorf(cloud.Refused, "no endpoint")
	if _, err := c.CheckPassword(t.Context(), webCheck); !errors.Is(err, s.limits.Unavailable) {
		t.Errorf("%v", err)
	}
	if len(s.sent)+len(s.looked) != 0 {
		t.Errorf("%d commands, %d looks", len(s.sent), len(s.looked))
	}
	if printed := fmt.Sprintf("%v %+v %#v", webCheck, webCheck, webCheck); strings.Contains(printed, "second") {
		t.Errorf("printed: %s", printed)
	}
}

// Hashes are computed one after the other, and none after the context has ended.
func TestHashingTakesTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHashing()
		running, most := 0, 0
		slow := func(string) string {
			running++
			most = max(most, running)
			<-time.After(time.Second)
			running--
			return "x"
		}
		began := time.Now()
		done := make(chan error, 3)
		for range cap(done) {
			go func() { _, err := h.do(t.Context(), slow, "x"); done <- err }()
		}
		for range cap(done) {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(began); most != 1 || took != 3*time.Second {
			t.Errorf("%d at once, in %v", most, took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		go func() { _, err := h.do(t.Context(), slow, "x"); done <- err }()
		synctest.Wait()
		s := newService()
		entryOf, _ := newCrypter("$6$saltsalt")
		report := report{values: map[string]string{"user": "local", "password": "hash", "setting": "$6$saltsalt",
			"digest": look{}.digest(entryOf("a"))}}
		got, err := Checker{Service: s, Hashing: h}.compare(ctx, look{}, report, []string{"a"})
		if cloud.KindOf(err) != cloud.Refused || got.Match != cloud.NoMatch || !strings.Contains(err.Error(), "could not be compared in time") {
			t.Errorf("%+v, %v", got, err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
