package openstack

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// server is the part of Nova's server that matters here. gophercloud's own type fails as a whole
// when a field it does not need here has another form than Nova's.
type server struct {
	ID         string               `json:"id"`
	Name       string               `json:"name"`
	Status     string               `json:"status"`
	TaskState  string               `json:"OS-EXT-STS:task_state"`
	KeyName    string               `json:"key_name"`
	Addresses  map[string][]address `json:"addresses"`
	Metadata   map[string]string    `json:"metadata"`
	Tags       []string             `json:"tags"`
	Created    string               `json:"created"`
	LaunchedAt string               `json:"OS-SRV-USG:launched_at"`
	Image      serverImage          `json:"image"`
}

type address struct {
	Address string `json:"addr"`
	Version int    `json:"version"`
	Type    string `json:"OS-EXT-IPS:type"` // fixed or floating; may be missing
}

const addressFloating = "floating"

func (s server) instance() cloud.Instance {
	private, public := s.addresses()
	return cloud.Instance{
		ID:         s.ID,
		Name:       s.Name,
		Platform:   s.platform(),
		OSName:     s.Metadata["image_name"],
		State:      s.state(),
		CloudState: s.Status,
		KeyName:    s.KeyName,
		LoginUser:  s.loginUser(),
		PrivateIP:  private,
		PublicIP:   public,
		Tags:       s.tags(),
		LaunchTime: s.launchTime(),
		Image:      cmp.Or(s.Image.ID, s.Metadata[metadataImage]),
	}.Shown()
}

// instanceOf maps a server of the provider's cloud. Only Nova as it comes is known to change the time of a launch where the server is
// rebuilt, and where it is resized, rescued, unshelved or evacuated, but not at a start (nova/compute/manager.py,
// _update_instance_after_spawn, _finish_resize, rescue_instance). The vendors call it the time when the server was started.
func (p *provider) instanceOf(s server) cloud.Instance {
	i := s.instance()
	if p.family.plain {
		i.SpawnTime = timeOf(s.LaunchedAt)
	}
	return i
}

// metadataImage is where Huawei Cloud and Open Telekom Cloud name the image of a server
// (opentelekomcloud-docs/elastic-cloud-server, api-ref/source/data_structure/data_structure_for_querying_details_about_ecss.rst).
const metadataImage = "metering.image_id"

// loginUser is the server's default user, where the cloud names it or its operating system; else "".
func (s server) loginUser() string {
	if s.Image.Properties[propertyAdminUser] != "" || s.Image.Properties[propertyOSType] != "" {
		return adminOf(s.Image.Properties)
	}
	return s.Metadata[propertyAdminUser]
}

// platform reads os_type, which Huawei and OTC put into the metadata of each server and newer Novas show
// among the image's properties, and falls back to the image's name.
func (s server) platform() cloud.Platform {
	system := cmp.Or(s.Image.Properties[propertyOSType], s.Metadata[propertyOSType])
	switch {
	case strings.EqualFold(system, "Windows"):
		return cloud.Windows
	case strings.EqualFold(system, "Linux"):
		return cloud.Linux
	case strings.Contains(strings.ToLower(s.Metadata["image_name"]), "windows"):
		return cloud.Windows
	}
	return ""
}

// settledStates are the statuses in which a server stays by itself. Every other status, known or
// not, is a change under way. SOFT_DELETED is no end: the server can still be restored.
var settledStates = map[string]cloud.State{
	"ACTIVE":            cloud.StateRunning,
	"SHUTOFF":           cloud.StateStopped,
	"PAUSED":            cloud.StateStopped,
	"SUSPENDED":         cloud.StateStopped,
	"SHELVED":           cloud.StateStopped,
	"SHELVED_OFFLOADED": cloud.StateStopped,
	"SOFT_DELETED":      cloud.StateStopped,
	"DELETED":           cloud.StateGone,
}

// powerTasks are the tasks that leave the status as it was until they end.
var powerTasks = map[string]bool{
	"powering-off": true, "powering-on": true, "deleting": true, "soft-deleting": true,
	"pausing": true, "unpausing": true, "suspending": true, "resuming": true,
	"shelving": true, "shelving_offloading": true, "unshelving": true, "restoring": true,
}

func (s server) state() cloud.State {
	state, settled := settledStates[s.Status]
	if !settled || state != cloud.StateGone && powerTasks[s.TaskState] {
		return cloud.StateChanging
	}
	return state
}

// addresses picks one private and one public address: IPv4 before IPv6, then by network name, so
// that the choice is the same each time.
func (s server) addresses() (private, public string) {
	var all []address
	for _, network := range slices.Sorted(maps.Keys(s.Addresses)) {
		all = append(all, s.Addresses[network]...)
	}
	slices.SortStableFunc(all, func(a, b address) int { return cmp.Compare(a.Version, b.Version) })
	for _, a := range all {
		switch {
		case a.Type == addressFloating && public == "":
			public = a.Address
		case a.Type != addressFloating && private == "":
			private = a.Address
		}
	}
	return private, public
}

// tags joins the cloud's tags and the metadata; a tag goes before metadata of the same name. The
// clouds write a tag as key=value, or as the key alone if its value is empty.
func (s server) tags() map[string]string {
	tags := make(map[string]string, len(s.Metadata)+len(s.Tags))
	maps.Copy(tags, s.Metadata)
	for _, tag := range s.Tags {
		key, value, _ := strings.Cut(tag, "=")
		tags[key] = value
	}
	return tags
}

// launchTime is the time of the first start, or of creation while there was none.
func (s server) launchTime() time.Time {
	if t := timeOf(s.LaunchedAt); !t.IsZero() {
		return t
	}
	return timeOf(s.Created)
}

// timeOf reads a time in one of the forms that Nova has for it; zero: it is none.
func timeOf(value string) time.Time {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999"} {
		if t, err := time.Parse(layout, value); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// cellDown recognizes what Nova shows from microversion 2.69 on of a server whose cell does not answer:
// its id, no name, and the status UNKNOWN (nova/api/openstack/compute/views/servers.py,
// _show_from_down_cell). Lists leave such servers out.
func (s server) cellDown() bool { return s.Name == "" && s.Status == "UNKNOWN" }
