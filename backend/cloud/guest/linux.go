package guest

import (
	"crypto/rand"
	"crypto/sha512"
	_ "embed" // the scripts
	"fmt"
	"time"

	"github.com/go-crypt/x/crypt"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// Rounds is the cost of the hash: four times the scheme's default, some 20 ms of work for who checks one
// password. Every crypt(3) with SHA-512 takes it.
const Rounds = 20_000

// A salt of ours is the value's order in orderDigits digits, by which the server knows what it has, and then random
// characters. 16 together is the longest salt that the scheme uses.
const (
	orderDigits = 10
	saltRandom  = 6
	maxOrder    = 9_999_999_999
	// saltAlphabet has 64 characters, so that a random byte chooses one without bias.
	saltAlphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// Change is a password that a script is to set.
type Change struct {
	Username string
	// Secret is printable ASCII, 1 to 255 characters.
	Secret string
	// Order is that of [cloud.Reset], 1 to 9,999,999,999.
	Order int64
	// NotAfter is that of [cloud.Reset]. It must not be zero.
	NotAfter time.Time
}

// check refuses what no script can be made of. An error is of kind Refused or PasswordRefused.
func (c Change) check(platform cloud.Platform) error {
	if err := checkInput(platform, c.Username, c.Secret); err != nil {
		return err
	}
	if c.Order < 1 || c.Order > maxOrder {
		return cloud.Errorf(cloud.Refused, "no command can set this password: its order number is %d, which is not between 1 and %d",
			c.Order, int64(maxOrder))
	}
	if limit := c.NotAfter.Unix(); c.NotAfter.IsZero() || limit < 0 || limit > maxOrder {
		return cloud.Errorf(cloud.Refused, "no command can set this password: it has no time after which the server must not begin with it")
	}
	return nil
}

// digits is a number as the scripts have it: in as many digits for all.
func digits(n int64) string { return fmt.Sprintf("%0*d", orderDigits, n) }

//go:embed linux.sh
var linuxText string

// Linux returns the script that sets a password on Linux. Each call has a new salt, so no two scripts are alike. Errors are
// of kind Refused (username, order, time) or PasswordRefused.
func Linux(c Change) (Script, error) {
	if err := c.check(cloud.Linux); err != nil {
		return Script{}, err
	}
	sealed := hash(c.Secret, c.Order)
	text := fill(linuxText, "@USERNAME@", c.Username, "@HASH@", sealed, "@ORDER@", digits(c.Order), "@NOTAFTER@", digits(c.NotAfter.Unix()))
	stored := StoredLinux()
	for i, value := range []string{encoded(c.Username), encoded(sealed), digits(c.Order), digits(c.NotAfter.Unix())} {
		stored.Parameters[i].Value = value
	}
	return Script{Interpreter: Shell, Text: text, Sealed: sealed, Stored: stored}, nil
}

// hash makes the crypt(3) form of a password, with its order and six new characters for the salt.
func hash(secret string, order int64) string {
	random := make([]byte, saltRandom)
	rand.Read(random) // never fails
	for i, b := range random {
		random[i] = saltAlphabet[b%64]
	}
	return hashWith(secret, append([]byte(digits(order)), random...), Rounds)
}

func hashWith(secret string, salt []byte, rounds int) string {
	return fmt.Sprintf("$6$rounds=%d$%s$%s", rounds, salt, crypt.KeySHACrypt(sha512.New, []byte(secret), salt, rounds))
}
