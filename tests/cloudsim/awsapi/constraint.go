package awsapi

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// constraint is what a service's model says of a text: botocore's service-2.json has its bounds and
// its pattern.
type constraint struct {
	least, most int            // characters; 0: no bound
	pattern     string         // as the model writes it
	form        *regexp.Regexp // the pattern, which has to match in whole; nil: anything
}

// text makes a constraint. The pattern "" takes anything.
func text(least, most int, pattern string) constraint {
	c := constraint{least: least, most: most, pattern: pattern}
	if pattern != "" {
		c.form = regexp.MustCompile("^(?:" + pattern + ")$")
	}
	return c
}

// broken is what a value breaks, in the words of all of AWS's services; "" if it fits.
func (c constraint) broken(value string) string {
	switch n := utf8.RuneCountInString(value); {
	case c.form != nil && !c.form.MatchString(value):
		return "Member must satisfy regular expression pattern: " + c.pattern
	case n < c.least:
		return tooShort(c.least)
	case c.most > 0 && n > c.most:
		return tooLong(c.most)
	}
	return ""
}

// outside is what a number breaks that is not between two bounds; "" if it fits.
func outside(n, least, most int) string {
	switch {
	case n < least:
		return fmt.Sprintf("Member must have value greater than or equal to %d", least)
	case n > most:
		return fmt.Sprintf("Member must have value less than or equal to %d", most)
	}
	return ""
}

func tooShort(least int) string {
	return fmt.Sprintf("Member must have length greater than or equal to %d", least)
}

func tooLong(most int) string {
	return fmt.Sprintf("Member must have length less than or equal to %d", most)
}

// oneOf is what a value breaks that is none of a set; "" if it is.
func oneOf(value string, set ...string) string {
	if slices.Contains(set, value) {
		return ""
	}
	return "Member must satisfy enum value set: [" + strings.Join(set, ", ") + "]"
}

// violation is AWS's text about a member that breaks a constraint.
func violation(value, member, broken string) string {
	return "1 validation error detected: Value '" + value + "' at '" + member + "' failed to satisfy constraint: " + broken
}

// absent is AWS's text about a member that is not there.
func absent(member string) string {
	return "1 validation error detected: Value null at '" + member + "' failed to satisfy constraint: Member must not be null"
}

// optional checks a text of a JSON service that may be left out.
func optional(value, member string, c constraint) *failure {
	if value == "" {
		return nil
	}
	return invalid(value, member, c.broken(value))
}

// number checks a number of a JSON service that may be left out.
func number(n *int, member string, least, most int) *failure {
	if n == nil {
		return nil
	}
	return invalid(strconv.Itoa(*n), member, outside(*n, least, most))
}
