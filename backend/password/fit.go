package password

import "fmt"

// User is somebody whose password has to satisfy rules.
type User struct {
	Host  string // the server, for messages
	Name  string
	Rules Rules
}

// MisfitError says that a password breaks the rules for a user. It names no character of the password.
type MisfitError struct {
	User User
	Err  error // what the password must be like
}

// Error names the server and the rule.
func (e *MisfitError) Error() string { return fmt.Sprintf("server %s: %v", e.User.Host, e.Err) }

// Unwrap returns the rule.
func (e *MisfitError) Unwrap() error { return e.Err }

// Fit makes passwords until one satisfies the rules of all users. Its error is that of next, or after so many tries a
// [*MisfitError] about the last password.
func Fit(tries int, next func() (string, error), users []User) (string, error) {
	var misfit error
	for range tries {
		value, err := next()
		if err != nil {
			return "", err
		}
		if misfit = misfitOf(value, users); misfit == nil {
			return value, nil
		}
	}
	return "", misfit
}

func misfitOf(value string, users []User) error {
	for _, u := range users {
		if err := u.Rules.Check(value, u.Name); err != nil {
			return &MisfitError{u, err}
		}
	}
	return nil
}
