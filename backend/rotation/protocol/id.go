package protocol

// The names of accounts.

import (
	"fmt"
	"strings"
)

// ID names an account: the thing that has a password.
type ID struct {
	Connection string `json:"connection"`
	InstanceID string `json:"instance_id"`
	Username   string `json:"username"`
}

// String is the account's name in logs and errors and its place under accounts/.
func (id ID) String() string { return id.Connection + "/" + id.InstanceID + "/" + id.Username }

// ParseID is the inverse of ID.String.
func ParseID(s string) (ID, error) {
	p := strings.Split(s, "/")
	if len(p) != 3 || p[0] == "" || p[1] == "" || p[2] == "" {
		return ID{}, fmt.Errorf("%q is no account name of the form connection/instance_id/username", s)
	}
	return ID{p[0], p[1], p[2]}, nil
}
