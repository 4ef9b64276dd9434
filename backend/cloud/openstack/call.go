package openstack

import (
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/openstack/keystone"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// The requests, by the names of the API's own operations. The limiter counts them by these.
const (
	actionToken    = keystone.CreateToken
	actionVerify   = "ListServers"
	actionList     = "ListServersDetails"
	actionShow     = "ShowServer"
	actionPassword = "ShowServerPassword"
	actionClear    = "DeleteServerPassword"
	actionKeypair  = "ShowKeypair"
	actionImage    = "ShowImage"
	// actionChange is the server action changePassword, which only plain OpenStack has.
	actionChange = "ChangePassword"

	// Those of the vendors' IAM.
	actionAssume    = "CreateTemporaryAccessKeyByAgency"
	actionDomains   = "ListDomains"
	actionListKeys  = "ListPermanentAccessKeys"
	actionCreateKey = "CreatePermanentAccessKey"
	actionDeleteKey = "DeletePermanentAccessKey"

	// Those of Keystone.
	actionListApplication   = "ListApplicationCredentials"
	actionShowApplication   = "ShowApplicationCredential"
	actionCreateApplication = "CreateApplicationCredential"
	actionDeleteApplication = "DeleteApplicationCredential"
)

// The permissions of the vendors' IAM; those of plain OpenStack are in policies.
const (
	permissionList     = "ecs:servers:list"
	permissionShow     = "ecs:servers:get"
	permissionPassword = "ecs:serverPasswords:manage"
	permissionKeypair  = "ecs:serverKeypairs:get"
	// permissionAssume is for those who use an agency; the policy Agent Operator has it for all of them.
	permissionAssume = "iam:agencies:assume"
)

// call names a request for the limiter and for messages.
type call struct {
	action     string // the limiter's name
	instance   string // the instance it is about; empty if it is about none
	permission string // the IAM permission or Nova's policy it needs
	identity   bool   // it goes to the identity endpoint
	image      bool   // it goes to the image endpoint
	coc        bool   // it goes to COC
	plain      bool   // the cloud is OpenStack without a vendor's gateway
	// applicationCredential is the id of the one that the connection uses; empty if it uses none.
	applicationCredential string
	agency                string // the one that it asks keys for; empty if it does not
	signed                bool   // with keys; else a token goes with it
	// refusal says what to do where the cloud does not accept the temporary keys that sign it; empty where others do.
	refusal string
	// check is what to type to see which permissions the credentials have.
	check hint.Hint
}

func (c call) String() string {
	if c.instance != "" {
		return c.action + " of instance " + c.instance
	}
	return c.action
}
