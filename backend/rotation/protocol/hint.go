package protocol

// Messages end with what to type next, as hints: this package does not know where the mount is.

import (
	"cmp"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// unknownRole stands for the role of an account that is bound to none.
const unknownRole = "ROLE"

// inspectHint shows the account's state.
func (id ID) inspectHint() hint.Hint { return hint.New("read", "accounts/"+id.String()) }

// leasesHint shows who has the leases of the account or group, to those who may see that. A plugin cannot ask Vault whether
// a reader may.
func (a *Account) leasesHint() hint.Hint {
	if len(a.Members) > 0 {
		return a.Members[0].inspectHint()
	}
	return a.inspectHint()
}

// VersionsHint lists the account's versions.
func (id ID) VersionsHint() hint.Hint { return hint.New("list -detailed", "versions/"+id.String()) }

// ImportHint records a password that was set by hand.
func (id ID) ImportHint() hint.Hint {
	return hint.New("write", "import/"+id.String(), "password="+hint.File("password"))
}

// rereadHint asks the cloud for the initial password again.
func (id ID) rereadHint() hint.Hint { return hint.New("write -force", "reread/"+id.String()) }

// MoveHint lets the account move to a role.
func (id ID) MoveHint(role string) hint.Hint {
	return hint.New("write", "accounts/"+id.String()+"/move", "role="+role)
}

// MoveToHint moves the account to another connection, where a role may have it.
func (id ID) MoveToHint(connection, role string) hint.Hint {
	return hint.New("write", "accounts/"+id.String()+"/move", "connection="+connection, "role="+role)
}

// ReadHint reads the account's password.
func (a *Account) ReadHint() hint.Hint {
	return hint.New("read", "creds/"+cmp.Or(a.Role, unknownRole)+"/"+a.InstanceID)
}

// revokeHint ends the leases of the account's role.
func (a *Account) revokeHint() hint.Hint {
	return hint.New("lease revoke -prefix", "creds/"+cmp.Or(a.Role, unknownRole))
}

// verifyHint has the server looked at.
func (a *Account) verifyHint() hint.Hint {
	return hint.New("write -force", "verify/"+cmp.Or(a.Role, unknownRole)+"/"+a.InstanceID)
}

// rotateHint rotates the account, or with a shared password its role.
func (a *Account) rotateHint() hint.Hint {
	path := "rotate-role/" + cmp.Or(a.Role, unknownRole)
	if !a.Settings.SharedPassword {
		path += "/" + a.InstanceID
	}
	return hint.New("write -force", path)
}

// methodHint lets the account's role set passwords by a method.
func (a *Account) methodHint(method string) hint.Hint {
	return hint.New("write", "roles/"+cmp.Or(a.Role, unknownRole), "reset_method="+method)
}

// checkMethodHint lets the account's role look at passwords.
func (a *Account) checkMethodHint() hint.Hint {
	return hint.New("write", "roles/"+cmp.Or(a.Role, unknownRole), "check_method="+cloud.CheckCommand)
}

// placeHint shows the places to which the account's connection has led.
func (id ID) placeHint() hint.Hint { return hint.New("read", "place/"+id.Connection) }

// ClaimHint takes the user of an instance over for a connection.
func (id ID) ClaimHint() hint.Hint {
	return hint.New("write", "place/"+id.Connection, "claim="+id.InstanceID+"/"+id.Username)
}

// rebindHint lets a role take its accounts back.
func rebindHint(role string) hint.Hint { return hint.New("write -force", "roles/"+role) }
