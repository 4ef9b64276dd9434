package password

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxLength is the longest password, in bytes, that this package accepts from
// anywhere: rules, a password policy or a guest. It is far above what any cloud
// or operating system takes, and it keeps a hostile value small.
const MaxLength = 255

// Rules are the complexity rules of one cloud and platform, as data. The zero
// value asks only for what holds everywhere: 1 to [MaxLength] printable ASCII
// characters. Predefined rules are not here: each provider owns those of its
// cloud.
type Rules struct {
	// MinLength and MaxLength bound the length in characters, inclusive. Zero
	// means no bound of the cloud's own.
	MinLength, MaxLength int

	// MinClasses is how many of the four classes (lower-case letters, upper-case
	// letters, digits, special characters) a password needs, 0 to 4.
	MinClasses int

	// Special lists the special characters that the cloud allows. Empty allows
	// all of printable ASCII, the blank included.
	Special string

	// ForbidFirst lists characters that may not come first.
	ForbidFirst string

	// ForbidUsername refuses passwords that contain the user name in any case.
	ForbidUsername bool

	// ForbidUsernameReversed refuses passwords that contain the user name
	// spelt backwards, in any case.
	ForbidUsernameReversed bool

	// ForbidUsernameRun refuses, when above zero, passwords that contain this
	// many consecutive characters of the user name, in any case. A shorter user
	// name has no such run.
	ForbidUsernameRun int
}

// Rule names one complexity rule in a [RuleError].
type Rule string

// The rules that a password can break, in the order in which [Rules.Check]
// looks at them.
const (
	RuleLength           Rule = "length"
	RuleCharacters       Rule = "characters"
	RuleSpecial          Rule = "special"
	RuleFirst            Rule = "first"
	RuleClasses          Rule = "classes"
	RuleUsername         Rule = "username"
	RuleUsernameRun      Rule = "username_run"
	RuleUsernameReversed Rule = "username_reversed"
)

// RuleError says which rule a password breaks. It never holds the password or a
// character of it.
type RuleError struct {
	Rule   Rule
	reason string
}

// Error says what the password must be like.
func (e *RuleError) Error() string { return "password " + e.reason }

// Check reports the first rule that a password for the given user name breaks,
// as a [*RuleError]. An empty user name skips the rules about it. Rules that
// contradict themselves are an error of another type.
func (r Rules) Check(password, username string) error {
	if err := r.Validate(); err != nil {
		return err
	}
	for _, check := range []func(password, username string) *RuleError{
		r.checkLength, r.checkCharacters, r.checkClasses, r.checkUsername,
	} {
		if err := check(password, username); err != nil {
			return err
		}
	}
	return nil
}

// Validate refuses rules that no password can satisfy or that are no rules at
// all. Check and Generate call it themselves.
func (r Rules) Validate() error {
	switch {
	case r.MinLength < 0 || r.MaxLength < 0 || r.MinClasses < 0 || r.ForbidUsernameRun < 0:
		return errors.New("password rules: negative number")
	case r.MinLength > MaxLength || r.MaxLength > MaxLength:
		return fmt.Errorf("password rules: a length above %d", MaxLength)
	case r.MaxLength > 0 && r.MinLength > r.MaxLength:
		return fmt.Errorf("password rules: the least length %d is above the greatest %d", r.MinLength, r.MaxLength)
	case r.MinClasses > int(classCount):
		return fmt.Errorf("password rules: %d character classes asked for, there are %d", r.MinClasses, classCount)
	case r.MaxLength > 0 && r.MinClasses > r.MaxLength:
		return fmt.Errorf("password rules: %d characters cannot be of %d classes", r.MaxLength, r.MinClasses)
	}
	for _, c := range []byte(r.Special) {
		if classOf(c) != classSpecial {
			return errors.New("password rules: the list of special characters holds a letter, a digit, or something outside printable ASCII")
		}
	}
	return nil
}

// maxLength is the greatest length in force.
func (r Rules) maxLength() int {
	if r.MaxLength == 0 {
		return MaxLength
	}
	return r.MaxLength
}

// minLength is the least length in force.
func (r Rules) minLength() int { return max(r.MinLength, 1) }

func (r Rules) checkLength(password, _ string) *RuleError {
	if password == "" {
		return &RuleError{RuleLength, "is empty"}
	}
	// Bytes stand for characters here: checkCharacters refuses whatever has more
	// than one byte a character, and a password that fails both is refused anyway.
	if n := len(password); n < r.minLength() {
		return &RuleError{RuleLength, fmt.Sprintf("must have at least %d characters", r.minLength())}
	} else if n > r.maxLength() {
		return &RuleError{RuleLength, fmt.Sprintf("must have at most %d characters", r.maxLength())}
	}
	return nil
}

func (r Rules) checkCharacters(password, _ string) *RuleError {
	for i := range len(password) {
		switch c := password[i]; {
		case c >= utf8.RuneSelf:
			return &RuleError{RuleCharacters, "must be of ASCII characters only"}
		case classOf(c) == classNone:
			return &RuleError{RuleCharacters, "must not contain control characters"}
		case !r.allows(c):
			return &RuleError{RuleSpecial, "may contain no special characters but " + r.Special}
		}
	}
	if strings.IndexByte(r.ForbidFirst, password[0]) >= 0 {
		return &RuleError{RuleFirst, "must not start with one of " + r.ForbidFirst}
	}
	return nil
}

func (r Rules) checkClasses(password, _ string) *RuleError {
	if classesIn([]byte(password)).count() < r.MinClasses {
		return &RuleError{RuleClasses, fmt.Sprintf(
			"must have characters of at least %d of the four classes: lower-case letters, upper-case letters, digits, special characters",
			r.MinClasses)}
	}
	return nil
}

func (r Rules) checkUsername(password, username string) *RuleError {
	if username == "" {
		return nil
	}
	folded, name := strings.ToLower(password), []rune(strings.ToLower(username))
	if r.ForbidUsername && strings.Contains(folded, string(name)) {
		return &RuleError{RuleUsername, "must not contain the user name"}
	}
	if n := r.ForbidUsernameRun; n > 0 {
		for i := 0; i+n <= len(name); i++ {
			if strings.Contains(folded, string(name[i:i+n])) {
				return &RuleError{RuleUsernameRun, fmt.Sprintf("must not contain %d consecutive characters of the user name", n)}
			}
		}
	}
	if r.ForbidUsernameReversed && strings.Contains(folded, reversed(name)) {
		return &RuleError{RuleUsernameReversed, "must not contain the user name spelt backwards"}
	}
	return nil
}

// allows reports whether a printable ASCII character is allowed.
func (r Rules) allows(c byte) bool {
	return classOf(c) != classSpecial || r.Special == "" || strings.IndexByte(r.Special, c) >= 0
}

func reversed(runes []rune) string {
	out := make([]rune, len(runes))
	for i, c := range runes {
		out[len(out)-1-i] = c
	}
	return string(out)
}
