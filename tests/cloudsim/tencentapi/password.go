package tencentapi

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Rules of ResetInstancesPassword's page.
const (
	linuxLeast, windowsLeast = 8, 12
	mostCharacters           = 30
	leastClasses             = 3
	mostUserName             = 64
	// specials are the special characters; Windows has the blank as well.
	specials = "()`~!@#$%^&*-+=_|{}[]:;'<>,.?/"
)

// checkPassword says what is wrong with a password for a user by the rules of
// Windows or Linux, or "".
func checkPassword(password, user string, windows bool) string {
	least, allowed := linuxLeast, specials
	if windows {
		least, allowed = windowsLeast, specials+" "
	}
	var lower, upper, digit, special int
	for _, c := range password {
		switch {
		case c >= 'a' && c <= 'z':
			lower = 1
		case c >= 'A' && c <= 'Z':
			upper = 1
		case c >= '0' && c <= '9':
			digit = 1
		case strings.ContainsRune(allowed, c):
			special = 1
		default:
			return "it holds a character that is not allowed"
		}
	}
	n := utf8.RuneCountInString(password)
	switch {
	case n < least || n > mostCharacters:
		return fmt.Sprintf("it must have %d to %d characters", least, mostCharacters)
	case strings.HasPrefix(password, "/"):
		return "it must not start with /"
	case lower+upper+digit+special < leastClasses:
		return "it must hold three of: lower-case letters, upper-case letters, digits, special characters"
	case windows && strings.Contains(strings.ToLower(password), strings.ToLower(user)):
		return "it must not contain the user name"
	}
	return ""
}
