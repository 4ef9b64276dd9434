package novaapi

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// maxPage is the most servers that any of the clouds puts on a page.
const maxPage = 1000

// vendorPage is the length of a page without a limit on Huawei Cloud and Open
// Telekom Cloud.
const vendorPage = 25

func (c *Cloud) listServers(r *request) *answer {
	return c.list(r, func(s model.Server) any {
		return map[string]any{"id": s.ID, "name": s.Name, "links": c.serverLinks(r, s.ID)}
	})
}

func (c *Cloud) listServersDetails(r *request) *answer {
	return c.list(r, func(s model.Server) any { return c.serverView(r, s) })
}

// list answers one page of the servers that the query selects. As in Nova, a
// full page always has a link to the next.
func (c *Cloud) list(r *request, view func(model.Server) any) *answer {
	query, refused := c.checkQuery(r, c.serversSchema(r.version))
	if refused != nil {
		return refused
	}
	servers, refused := c.selectServers(r, query)
	if refused != nil {
		return refused
	}
	if !c.plain() && !query.Has("limit") {
		query.Set("limit", strconv.Itoa(vendorPage))
	}
	if limit := last(query, "limit"); count(limit) != "" && query.Has("limit") { // /v2 has no schema
		return novaFault(http.StatusBadRequest, "limit must be an integer")
	}
	servers, more, found := pageOf(servers, query, func(s model.Server) string { return s.ID })
	if !found {
		return noMarker(last(query, "marker"))
	}
	page := []any{}
	for _, s := range servers {
		page = append(page, view(s))
	}
	resource := "/servers"
	if r.details() {
		resource += "/detail"
	}
	return ok(c.linked(r, map[string]any{"servers": page}, "servers_links", resource, query, more))
}

// pageOf cuts the page out of a list that limit and marker ask for. found is
// false for a marker that is not in the list; more is the marker of the next
// page after a full one. Larger limits than a page holds are cut without a word.
func pageOf[T any](list []T, query url.Values, id func(T) string) (page []T, more string, found bool) {
	if marker := last(query, "marker"); marker != "" {
		i := slices.IndexFunc(list, func(one T) bool { return id(one) == marker })
		if i < 0 {
			return nil, "", false
		}
		list = list[i+1:]
	}
	limit, err := strconv.Atoi(last(query, "limit"))
	if err != nil || limit > maxPage {
		limit = maxPage
	}
	list = list[:min(limit, len(list))]
	if len(list) > 0 && len(list) == limit {
		more = id(list[len(list)-1])
	}
	return list, more, true
}

// linked adds the link to the next page, if there may be one.
func (c *Cloud) linked(r *request, body map[string]any, name, resource string, query url.Values, more string) map[string]any {
	if more != "" {
		query.Set("marker", more)
		body[name] = []link{next(c.novaBase(r) + resource + "?" + query.Encode())}
	}
	return body
}

func noMarker(marker string) *answer {
	return novaFault(http.StatusBadRequest, fmt.Sprintf("marker [%s] not found", marker))
}

// selectServers lists the project's servers that the query's filters leave,
// in the query's order; newest first is the clouds' own.
func (c *Cloud) selectServers(r *request, query url.Values) ([]model.Server, *answer) {
	if refused := c.allTenants(r, query); refused != nil {
		return nil, refused
	}
	filter, refused := c.novaFilter(r, query)
	if refused != nil {
		return nil, refused
	}
	servers := c.world.Servers(func(s model.Server) bool { return c.visible(r, s) && filter(s) })
	slices.Reverse(servers)
	slices.SortStableFunc(servers, func(a, b model.Server) int { return b.Created.Compare(a.Created) })
	return sortServers(r, servers, query)
}

// allTenants refuses to list the servers of other projects. A parameter without
// a value asks for it, too.
func (c *Cloud) allTenants(r *request, query url.Values) *answer {
	value := last(query, "all_tenants")
	all := query.Has("all_tenants")
	if value != "" {
		var refused *answer
		if all, refused = boolOf(value); refused != nil {
			return refused
		}
	}
	if !all {
		return nil
	}
	list := "index"
	if r.details() {
		list = "detail"
	}
	return novaFault(http.StatusForbidden, "Policy doesn't allow os_compute_api:servers:"+list+":get_all_tenants to be performed.")
}

// boolOf reads a truth value of a query.
func boolOf(value string) (truth bool, refused *answer) {
	switch strings.ToLower(value) {
	case "0", "f", "false", "n", "no", "off":
		return false, nil
	case "1", "t", "true", "y", "yes", "on":
		return true, nil
	}
	return false, novaFault(http.StatusBadRequest, fmt.Sprintf("Unrecognized value '%s', acceptable values are: "+
		"'0', '1', 'f', 'false', 'n', 'no', 'off', 'on', 't', 'true', 'y', 'yes'", value))
}

// details tells servers/detail from servers.
func (r *request) details() bool {
	return strings.HasSuffix(strings.TrimSuffix(r.route, "/"), "/detail")
}

// sortServers orders by sort_key and sort_dir. The first pair weighs most.
// Without any sort_dir the first key sorts downwards and the others upwards.
func sortServers(r *request, servers []model.Server, query url.Values) ([]model.Server, *answer) {
	keys, directions := slices.Clone(query["sort_key"]), slices.Clone(query["sort_dir"])
	if len(keys) == 0 {
		keys = []string{"created_at"}
	}
	if len(directions) == 0 {
		directions = []string{"desc"}
	}
	for _, key := range slices.Clone(keys) {
		i := slices.Index(keys, key)
		switch {
		case key == "host" || key == "node":
			return nil, novaFault(http.StatusForbidden, "Only administrators can sort servers by "+key)
		case slices.Contains(ignoredSortKeys, key) && (key != "locked" || !r.version.atLeast(minorLockedReason)):
			keys = slices.Delete(keys, i, i+1)
			if i < len(directions) {
				directions = slices.Delete(directions, i, i+1)
			}
		}
	}
	for _, direction := range directions {
		if direction != "asc" && direction != "desc" {
			return nil, novaFault(http.StatusBadRequest, "Invalid input received: Unknown sort direction, must be 'desc' or 'asc'")
		}
	}
	if len(keys) > 0 && len(directions) > len(keys) {
		return nil, novaFault(http.StatusBadRequest, "Invalid input received: Sort direction size exceeds sort key size")
	}
	for i, key := range slices.Backward(keys) {
		compare := sortKeys[key]
		if compare == nil {
			continue // of what the servers here are alike
		}
		descending := i < len(directions) && directions[i] == "desc"
		slices.SortStableFunc(servers, func(a, b model.Server) int {
			if descending {
				a, b = b, a
			}
			return compare(a, b)
		})
	}
	return servers, nil
}

var sortKeys = map[string]func(a, b model.Server) int{
	"created_at":   func(a, b model.Server) int { return a.Created.Compare(b.Created) },
	"launched_at":  func(a, b model.Server) int { return a.Launched.Compare(b.Launched) },
	"updated_at":   func(a, b model.Server) int { return a.Created.Compare(b.Created) },
	"display_name": func(a, b model.Server) int { return strings.Compare(a.Name, b.Name) },
	"hostname":     func(a, b model.Server) int { return strings.Compare(a.Name, b.Name) },
	"uuid":         func(a, b model.Server) int { return strings.Compare(a.ID, b.ID) },
	"image_ref":    func(a, b model.Server) int { return strings.Compare(a.ImageID, b.ImageID) },
	"key_name":     func(a, b model.Server) int { return strings.Compare(a.KeyName, b.KeyName) },
	"vm_state":     func(a, b model.Server) int { return strings.Compare(stateOf(a).vm, stateOf(b).vm) },
	"power_state":  func(a, b model.Server) int { return cmp.Compare(stateOf(a).power, stateOf(b).power) },
}
