package cloud

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A connection has fields that every provider has, such as endpoints and required_tags, which are the backend's, and
// fields of its provider, which the provider's descriptor lists. What the mount does with one of those follows from
// its Field alone: how it is written, checked, stored, shown and described, and what a change of it has to prove.

// FieldKind says what a field decides. What a write has to prove follows from it.
type FieldKind string

// Kinds of fields.
const (
	// FieldSecret leaves the mount only towards the cloud, and is never read back.
	FieldSecret FieldKind = "secret"
	// FieldIdentity says who asks the cloud. It may change, but not to another cloud account's.
	FieldIdentity FieldKind = "identity"
	// FieldAccount belongs to the cloud account, project or region. It is fixed while accounts exist, which would else
	// mean other servers.
	FieldAccount FieldKind = "account"
	// FieldPlace says where requests go, and whom to believe there.
	FieldPlace FieldKind = "place"
	// FieldSetting decides none of these.
	FieldSetting FieldKind = "setting"
)

var fieldKinds = []FieldKind{FieldSecret, FieldIdentity, FieldAccount, FieldPlace, FieldSetting}

// BindsSecrets reports whether the stored secrets were given for this value of the field: where they are sent, or in
// whose name they act. A change needs them again.
func (k FieldKind) BindsSecrets() bool {
	return k == FieldIdentity || k == FieldAccount || k == FieldPlace
}

// FieldType is the form of a field's value.
type FieldType int

// Types of fields.
const (
	// FieldText is any printable text on one line.
	FieldText FieldType = iota
	// FieldURL is the URL of a service that the provider sends requests to; ValidateURL says which are allowed.
	FieldURL
	// FieldFlag is true or false.
	FieldFlag
)

// RequiredAlways is the value of Field.Required for a field that every connection of the provider needs.
const RequiredAlways = "always"

// Field is one field of a connection that belongs to its provider. Several providers may have a field of the same
// name; it then has the same kind and type with each, see Registry.Check.
type Field struct {
	Name string
	Kind FieldKind
	Type FieldType
	// Label is the field's name in Vault's own page; empty: the name in words.
	Label string
	// Description says what the field is for: sentences, without what follows from the rest of the Field.
	Description string
	// Default says in words what goes for a connection without the field, "none" if nothing does. Required says instead
	// which connections need it: RequiredAlways, or a condition such as "with access_key". A field has one of the two;
	// Validate holds connections against it.
	Default, Required string
	// Fallback is the value that Default stands for, given the other ones; nil: none.
	Fallback func(Values) string
	// Allowed are the only values, if there are any.
	Allowed []string
	// Check refuses a value that is none, whatever the other fields say; nil refuses nothing. It is not asked about an
	// empty value, and its error has no part of a secret one.
	Check func(value string) error
	// WriteOnly is set for what is no secret and never read back all the same.
	WriteOnly bool
	// Generated is set for what only clouds make up, which has no blanks and no quotes: with one it was copied badly.
	Generated bool
	// File is set for a text of several lines, as a file has it: a key, say.
	File bool
	// NamesCredential is set for the field whose value is the id under which the cloud lists the connection's own
	// credential, see CredentialRotator.
	NamesCredential bool
	// GoesWith is the name of the provider's field that this one completes, as the token of a temporary key does: a write that
	// names that one and not this one empties this one. "" for none.
	GoesWith string
	// MaxLength is the longest value, in bytes; 0: as for all texts.
	MaxLength int
	// Internal is set for a secret that no client writes and none reads: CredentialRotator.CreateCredential sets it, for as long as the
	// replacement of the credential goes on, and the end of that empties it. While it has a value, a write that gives the connection
	// another credential or leads it elsewhere is refused, since it would lose what the field holds.
	Internal bool
	// AccountOf is what a field of kind identity says of the cloud account, "" for nothing; nil: it says nothing.
	AccountOf func(value string) string
}

// ReadBack reports whether reading a connection shows the field.
func (f Field) ReadBack() bool { return f.Kind != FieldSecret && !f.WriteOnly }

// Written reports whether clients write the field.
func (f Field) Written() bool { return !f.Internal }

// Title is the field's name for people.
func (f Field) Title() string {
	if f.Label != "" {
		return f.Label
	}
	words := strings.ReplaceAll(f.Name, "_", " ")
	first, size := utf8.DecodeRuneInString(words)
	return string(unicode.ToUpper(first)) + words[size:]
}

// CheckedBy is the field with a further check.
func (f Field) CheckedBy(check func(value string) error) Field {
	before := f.Check
	f.Check = func(value string) error {
		if before != nil {
			if err := before(value); err != nil {
				return err
			}
		}
		return check(value)
	}
	return f
}

// check checks one value. Its error names the field.
func (f Field) check(value string) error {
	if value == "" {
		return nil
	}
	switch {
	case f.Type == FieldURL:
		if err := ValidateURL(f.Name, value); err != nil {
			return err
		}
	case f.Type == FieldFlag && value != "true" && value != "false":
		return fmt.Errorf("%s: must be true or false", f.Name)
	case len(f.Allowed) > 0 && !slices.Contains(f.Allowed, value):
		return fmt.Errorf("%s: must be one of: %s", f.Name, strings.Join(f.Allowed, ", "))
	}
	var err error
	if f.Kind == FieldSecret || f.Generated {
		err = checkCopied(value, f.Generated)
	}
	if err == nil && f.Check != nil {
		err = f.Check(value)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", f.Name, err)
	}
	return nil
}

// Values are a connection's fields of its provider, by name. An absent one is empty; a flag is "true" or "false".
type Values map[string]string

// Text is the value of a field.
func (v Values) Text(f Field) string { return v[f.Name] }

// Flag reports whether a flag is set.
func (v Values) Flag(f Field) bool { return v[f.Name] == "true" }

// InForce is the value of a field, or what goes without one.
func (v Values) InForce(f Field) string {
	if value := v[f.Name]; value != "" || f.Fallback == nil {
		return value
	}
	return f.Fallback(v)
}

// With is a copy in which some values are others; an empty one is left out.
func (v Values) With(changes Values) Values {
	next := Values{}
	maps.Copy(next, v)
	maps.Copy(next, changes)
	maps.DeleteFunc(next, func(_, value string) bool { return value == "" })
	return next
}

// validate checks what a descriptor says of a field.
func (f Field) validate() error {
	switch {
	case f.Name == "" || strings.Trim(f.Name, "abcdefghijklmnopqrstuvwxyz0123456789_") != "":
		return fmt.Errorf("%q is no name of a field", f.Name)
	case !slices.Contains(fieldKinds, f.Kind):
		return fmt.Errorf("%s: has no kind", f.Name)
	case f.Description == "" || !strings.HasSuffix(f.Description, "."):
		return fmt.Errorf("%s: its description is no sentence", f.Name)
	case (f.Default == "") == (f.Required == ""):
		return fmt.Errorf("%s: has either a default or a condition under which it is required", f.Name)
	case f.Type != FieldText && (f.Kind == FieldSecret || f.Generated || len(f.Allowed) > 0):
		return fmt.Errorf("%s: only a text can be a secret, generated, or one of some values", f.Name)
	case f.File && (f.Type != FieldText || f.Generated || len(f.Allowed) > 0):
		return fmt.Errorf("%s: only a text can have several lines", f.Name)
	case f.AccountOf != nil && f.Kind != FieldIdentity:
		return fmt.Errorf("%s: only an identity tells of the account behind it", f.Name)
	case f.NamesCredential && f.Kind != FieldIdentity:
		return fmt.Errorf("%s: only an identity is the id of a credential", f.Name)
	case f.Internal && (f.Kind != FieldSecret || f.Required != ""):
		return fmt.Errorf("%s: only a secret that no connection needs is internal", f.Name)
	}
	return nil
}
