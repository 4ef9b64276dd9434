package novaapi

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// querySchema says what each parameter of a query must look like. A rule returns what is wrong with a
// value, in the words of Nova's validator, and "" if nothing is.
type querySchema struct {
	rules map[string]queryRule
	// unknown is what Nova says of a parameter that is not in rules, from
	// microversion 2.75 on; older ones ignore it.
	unknown string
}

type queryRule func(value string) (problem string)

const (
	unknownField  = "Additional properties are not allowed ('%s' was unexpected)"
	unknownServer = "'%s' does not match any of the regexes: '^_'"
)

func anyText(string) string { return "" }

func pattern(value string) string {
	if _, err := regexp.Compile(value); value == "" || err != nil {
		return fmt.Sprintf("'%s' is not a 'regex'", value)
	}
	return ""
}

var digits = regexp.MustCompile(`^[0-9]*$`)

func count(value string) string {
	switch {
	case value == "":
		return "'' is too short"
	case !digits.MatchString(value):
		return fmt.Sprintf("'%s' does not match '^[0-9]*$'", value)
	}
	return ""
}

// dateForms are the forms of ISO 8601 that clients use; Nova's parser takes
// more. A time without a zone is in UTC.
var dateForms = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999", "2006-01-02 15:04:05.999999", "2006-01-02T15:04", "2006-01-02",
	"2006-01"}

func parseDate(value string) (time.Time, bool) {
	for _, form := range dateForms {
		if t, err := time.Parse(form, value); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

func date(value string) string {
	if _, ok := parseDate(value); !ok {
		return fmt.Sprintf("'%s' is not a 'date-time'", value)
	}
	return ""
}

// oneOf words a list of choices as Python writes it.
func oneOf(choices []string) queryRule {
	return func(value string) string {
		if slices.Contains(choices, value) {
			return ""
		}
		return fmt.Sprintf("'%s' is not one of ['%s']", value, strings.Join(choices, "', '"))
	}
}

// checkQuery holds a query against a schema, and returns what the schema knows
// of it. The API below /v2 has none.
func (c *Cloud) checkQuery(r *request, schema querySchema) (url.Values, *answer) {
	query := r.URL.Query()
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if !utf8.ValidString(name) || slices.ContainsFunc(query[name], func(v string) bool { return !utf8.ValidString(v) }) {
			return nil, novaFault(http.StatusBadRequest, "Query string is not UTF-8 encoded")
		}
		rule, known := schema.rules[name]
		switch {
		case !r.version.stated:
			continue
		case !known && !r.version.atLeast(minorStrictQuery):
			delete(query, name)
			continue
		case !known:
			return nil, novaFault(http.StatusBadRequest, fmt.Sprintf(schema.unknown, name))
		}
		for _, value := range query[name] {
			if problem := rule(value); problem != "" {
				return nil, novaFault(http.StatusBadRequest, fmt.Sprintf("Invalid input for query parameters %s. Value: %s. %s", name, value, problem))
			}
		}
	}
	return query, nil
}

// last is the value that counts where a parameter is given more than once.
func last(query url.Values, name string) string {
	if all := query[name]; len(all) > 0 {
		return all[len(all)-1]
	}
	return ""
}

// Sort keys of servers (nova/api/openstack/compute/schemas/servers.py). The
// ignored ones are from the time before queries were validated; microversion
// 2.73 began to sort by one of them, 2.75 refuses the others.
var (
	serverSortKeys = []string{
		"access_ip_v4", "access_ip_v6", "auto_disk_config", "availability_zone", "config_drive", "created_at", "display_description",
		"display_name", "host", "hostname", "image_ref", "instance_type_id", "kernel_id", "key_name", "launch_index", "launched_at",
		"locked_by", "node", "power_state", "progress", "project_id", "ramdisk_id", "root_device_name", "task_state", "terminated_at",
		"updated_at", "user_id", "uuid", "vm_state",
	}
	ignoredSortKeys = []string{
		"architecture", "cell_name", "cleaned", "default_ephemeral_device", "default_swap_device", "deleted", "deleted_at",
		"disable_terminate", "ephemeral_gb", "ephemeral_key_uuid", "id", "key_data", "launched_on", "locked", "memory_mb", "os_type",
		"reservation_id", "root_gb", "shutdown_terminate", "user_data", "vcpus", "vm_mode",
	}
)

// serversSchema is the schema of servers and servers/detail. The vendors'
// references have the filters by tags in all versions.
func (c *Cloud) serversSchema(v microversion) querySchema {
	rules := map[string]queryRule{"limit": count, "changes-since": date}
	for _, name := range []string{
		"marker", "user_id", "project_id", "tenant_id", "launch_index", "image_ref", "image", "vm_state", "task_state", "host", "uuid",
		"sort_dir", "all_tenants", "soft_deleted", "deleted", "status",
		"block_device_mapping", "services", "metadata", "system_metadata", "info_cache", "security_groups", "pci_devices",
	} {
		rules[name] = anyText
	}
	for _, name := range []string{
		"kernel_id", "ramdisk_id", "hostname", "key_name", "power_state", "node", "flavor", "reservation_id", "launched_at", "terminated_at",
		"availability_zone", "name", "display_name", "description", "display_description", "locked_by", "root_device_name", "config_drive",
		"access_ip_v4", "access_ip_v6", "auto_disk_config", "progress", "ip", "ip6", "created_at",
	} {
		rules[name] = pattern
	}
	keys := slices.Clone(serverSortKeys)
	switch {
	case v.atLeast(minorStrictQuery):
		keys = append(keys, "locked")
	default:
		keys = append(keys, ignoredSortKeys...)
	}
	rules["sort_key"] = oneOf(keys)
	if !c.plain() || v.atLeast(minorTags) {
		for _, name := range tagFilterNames {
			rules[name] = pattern
		}
	}
	if v.atLeast(minorChangesBefore) {
		rules["changes-before"] = date
	}
	if v.atLeast(minorLockedReason) {
		rules["locked"] = anyText
	}
	return querySchema{rules, unknownServer}
}

// keypairsSchema is the schema of os-keypairs, keypairSchema that of one pair.
func keypairsSchema(v microversion) querySchema {
	schema := keypairSchema(v)
	if v.atLeast(minorKeypairPaging) {
		schema.rules["limit"], schema.rules["marker"] = count, anyText
	}
	return schema
}

func keypairSchema(v microversion) querySchema {
	rules := map[string]queryRule{}
	if v.atLeast(minorKeypairUser) {
		rules["user_id"] = anyText
	}
	return querySchema{rules, unknownField}
}

var flavorSortKeys = []string{
	"created_at", "description", "disabled", "ephemeral_gb", "flavorid", "id", "is_public", "memory_mb", "name", "root_gb", "rxtx_factor",
	"swap", "updated_at", "vcpu_weight", "vcpus",
}

var flavorsSchema = querySchema{map[string]queryRule{
	"limit": count, "marker": anyText, "is_public": anyText, "minRam": anyText, "minDisk": anyText,
	"sort_key": oneOf(flavorSortKeys), "sort_dir": oneOf([]string{"asc", "desc"}),
}, unknownField}
