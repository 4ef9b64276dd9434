package azure

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// vm is where a virtual machine is in ARM.
type vm struct {
	// id is its vmId, in lower case, which is an instance's id here.
	id string
	// path is /subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers/Microsoft.Compute/virtualMachines/NAME.
	path string
	// location is its region.
	location string
}

// armForm takes the id of a virtual machine in ARM apart. Its words are compared without regard to case.
var armForm = regexp.MustCompile(
	`(?i)^/subscriptions/([0-9a-f-]{36})/resourceGroups/([^/?#\\]{1,90})/providers/Microsoft\.Compute/virtualMachines/([^/?#\\]{1,80})$`)

// vmPath is the path of a virtual machine whose id in ARM the cloud has told; false if that is none of the subscription.
func vmPath(subscription, id string) (string, bool) {
	parts := armForm.FindStringSubmatch(id)
	if parts == nil || !strings.EqualFold(parts[1], subscription) || text.Check(id) != nil || dots(parts[2]) || dots(parts[3]) {
		return "", false
	}
	return groupPath(subscription, parts[2]) + computePath + "/" + parts[3], true
}

// dots reports whether a part of a path would mean another one.
func dots(part string) bool { return part == "." || part == ".." }

// Collections.
const (
	// Below a subscription or a resource group.
	computePath = "/providers/Microsoft.Compute/virtualMachines"
	networkPath = "/providers/Microsoft.Network/networkInterfaces"
	// runCommandsPath is that of the run commands, below a virtual machine.
	runCommandsPath = "/runCommands"
)

// groupOf is the path of the resource group that a virtual machine is in.
func groupOf(path string) string { return path[:strings.LastIndex(path, computePath)] }

// groupPath is the path of a resource group.
func groupPath(subscription, group string) string {
	return "/subscriptions/" + subscription + "/resourceGroups/" + group
}

// instanceIDForm is that of a vmId as cloudpw writes it.
var instanceIDForm = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

func validateInstanceID(id string) error {
	switch {
	case instanceIDForm.MatchString(id):
		return nil
	case guidForm.MatchString(id):
		return fmt.Errorf("instance id %q: write the vmId in lower case", id)
	}
	return fmt.Errorf("instance id %q: an Azure virtual machine is named by its vmId, such as 5c0d8a3e-1b7f-4a52-9f0e-6d2b8c4a1e93, and "+
		"not by its name (az vm show --query vmId)", text.Line(id, 64))
}
