package novaapi

import (
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
// full page has a link to the next one even when nothing is left for it.
func (c *Cloud) list(r *request, view func(model.Server) any) *answer {
	query := r.URL.Query()
	limit, refused := c.pageLimit(query)
	if refused != nil {
		return refused
	}
	servers, refused := c.selectServers(r, query)
	if refused != nil {
		return refused
	}
	if marker := query.Get("marker"); marker != "" {
		i := slices.IndexFunc(servers, func(s model.Server) bool { return s.ID == marker })
		if i < 0 {
			return novaFault(http.StatusBadRequest, fmt.Sprintf("marker [%s] not found", marker))
		}
		servers = servers[i+1:]
	}
	servers = servers[:min(limit, len(servers))]
	page := []any{}
	for _, s := range servers {
		page = append(page, view(s))
	}
	body := map[string]any{"servers": page}
	if len(page) > 0 && len(page) == limit {
		query.Set("marker", servers[len(servers)-1].ID)
		resource := c.novaBase(r) + "/servers"
		if r.details() {
			resource += "/detail"
		}
		body["servers_links"] = []link{{"next", resource + "?" + query.Encode()}}
	}
	return ok(body)
}

// pageLimit reads limit. Larger ones than a page holds are cut without a word.
func (c *Cloud) pageLimit(query url.Values) (int, *answer) {
	if !query.Has("limit") {
		if c.plain() {
			return maxPage, nil
		}
		return vendorPage, nil
	}
	n, err := strconv.Atoi(query.Get("limit"))
	if err != nil || n < 0 {
		return 0, novaFault(http.StatusBadRequest,
			fmt.Sprintf("Invalid input for query parameters limit. Value: %[1]s. '%[1]s' does not match '^[0-9]*$'", query.Get("limit")))
	}
	return min(n, maxPage), nil
}

// selectServers lists the project's servers that the query's filters leave,
// in the query's order; newest first is the clouds' own.
func (c *Cloud) selectServers(r *request, query url.Values) ([]model.Server, *answer) {
	if refused := c.allTenants(r, query.Get("all_tenants")); refused != nil {
		return nil, refused
	}
	filter, refused := c.novaFilter(r, query)
	if refused != nil {
		return nil, refused
	}
	servers := c.world.Servers(func(s model.Server) bool { return c.visible(r, s) && filter(s) })
	slices.Reverse(servers)
	slices.SortStableFunc(servers, func(a, b model.Server) int { return b.Created.Compare(a.Created) })
	return c.sortServers(servers, query)
}

// allTenants refuses to list the servers of other projects.
func (c *Cloud) allTenants(r *request, value string) *answer {
	switch strings.ToLower(value) {
	case "", "0", "f", "false", "n", "no", "off":
		return nil
	case "1", "t", "true", "y", "yes", "on":
		list := "index"
		if r.details() {
			list = "detail"
		}
		return novaFault(http.StatusForbidden, "Policy doesn't allow os_compute_api:servers:"+list+":get_all_tenants to be performed.")
	}
	return novaFault(http.StatusBadRequest, fmt.Sprintf("Unrecognized value '%s', acceptable values are: "+
		"'0', '1', 'f', 'false', 'n', 'no', 'off', 'on', 't', 'true', 'y', 'yes'", value))
}

// details tells servers/detail from servers.
func (r *request) details() bool {
	return strings.HasSuffix(strings.TrimSuffix(r.route, "/"), "/detail")
}

// sortServers orders by sort_key and sort_dir. The first pair weighs most.
func (c *Cloud) sortServers(servers []model.Server, query url.Values) ([]model.Server, *answer) {
	keys, directions := query["sort_key"], query["sort_dir"]
	for _, direction := range directions {
		if direction != "asc" && direction != "desc" {
			return nil, novaFault(http.StatusBadRequest, "Invalid input received: Unknown sort direction, must be 'desc' or 'asc'")
		}
	}
	for i, key := range slices.Backward(keys) {
		compare := sortKeys[key]
		if compare == nil {
			return nil, novaFault(http.StatusBadRequest,
				fmt.Sprintf("Invalid input for query parameters sort_key. Value: %[1]s. '%[1]s' is not one of the keys that there are", key))
		}
		descending := i >= len(directions) || directions[i] == "desc"
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
	"updated_at":   func(a, b model.Server) int { return a.Created.Compare(b.Created) },
	"display_name": func(a, b model.Server) int { return strings.Compare(a.Name, b.Name) },
	"uuid":         func(a, b model.Server) int { return strings.Compare(a.ID, b.ID) },
	"key_name":     func(a, b model.Server) int { return strings.Compare(a.KeyName, b.KeyName) },
	"vm_state":     func(a, b model.Server) int { return strings.Compare(stateOf(a).vm, stateOf(b).vm) },
}
