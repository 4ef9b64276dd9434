package novaapi

import (
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// launchTime is how Nova writes OS-SRV-USG times: no zone, microseconds.
const launchTime = "2006-01-02T15:04:05.000000"

// novaState is how Nova shows a model.State.
type novaState struct {
	status, vm string
	task       any // nil or a string
	power      int // 0 no state, 1 running, 4 shut down
}

func stateOf(s model.Server) novaState {
	switch s.State {
	case model.StateRunning:
		if s.Busy && s.Latest.Name == actionChange {
			return novaState{"PASSWORD", "active", taskUpdatingPassword, 1}
		}
		return novaState{"ACTIVE", "active", nil, 1}
	case model.StatePending:
		return novaState{"BUILD", "building", "spawning", 0}
	case model.StateStarting:
		return novaState{"SHUTOFF", "stopped", "powering-on", 4}
	case model.StateStopping:
		return novaState{"ACTIVE", "active", "powering-off", 1}
	case model.StateStopped:
		return novaState{"SHUTOFF", "stopped", nil, 4}
	case model.StateRebooting:
		return novaState{"REBOOT", "active", "reboot_started", 1}
	default:
		return novaState{strings.ToUpper(string(s.State)), strings.ToLower(string(s.State)), nil, 0}
	}
}

// imageName is the name of the server's image. The world's default is the
// name of another vendor's image.
func imageName(s model.Server) string {
	if s.OSName == "" || strings.HasPrefix(s.OSName, "TencentOS") {
		return "Standard_Ubuntu_22.04_latest"
	}
	return s.OSName
}

// metadataOf is what the API shows as metadata: the server's own, with what
// the vendors add, or with the tags where the cloud has no tags with values.
func (c *Cloud) metadataOf(s model.Server) map[string]string {
	out := map[string]string{}
	if c.plain() {
		maps.Copy(out, s.Tags)
	} else {
		out["os_type"], out["os_bit"] = "Linux", "64"
		if s.IsWindows() {
			out["os_type"] = "Windows"
		}
		out["image_name"], out["metering.image_id"] = imageName(s), s.ImageID
		out["vpc_id"], out["charging_mode"] = s.VPCID, "0"
		out["metering.resourcespeccode"] = flavorOf(s).ID + "." + strings.ToLower(out["os_type"])
	}
	maps.Copy(out, s.Metadata)
	delete(out, metadataNoResetPlugin)
	return out
}

// tagList is how all three clouds write tags with values: key=value.
func tagList(s model.Server) []string {
	out := []string{}
	for _, key := range slices.Sorted(maps.Keys(s.Tags)) {
		tag := key
		if s.Tags[key] != "" {
			tag += "=" + s.Tags[key]
		}
		out = append(out, tag)
	}
	return out
}

// macOf makes up a stable hardware address.
func macOf(s model.Server) string {
	sum, _ := hex.DecodeString(hexSHA256([]byte(s.ID))[:6])
	parts := []string{"fa", "16", "3e"}
	for _, b := range sum {
		parts = append(parts, hex.EncodeToString([]byte{b}))
	}
	return strings.Join(parts, ":")
}

// addressesOf lists the fixed address and, if there is one, the floating one.
// version is the number 4 in Nova and the string "4" in the vendors' API.
func (c *Cloud) addressesOf(s model.Server, version any) map[string]any {
	network := s.VPCID
	if c.plain() {
		network = "private"
	}
	var list []map[string]any
	for kind, ip := range map[string]string{"fixed": s.PrivateIP, "floating": s.PublicIP} {
		if ip != "" {
			list = append(list, map[string]any{
				"addr": ip, "version": version, "OS-EXT-IPS:type": kind, "OS-EXT-IPS-MAC:mac_addr": macOf(s),
			})
		}
	}
	slices.SortFunc(list, func(a, b map[string]any) int {
		return strings.Compare(a["OS-EXT-IPS:type"].(string), b["OS-EXT-IPS:type"].(string))
	})
	return map[string]any{network: list}
}

// serverLinks are the self and bookmark links of a server.
func (c *Cloud) serverLinks(r *request, id string) []link {
	return []link{
		self(c.novaBase(r) + "/servers/" + id),
		bookmark(c.bookmark(r, "servers/"+id)),
	}
}

// novaBase is the URL up to the resources, as the client wrote it.
func (c *Cloud) novaBase(r *request) string {
	version, _, _ := strings.Cut(strings.Trim(r.route, "/"), "/")
	base := c.computeURL(r.Request) + "/" + version
	if r.project != "" {
		base += "/" + r.project
	}
	return base
}

// bookmark is a resource's URL without a version. The project is in it where the client wrote it.
func (c *Cloud) bookmark(r *request, resource string) string {
	base := c.computeURL(r.Request)
	if r.project != "" {
		base += "/" + r.project
	}
	return base + "/" + resource
}

// serverView shows a server in full, as of the request's microversion.
func (c *Cloud) serverView(r *request, s model.Server) map[string]any {
	state, flavor := stateOf(s), flavorOf(s)
	created := s.Created.UTC().Format(time.RFC3339)
	view := map[string]any{
		"id": s.ID, "name": s.Name, "tenant_id": s.ProjectID, "user_id": r.caller.user.ID,
		"status": state.status, "progress": 0, "created": created, "updated": created,
		"hostId": hexSHA256([]byte("host" + s.ProjectID))[:56], "accessIPv4": "", "accessIPv6": "",
		"addresses": c.addressesOf(s, 4), "metadata": c.metadataOf(s), "links": c.serverLinks(r, s.ID),
		"key_name": nullable(s.KeyName), "config_drive": "",
		"image":             c.imageOf(r, s),
		"security_groups":   []map[string]string{{"name": "default"}},
		"OS-DCF:diskConfig": "MANUAL", "OS-EXT-AZ:availability_zone": s.Region + "-01",
		"OS-EXT-STS:vm_state": state.vm, "OS-EXT-STS:task_state": state.task, "OS-EXT-STS:power_state": state.power,
		"OS-SRV-USG:launched_at": s.Launched.UTC().Format(launchTime), "OS-SRV-USG:terminated_at": nil,
		"os-extended-volumes:volumes_attached": []any{},
	}
	if state.status == "BUILD" {
		view["OS-SRV-USG:launched_at"] = nil
	}
	if r.version.atLeast(minorFlavorInline) {
		view["flavor"] = flavor.inline()
	} else {
		view["flavor"] = map[string]any{"id": flavor.ID, "links": c.flavorLinks(r, flavor)[1:]}
	}
	if r.version.atLeast(minorExtended) && !c.plain() { // OpenStack shows these to administrators only
		view["OS-EXT-SRV-ATTR:hostname"] = strings.ToLower(s.Name)
		view["OS-EXT-SRV-ATTR:root_device_name"] = "/dev/vda"
	}
	if r.version.atLeast(minorLocked) {
		view["locked"] = s.Locked
	}
	if r.version.atLeast(minorDescription) {
		view["description"] = nil
	}
	if r.version.atLeast(minorTags) {
		view["tags"] = tagList(s)
	}
	if r.version.atLeast(minorTrustedCerts) {
		view["trusted_image_certificates"] = nil
	}
	if r.version.atLeast(minorServerGroups) && !r.details() {
		view["server_groups"] = []any{}
	}
	if r.version.atLeast(minorLockedReason) {
		view["locked_reason"] = nil
	}
	if r.version.atLeast(minorHostname) {
		view["OS-EXT-SRV-ATTR:hostname"] = strings.ToLower(s.Name)
	}
	if r.version.atLeast(minorPinnedZone) {
		view["pinned_availability_zone"] = nil
	}
	return view
}

// imageOf shows a server's image; as "" where it has none, having been booted from a volume.
func (c *Cloud) imageOf(r *request, s model.Server) any {
	if s.ImageID == model.NoImage {
		return ""
	}
	image := map[string]any{"id": s.ImageID, "links": []link{bookmark(c.bookmark(r, "images/"+s.ImageID))}}
	if r.version.atLeast(minorImageProperties) {
		properties := maps.Clone(s.ImageProperties)
		if properties == nil {
			properties = map[string]string{}
		}
		image["properties"] = properties
	}
	return image
}

func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func (c *Cloud) showServer(r *request) *answer {
	s, found := c.findServer(r, r.vars[0])
	if !found {
		return noServer(r.vars[0])
	}
	return ok(map[string]any{"server": c.serverView(r, s)})
}

// listServerTags is GET …/tags, which came with microversion 2.26.
func (c *Cloud) listServerTags(r *request) *answer {
	s, found := c.findServer(r, r.vars[0])
	switch {
	case !r.version.atLeast(minorTags):
		return c.noSuchAPI(r)
	case !found:
		return noServer(r.vars[0])
	}
	return ok(map[string]any{"tags": tagList(s)})
}
