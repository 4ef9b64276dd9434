package cocapi

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// define is a parameter as a script has it.
type define struct {
	Name        string `json:"param_name"`
	Value       string `json:"param_value"`
	Description string `json:"param_description"`
	Order       int    `json:"param_order"`
	Sensitive   *bool  `json:"sensitive"`
}

// input is a parameter as an order gives it.
type input struct {
	Name  string `json:"param_name"`
	Value string `json:"param_value"`
	Order *int   `json:"param_order,omitempty"` // has no effect any more
	Refer *struct {
		Type    string  `json:"refer_type"`
		ID      string  `json:"param_id"`
		Version *string `json:"param_version"`
	} `json:"param_refer,omitempty"`
}

// Limits of parameters. A value may have 1,024 characters by the pages' restrictions and 4,096 by their tables of fields.
const (
	maxParams           = 20
	maxValue            = 1024
	maxParamDescription = 256
)

var (
	paramName  = regexp.MustCompile(`^[A-Za-z0-9_]{1,64}$`)
	paramValue = regexp.MustCompile(`^[A-Za-z0-9_\-/.* ?:",=+@#\\\[{\]}]+$`)
)

// badValue is the refusal of the table of errors for a value of a parameter.
func badValue() *failure { return invalid("The paramValue is invalid.") }

// validValue says whether a value may be given: the alphabet has no dollar sign, quote or semicolon, and two dots may not follow
// each other.
func validValue(value string) bool {
	return utf8.RuneCountInString(value) <= maxValue && paramValue.MatchString(value) && !strings.Contains(value, "..")
}

// checkDefines refuses what breaks the page's limits of a script's parameters.
func checkDefines(params []define) *failure {
	if len(params) > maxParams {
		return invalid(fmt.Sprintf("there can be at most %d script_params", maxParams))
	}
	names, orders := map[string]bool{}, map[int]bool{}
	for _, p := range params {
		switch {
		case !paramName.MatchString(p.Name) || names[p.Name]:
			return invalid("param_name must be 1 to 64 letters, digits and underscores, and unique")
		case !validValue(p.Value):
			return badValue()
		case utf8.RuneCountInString(p.Description) > maxParamDescription:
			return invalid(fmt.Sprintf("param_description must have at most %d characters", maxParamDescription))
		case p.Order < 1 || p.Order > len(params) || orders[p.Order]:
			return invalid("param_order must count from 1 without gaps")
		case p.Sensitive == nil:
			return invalid("sensitive must not be null")
		}
		names[p.Name], orders[p.Order] = true, true
	}
	return nil
}

// checkInputs refuses parameters that do not fit the script's.
func checkInputs(params []input, defines []define) *failure {
	known, given := map[string]bool{}, map[string]bool{}
	for _, p := range defines {
		known[p.Name] = true
	}
	for _, p := range params {
		switch {
		case !known[p.Name] || given[p.Name]:
			return invalid("The script has no parameter " + p.Name + ", or it is given twice.")
		case p.Refer != nil:
			return invalid("The simulator knows no parameter store.")
		case !validValue(p.Value):
			return badValue()
		}
		given[p.Name] = true
	}
	for _, p := range defines {
		if !given[p.Name] { // [unconfirmed]: the script's own value might do
			return invalid("The parameter " + p.Name + " is missing.")
		}
	}
	return nil
}

// handOver puts the parameters where the script finds them.
func handOver(way, text string, params []input) (string, map[string]string) {
	environment := map[string]string{}
	for _, p := range params {
		if way == Environment {
			environment[p.Name] = p.Value
			continue
		}
		text = strings.ReplaceAll(text, "${"+p.Name+"}", p.Value)
	}
	return text, environment
}
