package connection

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
)

// The fields of config/<name> that belong to the providers: their schema, and what it says of them, follow from the
// descriptors. A field that several providers have is one field of the path.

// OwnField is what a provider says of a field.
type OwnField struct {
	Provider string
	cloud.Field
}

// OwnFields are the fields of all providers that clients write, by name, and what each provider says of one, by the provider's name.
func OwnFields(registry cloud.Registry) map[string][]OwnField {
	all := map[string][]OwnField{}
	for _, provider := range slices.Sorted(maps.Keys(registry)) {
		for _, f := range registry[provider].Fields {
			if f.Written() {
				all[f.Name] = append(all[f.Name], OwnField{provider, f})
			}
		}
	}
	return all
}

// FieldNames are the names of a provider's own fields that clients write, in its order.
func FieldNames(d cloud.Descriptor) []string {
	names := make([]string, 0, len(d.Fields))
	for _, f := range d.Fields {
		if f.Written() {
			names = append(names, f.Name)
		}
	}
	return names
}

// IsWriteOnly reports whether a field of a connection is never read back.
func IsWriteOnly(registry cloud.Registry, name string) bool {
	uses := OwnFields(registry)[name]
	return len(uses) > 0 && !uses[0].ReadBack()
}

// applyOwnFields takes over the fields of the connection's provider.
func applyOwnFields(next *Record, in request.Fields, registry cloud.Registry, d cloud.Descriptor) error {
	for _, name := range slices.Sorted(maps.Keys(OwnFields(registry))) {
		if _, own := d.Field(name); !own && in.Gives(name) {
			return request.Invalidf("%s: provider %s does not use it; leave it out; its own fields are: %s", name, d.Name,
				strings.Join(FieldNames(d), ", "))
		}
	}
	written := cloud.Values{}
	for _, f := range d.Fields {
		if !f.Written() {
			continue
		}
		value := next.Own.Text(f)
		switch {
		case f.Type != cloud.FieldFlag:
			in.Text(f.Name, &value)
		case in.Empty(f.Name):
			value = ""
		case in.Has(f.Name):
			value = strconv.FormatBool(in.Data.Get(f.Name).(bool))
		}
		if f.GoesWith != "" && in.Has(f.GoesWith) && !in.Has(f.Name) {
			value = ""
		}
		if most := cmp.Or(f.MaxLength, maxFieldLength); len(value) > most {
			return request.Invalidf("%s: longer than %d bytes", f.Name, most)
		}
		written[f.Name] = value
	}
	next.Own = next.Own.With(written)
	return nil
}

// completeOwnFields has the provider make what the write leaves to it. old is nil for a new connection.
func completeOwnFields(old, next *Record, d cloud.Descriptor) error {
	if d.Complete == nil {
		return nil
	}
	var before cloud.Values
	if old != nil {
		before = old.Own.With(nil)
	}
	completed, err := d.Complete(before, next.Own.With(nil))
	if err != nil {
		return request.Invalidf("%s", err)
	}
	next.Own = completed
	return nil
}

// helpWidth is the longest line of the help.
const helpWidth = 80

// FieldHelp is a list of the providers with their own fields.
func FieldHelp(registry cloud.Registry) string {
	widest := 0
	for name := range registry {
		widest = max(widest, len(name))
	}
	var help strings.Builder
	for _, name := range slices.Sorted(maps.Keys(registry)) {
		line := fmt.Sprintf("  %-*s ", widest, name)
		fields := FieldNames(registry[name])
		for i, field := range fields {
			if i < len(fields)-1 {
				field += ","
			}
			if len(line)+1+len(field) > helpWidth {
				help.WriteString(line + "\n")
				line = strings.Repeat(" ", widest+3)
			}
			line += " " + field
		}
		help.WriteString(line + "\n")
	}
	return help.String()
}
