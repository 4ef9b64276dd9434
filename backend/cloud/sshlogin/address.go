package sshlogin

import "github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/sshclient"

// badAddress says why nothing is sent to an address; "" if it may be.
func badAddress(address string, listed bool) string {
	out := "; set check_address of the role to one that the server has"
	if listed {
		out = "; write another address to hosts/"
	}
	if address == "" {
		return "the cloud tells no address of the server of the kind that check_address of the role names, as of one that is stopped" + out
	}
	if err := sshclient.CheckAddress(address); err != nil {
		return "nothing is sent to the server: its address: " + err.Error() + out
	}
	return ""
}
