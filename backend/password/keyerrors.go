package password

import (
	"errors"
	"fmt"
)

var (
	// ErrPassphraseMissing says that a private key is encrypted and came without
	// its passphrase.
	ErrPassphraseMissing = errors.New("private_key is encrypted: give its passphrase in the field passphrase")

	// ErrPassphraseWrong says that a passphrase does not open its private key. A
	// damaged file cannot be told from it.
	ErrPassphraseWrong = errors.New("passphrase does not open private_key: it is wrong, or the key file is damaged")

	errPassphraseUnneeded = errors.New("private_key is not encrypted: leave out the field passphrase")
	errUnreadableKey      = errors.New(
		"private_key cannot be read: the key is damaged or cut short; paste the whole file, or use private_key=@key.pem")
	errInconsistentKey = errors.New("private_key is not a valid RSA key: its numbers do not fit together")

	// ErrEncryption says that a private key is encrypted in a way that is not supported. Its way out makes
	// new.pem, which has a passphrase.
	ErrEncryption = errors.New("private_key is encrypted in a way that is not supported; " +
		"rewrite it with: openssl pkcs8 -topk8 -v2 aes-256-cbc -in key.pem -out new.pem")

	// ErrEncryptedUnderFIPS says that this process may not open encrypted keys. Its way out makes new.pem,
	// which has no passphrase.
	ErrEncryptedUnderFIPS = errors.New("private_key is encrypted, which GODEBUG=fips140=only does not let this plugin open; " +
		"decrypt it first with: openssl pkey -in key.pem -out new.pem")
)

var errMoreKeys = errors.New("private_key holds more than one private key: give one")

func notRSA(kind string) error {
	return fmt.Errorf("private_key is %s key; %s", kind, needsRSA)
}

// needsRSA ends what is said of a key of another kind. Such a key cannot be converted.
const needsRSA = "clouds encrypt initial passwords under RSA keys only: use the RSA key pair of the instance; if it was launched with " +
	"this one, its initial password cannot be decrypted. A new pair for the next launch: ssh-keygen -t rsa -b 2048 -m PEM -f key.pem"

// errPSS is the answer to a key that OpenSSL has made for signatures. The numbers are those of any RSA key.
var errPSS = errors.New("private_key is an RSA-PSS key, which is for signatures only; make an ordinary RSA key of it with: " +
	"openssl rsa -in key.pem -traditional | sed 's/RSA-PSS/RSA/' > new.pem")
