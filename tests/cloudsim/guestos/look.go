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
// that is changed in it. Beside id it finds a date that tells the system's time, and the machine's own sha256sum.
func (s System) runLook(text string) (Result, error) {
	text, err := moved(text, "shadow=/etc/shadow", "sshd=/usr/sbin/sshd")
	if err != nil {
		return Result{}, err
	}
	more := []file{{"shadow", s.shadow()}}
	if s.NoPasswordLogin {
		more = append(more, file{"sshd", sshdStub})
	}
	more = append(more, s.dateFile())
	if !s.NoDigest {
		path, err := exec.LookPath("sha256sum")
		if err != nil {
			return Result{}, fmt.Errorf("the simulated server needs a sha256sum on this machine: %w", err)
		}
		more = append(more, file{"bin/sha256sum", "#!@SH@\nexec '" + path + "' \"$@\"\n"})
	}
	r, err := s.runShell(text, more...)
	r.User, r.Hash, r.Key = "", "", s.Key
	return r, err
}

// moved is a script whose lines, each the assignment of a path, name files of the scratch directory instead.
func moved(text string, paths ...string) (string, error) {
	for _, path := range paths {
		name, _, _ := strings.Cut(path, "=")
		other := strings.Replace(text, "\n"+path+"\n", "\n"+name+"='"+here+"/"+name+"'\n", 1)
		if other == text {
			return "", fmt.Errorf("the script has no line %s", path)
		}
		text = other
	}
	return text, nil
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
