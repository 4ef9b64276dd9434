package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestPercentile(t *testing.T) {
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(100 - i) // not in order
	}
	for _, c := range []struct {
		values []time.Duration
		p      float64
		want   time.Duration
	}{
		{nil, 50, 0},
		{[]time.Duration{7}, 50, 7},
		{[]time.Duration{7}, 99, 7},
		{[]time.Duration{3, 1, 2}, 50, 2},
		{[]time.Duration{4, 3, 2, 1}, 50, 2},
		{hundred, 50, 50},
		{hundred, 99, 99},
		{hundred, 100, 100},
	} {
		if got := percentile(c.values, c.p); got != c.want {
			t.Errorf("the %v. percentile of %d values is %d, want %d", c.p, len(c.values), got, c.want)
		}
	}
	if hundred[0] != 100 {
		t.Error("percentile has sorted its argument")
	}
}

func TestMedian(t *testing.T) {
	if got := median([]float64{3, 1, 2}); got != 2 {
		t.Errorf("of three values %v, want 2", got)
	}
	if got := median([]float64{4, 1, 2, 3}); got != 2.5 {
		t.Errorf("of four values %v, want 2.5", got)
	}
	if got := median(nil); !math.IsNaN(got) {
		t.Errorf("of none %v, want NaN", got)
	}
}

// A disturbance hits both targets of its round: the ratio is that of the undisturbed rounds, although the overall
// medians are not.
func TestRatioIsOfRounds(t *testing.T) {
	series := func(name string, times ...time.Duration) Series {
		s := Series{Target: Target{Name: name}, Clients: 1}
		for _, d := range times {
			s.Rounds = append(s.Rounds, Sample{Times: []time.Duration{d, d}, Took: 2 * d})
		}
		return s
	}
	row := series("a", 2*time.Millisecond, 200*time.Millisecond, 4*time.Millisecond).Row("inmem",
		series("b", 1*time.Millisecond, 100*time.Millisecond, 2*time.Millisecond))
	if row.Ratios["b"] != 2 {
		t.Errorf("ratio %v, want 2", row.Ratios["b"])
	}
	if row.Requests != 6 || row.P50 != 4 || row.P99 != 200 {
		t.Errorf("row %+v", row)
	}
	if want := 6 / 0.412; math.Abs(row.Rate-want) > 1e-9 {
		t.Errorf("rate %v, want %v", row.Rate, want)
	}
}

func TestRunReadsEveryPathInTurn(t *testing.T) {
	var first, second atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Vault-Token") != "token" {
			http.Error(w, "no token", http.StatusForbidden)
		}
		switch r.URL.Path {
		case "/v1/a":
			first.Add(1)
		case "/v1/b":
			second.Add(1)
		}
		fmt.Fprint(w, `{"password":"x"}`)
	}))
	defer server.Close()
	load := NewLoad(server.URL, []string{"token"}, 3)
	defer load.Close()
	target := Target{Name: "t", Paths: []string{"a", "b"}, Wants: []string{`"password"`}}
	for _, n := range []int{7, 3} {
		sample, err := load.Run(t.Context(), target, 3, n)
		if err != nil {
			t.Fatal(err)
		}
		if len(sample.Times) != n || sample.Took <= 0 {
			t.Errorf("%d times in %s, want %d", len(sample.Times), sample.Took, n)
		}
		for _, d := range sample.Times {
			if d <= 0 {
				t.Errorf("a request took %s", d)
			}
		}
	}
	if first.Load() != 5 || second.Load() != 5 {
		t.Errorf("%d and %d requests for the two paths, want 5 each: the second run goes on where the first ended", first.Load(), second.Load())
	}
}

func TestRunRefusesWrongAnswers(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/broken" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		fmt.Fprint(w, `{"password":"s3cr3t"}`)
	}))
	defer server.Close()
	load := NewLoad(server.URL, []string{""}, 1)
	defer load.Close()
	if _, err := load.Run(t.Context(), Target{Name: "t", Paths: []string{"broken"}}, 1, 1); err == nil ||
		!strings.Contains(err.Error(), "503") {
		t.Errorf("an answer of status 503 gave %v", err)
	}
	_, err := load.Run(t.Context(), Target{Name: "t", Paths: []string{"fine"}, Wants: []string{"lease"}}, 1, 1)
	if err == nil || !strings.Contains(err.Error(), "lacks lease") || strings.Contains(err.Error(), "s3cr3t") {
		t.Errorf("an answer without what is wanted gave %v", err)
	}
}

func TestReport(t *testing.T) {
	report := &Report{
		Machine: Machine{CPUs: 2, Platform: "linux/amd64", Go: "go1", Vault: "Vault 1"},
		Reads: []Row{{Storage: "inmem", Name: "one", Clients: 1, Requests: 10, P50: 1.5, P99: 2, Rate: 600,
			Ratios: map[string]float64{"floor": 1.25}}},
		Revoked: []Revoked{{Storage: "raft", Name: "one", Leases: 100, Seconds: 4}},
		Plugins: []Program{{Name: "p", Bytes: 3 << 20, StartMillis: 200}},
		Tools:   []Tool{{Name: "by hand", Runs: 3, P50: 1234.56, Worst: 2000}},
		Notices: []string{"left out"},
	}
	var table, data bytes.Buffer
	if err := report.Table(&table); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| inmem ", "| 1.50 ", "1.25 × floor", "| 25 ", "| 3.0 ", "unknown", "left out", "| by hand ",
		"| 1234.6 "} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, &table)
		}
	}
	if err := report.JSON(&data); err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(data.Bytes(), &back); err != nil || back.Reads[0].Ratios["floor"] != 1.25 {
		t.Errorf("the JSON reads back as %+v, %v", back, err)
	}
}

func TestRevokedComparesParts(t *testing.T) {
	var own, other Revoked
	other.Name = "other"
	for _, part := range []struct{ own, other time.Duration }{{time.Second, 3 * time.Second}, {10 * time.Second, 10 * time.Second},
		{time.Second, 4 * time.Second}} {
		own.add(100, part.own)
		other.add(100, part.other)
	}
	own.compare(other)
	if own.Leases != 300 || own.Seconds != 12 || math.Abs(own.Ratios["other"]-3) > 1e-9 {
		t.Errorf("got %+v, want the median ratio 3", own)
	}
}

func TestAims(t *testing.T) {
	report := &Report{
		Reads: []Row{
			{Storage: "inmem", Name: ownLeased, Clients: 1, Ratios: map[string]float64{floorLeased: 1.51, ldapLeased: 0.7}},
			{Storage: "raft", Name: ownLeased, Clients: 1, Ratios: map[string]float64{floorLeased: 1.51, ldapLeased: 0.71}},
		},
		Revoked: []Revoked{{Storage: "inmem", Name: ownLeased, Ratios: map[string]float64{ldapLeased: 3}},
			{Storage: "raft", Name: ownLeased, Ratios: map[string]float64{ldapLeased: 2.9}}},
	}
	for _, c := range []struct {
		figure, storage string
		want            string
	}{
		{"leased read / leased floor", "inmem", "**1.51**"},
		{"leased read / leased floor", "raft", "1.51"}, // aimed at on inmem only
		{"leased read / OpenLDAP's `creds`", "inmem", "0.70"},
		{"leased read / OpenLDAP's `creds`", "raft", "**0.71**"},
		{"rate of revocation / OpenLDAP's", "inmem", "3.00"},
		{"rate of revocation / OpenLDAP's", "raft", "**2.90**"},
		{"static role's read / floor", "inmem", ""}, // not measured
	} {
		for _, a := range allAims {
			if a.figure != c.figure {
				continue
			}
			if got := report.outcome(a, c.storage, 1); got != c.want {
				t.Errorf("%s on %s: %q, want %q", c.figure, c.storage, got, c.want)
			}
		}
	}
}

func TestBudget(t *testing.T) {
	report := &Report{Reads: []Row{
		{Storage: "inmem", Name: kv, Clients: 1, P50: 0.4}, {Storage: "inmem", Name: floorRead, Clients: 1, P50: 1.5},
		{Storage: "inmem", Name: ownRead, Clients: 1, P50: 1.2},
	}}
	for _, c := range []struct{ target, beyond, want string }{{kv, "", "0.40"}, {floorRead, kv, "+1.10"}, {ownRead, floorRead, "-0.30"},
		{kv, health, ""}, {floorLeased, kv, ""}} {
		if got := report.growth("inmem", c.target, c.beyond); got != c.want {
			t.Errorf("%s beyond %s: %q, want %q", c.target, c.beyond, got, c.want)
		}
	}
}

func TestProcessorTime(t *testing.T) {
	if got := processorTime(0); got != 0 {
		t.Errorf("of a process that does not exist %s, want 0", got)
	}
	if runtime.GOOS == "linux" && residentBytes(os.Getpid()) < 1<<20 {
		t.Error("this process takes less than 1 MiB of memory")
	}
}
