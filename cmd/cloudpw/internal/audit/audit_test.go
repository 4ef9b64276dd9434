package audit

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
)

var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// fake is a mount in memory.
type fake struct {
	mu       sync.Mutex
	accounts []engine.Account
	details  map[string]engine.Detail
	status   engine.Status
	config   map[string]string // providers
	deny     map[string]bool
	fail     map[string]error
	pageSize int
	loading  bool
	asked    int
}

func denied() error {
	return &engine.Error{Status: http.StatusForbidden, Messages: []string{"permission denied"}}
}

func (f *fake) refuse(path string) error {
	if f.deny[path] {
		return denied()
	}
	return f.fail[path]
}

func (f *fake) Report(_ context.Context, q engine.Filter, after string, limit int) (engine.Page, error) {
	if err := f.refuse("report"); err != nil {
		return engine.Page{}, err
	}
	if f.pageSize > 0 {
		limit = f.pageSize
	}
	page := engine.Page{Loading: f.loading}
	for _, a := range f.accounts {
		if q.Connection != "" && a.Connection != q.Connection || after != "" && a.ID() <= after {
			continue
		}
		if len(page.Accounts) == limit {
			page.Next = page.Accounts[limit-1].ID()
			break
		}
		page.Accounts = append(page.Accounts, a)
	}
	return page, nil
}

func (f *fake) Account(_ context.Context, connection, instance, user string) (engine.Detail, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	id := connection + "/" + instance + "/" + user
	if err := f.refuse("accounts"); err != nil {
		return engine.Detail{}, err
	}
	d, known := f.details[id]
	if !known {
		return engine.Detail{}, &engine.Error{Status: http.StatusNotFound}
	}
	return d, nil
}

func (f *fake) Status(context.Context) (engine.Status, error) { return f.status, f.refuse("status") }

func (f *fake) List(context.Context, any, ...string) ([]string, error) {
	if err := f.refuse("config"); err != nil {
		return nil, err
	}
	var names []string
	for name := range f.config {
		names = append(names, name)
	}
	return names, nil
}

func (f *fake) Get(_ context.Context, out any, segments ...string) error {
	if err := f.refuse("config/"); err != nil {
		return err
	}
	return json.Unmarshal([]byte(fmt.Sprintf(`{"provider": %q}`, f.config[segments[1]])), out)
}

func row(instance string, age time.Duration, change func(*engine.Account)) engine.Account {
	a := engine.Account{Connection: "prod", InstanceID: instance, Username: "root", Role: "web", Mode: "leased", State: "ready", Version: 2,
		CreatedTime: now.Add(-age), Age: age, Confirmed: true}
	if change != nil {
		change(&a)
	}
	return a
}

const hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\x1b[2J\u202Eevil"

// fleet has one account for each exception, one that is sound, and one whose texts are hostile.
func fleet() *fake {
	f := &fake{config: map[string]string{"prod": "aws", "unused": "ssh"}, details: map[string]engine.Detail{}, deny: map[string]bool{},
		fail: map[string]error{}, pageSize: 3}
	f.accounts = []engine.Account{
		row("a-sound", 90*day, nil),
		row("b-old", 90*day+time.Second, nil),
		row("c-empty", 0, func(a *engine.Account) {
			a.Version, a.State, a.Confirmed, a.CreatedTime = 0, "empty", false, time.Time{}
		}),
		row("d-unconfirmed", day, func(a *engine.Account) { a.Confirmed = false }),
		row("e-drifted", day, func(a *engine.Account) { a.Drifted, a.CheckResult, a.CheckedTime = true, "differs", now }),
		row("f-rebuilt", day, func(a *engine.Account) { a.RebuiltTime = now }),
		row("g-braked", day, func(a *engine.Account) { a.State = "braked" }),
		row("h-gone", day, func(a *engine.Account) { a.State, a.Role = "gone", "" }),
		row("i-failing", day, func(a *engine.Account) { a.Failures, a.LastError = 3, "the instance is stopped" }),
		row("j-byhand", day, nil),
		row("k-checked", day, func(a *engine.Account) { a.CheckResult, a.CheckedTime = "matches", now }),
		row("l-unknown", day, func(a *engine.Account) { a.CheckResult, a.CheckedTime = "unknown", now }),
		row("m-locked", day, func(a *engine.Account) { a.CheckResult, a.CheckUserState, a.CheckedTime = "matches", "locked", now }),
		row("n-roleless", day, func(a *engine.Account) { a.Role = "" }),
		row("o-many", day, func(a *engine.Account) { a.Leases, a.Holders = 1, []string{"userpass-alice"} }),
		row("p-hostile", day, func(a *engine.Account) {
			a.Name, a.Address, a.LastError, a.Holders = "=1+1"+hostile, hostile, hostile, []string{hostile}
		}),
	}
	for _, a := range f.accounts {
		v := engine.Version{Number: 2, Current: true, Source: "reset"}
		old := engine.Version{Number: 1, Source: "initial", Readers: []engine.Reader{{DisplayName: "userpass-former"}}}
		switch a.InstanceID {
		case "j-byhand", "k-checked":
			v.Source = "import"
		case "o-many":
			v.MoreReaders = true
			v.Readers = []engine.Reader{{DisplayName: "userpass-alice", EntityID: "e-1", First: now.Add(-time.Hour), Last: now},
				{EntityID: "e-2", First: now, Last: now}}
		case "p-hostile":
			v.Readers = []engine.Reader{{DisplayName: hostile, First: now, Last: now}}
		}
		f.details[a.ID()] = engine.Detail{Source: "initial", Versions: []engine.Version{old, v}}
	}
	f.status.Details.Connections = map[string]engine.ConnectionState{"prod": {LastError: "throttled", CredentialAge: 3 * 86400,
		CredentialExpires: now.Add(48 * time.Hour)}}
	return f
}

var origin = Origin{Made: now, By: "userpass-anna", Entity: "e-7", Address: "https://vault:8200", Cluster: "east", Mount: "cloudpw/",
	Plugin: "v0.1.0", Command: "v0.1.0"}

func mustMake(t *testing.T, f *fake, o Options) *Report {
	t.Helper()
	r, err := Make(t.Context(), f, origin, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestExceptions(t *testing.T) {
	r := mustMake(t, fleet(), Options{MaxAge: 90 * day, Readers: true})
	want := map[string]string{"a-sound": "", "b-old": "older than 90d", "c-empty": "no password yet",
		"d-unconfirmed": "no confirmation that the server has the password", "e-drifted": "the server has another password",
		"f-rebuilt": "the server seems to have been rebuilt since", "g-braked": "resets show no outcome", "h-gone": "the server is gone",
		"i-failing": "fails: the instance is stopped", "j-byhand": "recorded by hand, never checked", "k-checked": "",
		"l-unknown": "last check: unknown", "m-locked": "the user is locked", "n-roleless": "belongs to no role",
		"o-many": "also given to readers who are not known by name", "p-hostile": "fails: " + hostile}
	for i := range r.Accounts {
		a := &r.Accounts[i]
		if got := strings.Join(a.Exceptions, "; "); got != want[a.InstanceID] {
			t.Errorf("%s: %q", a.InstanceID, got)
		}
	}
	if got, want := r.Count(), (Counts{Accounts: 16, Exceptions: 14, TooOld: 1, Empty: 1, Unconfirmed: 1, Drifted: 1, Failing: 2, Braked: 1,
		Gone: 1, Unchecked: 1}); got != want {
		t.Errorf("%+v", got)
	}
	if len(r.Connections) != 2 || r.Connections[0].Accounts != 16 || r.Connections[0].Exceptions != 14 || r.Connections[0].Provider != "aws" ||
		r.Connections[0].Oldest != 90*day+time.Second || r.Connections[0].Trouble != "throttled" || r.Connections[1].Name != "unused" ||
		r.Connections[1].Accounts != 0 {
		t.Errorf("%+v", r.Connections)
	}
	if len(r.Notes) != 0 {
		t.Errorf("%v", r.Notes)
	}
}

// TestReadersAreThoseOfTheCurrentVersion, or of the role's shared password.
func TestReadersAreThoseOfTheCurrentVersion(t *testing.T) {
	f := fleet()
	d := f.details["prod/a-sound/root"]
	d.Group = &engine.Group{Versions: []engine.Version{{Current: true, Source: "reset", Readers: []engine.Reader{{DisplayName: "userpass-bob",
		First: now, Last: now}}}}}
	f.details["prod/a-sound/root"] = d
	delete(f.details, "prod/b-old/root") // forgotten meanwhile
	r := mustMake(t, f, Options{MaxAge: 90 * day, Readers: true})
	if got := r.Accounts[0].readers(", "); got != "userpass-bob (2026-11-30T12:00:00Z)" {
		t.Errorf("a shared password: %q", got)
	}
	if r.Accounts[1].ReadersSeen || !r.Accounts[2].ReadersSeen || len(r.Accounts[2].Readers) != 0 {
		t.Errorf("%+v", r.Accounts[1:3])
	}
	if got := r.Accounts[14].readers("; "); got != "userpass-alice (2026-11-30T11:00:00Z to 2026-11-30T12:00:00Z); "+
		"e-2 (2026-11-30T12:00:00Z); and others" {
		t.Errorf("%q", got)
	}
}

// TestWhatATokenMayNotRead is missing, and the report says so.
func TestWhatATokenMayNotRead(t *testing.T) {
	f := fleet()
	f.deny["accounts"], f.deny["config"], f.deny["config/"], f.deny["status"] = true, true, true, true
	r := mustMake(t, f, Options{MaxAge: 90 * day, Readers: true})
	notes := strings.Join(r.Notes, "\n")
	for _, says := range []string{"the readers of 16 accounts are missing", "may not list config/", "may not read status"} {
		if !strings.Contains(notes, says) {
			t.Errorf("no %q in %s", says, notes)
		}
	}
	if len(r.Accounts) != 16 || len(r.Connections) != 1 || r.Accounts[0].ReadersSeen {
		t.Errorf("%+v", r.Connections)
	}
	f = fleet()
	if r := mustMake(t, f, Options{MaxAge: day}); f.asked != 0 || len(r.Notes) != 1 || r.Count().TooOld != 2 {
		t.Errorf("without readers: %d requests, %v", f.asked, r.Notes)
	}
	for path, err := range map[string]error{"report": denied(), "accounts": errors.New("broken"), "config": errors.New("broken"),
		"config/": errors.New("broken"), "status": errors.New("broken")} {
		f := fleet()
		f.fail[path] = err
		if _, got := Make(t.Context(), f, origin, Options{Readers: true}); !errors.Is(got, err) {
			t.Errorf("%s: %v", path, got)
		}
	}
	f = fleet()
	f.loading = true
	if _, err := Make(t.Context(), f, origin, Options{}); !errors.Is(err, ErrLoading) {
		t.Errorf("after a start: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Make(ctx, fleet(), origin, Options{Readers: true}); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

func TestCSV(t *testing.T) {
	f := fleet()
	f.deny["config"] = true
	r := mustMake(t, f, Options{MaxAge: 90 * day, Readers: true, Filter: engine.Filter{Connection: "prod"}})
	var out bytes.Buffer
	if err := r.WriteCSV(&out); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(out.String(), "\x1b\u202E") {
		t.Error("the table has escapes")
	}
	lines, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(lines) != 1+1+1+1+16 {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	cell := func(line []string, column string) string { return line[slices.Index(csvColumns, column)] }
	if got := cell(lines[1], "text"); got != "made 2026-11-30 12:00:00 UTC by userpass-anna (entity e-7), mount cloudpw/ at "+
		"https://vault:8200, cluster east, plugin v0.1.0, command v0.1.0, only connection prod, maximum age 90d" {
		t.Errorf("%q", got)
	}
	if cell(lines[2], "record") != "note" || cell(lines[3], "record") != "connection" || !strings.Contains(cell(lines[3], "text"),
		"provider aws, 16 accounts, 14 with exceptions, oldest password 90d, own credential 3d old, which ends 2026-12-02") {
		t.Errorf("%q", lines[2:4])
	}
	for i, want := range map[int][]string{4: {"a-sound", "2", "90.0", "false", "reset", ""},
		5: {"b-old", "2", "90.0", "true", "reset", "older than 90d"},
		6: {"c-empty", "", "", "", "reset", "no password yet"}} {
		var got []string
		for _, column := range []string{"instance_id", "version", "age_days", "older_than_max_age", "source", "exceptions"} {
			got = append(got, cell(lines[i], column))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
	}
	last := lines[len(lines)-1]
	if !strings.HasPrefix(cell(last, "name"), "'=1+1<script>") {
		t.Errorf("a spreadsheet would run %q", cell(last, "name"))
	}
}

// TestHTML: the page has no script and loads nothing, whatever the clouds' texts are, and shows these as text.
func TestHTML(t *testing.T) {
	r := mustMake(t, fleet(), Options{MaxAge: 90 * day, Readers: true})
	r.By, r.Cluster, r.Filter, r.Notes = hostile, hostile, hostile, []string{hostile}
	r.Connections[0].Name, r.Connections[0].Trouble, r.Connections[0].Provider = hostile, hostile, hostile
	var out bytes.Buffer
	if err := r.WriteHTML(&out); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(out.String(), "\x1b\u202E") {
		t.Error("the page has characters that change what is shown")
	}
	root, err := html.Parse(bytes.NewReader(out.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	count, text := map[string]int{}, strings.Builder{}
	for n := range root.Descendants() {
		switch n.Type {
		case html.ElementNode:
			count[n.Data]++
			for _, a := range n.Attr {
				if strings.HasPrefix(a.Key, "on") || a.Key == "src" || a.Key == "href" || a.Key == "style" {
					t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
				}
			}
		case html.TextNode:
			text.WriteString(n.Data + "|")
		}
	}
	for _, tag := range []string{"script", "img", "link", "iframe", "a", "form", "object"} {
		if count[tag] > 0 {
			t.Errorf("%d <%s>", count[tag], tag)
		}
	}
	if count["h1"] != 1 || count["table"] != 4 || count["tr"] != 1+10+1+2+1+14+1+16 {
		t.Errorf("%v", count)
	}
	shown := "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\uFFFD[2J\uFFFDevil"
	if n := strings.Count(text.String(), shown); n != 13 {
		t.Errorf("the hostile text is shown %d times", n)
	}
	for _, says := range []string{"Maximum age", "default-src 'none'", "older than 90d", "userpass-alice (2026-11-30T11:00:00Z to", "never",
		"ends 2026-12-02 12:00:00 UTC (in 2d)"} {
		if !strings.Contains(strings.ToLower(out.String()), strings.ToLower(says)) {
			t.Errorf("no %q", says)
		}
	}
}

func TestJSON(t *testing.T) {
	r := mustMake(t, fleet(), Options{MaxAge: 90 * day, Readers: true})
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		By       string `json:"made_by"`
		Hours    int    `json:"max_age_hours"`
		Accounts []struct {
			ID         string          `json:"instance_id"`
			Age        int             `json:"age"`
			Readers    []engine.Reader `json:"readers"`
			Exceptions []string        `json:"exceptions"`
		} `json:"accounts"`
	}
	if err := json.Unmarshal(text, &got); err != nil || got.By != "userpass-anna" || got.Hours != 2160 || len(got.Accounts) != 16 ||
		got.Accounts[1].ID != "b-old" || got.Accounts[1].Age != 7776001 || len(got.Accounts[1].Exceptions) != 1 ||
		len(got.Accounts[14].Readers) != 2 {
		t.Errorf("%v: %s", err, text)
	}
}
