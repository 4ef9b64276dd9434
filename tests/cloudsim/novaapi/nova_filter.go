package novaapi

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// serverFilter keeps a server in a list.
type serverFilter func(model.Server) bool

// novaStatuses are the words that `status` knows; from microversion 2.38 on
// others are an error, before they select nothing.
var novaStatuses = []string{
	"ACTIVE", "BUILD", "DELETED", "ERROR", "HARD_REBOOT", "MIGRATING", "PASSWORD", "PAUSED", "REBOOT", "REBUILD", "RESCUE",
	"RESIZE", "REVERT_RESIZE", "SHELVED", "SHELVED_OFFLOADED", "SHUTOFF", "SOFT_DELETED", "SUSPENDED", "UNKNOWN", "VERIFY_RESIZE",
}

// tagFilterNames are the filters by tags, each a list with commas.
var tagFilterNames = []string{"tags", "tags-any", "not-tags", "not-tags-any"}

// novaFilter reads the filters of /servers and /servers/detail. What others
// than administrators may not filter by is ignored, as Nova does
// (nova/api/openstack/compute/servers.py, _get_server_search_options).
func (c *Cloud) novaFilter(r *request, query url.Values) (serverFilter, *answer) {
	statuses, refused := statusFilter(r.version, query)
	if refused != nil {
		return nil, refused
	}
	all := []serverFilter{statuses}
	for name, since := range filtersSince {
		value := last(query, name)
		if value == "" || since > minMinor && !r.version.atLeast(since) {
			continue
		}
		f, refused := serverFilters[name](r, value)
		if refused != nil {
			return nil, refused
		}
		all = append(all, f)
	}
	if !c.plain() || r.version.atLeast(minorTags) {
		all = append(all, tagFilters(query)...)
	}
	return func(s model.Server) bool {
		return !slices.ContainsFunc(all, func(f serverFilter) bool { return !f(s) })
	}, nil
}

// filtersSince names the minor version at which each filter begins to count.
var filtersSince = map[string]int{
	"reservation_id": minMinor, "name": minMinor, "image": minMinor, "flavor": minMinor, "ip": minMinor, "changes-since": minMinor,
	"ip6": minorIPv6Filter, "changes-before": minorChangesBefore, "locked": minorLockedReason,
	"key_name": minorMoreFilters, "vm_state": minorMoreFilters, "power_state": minorMoreFilters, "user_id": minorMoreFilters,
	"hostname": minorHostname,
}

// serverFilters read the filters' values. Servers here have no reservation and
// no IPv6 address.
var serverFilters = map[string]func(*request, string) (serverFilter, *answer){
	"reservation_id": nothing,
	"ip6":            nothing,
	"name":           regexpFilter("name", func(s model.Server) string { return s.Name }),
	"ip":             regexpFilter("ip", func(s model.Server) string { return s.PrivateIP }),
	"hostname":       regexpFilter("hostname", func(s model.Server) string { return strings.ToLower(s.Name) }),
	"key_name":       regexpFilter("key_name", func(s model.Server) string { return s.KeyName }),
	"vm_state":       equalFilter(func(s model.Server) string { return stateOf(s).vm }),
	"power_state":    equalFilter(func(s model.Server) string { return strconv.Itoa(stateOf(s).power) }),
	"image":          imageFilter,
	"flavor":         flavorFilter,
	"changes-since":  dateFilter("changes-since", func(changed, since time.Time) bool { return !changed.Before(since) }),
	"changes-before": dateFilter("changes-before", func(changed, before time.Time) bool { return !changed.After(before) }),
	"locked":         lockedFilter,
	"user_id": func(r *request, id string) (serverFilter, *answer) {
		return func(model.Server) bool { return id == r.caller.user.ID }, nil
	},
}

func nothing(*request, string) (serverFilter, *answer) {
	return func(model.Server) bool { return false }, nil
}

func equalFilter(field func(model.Server) string) func(*request, string) (serverFilter, *answer) {
	return func(_ *request, value string) (serverFilter, *answer) {
		return func(s model.Server) bool { return field(s) == value }, nil
	}
}

func regexpFilter(name string, field func(model.Server) string) func(*request, string) (serverFilter, *answer) {
	return func(_ *request, pattern string) (serverFilter, *answer) {
		re, err := regexp.Compile("(?i)" + pattern)
		if err != nil {
			return nil, novaFault(http.StatusBadRequest,
				fmt.Sprintf("Invalid input for query parameters %[1]s. Value: %[2]s. '%[2]s' is not a 'regex'", name, pattern))
		}
		return func(s model.Server) bool { return re.MatchString(field(s)) }, nil
	}
}

// imageFilter and flavorFilter also take a resource's URL, as Nova does.
func imageFilter(_ *request, v string) (serverFilter, *answer) {
	id := v[strings.LastIndex(v, "/")+1:]
	return func(s model.Server) bool { return s.ImageID == id }, nil
}

func flavorFilter(_ *request, v string) (serverFilter, *answer) {
	id := v[strings.LastIndex(v, "/")+1:]
	return func(s model.Server) bool { return flavorOf(s).ID == id }, nil
}

func dateFilter(name string, keep func(changed, given time.Time) bool) func(*request, string) (serverFilter, *answer) {
	return func(_ *request, v string) (serverFilter, *answer) {
		given, valid := parseDate(v)
		if !valid {
			return nil, novaFault(http.StatusBadRequest, "Invalid filter field: "+name+".")
		}
		return func(s model.Server) bool { return keep(s.Created, given) }, nil
	}
}

func lockedFilter(_ *request, v string) (serverFilter, *answer) {
	locked, refused := boolOf(v)
	if refused != nil {
		return nil, refused
	}
	return func(s model.Server) bool { return s.Locked == locked }, nil
}

// statusFilter reads the statuses, of which one that Nova knows is enough.
func statusFilter(v microversion, query url.Values) (serverFilter, *answer) {
	var known []string
	for _, status := range query["status"] {
		if status = strings.ToUpper(status); slices.Contains(novaStatuses, status) {
			known = append(known, status)
		}
	}
	switch {
	case !query.Has("status"):
		return func(model.Server) bool { return true }, nil
	case len(known) == 0 && v.atLeast(minorStrictStatus):
		return nil, novaFault(http.StatusBadRequest, "Invalid status value")
	case len(known) > 0 && !slices.ContainsFunc(known, func(status string) bool { return status != "DELETED" }):
		return nil, novaFault(http.StatusForbidden, "Only administrators may list deleted instances")
	}
	return func(s model.Server) bool { return slices.Contains(known, stateOf(s).status) }, nil
}

// tagFilters reads the four tag filters, each a list with commas. A tag with
// a value is found by its key and by key=value: the vendors' references say
// the one for not-tags and show the other in answers.
func tagFilters(query url.Values) []serverFilter {
	var out []serverFilter
	add := func(name string, keep func(has func(string) bool, wanted []string) bool) {
		if value := query.Get(name); value != "" {
			wanted := strings.Split(value, ",")
			out = append(out, func(s model.Server) bool {
				return keep(func(tag string) bool { return hasTag(s, tag) }, wanted)
			})
		}
	}
	all := func(has func(string) bool, wanted []string) bool {
		return !slices.ContainsFunc(wanted, func(tag string) bool { return !has(tag) })
	}
	anyOf := func(has func(string) bool, wanted []string) bool { return slices.ContainsFunc(wanted, has) }
	add("tags", all)
	add("tags-any", anyOf)
	add("not-tags", func(has func(string) bool, wanted []string) bool { return !all(has, wanted) })
	add("not-tags-any", func(has func(string) bool, wanted []string) bool { return !anyOf(has, wanted) })
	return out
}

func hasTag(s model.Server, tag string) bool {
	_, key := s.Tags[tag]
	return key || slices.Contains(tagList(s), tag)
}
