package rotation

import (
	"context"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// TestAReportWaitsForNoWriteThatHangs, and shows what was known before it.
func TestAReportWaitsForNoWriteThatHangs(t *testing.T) {
	c, s, e, _ := crowded(t, nil)
	hold, read := make(chan struct{}), make(chan error, 1)
	s.mu.Lock()
	s.hold = hold
	s.mu.Unlock()
	before := s.count()
	go func() {
		_, err := c.Read(t.Context(), e.id, Reader{}, 0)
		read <- err
	}()
	for s.count() == before {
		pauseForOthers()
	}
	failing := false
	answered := make(chan Report, 1)
	go func() { answered <- c.Report(ReportQuery{Failing: &failing, States: []string{"ready"}}) }()
	select {
	case got := <-answered:
		if got.Total != 1 || len(got.Accounts) != 1 || len(got.Accounts[0].Leases) != 1 {
			t.Errorf("the report is %+v", got)
		}
		if len(c.Briefs("", func(ID) bool { return true })) != 1 || c.Glance(e.id) == nil {
			t.Error("a list shows nothing")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the report waits for storage")
	}
	close(hold)
	if err := <-read; err != nil {
		t.Error(err)
	}
}

// TestAReportFindsAccountsByWhatItShows: where the connection leads elsewhere than a record has noted, its account is due.
func TestAReportFindsAccountsByWhatItShows(t *testing.T) {
	s := &logical.InmemStorage{}
	a := leasedAccount()
	a.Versions[0].Place = lying
	a.Add(Version{Password: "two", Source: FromReset, Created: t0, Place: genuine})
	a.Place, a.Trusted, a.Settings.CanReset = genuine, []Place{genuine, lying}, true
	if err := saveAccount(t.Context(), s, a); err != nil {
		t.Fatal(err)
	}
	live := &Connection{ProviderName: "sim", RequestsPerSecond: 1, RequestTimeout: time.Second, Place: genuine}
	c := New(Options{Storage: s, Connect: func(context.Context, string, cloud.Limiter) (*Connection, error) { return live, nil }})
	t.Cleanup(c.Stop)
	byPlace := func() int {
		return c.Report(ReportQuery{States: []string{"due"}, DueReasons: []protocol.Reason{protocol.DuePlace}}).Total
	}
	if _, err := c.Inspect(t.Context(), a.ID); err != nil {
		t.Fatal(err)
	}
	is(t, "due at its place", byPlace(), 0)
	n := c.connection(a.Connection)
	n.mu.Lock()
	n.live = &Connection{ProviderName: "sim", RequestsPerSecond: 1, RequestTimeout: time.Second, Place: lying}
	n.mu.Unlock()
	is(t, "due elsewhere", byPlace(), 1)
	is(t, "shown", c.Report(ReportQuery{}).Accounts[0].State, "due")
	is(t, "listed", c.Briefs(a.Connection, func(ID) bool { return true })[0].State, "due")
	is(t, "of another connection", len(c.Briefs("another", func(ID) bool { return true })), 0)
}

// TestAReportShowsFailuresThatNoRecordKnows, as of a connection that cannot be used.
func TestAReportShowsFailuresThatNoRecordKnows(t *testing.T) {
	c, _, e, _ := crowded(t, nil)
	failing, others := true, false
	is(t, "failing", c.Report(ReportQuery{Failing: &failing}).Total, 0)
	e.mu.Lock()
	e.delay.hold(t0.Add(time.Minute), protocol.ForBackoff, cloud.Errorf(cloud.Denied, "no"))
	e.mu.Unlock()
	is(t, "failing", c.Report(ReportQuery{Failing: &failing}).Total, 1)
	is(t, "others", c.Report(ReportQuery{Failing: &others}).Total, 0)
}

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern string
		matches []string
		others  []string
	}{
		{"", []string{"", "web"}, nil},
		{"*", []string{"", "web"}, nil},
		{"web", []string{"web"}, []string{"", "web-1", "my-web", "WEB"}},
		{"web*", []string{"web", "web-1"}, []string{"my-web"}},
		{"*web", []string{"web", "my-web"}, []string{"web-1"}},
		{"*web*", []string{"web", "my-web-1"}, []string{"we", "wweeb"}},
		{"a*a", []string{"aa", "aba"}, []string{"a", "ab"}},
		{"a*b*c*d", []string{"abcd", "a1b2c3d", "abbccd"}, []string{"acbd", "abd", "abcde"}},
	} {
		matches := glob(c.pattern)
		for _, name := range c.matches {
			if !matches(name) {
				t.Errorf("%q does not match %q", c.pattern, name)
			}
		}
		for _, name := range c.others {
			if matches(name) {
				t.Errorf("%q matches %q", c.pattern, name)
			}
		}
	}
}

// TestFirstEntries: whatever order they come in, the first by name are kept.
func TestFirstEntries(t *testing.T) {
	for limit := range 12 {
		for n := range 40 {
			f := firstEntries{limit: limit}
			for i := range n {
				f.add(&entry{id: ID{Connection: "c", InstanceID: string(rune('A' + i*7%n)), Username: "u"}})
			}
			got, more := f.sorted()
			want := n
			if limit > 0 {
				want = min(n, limit)
			}
			if len(got) != want || more != (want < n) {
				t.Fatalf("%d of %d: %d, more %v", limit, n, len(got), more)
			}
			if n%7 == 0 {
				continue // the order above names some twice
			}
			for i, e := range got {
				is(t, "name", e.id.InstanceID, string(rune('A'+i)))
			}
		}
	}
}
