package azure

import (
	"crypto/rand"
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
)

// A run command is a resource of its virtual machine, and its name is the id under which the cloud tells its outcome. A name that
// was used once runs nothing when it is used again with the same content, so each command has one of its own. They hold only
// characters that every page and recording shows in such a name.
const (
	// namePrefix begins the name of each command of ours, and lookPrefix that of each which sets no password.
	namePrefix = "cloudpw-"
	lookPrefix = namePrefix + "look-"
)

var (
	// nameForm is what a name may look like that was given to somebody as the id of a command.
	nameForm = regexp.MustCompile(`^` + namePrefix + `[0-9A-Za-z-]{1,64}$`)
	// leftoverForm is that of the names that the rotation core and randomName make. Nothing else is ever taken for a leftover of ours.
	leftoverForm = regexp.MustCompile(`^` + namePrefix + `(?:look-)?[0-9a-f]{32}$`)
)

// nameOf is the name of the command that is to be sent.
func nameOf(wanted guest.Command) string {
	if wanted.Name != "" {
		return namePrefix + wanted.Name
	}
	return randomName()
}

// randomName is one for a command that sets no password.
func randomName() string {
	raw := make([]byte, 16)
	rand.Read(raw) // never fails
	return lookPrefix + hex.EncodeToString(raw)
}

// nameIn is the name of the command that a reference means; "" where it means none of ours.
func nameIn(ref cloud.ResetRef) string {
	name := ref.RequestID
	if name == "" && ref.Name != "" {
		name = namePrefix + ref.Name
	}
	if !nameForm.MatchString(name) {
		return ""
	}
	return name
}

// setsPassword reports whether the command of a name was to set a password. The outcome of any other is read once.
func setsPassword(name string) bool { return !strings.HasPrefix(name, lookPrefix) }

// commandPath is where the run commands of a virtual machine are, or the one with a name.
func commandPath(v vm, name string) string {
	path := v.path + "/runCommands"
	if name != "" {
		path += "/" + name
	}
	return path
}
