package cloud

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// BuiltinAdministrator stands for a user of Windows whose name nobody has to know: the account whose SID ends
// in -500, which every Windows has, which its setup names in its own language and administrators may rename.
// Only a command in the guest can find it.
const BuiltinAdministrator = "@builtin-administrator"

// Longest names of local users: LM20_UNLEN of Windows (lmcons.h), in UTF-16 units, and of Linux what useradd
// takes (shadow-utils, lib/chkname.c), in characters.
const (
	maxWindowsUsername = 20
	maxLinuxUsername   = 32
)

// windowsForbidden may be in no user name of Windows (Microsoft's page on naming conventions for local
// users, "Logon Names"; the @ is that of a domain's).
const windowsForbidden = `"/\[]:;|=,+*?<>@`

// linuxForm takes letters, marks and digits of any script, and blanks inside. No character of it means anything to
// a shell between single quotes, or can start an option; nor does it part the fields of /etc/passwd.
var (
	linuxForm  = regexp.MustCompile(`^[\pL\pN_][\pL\pM\pN_. -]*\$?$`)
	digitsOnly = regexp.MustCompile(`^[0-9]+$`)
)

// CheckUsername says why a local user cannot have that name on a platform; nil if one can. Where the platform is
// not known, a name fits if it fits either. The error is of kind Refused.
func CheckUsername(platform Platform, name string) error {
	common := ""
	switch err := text.Check(name); {
	case name == "":
		common = "is empty"
	case err != nil:
		common = "is not printable: " + err.Error()
	case strings.TrimSpace(name) != name:
		common = "begins or ends with a blank"
	case strings.Contains(name, ".."):
		common = `contains "..", which Vault's paths cannot have`
	case strings.Contains(name, "/"):
		common = "has a slash, which no user name has"
	case strings.Contains(name, `\`) || strings.Contains(name, "@") && name != BuiltinAdministrator:
		common = "is a domain account, which no cloud can read or reset; give a local account"
	}
	if common != "" {
		return Errorf(Refused, "username: %q %s", text.Name(name, 80), common)
	}
	windows, linux := notOnWindows(name), notOnLinux(name)
	switch {
	case platform == Windows && windows != "":
		return Errorf(Refused, "username: %q %s", text.Name(name, 80), windows)
	case platform == Linux && linux != "":
		return Errorf(Refused, "username: %q %s", text.Name(name, 80), linux)
	case windows != "" && linux != "":
		return Errorf(Refused, "username: %q %s", text.Name(name, 80), windows)
	}
	return nil
}

func notOnWindows(name string) string {
	switch {
	case name == BuiltinAdministrator:
		return ""
	case len(utf16.Encode([]rune(name))) > maxWindowsUsername:
		return "has more than 20 characters, the most that Windows takes (Linux: 32)"
	case strings.ContainsAny(name, windowsForbidden):
		return `has one of the characters " / \ [ ] : ; | = , + * ? < > @, which no user name has`
	case strings.HasSuffix(name, "."):
		return "ends with a dot"
	case strings.Trim(name, ". ") == "":
		return "has dots and blanks only"
	}
	return ""
}

func notOnLinux(name string) string {
	switch {
	case name == BuiltinAdministrator:
		return "is for Windows servers only"
	case utf8.RuneCountInString(name) > maxLinuxUsername:
		return "has more than 32 characters, the most that Linux takes"
	case digitsOnly.MatchString(name):
		return "has digits only, which programs take for the number of a user"
	case !linuxForm.MatchString(name):
		return "is not a Linux user name; use letters, digits, blanks inside and . _ -, and a $ at the end only"
	}
	return ""
}

// FoldUsername is the form in which names that Windows takes for the same are equal. It compares by upper case,
// character by character, for all scripts; a few pairs more than in Windows' own table are equal here.
func FoldUsername(name string) string {
	return strings.Map(func(c rune) rune { return unicode.ToLower(unicode.ToUpper(c)) }, name)
}

// administrators are the names that Windows' setup gives the built-in administrator, by language (Microsoft's
// installation media; those of other languages have the English one).
var administrators = []string{"Administrator", "Administrateur", "Administrador", "Administratör", "Администратор",
	"Järjestelmänvalvoja", "Rendszergazda"}

// MayBeBuiltinAdministrator reports whether a user may be the one that [BuiltinAdministrator] stands for.
func MayBeBuiltinAdministrator(name string) bool {
	for _, known := range append(administrators, BuiltinAdministrator) {
		if FoldUsername(known) == FoldUsername(name) {
			return true
		}
	}
	return false
}
