package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
)

// take takes the password of a server and returns its id in the console.
func (a *asked) take(t *testing.T) string {
	t.Helper()
	status, body := a.post("take", `{"role":"web","instance_id":"i-1","connection":"prod","username":"ubuntu"}`)
	var got shownTaken
	if err := json.Unmarshal([]byte(body), &got); status != http.StatusOK || err != nil || got.ID == "" {
		t.Fatalf("take: %d %v %s", status, err, body)
	}
	if strings.Contains(body, "-word") || strings.Contains(body, "cloudpw/creds") {
		t.Errorf("the answer has the password or the lease: %s", body)
	}
	return got.ID
}

func byID(id string) string { return `{"id":"` + id + `"}` }

func TestAPasswordIsShownAndGivenBack(t *testing.T) {
	t.Parallel()
	v := &fakeVault{}
	c := newConsole(t, v)
	id := c.take(t)
	if status, body := c.post("held/show", byID(id)); status != http.StatusOK || body != `{"password":"pass-1-word"}` {
		t.Errorf("show: %d %s", status, body)
	}
	if _, body := c.get("held"); !strings.Contains(body, id) || strings.Contains(body, "-word") {
		t.Errorf("held: %s", body)
	}
	if status, body := c.post("held/give", byID(id)); status != http.StatusOK || !strings.Contains(body, `"held":[]`) || v.live() != 0 {
		t.Errorf("give: %d %s, %d leases", status, body, v.live())
	}
	for _, path := range []string{"held/show", "held/give", "held/renew"} {
		if status, body := c.post(path, byID(id)); status != http.StatusNotFound {
			t.Errorf("%s after it was given back: %d %s", path, status, body)
		}
	}
}

func TestAPasswordEndsWithItsLease(t *testing.T) {
	t.Parallel()
	c := newConsole(t, &fakeVault{})
	id := c.take(t)
	c.clock.move(10 * time.Minute)
	if status, _ := c.post("held/show", byID(id)); status != http.StatusOK {
		t.Errorf("before the end: %d", status)
	}
	// The fake renews for half of what is asked.
	if status, body := c.post("held/renew", byID(id)); status != http.StatusOK || !strings.Contains(body, "2026-11-30T12:15:00Z") {
		t.Errorf("renew: %d %s", status, body)
	}
	c.clock.move(5*time.Minute + 1)
	if status, _ := c.post("held/show", byID(id)); status != http.StatusNotFound {
		t.Errorf("after the end: %d", status)
	}
	if _, body := c.get("held"); body != `{"held":[]}` {
		t.Errorf("held: %s", body)
	}
}

func TestAStaticPasswordHasNoLease(t *testing.T) {
	t.Parallel()
	v := &fakeVault{static: true, leaseErr: errors.New("there is no lease to give back")}
	c := newConsole(t, v)
	id := c.take(t)
	c.clock.move(1000 * time.Hour)
	if _, body := c.get("held"); !strings.Contains(body, `"leased":false`) || strings.Contains(body, "until") {
		t.Errorf("held: %s", body)
	}
	if status, body := c.post("held/give", byID(id)); status != http.StatusOK {
		t.Errorf("give: %d %s", status, body)
	}
}

func TestAFailedGiveBackKeepsThePassword(t *testing.T) {
	t.Parallel()
	v := &fakeVault{leaseErr: &engine.Error{Status: 403, Messages: []string{"permission denied"}, Path: "sys/leases/revoke"}}
	c := newConsole(t, v)
	id := c.take(t)
	if status, body := c.post("held/give", byID(id)); status != http.StatusForbidden || !strings.Contains(body,
		`"path":"sys/leases/revoke/cloudpw/creds/*"`) {
		t.Errorf("give: %d %s", status, body)
	}
	if status, body := c.post("held/renew", byID(id)); status != http.StatusForbidden || !strings.Contains(body, `"path":"sys/leases/renew"`) {
		t.Errorf("renew: %d %s", status, body)
	}
	if _, body := c.get("held"); !strings.Contains(body, id) {
		t.Errorf("held: %s", body)
	}
}

func TestTakeByName(t *testing.T) {
	t.Parallel()
	v := &fakeVault{places: map[string]engine.Place{"web/web-1": {Role: "web", InstanceID: "i-1"}}}
	c := newConsole(t, v)
	if status, body := c.post("take", `{"text":"web/web-1"}`); status != http.StatusOK || !strings.Contains(body, `"instance_id":"i-1"`) {
		t.Errorf("take: %d %s", status, body)
	}
	if status, body := c.post("take", `{"text":"none"}`); status != http.StatusBadRequest || !strings.Contains(body,
		"there is no server none") {
		t.Errorf("take: %d %s", status, body)
	}
	v.fail(&engine.Error{Status: 403, Messages: []string{"permission denied"}, Path: "cloudpw/creds/web/i-1"})
	if status, body := c.post("take", `{"text":"web/web-1"}`); status != http.StatusForbidden || !strings.Contains(body,
		`"cloudpw/creds/web/*"`) {
		t.Errorf("take: %d %s", status, body)
	}
	v.fail(&engine.Error{Status: 503, Messages: []string{"the password is being set"}, Path: "cloudpw/creds/web/i-1"})
	if status, body := c.post("take", `{"text":"web/web-1"}`); status != http.StatusServiceUnavailable || !strings.Contains(body,
		"being set") {
		t.Errorf("take: %d %s", status, body)
	}
}

func TestOrders(t *testing.T) {
	t.Parallel()
	v := &fakeVault{}
	c := newConsole(t, v)
	for path, body := range map[string]string{"rotate": `{"role":"web","instance_id":"i-1"}`, "verify": `{"role":"web","instance_id":"i-2"}`,
		"rotate-role": `{"role":"web"}`, "verify-role": `{"role":"db"}`} {
		v.orders = nil
		if status, answer := c.post(path, body); status != http.StatusOK || !strings.Contains(answer, `"campaign":"abc"`) || len(v.orders) != 1 {
			t.Errorf("%s: %d %s, %v", path, status, answer, v.orders)
		}
		want := map[string]string{"rotate": "rotate web i-1", "verify": "verify web i-2", "rotate-role": "rotate web ",
			"verify-role": "verify db "}[path]
		if len(v.orders) == 1 && v.orders[0] != want {
			t.Errorf("%s ordered %q", path, v.orders[0])
		}
	}
	v.orders = nil
	for path, bodies := range map[string][]string{
		"rotate": {`{}`, `{"role":"web"}`, `{"instance_id":"i"}`}, "verify": {`{"role":"web"}`},
		"rotate-role": {`{}`, `{"role":"web","instance_id":"i"}`}, "verify-role": {`{"role":""}`},
	} {
		for _, body := range bodies {
			if status, answer := c.post(path, body); status != http.StatusBadRequest {
				t.Errorf("%s %s: %d %s", path, body, status, answer)
			}
		}
	}
	if len(v.orders) != 0 {
		t.Errorf("bad orders were given: %v", v.orders)
	}
	v.fail(&engine.Error{Status: 403, Messages: []string{"permission denied"}})
	if _, body := c.post("rotate", `{"role":"web","instance_id":"i-1"}`); !strings.Contains(body,
		`{"path":"cloudpw/rotate-role/web/*","capabilities":["update"]}`) {
		t.Errorf("rotate without the right: %s", body)
	}
}

func TestTheEndGivesAllBack(t *testing.T) {
	t.Parallel()
	v := &fakeVault{}
	c := newConsole(t, v)
	for range 3 {
		c.take(t)
	}
	// One take waits for its password when the console ends.
	v.mu.Lock()
	v.waiting, v.read = make(chan struct{}), make(chan struct{})
	v.mu.Unlock()
	result := make(chan string)
	go func() {
		_, body := c.post("take", `{"role":"web"}`)
		result <- body
	}()
	<-v.read
	if left := c.held.close(t.Context()); len(left) != 0 || v.live() != 0 {
		t.Errorf("left: %v, %d leases", left, v.live())
	}
	if body := <-result; !strings.Contains(body, "problem") {
		t.Errorf("the take that waited: %s", body)
	}
	if status, body := c.post("take", `{"role":"web"}`); status != http.StatusServiceUnavailable {
		t.Errorf("a take after the end: %d %s", status, body)
	}
}

// TestALeaseThatComesAtTheEnd: Vault has made it although the read was given up.
func TestALeaseThatComesAtTheEnd(t *testing.T) {
	t.Parallel()
	v := &fakeVault{waiting: make(chan struct{}), read: make(chan struct{}), deaf: true}
	c := newConsole(t, v)
	taken := make(chan error, 1)
	go func() {
		_, err := c.held.take(engine.Place{Role: "web", InstanceID: "i-1"})
		taken <- err
	}()
	<-v.read
	left := make(chan []leftOver, 1)
	go func() { left <- c.held.close(t.Context()) }()
	<-c.held.takes.Done()
	close(v.waiting)
	found := <-left
	if err := <-taken; err != nil {
		t.Error(err)
	}
	if len(found) != 0 || v.live() != 0 {
		t.Errorf("left: %v, %d leases", found, v.live())
	}
}

func TestTheEndTellsWhatIsLeft(t *testing.T) {
	t.Parallel()
	v := &fakeVault{}
	c := newConsole(t, v)
	c.take(t)
	c.clock.move(time.Minute)
	c.take(t)
	v.mu.Lock()
	v.leaseErr = errors.New("connection refused")
	v.mu.Unlock()
	left := c.held.close(t.Context())
	if len(left) != 2 || left[0].lease != "cloudpw/creds/web/1" || !left[0].until.Equal(newClock().now().Add(10*time.Minute)) ||
		left[1].err == nil {
		t.Errorf("left: %+v", left)
	}
	// What has ended by itself is not left.
	c.clock.move(9*time.Minute + 1)
	if left := c.held.close(t.Context()); len(left) != 1 {
		t.Errorf("left later: %+v", left)
	}
}

// TestRunEnds: it gives back what was taken, and does not wait for that when it is told not to.
func TestRunEnds(t *testing.T) {
	t.Parallel()
	for name, hurried := range map[string]bool{"in time": false, "hurried": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := &fakeVault{}
			c, err := listen(t.Context(), v, "https://vault.example:8200", "", Options{TTL: time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.held.take(engine.Place{Role: "web", InstanceID: "i-1"}); err != nil {
				t.Fatal(err)
			}
			if hurried {
				v.giving = make(chan struct{})
			}
			ctx, end := context.WithCancel(t.Context())
			hurry, endAll := context.WithCancel(t.Context())
			defer endAll()
			result := make(chan []Left, 1)
			go func() {
				left, err := c.Run(ctx, hurry)
				if err != nil {
					t.Error(err)
				}
				result <- left
			}()
			end()
			if !hurried {
				if left := <-result; len(left) != 0 || v.live() != 0 {
					t.Errorf("left: %+v, %d leases", left, v.live())
				}
				return
			}
			<-v.giving
			began := time.Now()
			endAll()
			if left := <-result; len(left) != 1 || left[0].Lease != "cloudpw/creds/web/1" || left[0].Err == nil {
				t.Errorf("left: %+v", left)
			}
			if took := time.Since(began); took > giveTime/2 {
				t.Errorf("it has waited for %s", took)
			}
		})
	}
}
