package askpass

import "strings"

// What OpenSSH's client cuts the names in its own prompt to, in bytes.
const (
	longestUser = 30
	longestHost = 128
)

// AsksPasswordOf reports whether a prompt of OpenSSH's client asks for the password of a user at a host, which is its HostKeyAlias or
// HostName. The prompt of the method password is the client's own. That of keyboard-interactive is the server's, after the user and the
// host that the client puts before it; of those texts only the usual ones for a password are taken. Neither a key's passphrase, nor a
// code, nor a new password ("New password:") is meant.
func AsksPasswordOf(user, host, prompt string) bool {
	if prompt == cut(user, longestUser)+"@"+cut(host, longestHost)+"'s password: " {
		return true
	}
	text, ours := strings.CutPrefix(prompt, "("+user+"@"+host+") ")
	if !ours {
		return false
	}
	text = strings.TrimSpace(text)
	for _, usual := range []string{"Password:", "Password for " + user + ":", "Password for " + user + "@" + host + ":"} {
		if strings.EqualFold(text, usual) {
			return true
		}
	}
	return false
}

func cut(s string, n int) string { return s[:min(len(s), n)] }
