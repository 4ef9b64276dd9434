package guestos

import (
	"crypto/sha512"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"github.com/go-crypt/x/crypt"
)

// sshdStub plays "sshd -T" of a server that takes no passwords.
const sshdStub = `#!@SH@
[ "$1" = -T ] || exit 1
printf '%s\n' 'port 22' 'passwordauthentication no' 'kbdinteractiveauthentication no' 'usepam yes' 'permitrootlogin yes'
`

// runLook really runs the script that looks at a password, on a shadow file and an sshd of its own: the paths are all
// that is changed in it. Beside id it finds the machine's own date and sha256sum.
func (s System) runLook(text string) (Result, error) {
	for _, path := range []string{"shadow=/etc/shadow", "sshd=/usr/sbin/sshd"} {
		name, _, _ := strings.Cut(path, "=")
		moved := strings.Replace(text, "\n"+path+"\n", "\n"+name+"='"+here+"/"+name+"'\n", 1)
		if moved == text {
			return Result{}, fmt.Errorf("the script has no line %s", path)
		}
		text = moved
	}
	more := []file{{"shadow", s.shadow()}}
	if s.NoPasswordLogin {
		more = append(more, file{"sshd", sshdStub})
	}
	for _, tool := range []string{"date", "sha256sum"} {
		if tool == "sha256sum" && s.NoDigest {
			continue
		}
		path, err := exec.LookPath(tool)
		if err != nil {
			return Result{}, fmt.Errorf("the simulated server needs a %s on this machine: %w", tool, err)
		}
		more = append(more, file{"bin/" + tool, "#!@SH@\nexec '" + path + "' \"$@\"\n"})
	}
	r, err := s.runShell(text, more...)
	r.User, r.Hash, r.Key = "", "", s.Key
	return r, err
}

// shadow is the system's /etc/shadow.
func (s System) shadow() string {
	var out strings.Builder
	for _, name := range s.Accounts {
		field, expires := "*", ""
		if hash := s.Hashes[name]; hash != "" {
			field = hash
		} else if password := s.Passwords[name]; password != "" {
			field = hashOf(password)
		}
		if slices.Contains(s.Locked, name) {
			field = "!" + field
		}
		if slices.Contains(s.Expired, name) {
			expires = "1" // 2 January 1970, which usermod -e 1 sets
		}
		fmt.Fprintf(&out, "%s:%s:1:0:99999:7::%s:\n", name, field, expires)
	}
	return out.String()
}

// hashOf is a hash of a password that nobody set by a command, as passwd would have made it.
func hashOf(password string) string {
	const rounds, salt = 1000, "cloudsim"
	return fmt.Sprintf("$6$rounds=%d$%s$%s", rounds, salt, crypt.KeySHACrypt(sha512.New, []byte(password), []byte(salt), rounds))
}
