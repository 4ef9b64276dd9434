package backend

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
)

// operationPrefix begins the ids of all operations in Vault's OpenAPI document.
const operationPrefix = "cloudpw"

// usernamePattern takes user names in URLs. What a name may be, cloud.CheckUsername says; no name of a local user
// has a slash, and none of a domain's, which has a backslash, is served.
const usernamePattern = `[^/\\]+`

// nameForm is framework.GenericNameRegex, anchored.
var nameForm = regexp.MustCompile(`^\w(?:[\w.-]*\w)?$`)

const maxNameLength = 128 // of names that clients choose; they become storage keys

// isName reports whether s is a name under which Vault can keep something: GenericNameRegex without
// "..", which Vault refuses in paths.
func isName(s string) bool {
	return len(s) <= maxNameLength && nameForm.MatchString(s) && !strings.Contains(s, "..")
}

// checkName validates a name that came in the URL. The pattern lets ".." through.
func checkName(what, name string) error {
	if !isName(name) {
		return invalidf("%s name %.40q: use at most %d letters, digits, dots, hyphens and underscores, no \"..\", and begin and end with a "+
			"letter, digit or underscore",
			what, name, maxNameLength)
	}
	return nil
}

// displayed is the OpenAPI naming of a path. Its operation ids are cloudpw, a verb, and the suffix.
func displayed(suffix string) *framework.DisplayAttributes {
	return &framework.DisplayAttributes{OperationPrefix: operationPrefix, OperationSuffix: suffix}
}

// displayedItem is displayed for things that Vault's UI lists and edits.
func displayedItem(suffix, item string) *framework.DisplayAttributes {
	d := displayed(suffix)
	d.ItemType = item
	return d
}

// labelled names a field in Vault's UI.
func labelled(name string) *framework.DisplayAttributes {
	return &framework.DisplayAttributes{Name: name}
}

// secretly names a field whose value is secret. Such values must be strings; see checkFields.
func secretly(name string) *framework.DisplayAttributes {
	return &framework.DisplayAttributes{Name: name, Sensitive: true}
}

// nameField is a field that is captured from the URL.
func nameField(description string) *framework.FieldSchema {
	return &framework.FieldSchema{Type: framework.TypeString, Required: true, Description: description}
}

// forwarded has an operation answered where storage may be written and clouds are asked: on the active node of the
// primary cluster, whoever receives the request.
func forwarded(op framework.PathOperation) *framework.PathOperation {
	op.ForwardPerformanceStandby, op.ForwardPerformanceSecondary = true, true
	return &op
}

// answers describes a response with data.
func answers(description string, fields map[string]*framework.FieldSchema) map[int][]framework.Response {
	return map[int][]framework.Response{http.StatusOK: {{Description: description, Fields: fields}}}
}

// writes describes a write without data. Vault answers 200 instead of 204 where there are warnings.
func writes(description string) map[int][]framework.Response {
	return map[int][]framework.Response{
		http.StatusNoContent: {{Description: description}},
		http.StatusOK:        {{Description: description + " With warnings."}},
	}
}

// deletes describes a delete.
func deletes(description string) map[int][]framework.Response {
	return map[int][]framework.Response{http.StatusNoContent: {{Description: description}}}
}

// lists describes a LIST. Vault answers 404 where nothing is listed.
func lists(description string) map[int][]framework.Response {
	return answers(description, map[string]*framework.FieldSchema{
		"keys": {Type: framework.TypeStringSlice, Description: "The names, sorted."},
	})
}

// pageFields are the fields of a LIST that may get long.
func pageFields(fields map[string]*framework.FieldSchema) map[string]*framework.FieldSchema {
	if fields == nil {
		fields = map[string]*framework.FieldSchema{}
	}
	fields["after"] = &framework.FieldSchema{Type: framework.TypeString, Query: true,
		Description: "List only names that come after this one. Default: none."}
	fields["limit"] = &framework.FieldSchema{Type: framework.TypeInt, Query: true,
		Description: "List at most this many names. Default: 0, which lists all."}
	return fields
}

// moment is the schema of a time in a response, RFC 3339. One that is not required is left out where
// there is none.
func moment(required bool, description string) *framework.FieldSchema {
	return &framework.FieldSchema{Type: framework.TypeTime, Required: required, Description: description + "."}
}

// readBack makes the schema of a write that of a read, without the name in the URL: durations are read
// back as whole seconds.
func readBack(fields map[string]*framework.FieldSchema) map[string]*framework.FieldSchema {
	delete(fields, "name")
	for _, field := range fields {
		if field.Type == framework.TypeDurationSecond {
			field.Type = framework.TypeInt
		}
	}
	return fields
}

// orEmpty lets a text that is read back be empty, too.
func orEmpty(field *framework.FieldSchema) {
	field.AllowedValues = append(field.AllowedValues, "")
}

// waitField is the field wait of paths that can wait for a password.
func waitField() *framework.FieldSchema {
	return &framework.FieldSchema{Type: framework.TypeDurationSecond, Query: true,
		Description: fmt.Sprintf("How long to wait for an initial password or the end of a running rotation, at most %s. Default: 0, which "+
			"answers at once.", inWords(maxWait)),
		DisplayAttrs: labelled("Wait")}
}
