package ssh

import (
	_ "embed" // the script
	"encoding/base64"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/sshclient"
)

// rollScript changes one line of the login user's authorized_keys. It runs as that user, in any POSIX shell, and has nothing secret in it.
//
//go:embed roll.sh
var rollScript string

// rollAction is what the script does. Both leave a file alone that is so already.
type rollAction string

const (
	// addNew adds a line of the new key, with the options of the old one's. It needs a line of the old key.
	addNew rollAction = "add"
	// dropOld removes all lines of the old key. It needs a line of the new one.
	dropOld rollAction = "drop"
)

// authorizedKey is a public key as a line of authorized_keys has it, without options and comment.
func authorizedKey(key ssh.PublicKey) string {
	return key.Type() + " " + base64.StdEncoding.EncodeToString(key.Marshal())
}

// rollText is the script for two keys. They have no character that means something between single quotes.
func rollText(action rollAction, before, now ssh.PublicKey) []byte {
	return []byte(strings.NewReplacer("@ACTION@", string(action), "@OLD@", authorizedKey(before), "@NEW@", authorizedKey(now),
		"@COMMENT@", keyComment).Replace(rollScript))
}

// rollEnd is the script's last line.
var rollEnd = regexp.MustCompile(`(?m)^cloudpw: exit ([0-9]{1,3}) `)

// rollReasons are the script's exit codes, and what is to be said of each. All of them mean that nothing was changed.
var rollReasons = map[int]string{
	61: "the login user has no HOME",
	62: "~/.ssh or its authorized_keys is a symbolic link, which is not followed",
	63: "~/.ssh or its authorized_keys belongs to another user than the login user",
	64: "there is no ~/.ssh/authorized_keys that the login user can read",
	65: "flock (util-linux or BusyBox) is not installed there",
	66: "~/.ssh cannot be locked: another change is going on, or the file system has no flock",
	67: "~/.ssh/authorized_keys has no line of the key that lets us in, so sshd reads another file (AuthorizedKeysFile, " +
		"AuthorizedKeysCommand)",
	68: "~/.ssh/authorized_keys has no line of the new key, so sshd reads another file (AuthorizedKeysFile, AuthorizedKeysCommand)",
	69: "~/.ssh/authorized_keys cannot be replaced: a full disk, or a file or directory that cannot be written",
	70: "~/.ssh/authorized_keys was changed by somebody else in the same moment",
	71: "~/.ssh/authorized_keys has bytes that are no text",
}

// rollOutcome is what a run of the script has shown: nil where the file is as it is to be.
func rollOutcome(r sshclient.Result) error {
	ends := rollEnd.FindAllStringSubmatch(r.Output, -1)
	if len(ends) == 0 {
		return cloud.Errorf(cloud.Unknown, "the change of ~/.ssh/authorized_keys ended with exit code %d and without a line of its own; "+
			"does the login user have a shell there?", r.ExitCode)
	}
	code, err := strconv.Atoi(ends[len(ends)-1][1])
	switch reason, known := rollReasons[code]; {
	case err != nil || code != r.ExitCode || code != 0 && !known:
		return cloud.Errorf(cloud.Unknown, "the change of ~/.ssh/authorized_keys ended with exit code %d, and says another one", r.ExitCode)
	case code != 0:
		return cloud.Errorf(cloud.Refused, "%s", reason)
	}
	return nil
}

// byHand is how a person does what the script could not.
func byHand(before, now ssh.PublicKey) string {
	return fmt.Sprintf("by hand: add the line %q to its authorized keys, and remove the key %s", authorizedLine(now),
		ssh.FingerprintSHA256(before))
}
