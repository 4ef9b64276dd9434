package guest

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"regexp"
	"strconv"

	"github.com/go-crypt/x/bcrypt"
	"github.com/go-crypt/x/crypt"
	"github.com/go-crypt/x/yescrypt"
	"golang.org/x/sync/semaphore"
)

// Bounds of what a hash may cost, which its server says: about a second of one CPU for each password, and the memory
// that two steps above the usual cost of yescrypt take.
const (
	maxSHARounds      = 1_000_000
	maxBcryptCost     = 13
	maxYescryptMemory = 64 << 20
	maxYescryptLogN   = 18 // no memory for this one either, so that the product above is a small number
	// usualSHARounds is what a setting without a number means, and minSHARounds the least that crypt(3) takes.
	usualSHARounds = 5000
	minSHARounds   = 1000
)

// The settings that can be computed, each by its scheme: what an entry in /etc/shadow begins with, up to the salt.
var (
	shaSetting      = regexp.MustCompile(`^\$([56])\$(?:rounds=([1-9][0-9]{3,8})\$)?([./0-9A-Za-z]{0,16})$`)
	md5Setting      = regexp.MustCompile(`^\$1\$([./0-9A-Za-z]{0,8})$`)
	bcryptSetting   = regexp.MustCompile(`^\$2[aby]\$([0-9]{2})\$([./0-9A-Za-z]{22})$`)
	yescryptSetting = regexp.MustCompile(`^\$y\$(j[./0-9A-Za-z]{2})\$[./0-9A-Za-z]{1,86}$`)
)

// crypter makes the entry that a password has under one setting; "" where the setting turns out to be none.
type crypter func(password string) string

// Why a hash is not computed.
const (
	tooCostly = "the hash on the server costs more than cloudpw spends on one"
	noSetting = "the hash on the server has parameters or a salt that cloudpw does not know"
)

// newCrypter makes the function of a setting, or says why it has none.
func newCrypter(setting string) (entry crypter, why string) {
	if m := shaSetting.FindStringSubmatch(setting); m != nil {
		return newSHACrypter(setting, m[1], m[2], m[3])
	}
	if m := md5Setting.FindStringSubmatch(setting); m != nil {
		return func(password string) string {
			return setting + "$" + string(crypt.KeyMD5Crypt([]byte(password), []byte(m[1])))
		}, ""
	}
	if m := bcryptSetting.FindStringSubmatch(setting); m != nil {
		return newBcrypter(setting, m[1], m[2])
	}
	if m := yescryptSetting.FindStringSubmatch(setting); m != nil {
		return newYescrypter(setting, m[1])
	}
	return nil, noSetting
}

func newSHACrypter(setting, scheme, number, salt string) (crypter, string) {
	algorithm := sha512.New
	if scheme == "5" {
		algorithm = sha256.New
	}
	rounds := usualSHARounds
	if number != "" {
		rounds, _ = strconv.Atoi(number) // digits
	}
	switch {
	case rounds > maxSHARounds:
		return nil, fmt.Sprintf("%s (%d rounds)", tooCostly, rounds)
	case rounds < minSHARounds:
		return nil, noSetting
	}
	return func(password string) string {
		return setting + "$" + string(crypt.KeySHACrypt(algorithm, []byte(password), []byte(salt), rounds))
	}, ""
}

func newBcrypter(setting, number, salt string) (crypter, string) {
	cost, _ := strconv.Atoi(number) // digits
	raw, err := bcrypt.Base64Decode([]byte(salt))
	switch {
	case cost > maxBcryptCost:
		return nil, fmt.Sprintf("%s (bcrypt, cost %d)", tooCostly, cost)
	case err != nil || cost < bcrypt.MinCost:
		return nil, noSetting
	}
	return func(password string) string {
		key, err := bcrypt.Key([]byte(password), raw, cost)
		if err != nil {
			return ""
		}
		return setting + string(key)
	}, ""
}

func newYescrypter(setting, parameters string) (crypter, string) {
	_, logN, r, err := yescrypt.DecodeSetting([]byte(parameters))
	switch {
	case err != nil:
		return nil, noSetting
	case logN > maxYescryptLogN || 128*r<<logN > maxYescryptMemory:
		return nil, tooCostly + " (yescrypt, more than 64 MiB)"
	}
	return func(password string) string {
		entry, err := yescrypt.Hash([]byte(password), []byte(setting))
		if err != nil {
			return ""
		}
		return string(entry)
	}, ""
}

// Hashing lets one password at a time be hashed, so that servers with costly hashes cannot take the memory and the CPUs
// of the machine where Vault runs.
type Hashing struct{ turn *semaphore.Weighted }

// NewHashing makes one; it is for all the checks of a connection.
func NewHashing() *Hashing { return &Hashing{semaphore.NewWeighted(1)} }

// do computes one entry, or waits in vain.
func (h *Hashing) do(ctx context.Context, entry crypter, password string) (string, error) {
	if err := h.turn.Acquire(ctx, 1); err != nil {
		return "", err
	}
	defer h.turn.Release(1)
	return entry(password), nil
}
