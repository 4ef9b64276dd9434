package guestos

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
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

// account is the index of the local account that a script names; negative: there is none.
func (s System) account(encoded string) int {
	user := nameIn(encoded)
	if user == "@builtin-administrator" {
		user = s.Administrator
	}
	return slices.IndexFunc(s.Accounts, func(name string) bool { return strings.EqualFold(name, user) })
}

// open decrypts what a script carries.
func (s System) open(sealed string) (string, bool) {
	block, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil || s.Key == nil {
		return "", false
	}
	clear, err := rsa.DecryptOAEP(sha1.New(), nil, s.Key, block, nil)
	return string(clear), err == nil
}

// set plays the script that sets a password: in the order of its steps, and by its own text forms of numbers.
func (s System) set(encoded, sealed, order, notAfter string) Result {
	account := s.account(encoded)
	switch {
	case s.NotRoot:
		return s.says(91, "not an administrator")
	case s.DomainController:
		return s.says(92, "domain controller")
	case account < 0:
		return s.says(93, "no such user")
	}
	name := s.Accounts[account]
	clear, ok := s.open(sealed)
	ours, malformed := strconv.ParseInt(order, 10, 64)
	limit, timeless := strconv.ParseInt(notAfter, 10, 64)
	old := s.Orders[name]
	has, unread := strconv.ParseInt(old, 10, 64)
	switch {
	case !ok:
		return s.says(94, "the key is missing or another one")
	case s.LockTaken:
		return s.says(99, "the mutex is taken")
	case s.NoRegistry:
		return s.says(99, "no order can be kept System.UnauthorizedAccessException 0x80070005")
	case old != "" && (unread != nil || len(old) != 10):
		return s.says(99, "what is noted in the registry is no order")
	case malformed != nil:
		return s.says(99, "no order can be kept System.FormatException 0x80131537")
	case old != "" && has > ours:
		return s.says(98, "too old order="+order+" server="+old)
	}
	// What the script has noted stays noted, whatever becomes of the change.
	out := s.says(0, "password set")
	switch now := s.date().Unix(); {
	case timeless != nil:
		out = s.says(96, "failed System.FormatException 0x80131537")
	case now > limit:
		out = s.says(97, fmt.Sprintf("too late now=%010d notafter=%s", now, notAfter))
	case s.RefusesPasswords:
		out = s.says(95, "password refused 0x800708C5")
	default:
		out.User, out.Password = name, clear
	}
	out.Noted, out.Order = name, order
	return out
}

// A simulated Windows counts wrong passwords for so long, and locks accounts for as long.
const lockout = 10 * time.Minute

// try plays the script that tries a password.
func (s System) try(encoded, sealed, until string) Result {
	index := s.account(encoded)
	switch {
	case s.NotRoot:
		return s.says(91, "not an administrator")
	case s.DomainController:
		return s.says(92, "domain controller")
	case index < 0:
		return s.says(0, "checked no_user")
	}
	name := s.Accounts[index]
	tries := s.Tries[name]
	switch {
	case slices.Contains(s.Disabled, name):
		return s.says(0, "checked disabled")
	case slices.Contains(s.Locked, name) || s.lockedOut(tries):
		return s.says(0, "checked locked")
	case slices.Contains(s.Expired, name):
		return s.says(0, "checked account_expired")
	case slices.Contains(s.PasswordExpired, name):
		return s.says(0, "checked password_expired")
	case s.LockoutThreshold > 0 && tries.Count+2 >= s.LockoutThreshold:
		return s.says(0, fmt.Sprintf("checked too_many %d %d", tries.Count, s.LockoutThreshold))
	}
	clear, ok := s.open(sealed)
	if !ok {
		return s.says(94, "the key is missing or another one")
	}
	if limit, err := strconv.ParseInt(until, 10, 64); err != nil || s.date().Unix() > limit {
		return s.says(0, "checked late")
	}
	return s.login(name, clear)
}

func (s System) lockedOut(tries WrongTries) bool {
	return !tries.LockedOut.IsZero() && s.Now.Before(tries.LockedOut.Add(lockout))
}

// login is a login over the network, as the script makes it.
func (s System) login(name, password string) Result {
	tries := s.Tries[name]
	answer := func(text string) Result {
		out := s.says(0, text)
		out.Tried, out.Tries = name, tries
		return out
	}
	if s.GuestOnly {
		return answer("checked other_user")
	}
	if s.Passwords[name] != password || password == "" {
		if s.Now.Sub(tries.Last) > lockout {
			tries.Count = 0
		}
		tries.Count, tries.Last = tries.Count+1, s.Now
		if s.LockoutThreshold > 0 && tries.Count >= s.LockoutThreshold {
			tries.LockedOut = s.Now
		}
		return answer("checked refused 1326")
	}
	tries = WrongTries{}
	if slices.Contains(s.NetworkLoginRefused, name) {
		return answer("checked refused 1385")
	}
	return answer("checked matches")
}

func (s System) says(code int, text string) Result {
	return Result{ExitCode: code, Output: fmt.Sprintf("cloudpw: exit %d %s\r\n", code, text), Key: s.Key}
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
