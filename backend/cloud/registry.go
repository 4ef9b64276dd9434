package cloud

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Descriptor tells the backend about a provider without making one.
type Descriptor struct {
	// Name is the value of a connection's provider field.
	Name string
	// Title is the cloud's name for people.
	Title string
	// New makes a provider. It sends nothing.
	New func(Config) (Provider, error)
	// Fields are the provider's own fields of a connection, in the order in which people think of them. Those that every
	// provider has (endpoints, ca_certificate, allowed_roles and so on) are the backend's.
	Fields []Field
	// Validate checks what the fields are together: which are required, which credentials belong together. Each by itself
	// has been checked before, see Check. Errors name the field.
	Validate func(Config) error
	// CredentialName tells the id of the connection's own credential where it is none of the fields but follows from them, as the
	// fingerprint of a key does; nil: the fields with NamesCredential tell it.
	CredentialName func(Values) string
	// Complete makes the fields that a write leaves to the provider, such as a key that it asks to have made, out of those that are
	// stored, nil for a new connection, and those that the write makes of them. It is called before Check, and asks no cloud. Errors
	// name the field. nil: there are none.
	Complete func(old, next Values) (Values, error)
	// Derived are read back beside the fields.
	Derived []DerivedField
	// EndpointKeys are the services whose URL may be overridden.
	EndpointKeys []string
	// DefaultRequestsPerSecond is the default of max_requests_per_second.
	DefaultRequestsPerSecond float64
	// RateSource says where that figure comes from.
	RateSource string
	// HasInitialPassword and CanClearInitial say what the provider implements.
	HasInitialPassword bool
	CanClearInitial    bool
	// ResetMethods are the ways in which the provider can set passwords, the default first; none if it
	// cannot. The provider then implements PasswordResetters.
	ResetMethods []ResetMethod
	// CheckMethods are the names of the ways in which the provider can look which password a server has, the default
	// first (CheckCommand); none if it cannot. The provider then implements PasswordCheckers. The engine adds CheckSSH to
	// them where Addressed or HasHosts is set, see AllCheckMethods.
	CheckMethods []string
	// Addressed is set where the cloud tells addresses of its servers, so that they can be looked at by a login.
	Addressed bool
	// LinkLocalDomains are the domains of the cloud's own whose hosts have link-local addresses inside its
	// network. Connections are made to those only for such a host, on port 443, so by TLS.
	LinkLocalDomains []string
	// HasHosts is set where the instances are those of the mount's inventory, see Hosts, and not a cloud's.
	HasHosts bool
	// UsualInitialDelay is how long the cloud says an initial password may take after launch.
	UsualInitialDelay time.Duration
}

// DerivedField is what a connection's fields say in another form. It cannot be written, and tells no secret.
type DerivedField struct {
	Name string
	// Description is a sentence.
	Description string
	// Value is "" where there is none.
	Value func(Values) string
}

// Check checks a connection's fields, each by itself and all together, without asking the cloud. Errors name the field.
func (d Descriptor) Check(c Config) error {
	for _, f := range d.Fields {
		if err := f.check(c.Text(f)); err != nil {
			return err
		}
	}
	if d.Validate == nil {
		return nil
	}
	return d.Validate(c)
}

// Field returns the provider's own field with that name; false if it has none of that name.
func (d Descriptor) Field(name string) (Field, bool) {
	i := slices.IndexFunc(d.Fields, func(f Field) bool { return f.Name == name })
	if i < 0 {
		return Field{}, false
	}
	return d.Fields[i], true
}

func (d Descriptor) hasField(name string) bool {
	_, has := d.Field(name)
	return has
}

// CredentialID is the id of the credential among a connection's fields; empty if that is a password, or comes from the
// surroundings.
func (d Descriptor) CredentialID(v Values) string {
	if d.CredentialName != nil {
		return d.CredentialName(v)
	}
	for _, f := range d.Fields {
		if id := v.Text(f); f.NamesCredential && id != "" {
			return id
		}
	}
	return ""
}

// AllCheckMethods are the names of the check methods for the provider's servers: its own ones, and a login where the servers have
// addresses.
func (d Descriptor) AllCheckMethods() []string {
	if (d.Addressed || d.HasHosts) && !slices.Contains(d.CheckMethods, CheckSSH) {
		return append(slices.Clone(d.CheckMethods), CheckSSH)
	}
	return d.CheckMethods
}

// HasCheckMethod reports whether there is a check method of that name for the provider's servers.
func (d Descriptor) HasCheckMethod(name string) bool {
	return slices.Contains(d.AllCheckMethods(), name)
}

// CanCheck reports whether anything can look which password a server has.
func (d Descriptor) CanCheck() bool { return len(d.AllCheckMethods()) > 0 }

// CanReset reports whether the provider can set passwords at all.
func (d Descriptor) CanReset() bool { return len(d.ResetMethods) > 0 }

// ResetMethod returns the reset method with that name; false if the provider has none of that name.
func (d Descriptor) ResetMethod(name string) (ResetMethod, bool) {
	for _, m := range d.ResetMethods {
		if m.Name == name {
			return m, true
		}
	}
	return ResetMethod{}, false
}

// ResetMethodNames are the names of the provider's reset methods, the default first.
func (d Descriptor) ResetMethodNames() []string {
	names := make([]string, len(d.ResetMethods))
	for i, m := range d.ResetMethods {
		names[i] = m.Name
	}
	return names
}

// ResetMethod tells the backend about one way in which a provider can set passwords.
type ResetMethod struct {
	// Name is the value of a role's reset_method field: MethodAPI or MethodCommand.
	Name string
	// MayStop is set where a reset of a running instance shuts it down, so that a role must decide on
	// force_stop.
	MayStop bool
}

// Names of reset methods.
const (
	// MethodAPI: a call of the cloud's API that takes the password and sets it.
	MethodAPI = "api"
	// MethodCommand: a command that an agent runs in the guest, on the cloud's order.
	MethodCommand = "command"
)

// Registry maps provider names to their descriptors.
type Registry map[string]Descriptor

// Check checks the fields of all descriptors. taken are the names of the fields that every provider has.
func (r Registry) Check(taken []string) error {
	var all []error
	first := map[string]Field{}
	for _, name := range slices.Sorted(maps.Keys(r)) {
		d := r[name]
		own := map[string]bool{}
		for _, f := range d.Fields {
			err := f.validate()
			other, known := first[f.Name]
			switch {
			case err != nil:
			case own[f.Name]:
				err = fmt.Errorf("%s: is listed twice", f.Name)
			case slices.Contains(taken, f.Name):
				err = fmt.Errorf("%s: is a field of every provider", f.Name)
			case f.GoesWith != "" && (f.GoesWith == f.Name || !d.hasField(f.GoesWith)):
				err = fmt.Errorf("%s: goes with %s, which is no other field of the provider", f.Name, f.GoesWith)
			case known && !sameField(f, other):
				err = fmt.Errorf("%s: another provider has a field of this name and of another kind, type or label", f.Name)
			}
			if err != nil {
				all = append(all, fmt.Errorf("provider %s: field %w", name, err))
			}
			own[f.Name], first[f.Name] = true, f
		}
		for _, f := range d.Derived {
			if err := f.validate(own, taken); err != nil {
				all = append(all, fmt.Errorf("provider %s: field %s: %w", name, f.Name, err))
			}
		}
	}
	return errors.Join(all...)
}

// sameField reports whether two providers mean the same by a name.
func sameField(a, b Field) bool {
	return a.Kind == b.Kind && a.Type == b.Type && a.Title() == b.Title() && a.ReadBack() == b.ReadBack() &&
		a.Internal == b.Internal && a.File == b.File
}

// validate checks what a descriptor says of the field. own are the fields that are written, taken those of every provider.
func (f DerivedField) validate(own map[string]bool, taken []string) error {
	switch {
	case own[f.Name] || slices.Contains(taken, f.Name):
		return errors.New("another field has this name")
	case f.Name == "" || f.Value == nil || !strings.HasSuffix(f.Description, "."):
		return errors.New("has a name, a value and a description that is a sentence")
	}
	return nil
}
