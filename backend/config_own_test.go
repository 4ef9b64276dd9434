package backend

import (
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/connection"
)

// TestEveryFieldOfEveryProviderIsDescribed: by kind, description, and what goes without it.
func TestEveryFieldOfEveryProviderIsDescribed(t *testing.T) {
	if err := providers().Check(nil); err != nil {
		t.Error(err)
	}
	schemas := connection.Schemas(providers())
	for provider, d := range providers() {
		if len(d.Fields) == 0 {
			t.Errorf("%s has no fields of its own", provider)
		}
		for _, f := range d.Fields {
			if f.Kind == "" || f.Description == "" || f.Default == "" && f.Required == "" || (schemas[f.Name] != nil) != f.Written() {
				t.Errorf("%s: %+v", provider, f)
			}
		}
	}
}

// TestHelpListsTheFieldsOfEveryProvider: in lines that a terminal can show.
func TestHelpListsTheFieldsOfEveryProvider(t *testing.T) {
	help := connection.FieldHelp(providers())
	for name, d := range providers() {
		for _, field := range append(connection.FieldNames(d), name) {
			if !strings.Contains(help, " "+field) {
				t.Errorf("the help does not name %s", field)
			}
		}
	}
	for _, line := range strings.Split(help, "\n") {
		if len(line) > 80 {
			t.Errorf("%q is longer than 80", line)
		}
	}
}
