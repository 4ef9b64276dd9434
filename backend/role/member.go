package role

import (
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// member is an instance of a role and the user whose password the role is about.
type member struct {
	instance cloud.Instance
	username string
	// at is the place where the instance was described.
	at rotation.Place
	// unseen is set where the cloud did not show the instance, and it is as it was last seen.
	unseen bool
}
