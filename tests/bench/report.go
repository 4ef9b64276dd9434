package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// Report is everything that one run measured.
type Report struct {
	// Machine says where it ran.
	Machine Machine   `json:"machine"`
	Reads   []Row     `json:"reads"`
	Revoked []Revoked `json:"revoked"`
	Plugins []Program `json:"plugins"`
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

// Revoked is one `lease revoke -prefix`.
type Revoked struct {
	Storage string  `json:"storage"`
	Name    string  `json:"name"`
	Leases  int     `json:"leases"`
	Seconds float64 `json:"seconds"`
}

// Rate is leases a second.
func (r Revoked) Rate() float64 { return float64(r.Leases) / r.Seconds }

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
	t.row("storage", "read", "clients", "requests", "p50 ms", "p99 ms", "per second", "p50 against")
	for range 8 {
		t.cell("---")
	}
	t.end()
	for _, row := range r.Reads {
		var ratios []string
		for _, name := range slices.Sorted(maps.Keys(row.Ratios)) {
			ratios = append(ratios, fmt.Sprintf("%.2f × %s", row.Ratios[name], name))
		}
		t.row(row.Storage, row.Name, fmt.Sprint(row.Clients), fmt.Sprint(row.Requests), fmt.Sprintf("%.2f", row.P50),
			fmt.Sprintf("%.2f", row.P99), fmt.Sprintf("%.0f", row.Rate), strings.Join(ratios, ", "))
	}
	t.line("")
	t.row("storage", "revoked", "leases", "seconds", "per second")
	t.row("---", "---", "---", "---", "---")
	for _, v := range r.Revoked {
		t.row(v.Storage, v.Name, fmt.Sprint(v.Leases), fmt.Sprintf("%.1f", v.Seconds), fmt.Sprintf("%.0f", v.Rate()))
	}
	t.line("")
	t.row("plugin", "binary MiB", "start ms", "resident MiB")
	t.row("---", "---", "---", "---")
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
