package cli

import "github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/output"

// becauseOf says in a sentence why a rotation was due; see docs/concepts.md.
var becauseOf = map[string]string{
	"first":    "the account had no password yet",
	"revoked":  "a lease of the password before had ended, and the role rotates then",
	"deadline": "the password before had reached the role's max_ttl",
	"leaver":   "the server had left a role whose servers share a password, and still had that",
	"joiner":   "a server joined the role, whose servers share a password",
	"moved":    "readers of another role or account knew the password before",
	"schedule": "the role's schedule asked for it",
	"manual":   "somebody ordered it",
	"import":   "a password that others know had been recorded, or the role had taken over an account with one",
	"read":     "the password before had been read, and the role has rotate_on_read",
	"reader":   "the password before had been given to somebody who must not know it any more (rotate-reader)",
	"place":    "the connection leads to another place than before",
	"drifted":  "a check had shown that the server had another password than Vault",
	"restore":  "somebody recorded an older version again (restore)",
	"reread":   "somebody had the server's initial password read again (reread)",
}

// because is the sentence for a reason, or the word itself of a newer plugin.
func because(reason string) string {
	if words := becauseOf[reason]; words != "" {
		return words
	}
	return "of " + reason
}

// waitsFor says what a rotation waits for.
var waitsFor = map[string]string{
	"backoff":            "the pause after a failure",
	"brake":              "a long pause, since the cloud did not show the outcome of several attempts",
	"connection_brake":   "a long pause of the connection, whose cloud does not show the outcome of attempts",
	"min_reset_interval": "the role's min_reset_interval",
	"rotation_window":    "the role's rotation_window",
	"settle_window":      "the time in which an earlier request may still take effect",
	"turn":               "another user of the server, who is being rotated",
	"operation":          "another operation on the server",
	"outcome":            "the cloud, which is asked for the outcome",
	"connection":         "the connection, which does not work",
	"group":              "the password that the role's servers share",
	"members":            "the role's other servers",
	"lease":              "the end of an exclusive lease",
	"queue":              "its place in the queue",
}

func waiting(cause string) string {
	if words := waitsFor[cause]; words != "" {
		return words
	}
	return cause
}

// foundBy says what a check found.
var foundBy = map[string]string{
	"matches":         "the server has the current password",
	"matches_version": "the server has another version of the password",
	"differs":         "the server has a password that Vault does not know",
	"locked":          "the user is locked",
	"disabled":        "the user is disabled",
	"expired":         "the user or its password has expired",
	"login_off":       "logins with a password are switched off",
	"no_password":     "the user has no password",
	"no_user":         "the server has no such user",
	"unknown":         "the check could not tell",
}

func found(result string) string {
	if words := foundBy[result]; words != "" {
		return words
	}
	return result
}

// plural is a number with its noun.
func plural(n int, noun string) string { return output.Count(n, noun, noun+"s") }
