package guestos

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
)

// prepare plays the script that makes the key pair.
func (s System) prepare() (Result, error) {
	if s.NotRoot {
		return s.says(91, "not an administrator"), nil
	}
	if s.Key == nil {
		var err error
		if s.Key, err = rsa.GenerateKey(rand.Reader, keyBits); err != nil {
			return Result{}, fmt.Errorf("make the key pair of a simulated server: %w", err)
		}
	}
	return Result{Output: printed(&s.Key.PublicKey), Key: s.Key}, nil
}

// set plays the script that sets a password.
func (s System) set(encoded, sealed string) Result {
	user := nameIn(encoded)
	if user == "@builtin-administrator" {
		user = s.Administrator
	}
	account := slices.IndexFunc(s.Accounts, func(name string) bool { return strings.EqualFold(name, user) })
	switch {
	case s.NotRoot:
		return s.says(91, "not an administrator")
	case s.DomainController:
		return s.says(92, "domain controller")
	case account < 0:
		return s.says(93, "no such user")
	case s.Key == nil:
		return s.says(94, "the key is missing or another one")
	}
	block, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil {
		return s.says(94, "the key is missing or another one")
	}
	clear, err := rsa.DecryptOAEP(sha1.New(), nil, s.Key, block, nil)
	switch {
	case err != nil:
		return s.says(94, "the key is missing or another one")
	case s.RefusesPasswords:
		return s.says(95, "password refused 0x800708C5")
	}
	out := s.says(0, "password set")
	out.User, out.Password = s.Accounts[account], string(clear)
	return out
}

func (s System) says(code int, text string) Result {
	return Result{ExitCode: code, Output: "cloudpw: " + text + "\r\n", Key: s.Key}
}

// nameIn is the name that a script has in base64 of UTF-16; "" for what is none.
func nameIn(encoded string) string {
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(raw)%2 != 0 {
		return ""
	}
	units := make([]uint16, len(raw)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(raw[2*i:])
	}
	return string(utf16.Decode(units))
}
