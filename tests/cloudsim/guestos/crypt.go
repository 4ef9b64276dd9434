package guestos

import (
	"crypto/sha512"
	"crypto/subtle"
	"strconv"
	"strings"

	"github.com/go-crypt/x/crypt"
)

// CheckHash says whether a password has a SHA-512 hash in the form of crypt(3).
func CheckHash(hash, password string) bool {
	parts := strings.Split(hash, "$")
	rounds := 5000 // what the form without a number means
	if len(parts) == 5 {
		n, err := strconv.Atoi(strings.TrimPrefix(parts[2], "rounds="))
		if err != nil {
			return false
		}
		rounds, parts = n, append(parts[:2:2], parts[3:]...)
	}
	if len(parts) != 4 || parts[0] != "" || parts[1] != "6" {
		return false
	}
	return subtle.ConstantTimeCompare([]byte(parts[3]), crypt.KeySHACrypt(sha512.New, []byte(password), []byte(parts[2]), rounds)) == 1
}
