package backend

import "crypto/fips140"

// minSigningKey is the shortest key, in bytes, that Go's HMAC takes under GODEBUG=fips140=only (112 bits). With a
// shorter one it panics. The clouds' own secret keys have 32 characters and more.
const minSigningKey = 14

// checkSigningKey refuses a secret key that this process cannot sign requests with. Other processes can: emulators
// of clouds have short ones.
func (c *connection) checkSigningKey() error {
	if n := len(c.SecretKey); n > 0 && n < minSigningKey && fips140.Enforced() {
		return invalidf("secret_key: has %d bytes; under GODEBUG=fips140=only requests are signed with at least %d; give the whole key, or run the plugin with fips140=on", n, minSigningKey)
	}
	return nil
}
