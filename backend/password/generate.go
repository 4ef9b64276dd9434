package password

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	// DefaultLength is the length of a generated password, in characters, where
	// the rules allow it: more than 140 bits of entropy, even without special
	// characters.
	DefaultLength = 24

	// MinGeneratedLength is the least length, in characters, that Generate
	// accepts. No cloud asks for less, and shorter passwords can be guessed.
	MinGeneratedLength = 8

	// safeSpecial are the special characters that Generate draws from. All of
	// them mean the same to the clouds' APIs, to Windows and Linux logins, and
	// to a person who copies a password; quotes, brackets, blanks, slashes and
	// shell metacharacters such as $ and & are left out.
	safeSpecial = "-_+=.,:!@#%^*"

	// maxAttempts bounds the search for a password that satisfies the rules. The
	// hardest rules in the tests (8 characters of four classes, one of them a
	// single character) take about twenty attempts, so this many never fail by
	// bad luck.
	maxAttempts = 2_000
)

// Generate makes a password for the given user name that satisfies the rules.
// A length of 0 means [DefaultLength], brought within the rules' bounds; any
// other length, in characters, must lie within them and be at least
// [MinGeneratedLength].
//
// The password starts with a letter and holds at least one lower-case letter,
// one upper-case letter, one digit and, where the rules allow one of the
// conservative set, one special character. It is drawn uniformly from all such
// passwords: candidates are made character by character without modulo bias
// and are thrown away as a whole until one satisfies everything.
//
// It fails for rules that no such password can satisfy and when the system's
// source of randomness fails.
func Generate(r Rules, username string, length int) (string, error) {
	return generate(rand.Reader, r, username, length)
}

func generate(random io.Reader, r Rules, username string, length int) (string, error) {
	if err := r.Validate(); err != nil {
		return "", err
	}
	length, err := r.generatedLength(length)
	if err != nil {
		return "", err
	}
	first, rest, err := r.alphabets(username)
	if err != nil {
		return "", err
	}
	source := &sampler{random: random}
	candidate := make([]byte, length)
	defer clear(candidate)
	for range maxAttempts {
		alphabet := first
		for i := range candidate {
			if candidate[i], err = source.pick(alphabet); err != nil {
				return "", fmt.Errorf("generate password: source of randomness: %w", err)
			}
			alphabet = rest
		}
		if !hasClassesOf(candidate, rest) {
			continue
		}
		if password := string(candidate); r.Check(password, username) == nil {
			return password, nil
		}
	}
	return "", errors.New("generate password: the password rules leave too few passwords for this user name")
}

// generatedLength turns the length asked for into the length to generate.
func (r Rules) generatedLength(length int) (int, error) {
	low, high := max(r.minLength(), MinGeneratedLength), r.maxLength()
	switch {
	case low > high:
		return 0, fmt.Errorf("generate password: the password rules allow %d characters, at least %d are needed", high, low)
	case length == 0:
		return min(max(DefaultLength, low), high), nil
	case length < low || length > high:
		return 0, fmt.Errorf("generate password: length %d is outside %d to %d", length, low, high)
	default:
		return length, nil
	}
}

// alphabets returns the characters for the first place and for the others.
func (r Rules) alphabets(username string) (first, rest string, err error) {
	// Rules that forbid single characters of the user name are met by the
	// alphabet; leaving them to chance would throw nearly every candidate away.
	var banned string
	name := strings.ToLower(username)
	if r.ForbidUsernameRun == 1 || len(name) == 1 && (r.ForbidUsername || r.ForbidUsernameReversed) {
		banned = name + strings.ToUpper(name)
	}
	first = without(lowerCase+upperCase, banned+r.ForbidFirst)
	if first == "" {
		return "", "", errors.New("generate password: the password rules leave no letter for the first character")
	}
	special := func(c rune) rune {
		if r.allows(byte(c)) {
			return c
		}
		return -1
	}
	rest = without(lowerCase+upperCase+digits+strings.Map(special, safeSpecial), banned)
	if n := classesIn([]byte(rest)).count(); n < r.MinClasses {
		return "", "", fmt.Errorf("generate password: the password rules ask for %d character classes and leave %d; "+
			"allow special characters of %s", r.MinClasses, n, safeSpecial)
	}
	return first, rest, nil
}

// without returns the characters of set that are not in banned.
func without(set, banned string) string {
	return strings.Map(func(c rune) rune {
		if strings.ContainsRune(banned, c) {
			return -1
		}
		return c
	}, set)
}

// hasClassesOf reports whether the candidate has a character of every class that
// the alphabet has.
func hasClassesOf(candidate []byte, alphabet string) bool {
	return classesIn(candidate) == classesIn([]byte(alphabet))
}

// sampler draws characters uniformly from random bytes, which it reads in
// blocks.
type sampler struct {
	random io.Reader
	buffer [64]byte
	left   []byte
}

// pick returns one character of the alphabet (1 to 256 bytes), each with the
// same probability. A byte beyond the last whole multiple of the alphabet's size
// is thrown away: taking it modulo the size would favour the first characters.
func (s *sampler) pick(alphabet string) (byte, error) {
	n := len(alphabet)
	limit := 256 - 256%n
	for {
		if len(s.left) == 0 {
			if _, err := io.ReadFull(s.random, s.buffer[:]); err != nil {
				return 0, err
			}
			s.left = s.buffer[:]
		}
		b := int(s.left[0])
		s.left = s.left[1:]
		if b < limit {
			return alphabet[b%n], nil
		}
	}
}
