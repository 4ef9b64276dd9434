package guest

import (
	"crypto/fips140"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // The hash of OAEP, see the package's documentation.
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"time"
	"unicode/utf16"

	_ "embed" // the scripts

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

//go:embed windows_prepare.ps1
var prepareText string

//go:embed windows_set.ps1
var setText string

//go:embed windows_check.ps1
var tryText string

// WindowsPrepare returns the script that makes the server's key pair, unless it has one, and prints the
// public half for [Prepared]. It changes no account. Experimental, see the package's documentation.
func WindowsPrepare() Script { return Script{Interpreter: PowerShell, Text: prepareText} }

// encodedName is a user name as the script has it, in base64 of UTF-16: agents save a script without a byte order
// mark, and Windows PowerShell then reads it in the code page of the server's language, in which most letters are
// others or none. Nothing of a name means anything to PowerShell, or to the cloud's own templates, so.
func encodedName(username string) string {
	units := utf16.Encode([]rune(username))
	raw := make([]byte, 0, 2*len(units))
	for _, unit := range units {
		raw = binary.LittleEndian.AppendUint16(raw, unit)
	}
	return base64.StdEncoding.EncodeToString(raw)
}

// WindowsSet returns the script that sets a password on the Windows server that printed the key. Errors are of kind Refused
// (username, order, time, FIPS mode, no key) or PasswordRefused. Experimental, see the package's documentation.
func WindowsSet(c Change, key PublicKey) (Script, error) {
	if err := c.check(cloud.Windows); err != nil {
		return Script{}, err
	}
	sealed, err := seal(c.Username, c.Secret, key)
	if err != nil {
		return Script{}, err
	}
	text := fill(setText, "@USERNAME@", encodedName(c.Username), "@CIPHERTEXT@", sealed,
		"@ORDER@", digits(c.Order), "@NOTAFTER@", digits(c.NotAfter.Unix()))
	return Script{Interpreter: PowerShell, Text: text, Sealed: sealed}, nil
}

// WindowsTry returns the script that tries, once at most and not after until by the server's clock, whether a user has a
// password on the Windows server that printed the key. The password is as that of a [Change], and the errors are those of
// [WindowsSet]. It changes no account, but a wrong password counts towards the user's lockout. Experimental, see the
// package's documentation.
func WindowsTry(username, secret string, key PublicKey, until time.Time) (Script, error) {
	sealed, err := seal(username, secret, key)
	if err != nil {
		return Script{}, err
	}
	text := fill(tryText, "@USERNAME@", encodedName(username), "@CIPHERTEXT@", sealed, "@UNTIL@", strconv.FormatInt(until.Unix(), 10))
	return Script{Interpreter: PowerShell, Text: text, Sealed: sealed}, nil
}

// seal encrypts a user's password for a server's key.
func seal(username, secret string, key PublicKey) (string, error) {
	if err := checkInput(cloud.Windows, username, secret); err != nil {
		return "", err
	}
	if key.rsa == nil {
		return "", cloud.Errorf(cloud.Refused, "the server's public key is missing; prepare the server first")
	}
	if fips140.Enforced() {
		return "", cloud.Errorf(cloud.Refused, "passwords of Windows servers cannot be set or checked by a command under GODEBUG=fips140=only: "+
			"Windows decrypts them with RSA-OAEP and SHA-1, which that mode forbids; run the plugin with fips140=on or fips140=off")
	}
	//nolint:gosec // SHA-1 is sound for OAEP, see the package's documentation.
	raw, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, key.rsa, []byte(secret), nil)
	if err != nil {
		// The only cause left: a message too long for the key, at 214 bytes for 2048 bits.
		return "", cloud.Errorf(cloud.PasswordRefused, "the password is too long for the server's key")
	}
	return base64.StdEncoding.EncodeToString(raw), nil
}
