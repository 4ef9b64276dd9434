package console

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// keptViews is how many orders of a snapshot are kept, so that scrolling sorts nothing again.
const keptViews = 16

// query says which rows a table has, and in which order. It is a key of a map.
type query struct {
	Role, Connection, State, Holder string
	Text                            string // in lower case
	OlderThan                       time.Duration
	Drifted, Failing, Rebuilt       bool
	Sort                            string // a key of orders
	Down                            bool
}

// orders compare two rows by a column. Equal rows stay in the report's order.
var orders = map[string]func(a, b *row) int{
	"":           func(*row, *row) int { return 0 },
	"name":       func(a, b *row) int { return naturally(a.shownName(), b.shownName()) },
	"user":       func(a, b *row) int { return naturally(a.Username, b.Username) },
	"role":       func(a, b *row) int { return naturally(a.Role, b.Role) },
	"connection": func(a, b *row) int { return naturally(a.Connection, b.Connection) },
	"state":      func(a, b *row) int { return cmp.Compare(a.State, b.State) },
	// The younger first; accounts without a password have no age and come last.
	"age": func(a, b *row) int {
		return cmp.Or(boolFirst(a.CreatedTime.IsZero(), b.CreatedTime.IsZero()), b.CreatedTime.Compare(a.CreatedTime))
	},
	"leases":   func(a, b *row) int { return cmp.Compare(a.Leases, b.Leases) },
	"failures": func(a, b *row) int { return cmp.Compare(a.Failures, b.Failures) },
}

// boolFirst orders false before true.
func boolFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// shownName is what the table shows as the server's name.
func (r *row) shownName() string { return cmp.Or(r.Name, r.InstanceID) }

// check returns an error for a query that the table cannot have.
func (q *query) check() error {
	if _, known := orders[q.Sort]; !known {
		return fmt.Errorf("sort=%q: no such column", q.Sort)
	}
	return nil
}

func (q *query) matches(r *row, now time.Time) bool {
	return (q.Role == "" || r.Role == q.Role) &&
		(q.Connection == "" || r.Connection == q.Connection) &&
		(q.State == "" || r.State == q.State) &&
		(q.Holder == "" || slices.Contains(r.Holders, q.Holder)) &&
		(!q.Drifted || r.Drifted) && (!q.Failing || r.Failures > 0) && (!q.Rebuilt || !r.RebuiltTime.IsZero()) &&
		(q.OlderThan == 0 || !r.CreatedTime.IsZero() && now.Sub(r.CreatedTime) >= q.OlderThan) &&
		(q.Text == "" || strings.Contains(r.text, q.Text))
}

// view returns the indexes of the rows that match, in order. Ages are those of the moment in which the report was read, so that
// the windows of one table fit together.
func (s *snapshot) view(q query) []int32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found, kept := s.views[q]; kept {
		return found
	}
	found := make([]int32, 0, len(s.rows))
	for i := range s.rows {
		if q.matches(&s.rows[i], s.readAt) {
			found = append(found, int32(i))
		}
	}
	if order := orders[q.Sort]; q.Sort != "" {
		slices.SortFunc(found, func(a, b int32) int {
			by := order(&s.rows[a], &s.rows[b])
			if q.Down {
				by = -by
			}
			return cmp.Or(by, cmp.Compare(a, b))
		})
	}
	if len(s.views) >= keptViews {
		clear(s.views)
	}
	if s.views != nil {
		s.views[q] = found
	}
	return found
}

// count is how many rows have a value.
type count struct {
	Value string `json:"value"`
	Rows  int    `json:"rows"`
}

// choices are the values that filters can have.
type choices struct {
	Roles       []count `json:"roles"`
	Connections []count `json:"connections"`
	States      []count `json:"states"`
	Holders     []count `json:"holders"`
}

// choices counts them once for a snapshot.
func (s *snapshot) choices() *choices {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.facts != nil {
		return s.facts
	}
	roles, connections, states, holders := map[string]int{}, map[string]int{}, map[string]int{}, map[string]int{}
	for i := range s.rows {
		r := &s.rows[i]
		roles[r.Role]++
		connections[r.Connection]++
		states[r.State]++
		for _, holder := range r.Holders {
			holders[holder]++
		}
	}
	delete(roles, "") // accounts that no role has
	s.facts = &choices{Roles: counts(roles), Connections: counts(connections), States: counts(states), Holders: counts(holders)}
	return s.facts
}

func counts(of map[string]int) []count {
	found := make([]count, 0, len(of))
	for value, rows := range of {
		found = append(found, count{value, rows})
	}
	slices.SortFunc(found, func(a, b count) int { return cmp.Or(naturally(a.Value, b.Value), cmp.Compare(a.Value, b.Value)) })
	return found
}

// naturally compares names as people do: web-2 comes before web-10, and upper and lower case are the same.
func naturally(a, b string) int {
	for a != "" && b != "" {
		if isDigit(a[0]) && isDigit(b[0]) {
			var x, y string
			x, a = digits(a)
			y, b = digits(b)
			if by := cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y)); by != 0 {
				return by
			}
			continue
		}
		if by := cmp.Compare(lower(a[0]), lower(b[0])); by != 0 {
			return by
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// digits cuts the digits at the beginning, without leading zeros.
func digits(s string) (found, rest string) {
	end := 0
	for end < len(s) && isDigit(s[end]) {
		end++
	}
	return strings.TrimLeft(s[:end], "0"), s[end:]
}
