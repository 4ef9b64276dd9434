package guest

import (
	"crypto/rand"
	"crypto/sha512"
	_ "embed" // the scripts
	"fmt"

	"github.com/go-crypt/x/crypt"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// Rounds is the cost of the hash: four times the scheme's default, some 20 ms of work for who checks one
// password. Every crypt(3) with SHA-512 takes it.
const Rounds = 20_000

const (
	// saltLength is the longest salt that the scheme uses.
	saltLength = 16
	// saltAlphabet has 64 characters, so that a random byte chooses one without bias.
	saltAlphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

//go:embed linux.sh
var linuxText string

// Linux returns the script that sets a password on Linux. Each call has a new salt, so no two scripts are
// alike. The password is printable ASCII, 1 to 255 characters. Errors are of kind Refused (username) or
// PasswordRefused.
func Linux(username, secret string) (Script, error) {
	if err := checkInput(cloud.Linux, username, secret); err != nil {
		return Script{}, err
	}
	sealed := hash(secret)
	return Script{Shell, fill(linuxText, "@USERNAME@", username, "@HASH@", sealed), sealed}, nil
}

// hash makes the crypt(3) form of a password with a new salt.
func hash(secret string) string {
	salt := make([]byte, saltLength)
	rand.Read(salt) // never fails
	for i, b := range salt {
		salt[i] = saltAlphabet[b%64]
	}
	return hashWith(secret, salt, Rounds)
}

func hashWith(secret string, salt []byte, rounds int) string {
	return fmt.Sprintf("$6$rounds=%d$%s$%s", rounds, salt, crypt.KeySHACrypt(sha512.New, []byte(secret), salt, rounds))
}
