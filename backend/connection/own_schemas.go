package connection

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/vault/sdk/framework"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
)

// ownSchemas are the schemas of the providers' fields.
func ownSchemas(registry cloud.Registry) map[string]*framework.FieldSchema {
	schemas := map[string]*framework.FieldSchema{}
	for name, uses := range OwnFields(registry) {
		f := uses[0]
		schema := &framework.FieldSchema{
			Type: framework.TypeString, DisplayAttrs: request.DisplayName(f.Title()), Description: describe(uses, len(registry)),
		}
		switch {
		case f.Type == cloud.FieldFlag:
			schema.Type = framework.TypeBool
		case f.Kind == cloud.FieldSecret:
			schema.DisplayAttrs = request.SensitiveName(f.Title())
		}
		if f.File {
			schema.DisplayAttrs.EditType = "file"
		}
		for _, use := range uses {
			for _, value := range use.Allowed {
				if !slices.Contains(schema.AllowedValues, any(value)) {
					schema.AllowedValues = append(schema.AllowedValues, value)
				}
			}
		}
		schemas[name] = schema
	}
	return schemas
}

// derivedSchemas are the schemas of what reads add to the providers' fields.
func derivedSchemas(registry cloud.Registry) map[string]*framework.FieldSchema {
	schemas := map[string]*framework.FieldSchema{}
	for _, provider := range slices.Sorted(maps.Keys(registry)) {
		for _, f := range registry[provider].Derived {
			schemas[f.Name] = &framework.FieldSchema{Type: framework.TypeString, Description: provider + ": " + uncapitalized(f.Description)}
		}
	}
	return schemas
}

// describe is what the schema says of a field: for which providers it means what, what follows from its kind, and what
// goes without it. all is how many providers there are.
func describe(uses []OwnField, all int) string {
	var sentences []string
	meanings := grouped(providersOf(uses), func(i int) string { return uses[i].Description })
	for _, meaning := range meanings {
		if len(meanings) > 1 || len(uses) < all {
			meaning.text = strings.Join(meaning.providers, ", ") + ": " + uncapitalized(meaning.text)
		}
		sentences = append(sentences, meaning.text)
	}
	if !uses[0].ReadBack() {
		sentences = append(sentences, "Never read back.")
	}
	switch kind := uses[0].Kind; {
	case kind == cloud.FieldAccount:
		sentences = append(sentences, "Fixed while accounts of the connection exist; else a change needs the secrets in the same write.")
	case kind.BindsSecrets():
		sentences = append(sentences, "A change needs the secrets in the same write.")
	}
	return strings.Join(append(sentences, withoutIt(uses)), " ")
}

// withoutIt is the sentence about a connection that does not have a field.
func withoutIt(uses []OwnField) string {
	defaults := grouped(providersOf(uses), func(i int) string { return uses[i].Default })
	var words, conditions []string
	for _, group := range defaults {
		if group.text != "" {
			words = append(words, group.text+on(group, len(defaults)))
		}
	}
	needed := slices.DeleteFunc(slices.Clone(uses), func(f OwnField) bool { return f.Required == "" })
	required := grouped(providersOf(needed), func(i int) string { return strings.TrimPrefix(needed[i].Required, cloud.RequiredAlways) })
	slices.SortStableFunc(required, func(a, b group) int { return min(len(a.text), 1) - min(len(b.text), 1) })
	for _, group := range required {
		clause := on(group, len(required)+len(words))
		if group.text != "" {
			clause += " " + group.text
		}
		conditions = append(conditions, strings.TrimSpace(clause))
	}
	switch {
	case len(words) == 0 && conditions[0] == "":
		return "Required."
	case len(words) == 0:
		return "Required " + strings.Join(conditions, "; ") + "."
	}
	for _, condition := range conditions {
		words = append(words, "required "+condition)
	}
	return "Default: " + strings.Join(words, "; ") + "."
}

// on names the providers of a group, where there are several groups.
func on(g group, groups int) string {
	if groups == 1 {
		return ""
	}
	return " on " + strings.Join(g.providers, ", ")
}

// group is a text that some providers have in common.
type group struct {
	text      string
	providers []string
}

// grouped groups providers by what is said of each.
func grouped(providers []string, says func(i int) string) []group {
	var groups []group
	for i, provider := range providers {
		text := says(i)
		at := slices.IndexFunc(groups, func(g group) bool { return g.text == text })
		if at < 0 {
			at = len(groups)
			groups = append(groups, group{text: text})
		}
		groups[at].providers = append(groups[at].providers, provider)
	}
	return groups
}

// providersOf are the providers that have a field.
func providersOf(uses []OwnField) []string {
	names := make([]string, len(uses))
	for i, use := range uses {
		names[i] = use.Provider
	}
	return names
}

// uncapitalized is a sentence as it goes on after a colon. A word such as URL stays what it is.
func uncapitalized(sentence string) string {
	first, size := utf8.DecodeRuneInString(sentence)
	if second, _ := utf8.DecodeRuneInString(sentence[size:]); unicode.IsUpper(second) {
		return sentence
	}
	return string(unicode.ToLower(first)) + sentence[size:]
}

// inList writes names as a list: a, b or c.
func inList(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// endpointsOf lists the services whose URLs can be given, by provider: ec2, sts (aws); ecs, iam (huaweicloud).
func endpointsOf(registry cloud.Registry) string {
	names := slices.Sorted(maps.Keys(registry))
	var all []string
	for _, g := range grouped(names, func(i int) string { return strings.Join(registry[names[i]].EndpointKeys, ", ") }) {
		if g.text != "" {
			all = append(all, g.text+" ("+strings.Join(g.providers, ", ")+")")
		}
	}
	return strings.Join(all, "; ")
}

// ratesOf is the default of max_requests_per_second, by provider where they differ.
func ratesOf(registry cloud.Registry) string {
	names := slices.Sorted(maps.Keys(registry))
	rates := grouped(names, func(i int) string { return fmt.Sprint(registry[names[i]].DefaultRequestsPerSecond) })
	var all []string
	for _, g := range rates {
		all = append(all, g.text+on(g, len(rates)))
	}
	return strings.Join(all, "; ")
}

// ResetMethods is the default of reset_method, by provider.
func ResetMethods(registry cloud.Registry) string {
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(registry)), func(name string) bool { return !registry[name].CanReset() })
	var all []string
	for _, g := range grouped(names, func(i int) string { return registry[names[i]].ResetMethods[0].Name }) {
		all = append(all, g.text+" on "+strings.Join(g.providers, ", "))
	}
	return strings.Join(all, "; ")
}
