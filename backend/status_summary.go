package backend

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// The summary is one text, since the vault command prints a list or an object of an answer in one long line, and a text as it
// is.

// How many lines and characters the summary has of each thing.
const (
	summaryCauses     = 10
	summaryRoles      = 20
	summaryOthers     = 10
	summaryLineWidth  = 600 // a conflict has the command to type
	summaryErrorWidth = 240
)

// statusSummary is the mount for people.
func statusSummary(mount string, s rotation.Status, stored *storedStates, now time.Time) string {
	var text summary
	text.section("connections:", connectionLines(mount, s, stored.connections, now), len(stored.connections), len(stored.connections))
	var lines []string
	for _, warning := range stored.warnings {
		lines = append(lines, warning.At(mount))
	}
	text.section("warnings:", lines, summaryOthers, len(lines))
	if s.FailingCount > 0 {
		text.section(fmt.Sprintf("failing: %d", s.FailingCount), causeLines(mount, s.Causes[:min(len(s.Causes), summaryCauses)]), summaryCauses,
			len(s.Causes))
	}
	if s.Drifted > 0 {
		text.heading(fmt.Sprintf("drifted: %d; which: vault read -field=csv %sreport drifted=true format=csv", s.Drifted, mount))
	}
	if s.Rebuilt > 0 {
		text.heading(fmt.Sprintf("rebuilt servers, whose password may be another one: %d; which: vault read -field=csv %sreport rebuilt=true "+
			"format=csv", s.Rebuilt, mount))
	}
	text.section("roles:", roleLines(s.ByRole, now), summaryRoles, len(s.ByRole))
	lines = nil
	for _, r := range stored.failingRoles {
		lines = append(lines, fmt.Sprintf("%s: since %s: %s", r["role"], r["since"], at(mount, r["last_error"])))
	}
	text.section("roles whose instances cannot be looked up:", lines, summaryOthers, len(lines))
	lines = nil
	for _, c := range stored.conflicts {
		lines = append(lines, fmt.Sprintf("%s: %s/%s/%s: %s", c["role"], c["connection"], c["instance_id"], c["username"],
			at(mount, c["reason"])))
	}
	text.section("instances that roles match, but do not have:", lines, summaryOthers, stored.conflictCount)
	return text.String()
}

// summary is a text of sections.
type summary struct{ lines []string }

// heading begins a section, or is all that there is of it.
func (s *summary) heading(words string) { s.lines = append(s.lines, words) }

// section adds a heading, so many of its lines at most, and how many more there are in all.
func (s *summary) section(heading string, lines []string, most, all int) {
	if len(lines) == 0 {
		return
	}
	s.heading(heading)
	lines = lines[:min(len(lines), most)]
	for _, line := range lines {
		s.lines = append(s.lines, "  "+shortened(line, summaryLineWidth))
	}
	if more := all - len(lines); more > 0 {
		s.lines = append(s.lines, fmt.Sprintf("  and %d more", more))
	}
}

func (s *summary) String() string { return strings.Join(s.lines, "\n") }

// shortened is a line of at most so many characters.
func shortened(line string, most int) string {
	line = strings.Join(strings.Fields(line), " ")
	if runes := []rune(line); len(runes) > most {
		return string(runes[:most]) + "..."
	}
	return line
}

// at is a value of an answer as text.
func at(mount string, value any) string {
	if text, ok := value.(hint.Text); ok {
		return text.At(mount)
	}
	return fmt.Sprint(value)
}

// connectionLines tell about each connection, by name.
func connectionLines(mount string, s rotation.Status, states map[string]rotation.ConnectionStatus, now time.Time) []string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(states)) {
		lines = append(lines, name+": "+connectionWords(states[name])+tallyWords(s.ByConnection[name], now, false)+
			connectionError(mount, states[name]))
	}
	return lines
}

// connectionWords says whether a connection works.
func connectionWords(s rotation.ConnectionStatus) string {
	waiting := 0
	for _, n := range s.Waiting {
		waiting += n
	}
	words := "ok"
	switch {
	case s.BreakerOpen:
		words = "its cloud does not answer (asked again in " + age(s.RetryIn) + ")"
	case s.Stopped:
		words = "braked, begins no new rotation"
	case !s.LastError.IsZero():
		words = "trouble"
	}
	if waiting > 0 {
		words += fmt.Sprintf(", %d requests wait for the rate limit", waiting)
	}
	return words
}

func connectionError(mount string, s rotation.ConnectionStatus) string {
	if s.LastError.IsZero() {
		return ""
	}
	return "; last error: " + shortened(s.LastError.At(mount), summaryErrorWidth)
}

// tallyWords continue a line with what the accounts do.
func tallyWords(t *rotation.Tally, now time.Time, leases bool) string {
	if t == nil {
		return ", no accounts"
	}
	words := ", " + plural(t.Accounts, "account")
	if t.Due > 0 {
		words += fmt.Sprintf(", %d due, oldest due %s (%s)", t.Due, age(now.Sub(t.OldestDue)), belowConnection(t.Oldest))
	}
	if t.Failing > 0 {
		words += fmt.Sprintf(", %d failing", t.Failing)
	}
	if t.Drifted > 0 {
		words += fmt.Sprintf(", %d drifted", t.Drifted)
	}
	for _, state := range []string{"braked", "gone"} {
		if n := t.States[state]; n > 0 {
			words += fmt.Sprintf(", %d %s", n, state)
		}
	}
	if leases && t.Leases > 0 {
		words += ", " + plural(t.Leases, "lease")
	}
	return words
}

// belowConnection names an account, or the role whose accounts share a password, where the connection is known.
func belowConnection(id rotation.ID) string {
	if name, role := named(id); name == "role" {
		return "role " + role
	}
	return id.InstanceID + "/" + id.Username
}

// causeLines say why accounts fail.
func causeLines(mount string, causes []rotation.FailureCause) []string {
	var lines []string
	for _, c := range causes {
		kind, name := named(c.Example)
		if kind == "role" {
			name = "role " + name
		}
		if c.Accounts > 1 {
			name = "for example " + name
		}
		lines = append(lines, fmt.Sprintf("%d x %s (%s)", c.Accounts, shortened(c.Words(mount), summaryErrorWidth), name))
	}
	return lines
}

// roleLines tell about roles: those with trouble first, then the largest.
func roleLines(roles map[string]*rotation.Tally, now time.Time) []string {
	names := slices.Sorted(maps.Keys(roles))
	slices.SortStableFunc(names, func(a, b string) int {
		for _, more := range []int{roles[b].Failing - roles[a].Failing, roles[b].Drifted - roles[a].Drifted, roles[b].Due - roles[a].Due} {
			if more != 0 {
				return more
			}
		}
		return roles[b].Accounts - roles[a].Accounts
	})
	var lines []string
	for _, name := range names {
		lines = append(lines, name+" (connection "+roles[name].Connection+")"+tallyWords(roles[name], now, true))
	}
	return lines
}

// plural is a number with its noun.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// age is a duration for people: its two largest units.
func age(d time.Duration) string {
	switch d = max(d, 0); {
	case d < time.Minute:
		return request.FormatDuration(d.Round(time.Second))
	case d < time.Hour:
		return request.FormatDuration(d.Truncate(time.Minute))
	case d < 48*time.Hour:
		return request.FormatDuration(d.Truncate(time.Minute))
	}
	return fmt.Sprintf("%dd%dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
}
