package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Report is everything that one run measured.
type Report struct {
	// Machine says where it ran.
	Machine Machine   `json:"machine"`
	Reads   []Row     `json:"reads"`
	Revoked []Revoked `json:"revoked"`
	Plugins []Program `json:"plugins"`
	Tools   []Tool    `json:"tools,omitempty"`
	// PasswordsRead is how many passwords were read from cloudpw, CloudCalls how many requests the background sent to the
	// clouds meanwhile, to look at the roles' instances.
	PasswordsRead int `json:"passwords_read"`
	CloudCalls    int `json:"cloud_calls_of_the_background"`
	// Notices say what was left out, and why.
	Notices []string `json:"notices,omitempty"`
}

// Machine is where a report was made.
type Machine struct {
	CPUs     int    `json:"cpus"`
	Platform string `json:"platform"`
	Go       string `json:"go"`
	Vault    string `json:"vault"`
	// Load is the system's load average as it says it, before the first round; empty where it says none.
	Load string `json:"load,omitempty"`
}

// Revoked is what `lease revoke -prefix` took for the leases of one target.
type Revoked struct {
	Storage string `json:"storage"`
	Name    string `json:"name"`
	// Leases and Seconds are those of all parts together.
	Leases  int     `json:"leases"`
	Seconds float64 `json:"seconds"`
	// PerSecond are the parts' rates.
	PerSecond []float64 `json:"per_second_of_parts"`
	// Ratios are the rate divided by another target's rate of the same part, the median of the parts, by that target's name.
	Ratios map[string]float64 `json:"ratios,omitempty"`
}

// add adds a part.
func (r *Revoked) add(leases int, took time.Duration) {
	r.Leases += leases
	r.Seconds += took.Seconds()
	r.PerSecond = append(r.PerSecond, float64(leases)/took.Seconds())
}

// compare compares the rate with another's, which has the same parts.
func (r *Revoked) compare(other Revoked) {
	if r.Ratios == nil {
		r.Ratios = map[string]float64{}
	}
	var ratios []float64
	for i := range min(len(r.PerSecond), len(other.PerSecond)) {
		ratios = append(ratios, r.PerSecond[i]/other.PerSecond[i])
	}
	r.Ratios[other.Name] = median(ratios)
}

// Rate is leases a second.
func (r Revoked) Rate() float64 { return float64(r.Leases) / r.Seconds }

// Tool is one way of getting a password by hand, or by a script.
type Tool struct {
	Name string `json:"name"`
	Runs int    `json:"runs"`
	// P50 and Worst are of a run from its start to its end, in milliseconds.
	P50   float64 `json:"p50_ms"`
	Worst float64 `json:"worst_ms"`
}

// Program is a plugin's binary and process.
type Program struct {
	Name string `json:"name"`
	// Bytes is the size of the binary.
	Bytes int64 `json:"bytes"`
	// StartMillis is the time from asking Vault to reload the plugin to the first answer of the new process.
	StartMillis float64 `json:"start_ms"`
	// ResidentBytes is the memory of the process right after that; 0: unknown.
	ResidentBytes int64 `json:"resident_bytes,omitempty"`
}

// JSON writes the report for programs.
func (r *Report) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// Table writes the report for people, as Markdown.
func (r *Report) Table(w io.Writer) error {
	t := &table{out: tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)}
	t.line("%d CPUs, %s, %s, %s", r.Machine.CPUs, r.Machine.Platform, r.Machine.Go, r.Machine.Vault)
	if r.Machine.Load != "" {
		t.line("Load average before the first round: %s", r.Machine.Load)
	}
	t.line("Passwords read from cloudpw: %d; requests that the background sent to the cloud meanwhile: %d", r.PasswordsRead, r.CloudCalls)
	t.line("")
	t.head("storage", "read", "clients", "requests", "p50 ms", "p99 ms", "per second", "Vault's CPU ms", "plugin's CPU ms", "p50 against")
	for _, row := range r.Reads {
		t.row(row.Storage, row.Name, fmt.Sprint(row.Clients), fmt.Sprint(row.Requests), fmt.Sprintf("%.2f", row.P50),
			fmt.Sprintf("%.2f", row.P99),
			fmt.Sprintf("%.0f", row.Rate), processor(row.VaultCPU), processor(row.PluginCPU), against(row.Ratios))
	}
	t.line("")
	t.head("storage", "revoked", "leases", "seconds", "per second", "rate against")
	for _, v := range r.Revoked {
		t.row(v.Storage, v.Name, fmt.Sprint(v.Leases), fmt.Sprintf("%.1f", v.Seconds), fmt.Sprintf("%.0f", v.Rate()), against(v.Ratios))
	}
	t.line("")
	r.aims(t)
	t.line("")
	r.budget(t)
	if len(r.Tools) > 0 {
		t.line("")
		t.head("a password of AWS by", "runs", "p50 ms", "worst ms")
		for _, tool := range r.Tools {
			t.row(tool.Name, fmt.Sprint(tool.Runs), fmt.Sprintf("%.1f", tool.P50), fmt.Sprintf("%.1f", tool.Worst))
		}
	}
	t.line("")
	t.head("plugin", "binary MiB", "start ms", "resident MiB")
	const mebibyte = 1 << 20
	for _, p := range r.Plugins {
		resident := "unknown"
		if p.ResidentBytes > 0 {
			resident = fmt.Sprintf("%.0f", float64(p.ResidentBytes)/mebibyte)
		}
		t.row(p.Name, fmt.Sprintf("%.1f", float64(p.Bytes)/mebibyte), fmt.Sprintf("%.0f", p.StartMillis), resident)
	}
	for _, notice := range r.Notices {
		t.line("")
		t.line("%s", notice)
	}
	return t.flush()
}

// against shows ratios.
func against(ratios map[string]float64) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(ratios)) {
		all = append(all, fmt.Sprintf("%.2f × %s", ratios[name], name))
	}
	return strings.Join(all, ", ")
}

// processor shows a processor time in milliseconds.
func processor(ms float64) string {
	if ms <= 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", ms)
}

// table writes Markdown tables whose columns stand below each other. It keeps the first error.
type table struct {
	out *tabwriter.Writer
	err error
}

func (t *table) printf(format string, args ...any) {
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.out, format, args...)
	}
}

func (t *table) cell(text string) { t.printf("| %s\t", text) }

func (t *table) end() { t.printf("|\n") }

// head begins a table.
func (t *table) head(cells ...string) {
	t.row(cells...)
	for range cells {
		t.cell("---")
	}
	t.end()
}

func (t *table) row(cells ...string) {
	for _, text := range cells {
		t.cell(text)
	}
	t.end()
}

// line ends the table before it: cells are lined up within consecutive rows only.
func (t *table) line(format string, args ...any) { t.printf(format+"\n", args...) }

func (t *table) flush() error {
	if t.err != nil {
		return t.err
	}
	return t.out.Flush()
}
