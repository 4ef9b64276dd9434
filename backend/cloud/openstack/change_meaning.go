package openstack

import (
	"net/http"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// changeMeaning is what Nova's answers to changePassword mean (nova/api/openstack/compute/admin_password.py
// and nova/compute/manager.py, set_admin_password); ok is false for those that mean what they do
// everywhere. Only what Nova says before the driver is called proves that nothing was done.
func (a answer) changeMeaning(c call) (m meaning, ok bool) {
	says := func(text string) bool { return strings.Contains(a.reason, text) }
	switch {
	case a.status == http.StatusNotImplemented:
		// libvirt's agent did not answer, or stopped answering; or the hypervisor has no such call.
		return meaning{cloud.Unknown, "the server's guest agent does not answer; start qemu-guest-agent in it (QEMU Guest Agent on Windows); " +
			"hypervisors other than libvirt's cannot set passwords"}, true
	case a.status != http.StatusConflict:
		return m, false
	case says("agent is not enabled"):
		return meaning{cloud.Refused, "the server's image does not say that there is a guest agent; install qemu-guest-agent, set " +
				"hw_qemu_guest_agent=yes on the image (openstack image set --property hw_qemu_guest_agent=yes IMAGE), and recreate the server from it"},
			true
	case says("not supported"):
		return meaning{cloud.Refused, "the server's hypervisor cannot set passwords; a role with source=initial and without reset_method works"},
			true
	case says("is not running"), says("in vm_state"), says("in power_state"):
		return meaning{cloud.Refused, "the server must run for it; start it: openstack server start " + c.instance}, true
	case says("task_state updating_password"):
		return meaning{cloud.Refused, "the cloud is still at an earlier change of this password; if that never ends, its operator must free " +
			"the server: openstack server set --state active " + c.instance}, true
	case says("in task_state"):
		return meaning{cloud.Refused, hintState}, true
	case says("in an invalid state for 'changePassword'"):
		return meaning{cloud.Refused, "the server is locked; unlock it: openstack server unlock " + c.instance}, true
	}
	// "error setting admin password" may come after the guest has set it, as may what is unknown here.
	return meaning{cloud.Unknown, "the hypervisor reports an error, which does not say whether the password was set; the reason is in the " +
		"log of nova-compute. It may be that the user does not exist in the server, or that the guest's own rules refuse the password"}, true
}
