package protocol

// Sets of roles: those whose readers were given a version (rule 23).

import (
	"slices"
	"strings"
)

// RoleSet is a set of roles, sorted and separated by commas, which no name has.
type RoleSet string

// Names are the roles; nil for none.
func (s RoleSet) Names() []string {
	if s == "" {
		return nil
	}
	return strings.Split(string(s), ",")
}

func (s RoleSet) has(role string) bool { return slices.Contains(s.Names(), role) }

// With is the set with more roles; "" is none.
func (s RoleSet) With(roles ...string) RoleSet {
	names := slices.Concat(s.Names(), roles)
	names = slices.DeleteFunc(names, func(role string) bool { return role == "" })
	slices.Sort(names)
	return RoleSet(strings.Join(slices.Compact(names), ","))
}

// without are all roles except one.
func (s RoleSet) without(role string) []string {
	return slices.DeleteFunc(s.Names(), func(other string) bool { return other == role })
}
