package novaapi

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
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

// novaFilter reads the filters of /servers and /servers/detail. What others
// than administrators may not filter by is ignored, as Nova does.
func (c *Cloud) novaFilter(r *request, query url.Values) (serverFilter, *answer) {
	var all []serverFilter
	for name, read := range map[string]func(string) (serverFilter, *answer){
		"name":  regexpFilter("name", func(s model.Server) string { return s.Name }),
		"ip":    regexpFilter("ip", func(s model.Server) string { return s.PrivateIP }),
		"image": imageFilter, "flavor": flavorFilter, "changes-since": changesFilter,
		"reservation_id": func(string) (serverFilter, *answer) { return func(model.Server) bool { return false }, nil },
	} {
		if value := query.Get(name); value != "" {
			f, refused := read(value)
			if refused != nil {
				return nil, refused
			}
			all = append(all, f)
		}
	}
	statuses, refused := statusFilter(r.version, query["status"])
	if refused != nil {
		return nil, refused
	}
	all = append(all, statuses)
	if !c.plain() || r.version.atLeast(minorTags) {
		all = append(all, tagFilters(query)...)
	}
	return func(s model.Server) bool {
		return !slices.ContainsFunc(all, func(f serverFilter) bool { return !f(s) })
	}, nil
}

func regexpFilter(name string, field func(model.Server) string) func(string) (serverFilter, *answer) {
	return func(pattern string) (serverFilter, *answer) {
		re, err := regexp.Compile("(?i)" + pattern)
		if err != nil {
			return nil, novaFault(http.StatusBadRequest, fmt.Sprintf("Invalid input for query parameters %[1]s. Value: %[2]s. '%[2]s' is not a 'regex'", name, pattern))
		}
		return func(s model.Server) bool { return re.MatchString(field(s)) }, nil
	}
}

// imageFilter and flavorFilter also take a resource's URL, as Nova does.
func imageFilter(v string) (serverFilter, *answer) {
	id := v[strings.LastIndex(v, "/")+1:]
	return func(s model.Server) bool { return s.ImageID == id }, nil
}

func flavorFilter(v string) (serverFilter, *answer) {
	id := v[strings.LastIndex(v, "/")+1:]
	return func(s model.Server) bool { return flavorOf(s).ID == id }, nil
}

func changesFilter(v string) (serverFilter, *answer) {
	since, err := time.Parse(time.RFC3339, v)
	if err != nil {
		return nil, novaFault(http.StatusBadRequest, fmt.Sprintf("Invalid input for query parameters changes-since. Value: %[1]s. '%[1]s' is not a 'date-time'", v))
	}
	return func(s model.Server) bool { return !s.Created.Before(since) }, nil
}

func statusFilter(v microversion, given []string) (serverFilter, *answer) {
	for i, status := range given {
		given[i] = strings.ToUpper(status)
		if v.atLeast(minorStrictStatus) && !slices.Contains(novaStatuses, given[i]) {
			return nil, novaFault(http.StatusBadRequest, "Invalid status value")
		}
	}
	return func(s model.Server) bool { return len(given) == 0 || slices.Contains(given, stateOf(s).status) }, nil
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
