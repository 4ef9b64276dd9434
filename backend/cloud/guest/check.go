package guest

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	_ "embed" // the script
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

//go:embed check.sh
var checkText string

// nonceSize is that of a look's nonce, in bytes.
const nonceSize = 16

// look is one look at a user's password. Its script holds no secret. What the script prints is this, for whoever can
// read the history of commands: the scheme, cost and salt of the hash, and a digest of the hash and of the nonce, which
// the script shows. The hash does not follow from the digest. But guesses can be tried against it, at the price that they
// have against the hash itself, which the command that sets a password shows already.
type look struct {
	script Script
	nonce  string
}

// newLook makes the look at a user. An error is of kind Refused.
func newLook(username string) (look, error) {
	if err := CheckUsername(cloud.Linux, username); err != nil {
		return look{}, err
	}
	raw := make([]byte, nonceSize)
	rand.Read(raw) // never fails
	nonce := hex.EncodeToString(raw)
	return look{nonce: nonce, script: Script{
		Interpreter: Shell,
		Text:        fill(checkText, "@USERNAME@", username, "@NONCE@", nonce),
		Stored: &Stored{
			Text:       store(checkText, checkStoredText, "user", "@USERNAME@", "nonce", "@NONCE@"),
			Parameters: []Parameter{{Name: parameterPrefix + "user", Value: encoded(username)}, {Name: parameterPrefix + "nonce", Value: nonce}},
		},
	}}, nil
}

// Look returns a script that looks at a user's password and changes nothing. Each call has a new nonce, so no two scripts
// are alike. An error is of kind Refused.
func Look(username string) (Script, error) {
	l, err := newLook(username)
	return l.script, err
}

// digest is what the script prints for an entry.
func (l look) digest(entry string) string {
	sum := sha256.Sum256([]byte(l.nonce + ":" + entry))
	return hex.EncodeToString(sum[:])
}

// is reports whether a digest of the script is that of an entry.
func (l look) is(digest, entry string) bool {
	return entry != "" && subtle.ConstantTimeCompare([]byte(l.digest(entry)), []byte(digest)) == 1
}

// Exit codes of the script, which keep clear of those of the others.
const (
	exitLookNotRoot  = 101
	exitLookNoShadow = 102
)

// checked is the line that ends a whole report.
const checked = "cloudpw: exit 0 checked"

// report is what the script has printed, by key, or why the server lets nobody look.
type report struct {
	values  map[string]string
	blocked string
}

// maxReportLines bounds how much of an output is looked at.
const maxReportLines = 200

// reportForms are the keys of a report and what their values are. Nothing else is taken.
var reportForms = map[string]*regexp.Regexp{
	"user":     regexp.MustCompile(`^(?:none|foreign|local)$`),
	"uid":      regexp.MustCompile(`^[0-9]{1,10}$`),
	"now":      regexp.MustCompile(`^[0-9]{1,11}$`),
	"changed":  regexp.MustCompile(`^-?[0-9]{1,9}$`),
	"max":      regexp.MustCompile(`^-?[0-9]{1,9}$`),
	"inactive": regexp.MustCompile(`^-?[0-9]{1,9}$`),
	"expires":  regexp.MustCompile(`^-?[0-9]{1,9}$`),
	"locked":   regexp.MustCompile(`^yes$`),
	"password": regexp.MustCompile(`^(?:off|empty|hash|other|[0-9a-z]{1,8})$`),
	"setting":  regexp.MustCompile(`^\$[!-~]{1,255}$`),
	"digest":   regexp.MustCompile(`^(?:[0-9a-f]{64})?$`),

	"sshd passwordauthentication":          regexp.MustCompile(`^(?:yes|no)$`),
	"sshd kbdinteractiveauthentication":    regexp.MustCompile(`^(?:yes|no)$`),
	"sshd challengeresponseauthentication": regexp.MustCompile(`^(?:yes|no)$`),
	"sshd usepam":                          regexp.MustCompile(`^(?:yes|no)$`),
	"sshd permitrootlogin":                 regexp.MustCompile(`^[a-z-]{1,32}$`),
	"sshd authenticationmethods":           regexp.MustCompile(`^[a-z:, -]{1,255}$`),
}

// seen judges a look that has ended by itself. Errors are of kind Refused: no failure of it changes an account.
func seen(exitCode int, output string) (report, error) {
	output = output[:min(len(output), maxOutput)]
	switch exitCode {
	case 0:
		return parseReport(output)
	case exitLookNotRoot:
		return report{blocked: "the agent ran the command without the rights of root; let the cloud's agent run as root"}, nil
	case exitLookNoShadow:
		return report{blocked: "the server's /etc/shadow cannot be read, not even by root; passwords of such a server cannot be checked"}, nil
	case exitNoDecoder, exitDamaged:
		return report{}, cloud.Errorf(cloud.Refused, "%s%s", verdicts[Shell][exitCode].advice, detail(Shell, foreign(output)))
	}
	return report{}, cloud.Errorf(cloud.Refused, "the command ended with exit code %d, which is none of cloudpw's%s", exitCode,
		detail(Shell, foreign(output)))
}

// foreign is an output without the lines of a report.
func foreign(output string) string {
	var rest strings.Builder
	for line := range strings.Lines(output) {
		if !strings.HasPrefix(line, "cloudpw: ") {
			rest.WriteString(line)
		}
	}
	return rest.String()
}

// parseReport reads the lines of a report. What others than the script have printed around them does not matter; a line
// of it that is not as the script prints it spoils the report, and so does one that comes twice, or after the end.
func parseReport(output string) (report, error) {
	spoilt := cloud.Errorf(cloud.Refused, "the command has not printed a whole report%s", detail(Shell, foreign(output)))
	r := report{values: map[string]string{}}
	ended, lines := false, 0
	for line := range strings.Lines(output) {
		line = strings.TrimRight(line, "\r\n")
		rest, ours := strings.CutPrefix(line, "cloudpw: ")
		if lines++; lines > maxReportLines {
			return report{}, spoilt
		}
		if !ours {
			continue
		}
		if ended {
			return report{}, spoilt
		}
		if line == checked {
			ended = true
			continue
		}
		key, value, _ := strings.Cut(rest, "=")
		form := reportForms[key]
		if _, twice := r.values[key]; twice || form == nil || !form.MatchString(value) {
			return report{}, spoilt
		}
		r.values[key] = value
	}
	local := r.values["user"] == "local"
	hashed := r.values["password"] == "hash"
	if !ended || r.values["user"] == "" || local != (r.values["password"] != "") || hashed != (r.values["setting"] != "") {
		return report{}, spoilt
	}
	return r, nil
}

// number is a value of the report; -1 for one that the server does not have, as for a negative one.
func (r report) number(key string) int64 {
	n, err := strconv.ParseInt(r.values[key], 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// withoutEntry says of a user whom the server knows and /etc/shadow does not, why it is not compared.
const withoutEntry = "the user has no entry in the server's /etc/shadow: it comes from a directory (LDAP, SSSD), whose passwords " +
	"cloudpw neither sets nor checks; let the role name a local user"

// onceRotated is what to do about a hash that cloudpw does not compute: its own, it does.
const onceRotated = "; once cloudpw has rotated the password, it can be checked"

// uncomparable says why no password can be compared; "" if one can.
func (r report) uncomparable() string {
	switch kind := r.values["password"]; {
	case r.blocked != "":
		return r.blocked
	case r.values["user"] == "foreign":
		return withoutEntry
	case kind == "other":
		return "the password's field in the server's /etc/shadow is of no scheme that cloudpw knows" + onceRotated
	case kind == "hash" && r.values["digest"] == "":
		return "the server has no sha256sum, openssl or busybox in the agent's PATH; install coreutils, or leave check_method empty"
	case kind != "hash" && kind != "off" && kind != "empty" && kind != "":
		return fmt.Sprintf("the hash on the server is of the scheme $%s$, which cloudpw does not compute%s", kind, onceRotated)
	}
	return ""
}

// state is what keeps the user from logging in by password, and the end of a sentence about it.
func (r report) state(now time.Time) (cloud.UserState, string) {
	expired, why := r.expired(now)
	switch {
	case r.values["user"] == "none":
		return cloud.UserMissing, "the server has no such user"
	case r.values["password"] == "empty":
		return cloud.UserWithoutPassword, "the user's password is empty"
	case r.values["password"] == "off":
		return cloud.UserLoginOff, "the user has no password: its field in /etc/shadow is ! or *"
	case r.values["locked"] != "":
		return cloud.UserLocked, "somebody has locked the password (passwd -l, usermod -L)"
	case expired:
		return cloud.UserExpired, why
	case r.sshdOff() != "":
		return cloud.UserLoginOff, r.sshdOff()
	}
	return cloud.UserUsable, ""
}

// secondsPerDay are those of the days in which /etc/shadow counts.
const secondsPerDay = 24 * 60 * 60

// expired judges the dates by the server's own clock, as pam_unix does. On the very day on which a password is as old as it
// may get, versions of it differ; this takes the later one.
func (r report) expired(now time.Time) (bool, string) {
	if r.number("now") >= 0 {
		now = time.Unix(r.number("now"), 0)
	}
	today := now.Unix() / secondsPerDay
	date := func(day int64) string { return time.Unix(day*secondsPerDay, 0).UTC().Format(time.DateOnly) }
	changed, longest, inactive, expires := r.number("changed"), r.number("max"), r.number("inactive"), r.number("expires")
	switch {
	case expires >= 0 && today >= expires:
		return true, "the account expired on " + date(expires)
	case changed == 0:
		return true, "the password must be changed at the next login"
	case changed < 0 || longest < 0 || today <= changed+longest:
		return false, ""
	case inactive >= 0 && today > changed+longest+inactive:
		return true, "the password expired on " + date(changed+longest+inactive) + ", as nobody changed it in time"
	}
	return true, "the password is older than the server allows since " + date(changed+longest) + ", and must be changed at the next login"
}

// sshdOff says why sshd takes no password of this user; "" if it does, or if that is not known.
func (r report) sshdOff() string {
	option := func(name string) string { return r.values["sshd "+name] }
	byPAM := option("usepam") == "yes" &&
		(option("kbdinteractiveauthentication") == "yes" || option("challengeresponseauthentication") == "yes")
	methods := option("authenticationmethods")
	switch {
	case option("passwordauthentication") == "":
		return ""
	case option("passwordauthentication") == "no" && !byPAM:
		return "the server's sshd takes no passwords (PasswordAuthentication no)"
	case methods != "" && methods != "any" && !strings.Contains(methods, "password") && !strings.Contains(methods, "keyboard-interactive"):
		return "the server's sshd takes no passwords (AuthenticationMethods)"
	case r.values["uid"] == "0" && option("permitrootlogin") != "" && option("permitrootlogin") != "yes":
		return "the server's sshd takes no password of root (PermitRootLogin)"
	}
	return ""
}
