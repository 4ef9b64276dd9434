package request

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
)

// OperationPrefix begins the ids of all operations in Vault's OpenAPI document.
const OperationPrefix = "cloudpw"

// UsernamePattern takes user names in URLs. What a name may be, cloud.CheckUsername says; no name of a local user
// has a slash, and none of a domain's, which has a backslash, is served.
const UsernamePattern = `[^/\\]+`

// nameForm is framework.GenericNameRegex, anchored.
var nameForm = regexp.MustCompile(`^\w(?:[\w.-]*\w)?$`)

const MaxNameLength = 128 // of names that clients choose; they become storage keys

// IsName reports whether s is a name under which Vault can keep something: GenericNameRegex without
// "..", which Vault refuses in paths.
func IsName(s string) bool {
	return len(s) <= MaxNameLength && nameForm.MatchString(s) && !strings.Contains(s, "..")
}

// CheckName validates a name that came in the URL. The pattern lets ".." through.
func CheckName(what, name string) error {
	if !IsName(name) {
		return Invalidf("%s name %.40q: use at most %d letters, digits, dots, hyphens and underscores, no \"..\", and begin and end with a "+
			"letter, digit or underscore",
			what, name, MaxNameLength)
	}
	return nil
}

// DisplayAttrs is the OpenAPI naming of a path. Its operation ids are cloudpw, a verb, and the suffix.
func DisplayAttrs(suffix string) *framework.DisplayAttributes {
	return &framework.DisplayAttributes{OperationPrefix: OperationPrefix, OperationSuffix: suffix}
}

// DisplayItem is displayed for things that Vault's UI lists and edits.
func DisplayItem(suffix, item string) *framework.DisplayAttributes {
	d := DisplayAttrs(suffix)
	d.ItemType = item
	return d
}

// DisplayName names a field in Vault's UI.
func DisplayName(name string) *framework.DisplayAttributes {
	return &framework.DisplayAttributes{Name: name}
}

// SensitiveName names a field whose value is secret. Such values must be strings; see CheckFields.
func SensitiveName(name string) *framework.DisplayAttributes {
	return &framework.DisplayAttributes{Name: name, Sensitive: true}
}

// NameField is a field that is captured from the URL.
func NameField(description string) *framework.FieldSchema {
	return &framework.FieldSchema{Type: framework.TypeString, Required: true, Description: description}
}

// Forwarded has an operation answered where storage may be written and clouds are asked: on the active node of the
// primary cluster, whoever receives the request.
func Forwarded(op framework.PathOperation) *framework.PathOperation {
	op.ForwardPerformanceStandby, op.ForwardPerformanceSecondary = true, true
	return &op
}

// DataResponses describes a response with data.
func DataResponses(description string, fields map[string]*framework.FieldSchema) map[int][]framework.Response {
	return map[int][]framework.Response{http.StatusOK: {{Description: description, Fields: fields}}}
}

// WriteResponses describes a write without data. Vault answers 200 instead of 204 where there are warnings.
func WriteResponses(description string) map[int][]framework.Response {
	return map[int][]framework.Response{
		http.StatusNoContent: {{Description: description}},
		http.StatusOK:        {{Description: description + " With warnings."}},
	}
}

// DeleteResponses describes a delete.
func DeleteResponses(description string) map[int][]framework.Response {
	return map[int][]framework.Response{http.StatusNoContent: {{Description: description}}}
}

// ListResponses describes a LIST. Vault answers 404 where nothing is listed.
func ListResponses(description string) map[int][]framework.Response {
	return DataResponses(description, map[string]*framework.FieldSchema{
		"keys": {Type: framework.TypeStringSlice, Description: "The names, sorted."},
	})
}

// PageFields are the fields of a LIST that may get long.
func PageFields(fields map[string]*framework.FieldSchema) map[string]*framework.FieldSchema {
	if fields == nil {
		fields = map[string]*framework.FieldSchema{}
	}
	fields["after"] = &framework.FieldSchema{Type: framework.TypeString, Query: true,
		Description: "List only names that come after this one. Default: none."}
	fields["limit"] = &framework.FieldSchema{Type: framework.TypeInt, Query: true,
		Description: "List at most this many names. Default: 0, which lists all."}
	return fields
}

// TimeField is the schema of a time in a response, RFC 3339. One that is not required is left out where
// there is none.
func TimeField(required bool, description string) *framework.FieldSchema {
	return &framework.FieldSchema{Type: framework.TypeTime, Required: required, Description: description + "."}
}

// ReadBack makes the schema of a write that of a read, without the name in the URL: durations are read
// back as whole seconds.
func ReadBack(fields map[string]*framework.FieldSchema) map[string]*framework.FieldSchema {
	delete(fields, "name")
	for _, field := range fields {
		if field.Type == framework.TypeDurationSecond {
			field.Type = framework.TypeInt
		}
	}
	return fields
}

// AllowEmpty lets a text that is read back be empty, too.
func AllowEmpty(field *framework.FieldSchema) {
	field.AllowedValues = append(field.AllowedValues, "")
}

// WaitField is the field wait of paths that can wait for a password.
func WaitField() *framework.FieldSchema {
	return &framework.FieldSchema{Type: framework.TypeDurationSecond, Query: true,
		Description: fmt.Sprintf("How long to wait for an initial password or the end of a running rotation, at most %s. Default: 0, which "+
			"answers at once.", FormatDuration(MaxWait)),
		DisplayAttrs: DisplayName("Wait")}
}
