package azure

import (
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// machine is a virtual machine as ARM shows it (armcompute v8.4.0, models.go, VirtualMachine).
type machine struct {
	ID         string            `json:"id"`
	Name       string            `json:"name"`
	Location   string            `json:"location"`
	Tags       map[string]string `json:"tags"`
	Properties struct {
		VMID              string `json:"vmId"`
		ProvisioningState string
		TimeCreated       string
		// OSProfile is missing where the disk was made outside of Azure, or specialized.
		OSProfile struct {
			ComputerName, AdminUsername string
			AllowExtensionOperations    *bool
		}
		StorageProfile struct {
			OSDisk         struct{ OSType, Name string }
			ImageReference struct{ Publisher, Offer, SKU string }
		}
		// InstanceView is there where it was asked for.
		InstanceView instanceView
	}
}

// instanceView is what a virtual machine does at the moment.
type instanceView struct {
	OSName   string
	Statuses []status
	// VMAgent is nil where the agent has never reported.
	VMAgent *struct {
		VMAgentVersion string
		Statuses       []status
	}
}

// status is one of a virtual machine's states, or of its agent's.
type status struct{ Code, DisplayStatus, Message string }

// id is the vmId in lower case; "" if that is none.
func (m *machine) id() string {
	if id := strings.ToLower(m.Properties.VMID); instanceIDForm.MatchString(id) {
		return id
	}
	return ""
}

// vm is where the machine is; false if the cloud does not tell, or tells something else.
func (m *machine) vm(subscription string) (vm, bool) {
	path, ok := vmPath(subscription, m.ID)
	if !ok || m.id() == "" {
		return vm{}, false
	}
	return vm{id: m.id(), path: path, location: m.Location}, true
}

// power is the power state in the cloud's words: starting, running, stopping, stopped, deallocating, deallocated; "" if it is
// not told.
func (v *instanceView) power() string {
	for _, s := range v.Statuses {
		if word, ok := strings.CutPrefix(s.Code, "PowerState/"); ok {
			return word
		}
	}
	return ""
}

// agent says how the agent is: ready is set where it reports that it is. word is what the cloud says of it, "" where the
// agent has never reported.
func (v *instanceView) agent() (ready bool, word string) {
	if v.VMAgent == nil {
		return false, ""
	}
	for _, s := range v.VMAgent.Statuses {
		if strings.EqualFold(s.DisplayStatus, "Ready") {
			return true, s.DisplayStatus
		}
		word = s.DisplayStatus
		if s.Message != "" {
			word += " (" + s.Message + ")"
		}
	}
	return false, word
}

// extensions reports whether the machine takes extensions, and so run commands. Where nothing is said it does.
func (m *machine) extensions() bool {
	allowed := m.Properties.OSProfile.AllowExtensionOperations
	return allowed == nil || *allowed
}

// platform is that of the machine's disk; "" if it is not told.
func (m *machine) platform() cloud.Platform {
	switch strings.ToLower(m.Properties.StorageProfile.OSDisk.OSType) {
	case "windows":
		return cloud.Windows
	case "linux":
		return cloud.Linux
	}
	return ""
}

// shown maps the cloud's description. A machine that is reimaged gets another OS disk, as the old one may be kept, and so does one
// whose OS disk is swapped; not one with an ephemeral OS disk, which is set back to its first state (Virtual Machines - Reimage, REST
// API 2024-07-01). imageReference tells neither, since it need not name a version. address is the private one, or "".
func (m *machine) shown(address string) cloud.Instance {
	image := m.Properties.StorageProfile.ImageReference
	mapped := cloud.Instance{
		ID: m.id(), Name: m.Name, Platform: m.platform(), OSName: strings.TrimSpace(image.Offer + " " + image.SKU),
		LoginUser: m.Properties.OSProfile.AdminUsername, PrivateIP: address, Tags: m.Tags, LaunchTime: moment(m.Properties.TimeCreated),
		State: cloud.StateChanging, CloudState: stateUnknown, SystemDisk: m.Properties.StorageProfile.OSDisk.Name,
	}
	if strings.EqualFold(m.Properties.ProvisioningState, "Deleting") {
		mapped.CloudState = stateDeleting
	}
	return m.Properties.InstanceView.addTo(mapped)
}

// States that are ours: of a machine that is being deleted, and of one whose power state is not told. Both are neither running nor
// stopped.
const (
	stateUnknown  = "unknown"
	stateDeleting = "deleting"
)

// addTo adds what a machine does at the moment, and the name that its agent gives the system.
func (v *instanceView) addTo(i cloud.Instance) cloud.Instance {
	if v.OSName != "" {
		i.OSName = v.OSName
	}
	power := v.power()
	if power == "" || i.CloudState == stateDeleting {
		return i.Shown()
	}
	i.State, i.CloudState = cloud.StateChanging, power
	switch power {
	case "running":
		i.State = cloud.StateRunning
	case "stopped", "deallocated":
		i.State = cloud.StateStopped
	}
	return i.Shown()
}

// moment reads a time.
func moment(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}
