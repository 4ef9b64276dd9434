package ssh

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/sshserver"
)

// enterAll takes turns until one is refused or not there at once, and says why.
func enterAll(t *testing.T, turns *turns, hosts ...string) (taken int, last error) {
	t.Helper()
	for _, h := range hosts {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		_, err := turns.enter(ctx, h)
		cancel()
		if err != nil {
			return taken, err
		}
		taken++
	}
	return taken, nil
}

// TestDeadHostsLeaveSessionsToTheLiving, and a turn that nobody got says nothing of the connection.
func TestDeadHostsLeaveSessionsToTheLiving(t *testing.T) {
	turns := newTurns(4)
	var dead []string
	for n := range 4 {
		dead = append(dead, fmt.Sprint("dead-", n))
		turns.reached(dead[n], false)
	}
	n, err := enterAll(t, turns, dead...)
	if n != 2 || !strings.Contains(err.Error(), "when last tried") || !errors.Is(err, cloud.ErrNoTurn) ||
		cloud.KindOf(err) != cloud.Unavailable {
		t.Errorf("%d dead hosts have a session, then: %v", n, err)
	}
	n, err = enterAll(t, turns, "web-1", "web-2", "web-3")
	if n != 2 || !errors.Is(err, cloud.ErrNoTurn) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%d living hosts have a session, then: %v", n, err)
	}
}

// TestADeadHostLivesAgain: one login is enough, and turns that have ended are free.
func TestADeadHostLivesAgain(t *testing.T) {
	turns := newTurns(2)
	for range 3 { // a session of a dead host gives its place back
		turns.reached("web-1", false)
		leave, err := turns.enter(t.Context(), "web-1")
		if err != nil {
			t.Fatal(err)
		}
		leave()
	}
	turns.reached("web-1", true)
	turns.reached("web-2", false)
	if n, err := enterAll(t, turns, "web-2", "web-1"); n != 2 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

// TestSessionsTellWhichHostsAreDead by what became of the login.
func TestSessionsTellWhichHostsAreDead(t *testing.T) {
	private, key := sshserver.NewPair(t)
	s := newServer(t, key)
	gone := s.host("web-2")
	gone.Port = 1
	p := connection(t, private, inventoryOf(s.host("web-1"), gone), nil)
	for _, name := range []string{"web-1", "web-2"} {
		r := reset("First-Secret-1", 0)
		r.InstanceIDs = []string{name}
		_, err := start(t, p, r)
		if dead := p.turns.dead[name]; dead != (err != nil) || dead != (name == "web-2") {
			t.Errorf("%s: dead %v, %v", name, dead, err)
		}
	}
	left, leave := context.WithCancel(t.Context())
	leave()
	if _, err := p.Resetter(cloud.MethodCommand).StartReset(left, reset("First-Secret-1", 0)); err == nil || p.turns.dead["web-1"] {
		t.Errorf("a caller who has left says nothing of the host: %v", err)
	}
}
