package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
)

// manyAccounts are sorted as a report is.
func manyAccounts(n int) []engine.Account {
	all := make([]engine.Account, n)
	for i := range all {
		all[i] = engine.Account{Connection: "prod", InstanceID: fmt.Sprintf("i-%06d", i), Username: "ubuntu", Name: fmt.Sprintf("node-%d", i),
			Role: fmt.Sprintf("role-%d", i%7), State: "ready", Version: 1, CreatedTime: newClock().now().Add(-time.Duration(i) * time.Hour)}
	}
	return all
}

type fleetAnswer struct {
	Generation int64
	Matched    int
	RowsRead   int `json:"rows_read"`
	Total      int
	Whole      bool
	Problem    *problem
	ReadAt     time.Time `json:"read_at"`
	Rows       []engine.Account
}

func (a *asked) rows(query string) fleetAnswer {
	a.t.Helper()
	status, body := a.get("fleet?" + query)
	var got fleetAnswer
	if err := json.Unmarshal([]byte(body), &got); status != http.StatusOK || err != nil {
		a.t.Fatalf("fleet?%s: %d %v %s", query, status, err, body)
	}
	return got
}

func TestTheReportIsReadPageByPage(t *testing.T) {
	t.Parallel()
	v := &fakeVault{accounts: manyAccounts(firstPage + nextPages + 3)}
	c := newConsole(t, v)
	var seen []int
	v.hook = func(string) {
		s, _, _ := c.fleet.look()
		seen = append(seen, len(s.rows))
	}
	if !c.fleet.read(t.Context()) {
		t.Fatal("the report is not read")
	}
	if !slices.Equal(seen, []int{0, firstPage, firstPage + nextPages}) {
		t.Errorf("while it was read, the table had %v rows", seen)
	}
	if got := c.rows("count=2"); got.RowsRead != len(v.accounts) || !got.Whole || len(got.Rows) != 2 || got.Matched != len(v.accounts) {
		t.Errorf("the table is %+v", got)
	}
	// A later reading does not show a part of the fleet in place of all of it.
	seen = nil
	c.fleet.read(t.Context())
	if !slices.Equal(seen, []int{len(v.accounts), len(v.accounts), len(v.accounts)}) {
		t.Errorf("while it was read again, the table had %v rows", seen)
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	now := newClock().now()
	v := &fakeVault{accounts: []engine.Account{
		{Connection: "a", InstanceID: "i-1", Username: "ubuntu", Name: "Web-10", Role: "web", State: "ready",
			CreatedTime: now.Add(-48 * time.Hour), Leases: 2,
			Holders: []string{"userpass-alice", "userpass-bob"}},
		{Connection: "a", InstanceID: "i-2", Username: "ubuntu", Name: "web-9", Role: "web", State: "due",
			CreatedTime: now.Add(-12 * time.Hour), Failures: 3,
			LastError: "The disk is full"},
		{Connection: "b", InstanceID: "i-3", Username: "root", Name: "", Address: "10.1.2.3", Role: "database", State: "empty"},
		{Connection: "b", InstanceID: "i-4", Username: "root", Name: "db-1", State: "ready", Drifted: true,
			CreatedTime: now.Add(-24 * time.Hour), RebuiltTime: now},
	}}
	c := newConsole(t, v)
	c.fleet.read(t.Context())
	for query, want := range map[string]string{
		"": "1234", "role=web": "12", "connection=b": "34", "state=ready": "14", "holder=userpass-bob": "1", "holder=bob": "",
		"text=web": "12", "text=DISK": "2", "text=10.1": "3", "text=alice": "1", "text=+web-9+": "2", "text=root": "34",
		"older=1": "14", "older=2": "1", "older=3": "", "drifted=true": "4", "failing=true": "2", "rebuilt=true": "4",
		"role=web&state=due": "2", "role=web&state=empty": "", "drifted=false": "1234",
		"sort=name": "4321", "sort=name&down=true": "1234", "sort=age": "2413", "sort=age&down=true": "3142", "sort=state&role=web": "21",
		"sort=leases&down=true": "1234", "sort=failures&down=true": "2134", "sort=role": "4312", "sort=connection&down=true": "3412",
		"sort=user": "3412",
	} {
		got := c.rows(query)
		ids := ""
		for _, a := range got.Rows {
			ids += strings.TrimPrefix(a.InstanceID, "i-")
		}
		if ids != want || got.Matched != len(want) {
			t.Errorf("%s: %s (%d matched), want %s", query, ids, got.Matched, want)
		}
	}
	if got := c.rows("from=1&count=2"); len(got.Rows) != 2 || got.Rows[0].InstanceID != "i-2" || got.Matched != 4 {
		t.Errorf("a window: %+v", got)
	}
	if got := c.rows("from=7"); len(got.Rows) != 0 || got.Matched != 4 {
		t.Errorf("a window behind the end: %+v", got)
	}
	for _, query := range []string{"sort=none", "older=x", "older=-1", "from=-1", "count=501", "count=1e3", "from=100000001"} {
		if status, body := c.get("fleet?" + query); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", query, status, body)
		}
	}
	_, body := c.get("choices")
	for _, part := range []string{`"roles":[{"value":"database","rows":1},{"value":"web","rows":2}]`,
		`"holders":[{"value":"userpass-alice","rows":1}`,
		`"states":[{"value":"due","rows":1},{"value":"empty","rows":1},{"value":"ready","rows":2}]`} {
		if !strings.Contains(body, part) {
			t.Errorf("no %s in %s", part, body)
		}
	}
}

func TestNaturally(t *testing.T) {
	t.Parallel()
	sorted := []string{"", "7", "07x", "10", "a", "B", "b1", "b01x", "b2", "b10", "b10a"}
	shuffled := slices.Clone(sorted)
	slices.Reverse(shuffled)
	slices.SortStableFunc(shuffled, naturally)
	if !slices.Equal(sorted, shuffled) {
		t.Errorf("sorted: %q", shuffled)
	}
	if naturally("WEB-1", "web-01") != 0 {
		t.Error("case and leading zeros count")
	}
}

func TestLongErrorsAreCutInRows(t *testing.T) {
	t.Parallel()
	v := &fakeVault{accounts: []engine.Account{{InstanceID: "i", LastError: strings.Repeat("é", 5000)}}}
	c := newConsole(t, v)
	c.fleet.read(t.Context())
	if got := c.rows("").Rows[0].LastError; len(got) > longestError+3 || !strings.HasSuffix(got, "é…") {
		t.Errorf("the row has %q", got)
	}
	// What is kept is whole, for searches.
	if c.rows("text="+strings.Repeat("é", 200)).Matched != 1 {
		t.Error("the text is not found")
	}
}

func TestWhatATroubledReadingShows(t *testing.T) {
	t.Parallel()
	v := &fakeVault{accounts: manyAccounts(3)}
	c := newConsole(t, v)
	c.fleet.read(t.Context())
	v.fail(&engine.Error{Path: "cloudpw/report", Err: errors.New("connection refused")})
	if c.fleet.read(t.Context()) {
		t.Fatal("the reading did not fail")
	}
	if got := c.rows(""); got.Problem == nil || got.Problem.Kind != kindUnreachable || got.Matched != 3 || got.ReadAt.IsZero() {
		t.Errorf("Vault is away: %+v", got)
	}
	v.fail(nil)
	c.fleet.read(t.Context())
	if got := c.rows(""); got.Problem != nil || got.Matched != 3 {
		t.Errorf("Vault is back: %+v", got)
	}
	v.fail(&engine.Error{Status: 403, Messages: []string{"permission denied"}, Path: "cloudpw/report"})
	c.fleet.read(t.Context())
	if got := c.rows(""); got.Problem == nil || got.Problem.Kind != kindDenied || got.Matched != 0 ||
		got.Problem.Needs[0].Path != "cloudpw/report" {
		t.Errorf("the policy is gone: %+v", got)
	}
	v.fail(nil)
	c.fleet.read(t.Context())
	v.fail(&engine.Error{Status: 403, Messages: []string{"permission denied", "invalid token"}, Path: "cloudpw/report"})
	c.fleet.read(t.Context())
	if got := c.rows(""); got.Problem == nil || got.Problem.Kind != kindToken || got.Matched != 0 || len(got.Problem.Needs) != 0 {
		t.Errorf("the token is gone: %+v", got)
	}
	// A context that ends is no failure of Vault.
	v.fail(nil)
	c.fleet.read(t.Context())
	ended, end := context.WithCancel(t.Context())
	end()
	v.fail(context.Canceled)
	c.fleet.read(ended)
	if got := c.rows(""); got.Problem != nil {
		t.Errorf("the console ends: %+v", got)
	}
}

// TestTheReportIsReadWhileSomebodyLooks: a page that nobody looks at costs Vault nothing, and one that is looked at again is new.
func TestTheReportIsReadWhileSomebodyLooks(t *testing.T) {
	t.Parallel()
	v := &fakeVault{accounts: manyAccounts(3)}
	c := newConsole(t, v)
	read := make(chan struct{}, 100)
	v.hook = func(string) { read <- struct{}{} }
	ctx, end := context.WithCancel(t.Context())
	var done = make(chan struct{})
	go func() {
		defer close(done)
		c.fleet.run(ctx)
	}()
	defer func() { end(); <-done }()
	c.fleet.look() // the first look wakes it
	<-read
	if c.clock.move(watchedFor + time.Second); c.fleet.watched() {
		t.Error("it is still watched")
	}
	c.fleet.look()
	<-read
	if !c.fleet.watched() {
		t.Error("it is not watched")
	}
	if status, _ := c.post("refresh", "{}"); status != http.StatusOK {
		t.Error("it cannot be read again")
	}
	<-read
}

func TestFigures(t *testing.T) {
	t.Parallel()
	now := newClock().now() // noon
	ago := func(d time.Duration) engine.Account { return engine.Account{State: "ready", CreatedTime: now.Add(-d)} }
	v := &fakeVault{accounts: []engine.Account{ago(-time.Minute), ago(0), ago(23 * time.Hour), ago(day), ago(7*day - 1), ago(7 * day),
		ago(29 * day), ago(30 * day),
		ago(364 * day), ago(365 * day), ago(4000 * day), {State: "empty"}}}
	c := newConsole(t, v)
	c.fleet.read(t.Context())
	s, _, _ := c.fleet.look()
	got := s.figures(now)
	var counts []int
	for _, one := range got.Ages {
		counts = append(counts, one.Count)
	}
	if want := []int{3, 2, 1, 1, 1, 0, 0, 1, 2}; !slices.Equal(counts, want) {
		t.Errorf("the ages are %v, want %v", counts, want)
	}
	// Made in the last twelve hours, or by a clock that is ahead.
	if last := got.Days[shownDays-1]; last.Day != "2026-11-30" || last.Count != 2 {
		t.Errorf("today is %+v", last)
	}
	if yesterday := got.Days[shownDays-2]; yesterday.Count != 2 {
		t.Errorf("yesterday is %+v", yesterday)
	}
	if first := got.Days[0]; first.Day != "2026-11-01" || first.Count != 1 {
		t.Errorf("the first day is %+v", first)
	}
	sum := got.Earlier + got.None
	for _, one := range got.Days {
		sum += one.Count
	}
	if sum != len(v.accounts) || got.None != 1 || got.Earlier != 4 || got.Total != len(v.accounts) {
		t.Errorf("the sums are wrong: %+v", got)
	}
}

func TestSiblings(t *testing.T) {
	t.Parallel()
	v := &fakeVault{accounts: []engine.Account{{Connection: "a", InstanceID: "i", Username: "root"}, {Connection: "a", InstanceID: "i",
		Username: "admin"},
		{Connection: "b", InstanceID: "i", Username: "other"}}}
	c := newConsole(t, v)
	c.fleet.read(t.Context())
	status, body := c.get("account?connection=a&instance_id=i&username=root")
	if status != http.StatusOK || strings.Contains(body, "other") || strings.Index(body, `"admin"`) > strings.LastIndex(body, `"root"`) {
		t.Errorf("%d %s", status, body)
	}
}

// BenchmarkView sorts and filters 100,000 rows, as the first window of a table does.
func BenchmarkView(b *testing.B) {
	v := &fakeVault{accounts: manyAccounts(100_000)}
	f := newFleet(v, newClock().now)
	f.read(b.Context())
	s, _, _ := f.look()
	for _, q := range []query{{Sort: "name"}, {Sort: "age", Down: true}, {Text: "node-77"}} {
		b.Run(fmt.Sprintf("sort=%s,text=%s", q.Sort, q.Text), func(b *testing.B) {
			for b.Loop() {
				clear(s.views)
				s.view(q)
			}
		})
	}
}
