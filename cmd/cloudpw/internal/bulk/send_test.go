package bulk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
)

// fakeMount is a mount in memory. Its bulk write is that of backend/host: nothing is written if one is refused.
type fakeMount struct {
	mu        sync.Mutex
	hosts     map[string]string // by name: their fields
	refuse    map[string]string // hosts by name: why
	malformed map[string]bool   // hosts for which the whole write is refused, as for a field of another type
	accounts  []engine.Account
	deny      map[string]bool // first segments of paths
	passwords map[string]string
	puts      []string
	fail      func(path string, n int) error // what the nth put of a path meets
	count     map[string]int
	before    func(path string) // called before each put
	pageSize  int
	loading   bool
	open, max int // puts at once
}

func newFake() *fakeMount {
	return &fakeMount{hosts: map[string]string{}, refuse: map[string]string{}, malformed: map[string]bool{}, deny: map[string]bool{},
		passwords: map[string]string{}, count: map[string]int{}}
}

func refused(status int, message string) error {
	return &engine.Error{Status: status, Messages: []string{message}}
}

func (m *fakeMount) Report(_ context.Context, f engine.Filter, after string, limit int) (engine.Page, error) {
	if m.deny["report"] {
		return engine.Page{}, refused(http.StatusForbidden, "permission denied")
	}
	page := engine.Page{Loading: m.loading}
	if m.pageSize > 0 {
		limit = m.pageSize
	}
	for _, a := range m.accounts {
		if a.Connection != f.Connection || after != "" && a.ID() <= after {
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

func (m *fakeMount) List(_ context.Context, keyInfo any, segments ...string) ([]string, error) {
	if m.deny[segments[0]] {
		return nil, refused(http.StatusForbidden, "permission denied")
	}
	info, keys := map[string]any{}, []string{}
	for _, a := range m.accounts {
		if a.Connection == segments[1] {
			keys = append(keys, a.InstanceID)
			info[a.InstanceID] = map[string]any{"name": a.Name, "address": a.Address}
		}
	}
	data, _ := json.Marshal(info)
	return keys, json.Unmarshal(data, keyInfo)
}

func (m *fakeMount) Put(_ context.Context, fields map[string]any, out any, segments ...string) ([]string, error) {
	path := strings.Join(segments, "/")
	m.mu.Lock()
	m.open++
	m.max = max(m.max, m.open)
	m.count[path]++
	n := m.count[path]
	m.mu.Unlock()
	if m.before != nil {
		m.before(path)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.open--
	m.puts = append(m.puts, path)
	if m.fail != nil {
		if err := m.fail(path, n); err != nil {
			return nil, err
		}
	}
	if path != "hosts" {
		if i := slices.IndexFunc(m.accounts, func(a engine.Account) bool { return path == "import/"+a.ID() }); i < 0 {
			return nil, refused(http.StatusNotFound, "no such account; the password is "+fields["password"].(string))
		}
		m.passwords[strings.TrimPrefix(path, "import/")] = fmt.Sprint(fields["password"], fields["skip_import_rotation"])
		return []string{"recorded, but " + fields["password"].(string) + " is short"}, nil
	}
	return nil, m.write(fields, out)
}

func (m *fakeMount) write(fields map[string]any, out any) error {
	var answer []map[string]any
	bad := 0
	for i, h := range fields["hosts"].([]any) {
		host := h.(map[string]any)
		name := host["name"].(string)
		if m.malformed[name] {
			return refused(http.StatusBadRequest, fmt.Sprintf("hosts: element %d: %s: address: no", i+1, name))
		}
		row := map[string]any{"name": name, "result": "created"}
		switch {
		case m.refuse[name] != "":
			row["result"], row["error"] = "refused", m.refuse[name]
			bad++
		case m.hosts[name] == fmt.Sprint(host):
			row["result"] = "unchanged"
		case m.hosts[name] != "":
			row["result"] = "changed"
		}
		answer = append(answer, row)
	}
	if fields["dry_run"] == false {
		if bad > 0 {
			return refused(http.StatusBadRequest, "hosts: nothing was written")
		}
		for _, h := range fields["hosts"].([]any) {
			m.hosts[h.(map[string]any)["name"].(string)] = fmt.Sprint(h)
		}
	}
	data, err := json.Marshal(map[string]any{"hosts": answer})
	if err != nil {
		return err
	}
	return json.Unmarshal(data, out)
}

func account(connection, instance, user, name, address string) engine.Account {
	return engine.Account{Connection: connection, InstanceID: instance, Username: user, Name: name, Address: address}
}

func job(m *fakeMount) *Job {
	return &Job{Mount: m, pause: func(context.Context, time.Duration) {}}
}

func results(rows []*Row) string {
	var all []string
	for _, r := range rows {
		all = append(all, string(r.Result))
	}
	return strings.Join(all, ", ")
}

func hostRows(t *testing.T, n int) []*Row {
	t.Helper()
	var text strings.Builder
	text.WriteString("connection,server,address\n")
	for i := range n {
		fmt.Fprintf(&text, "dc,web-%d,192.0.2.%d\n", i, i%250)
	}
	return mustRead(t, text.String())
}

func TestHostsAreCheckedAndThenWritten(t *testing.T) {
	m := newFake()
	rows := hostRows(t, 10_000)
	j := job(m)
	ended := 0
	j.Done = func(*Row) { ended++ }
	if err := j.Check(t.Context(), rows); err != nil || Count(rows)[WouldCreate] != 10_000 || len(m.hosts) != 0 {
		t.Fatalf("%v: %v, and %d hosts are written", err, Count(rows), len(m.hosts))
	}
	if err := j.Send(t.Context(), rows); err != nil || Count(rows)[Created] != 10_000 || len(m.hosts) != 10_000 || ended != 10_000 {
		t.Fatalf("%v: %v of %d", err, Count(rows), ended)
	}
	if n := m.count["hosts"]; n != 2*10_000/batchSize {
		t.Errorf("%d requests", n)
	}
	again := hostRows(t, 10_000)
	again[7].Host["port"] = 2222
	if err := errors.Join(j.Check(t.Context(), again), j.Send(t.Context(), again)); err != nil || Count(again)[Unchanged] != 9_999 ||
		again[7].Result != Changed {
		t.Errorf("%v: %v", err, Count(again))
	}
}

func TestRefusedHostsAreFound(t *testing.T) {
	m := newFake()
	m.refuse["web-3"], m.malformed["web-8"], m.malformed["web-600"] = "address: no", true, true
	rows := hostRows(t, 700)
	j := job(m)
	if err := j.Check(t.Context(), rows); err != nil || Count(rows)[Failed] != 3 || rows[3].Error != "address: no" ||
		rows[8].Error != "web-8: address: no" || rows[600].Result != Failed {
		t.Fatalf("%v: %v, %q, %q", err, Count(rows), rows[3].Error, rows[8].Error)
	}
	if err := j.Send(t.Context(), rows); err != nil || Count(rows)[Created] != 697 || len(m.hosts) != 697 || rows[3].Result != Failed {
		t.Errorf("%v: %v", err, Count(rows))
	}
}

// TestABatchThatFails: what was good when it was checked may not be any more, and storage may fail in the middle.
func TestABatchThatFails(t *testing.T) {
	m := newFake()
	rows := hostRows(t, 4)
	j := job(m)
	if err := j.Check(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	m.refuse["web-1"] = "host_key: the pinned key is another one"
	if err := j.Send(t.Context(), rows); err != nil || results(rows) != "created, failed, created, created" ||
		rows[1].Error != m.refuse["web-1"] {
		t.Errorf("refused meanwhile: %v, %s, %q", err, results(rows), rows[1].Error)
	}
	m, rows = newFake(), hostRows(t, 3)
	j = job(m)
	if err := j.Check(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	m.fail = func(_ string, n int) error {
		if n == 2 { // the first is the check
			m.hosts["web-0"] = fmt.Sprint(map[string]any{"name": "web-0", "connection": "dc", "address": "192.0.2.0"})
			return refused(http.StatusConflict, "of 3 hosts 1 were written")
		}
		return nil
	}
	if err := j.Send(t.Context(), rows); err != nil || results(rows) != strings.Repeat("created, ", 2)+"created" || m.count["hosts"] != 4 {
		t.Errorf("half written: %v, %s, %d requests", err, results(rows), m.count["hosts"])
	}
	m, rows = newFake(), hostRows(t, 2)
	j = job(m)
	if err := j.Check(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	m.fail = func(_ string, n int) error {
		if n%2 == 0 {
			return refused(http.StatusForbidden, "permission denied")
		}
		return nil
	}
	if err := j.Send(t.Context(), rows); err != nil || results(rows) != "failed, failed" || rows[1].Error != "permission denied" ||
		m.count["hosts"] != 3 {
		t.Errorf("never: %v, %s, %q, %d requests", err, results(rows), rows[1].Error, m.count["hosts"])
	}
}

const passwordHeader = "connection,server,username,password,skip_import_rotation\n"

func TestServersAreFoundByIDNameAndAddress(t *testing.T) {
	text := passwordHeader +
		"prod,i-1,root,Geheim1,\n" + // 2: id
		"prod,web-2,root,Geheim2,true\n" + // 3: name
		"prod,10.0.0.3,root,Geheim3,\n" + // 4: address
		"prod,web-4,,Geheim4,\n" + // 5: the only user
		"prod,twin,root,Geheim5,\n" + // 6: two of them
		"prod,i-9,root,Geheim6,\n" + // 7: unknown
		"prod,i-7,,Geheim7,\n" + // 8: two users
		"prod,i-1,admin,Geheim8,\n" + // 9: unknown user
		"prod,i-6,root,Geheim9,\n" + // 10: the name of another server is this id
		"away,i-1,root,Geheim10,\n" // 11: of another connection
	accounts := []engine.Account{account("away", "a-1", "root", "i-1", ""), account("prod", "i-1", "root", "web-1", "10.0.0.1"),
		account("prod", "i-2", "root", "web-2", ""), account("prod", "i-3", "root", "", "10.0.0.3"),
		account("prod", "i-4", "ubuntu", "web-4", ""),
		account("prod", "i-5", "root", "twin", ""), account("prod", "i-6", "root", "twin", ""), account("prod", "i-7", "admin", "i-6", ""),
		account("prod", "i-7", "root", "i-6", "")}
	m := newFake()
	m.accounts, m.pageSize = accounts, 2
	rows := mustRead(t, text)
	j := job(m)
	if err := j.Check(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	outcome := strings.Repeat("would record, ", 4) + strings.Repeat("failed, ", 4) + "would record, would record"
	if results(rows) != outcome || len(m.puts) != 0 {
		t.Fatalf("%s; %v", results(rows), m.puts)
	}
	for i, says := range map[int]string{4: "2 servers have this name or address; write the id of one: i-5, i-6",
		5: "no account of a server with this id",
		6: "several accounts: admin, root", 7: "no account of this user; the server's accounts are of root"} {
		if !strings.Contains(rows[i].Error, says) {
			t.Errorf("line %d: %q", rows[i].Line, rows[i].Error)
		}
	}
	if err := j.Send(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"prod/i-1/root": "Geheim1<nil>", "prod/i-2/root": "Geheim2true", "prod/i-3/root": "Geheim3<nil>",
		"prod/i-4/ubuntu": "Geheim4<nil>", "prod/i-6/root": "Geheim9<nil>", "away/a-1/root": "Geheim10<nil>"}
	if !reflect.DeepEqual(m.passwords, want) {
		t.Errorf("recorded: %v", m.passwords)
	}
	for _, r := range rows {
		if strings.Contains(r.Error+fmt.Sprint(r.Warnings), "Geheim") {
			t.Errorf("line %d tells its password: %q %q", r.Line, r.Error, r.Warnings)
		}
	}
}

// TestALessPowerfulToken: a Recorder may not read report.
func TestALessPowerfulToken(t *testing.T) {
	m := newFake()
	m.accounts = []engine.Account{account("prod", "i-1", "root", "web-1", "")}
	m.deny["report"] = true
	rows := mustRead(t, passwordHeader+"prod,web-1,root,Geheim1,\nprod,i-1,,Geheim,\nprod,web-2,root,Geheim,\n")
	if err := job(m).Check(t.Context(), rows); err != nil || results(rows) != "would record, failed, failed" ||
		!strings.Contains(rows[1].Error, "username: required") {
		t.Errorf("with accounts/: %v, %s, %q", err, results(rows), rows[1].Error)
	}
	m.deny["accounts"] = true
	rows = mustRead(t, passwordHeader+"prod,i-1,root,Geheim1,\nprod,i-1,,Geheim,\nprod,i-2,root,Geheim,\n")
	j := job(m)
	if err := j.Check(t.Context(), rows); err != nil || results(rows) != "would record, failed, would record" {
		t.Errorf("with neither: %v, %s", err, results(rows))
	}
	if err := j.Send(t.Context(), rows); err != nil || results(rows) != "recorded, failed, failed" || rows[2].Error !=
		"no such account; the password is (hidden)" {
		t.Errorf("with neither: %v, %s, %q", err, results(rows), rows[2].Error)
	}
	m.deny["report"], m.loading = false, true
	if err := j.Check(t.Context(), rows); !errors.Is(err, ErrLoading) {
		t.Errorf("after a start: %v", err)
	}
}

func TestAHostWithItsPassword(t *testing.T) {
	m := newFake()
	m.accounts = []engine.Account{account("dc", "web-1", "root", "", "")}
	rows := mustRead(t, "connection,server,address,username,password\ndc,web-1,192.0.2.1,root,Geheim\ndc,web-2,192.0.2.2,root,Geheim\n"+
		"dc,web-3,192.0.2.3,,\n")
	j := job(m)
	if err := j.Check(t.Context(), rows); err != nil || results(rows) != "would record, would record, would create" {
		t.Fatalf("%v, %s", err, results(rows))
	}
	var ended []int
	j.Done = func(r *Row) { ended = append(ended, r.Line) }
	if err := j.Send(t.Context(), rows); err != nil || results(rows) != "recorded, failed, created" || len(m.hosts) != 3 || len(ended) != 3 {
		t.Errorf("%v, %s, %v, %v", err, results(rows), m.hosts, ended)
	}
	want := "the host is created, and has no account yet: no such account; the password is (hidden); once a role has it, send the row again"
	if rows[1].Error != want {
		t.Errorf("%q", rows[1].Error)
	}
}

func manyPasswords(t *testing.T, m *fakeMount, n int) []*Row {
	t.Helper()
	text := passwordHeader
	for i := range n {
		text += fmt.Sprintf("prod,i-%05d,root,Geheim%d,\n", i, i)
		m.accounts = append(m.accounts, account("prod", fmt.Sprintf("i-%05d", i), "root", "", ""))
	}
	return mustRead(t, text)
}

func TestPasswordsAreSentInParallelWithABound(t *testing.T) {
	m := newFake()
	rows := manyPasswords(t, m, 200)
	j := job(m)
	j.Parallel = 4
	var meet sync.WaitGroup
	meet.Add(4)
	var first sync.Map
	m.before = func(path string) {
		if n, _ := first.LoadOrStore("n", new(int)); n != nil {
			m.mu.Lock()
			k := n.(*int)
			*k++
			early := *k <= 4
			m.mu.Unlock()
			if early { // the first four are there at once, or this waits for ever
				meet.Done()
				meet.Wait()
			}
		}
	}
	if err := errors.Join(j.Check(t.Context(), rows), j.Send(t.Context(), rows)); err != nil || Count(rows)[Recorded] != 200 || m.max != 4 {
		t.Errorf("%v, %v, %d at once", err, Count(rows), m.max)
	}
}

func TestCtrlCLetsRequestsEndAndBeginsNoOthers(t *testing.T) {
	m := newFake()
	rows := manyPasswords(t, m, 100)
	j := job(m)
	j.Parallel = 2
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	m.before = func(path string) {
		switch {
		case path == "import/"+m.accounts[9].ID():
			stop()
			close(stopped)
		case path > "import/"+m.accounts[9].ID(): // the other worker's, which is not to be faster
			<-stopped
		}
	}
	if err := j.Check(ctx, rows); err != nil {
		t.Fatal(err)
	}
	if err := j.Send(ctx, rows); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	count := Count(rows)
	if count[Recorded] < 9 || count[Recorded] > 11 || count[Recorded]+count[NotTried] != 100 || len(m.puts) != count[Recorded] {
		t.Errorf("%v, %d requests", count, len(m.puts))
	}
}

func TestVaultThatIsAway(t *testing.T) {
	for _, c := range []struct {
		name    string
		err     error
		stops   bool
		retries bool
	}{
		{"no network", &engine.Error{Err: io.ErrUnexpectedEOF}, true, true},
		{"sealed", refused(http.StatusServiceUnavailable, "Vault is sealed"), true, true},
		{"limited", refused(http.StatusTooManyRequests, "request path kept busy"), true, true},
		{"the plugin's own 503", refused(http.StatusServiceUnavailable, "an earlier reset is not settled"), false, false},
		{"a failure of the plugin", refused(http.StatusInternalServerError, "storage"), false, false},
		{"denied", refused(http.StatusForbidden, "permission denied"), false, false},
	} {
		m := newFake()
		rows := manyPasswords(t, m, 50)
		j := job(m)
		j.Parallel = 1
		m.fail = func(path string, n int) error {
			if path == "import/prod/i-00003/root" {
				return c.err
			}
			return nil
		}
		if err := j.Check(t.Context(), rows); err != nil {
			t.Fatal(err)
		}
		err := j.Send(t.Context(), rows)
		count := Count(rows)
		if c.stops != (err != nil) || c.stops && (count[Recorded] != 3 || count[NotTried] != 47 || count[Failed] != 0) ||
			!c.stops && (count[Failed] != 1 || count[Recorded] != 49) {
			t.Errorf("%s: %v, %v", c.name, err, count)
		}
		if n := m.count["import/prod/i-00003/root"]; (n == tries) != c.retries || !c.retries && n != 1 {
			t.Errorf("%s: sent %d times", c.name, n)
		}
	}
	m := newFake()
	rows := manyPasswords(t, m, 5)
	j := job(m)
	m.fail = func(_ string, n int) error {
		if n < tries {
			return refused(http.StatusTooManyRequests, "later")
		}
		return nil
	}
	if err := errors.Join(j.Check(t.Context(), rows), j.Send(t.Context(), rows)); err != nil || Count(rows)[Recorded] != 5 {
		t.Errorf("after a while: %v, %v", err, Count(rows))
	}
}

func TestReportAndResume(t *testing.T) {
	m := newFake()
	text := passwordHeader + "prod,i-1,root,Geheim,\nprod,i-2,=root,Geheim,\nprod,i-3,root,Geheim,\nprod,i-4,root,Geheim,\n"
	m.accounts = []engine.Account{account("prod", "i-1", "root", "", ""), account("prod", "i-2", "=root", "", ""),
		account("prod", "i-3", "root", "", ""), account("prod", "i-4", "root", "", "")}
	m.fail = func(path string, _ int) error {
		if path == "import/prod/i-3/root" {
			return refused(http.StatusBadRequest, "=1+1\x1b[2J, Geheim")
		}
		return nil
	}
	path := filepath.Join(t.TempDir(), "done.csv")
	file, err := CreateReport(path, false)
	if err != nil {
		t.Fatal(err)
	}
	rows := mustRead(t, text)
	j := job(m)
	j.Parallel, j.Done = 1, file.Add
	if err := errors.Join(j.Check(t.Context(), rows), j.Send(t.Context(), rows[:3])); err != nil {
		t.Fatal(err)
	}
	rows[3].Result = NotTried
	killed, _ := os.ReadFile(path)
	if err := file.Close(rows); err != nil {
		t.Fatal(err)
	}
	got, _ := os.ReadFile(path)
	want := "line,connection,server,username,result,error\n2,prod,i-1,root,recorded,\n3,prod,i-2,'=root,recorded,\n" +
		"4,prod,i-3,root,failed,\"'=1+1\uFFFD[2J, (hidden)\"\n5,prod,i-4,root,not tried,\n"
	if string(got) != want {
		t.Errorf("the report is %s", got)
	}
	if string(killed) != want[:strings.Index(want, "5,prod")] {
		t.Errorf("before its end the report was %s", killed)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
		t.Errorf("%v", left)
	}
	if _, err := CreateReport(path, false); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Errorf("a report replaces another: %v", err)
	}
	for name, c := range map[string]struct {
		report string
		todo   []int
	}{
		"whole":   {want, []int{4, 5}},
		"killed":  {string(killed), []int{4, 5}},
		"cut off": {want[:strings.Index(want, "3,prod")+5], []int{3, 4, 5}},
		"empty":   {"line,connection,server,username,result,error\n", []int{2, 3, 4, 5}},
	} {
		rows := mustRead(t, text)
		if err := Resume(rows, strings.NewReader(c.report)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var todo []int
		for _, r := range Todo(rows) {
			todo = append(todo, r.Line)
		}
		if !slices.Equal(todo, c.todo) {
			t.Errorf("%s: %v", name, todo)
		}
	}
	for name, report := range map[string]string{"another file": "a,b\n1,2\n", "none": "",
		"another list's": "line,connection,server,username,result,error\n2,x,y,root,recorded,\n"} {
		if err := Resume(mustRead(t, text), strings.NewReader(report)); err == nil || !strings.Contains(err.Error(), "--resume: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A line that was inserted above moves the others.
	moved := mustRead(t, strings.Replace(text, passwordHeader, passwordHeader+"prod,i-9,root,Geheim,\n", 1))
	if err := Resume(moved, strings.NewReader(want)); err != nil || len(Todo(moved)) != 3 {
		t.Errorf("%v, %d to do", err, len(Todo(moved)))
	}
}
