package host

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
)

const (
	// MaxBulk is how many hosts one write may have.
	MaxBulk = 1000
	// maxBulkText bounds the JSON of a list, in bytes: 4 KiB for each host.
	maxBulkText = MaxBulk * 4 << 10
	// maxBulkErrors is how many refusals an error repeats.
	maxBulkErrors = 10
)

// One is one host of a list, and what the write of it does.
type One struct {
	Name   string
	in     request.Fields
	Change Change
	Err    error // why it is refused
}

// ParseList reads the hosts of a write from a list of objects, or from its JSON. Each has a name, and fields of hosts/<name>.
func ParseList(value any) ([]One, error) {
	elements, err := listOf(value)
	if err != nil {
		return nil, err
	}
	switch {
	case len(elements) == 0:
		return nil, request.Invalidf("hosts: required; a list of objects with name, and the fields of hosts/NAME: hosts=@list.json")
	case len(elements) > MaxBulk:
		return nil, request.Invalidf("hosts: %d elements; give at most %d in one write", len(elements), MaxBulk)
	}
	all := make([]One, 0, len(elements))
	known := make(map[string]bool, len(elements))
	for i, element := range elements {
		one, err := parseOne(element)
		if err != nil {
			return nil, request.Invalidf("hosts: element %d: %s", i+1, err)
		}
		if known[one.Name] {
			return nil, request.Invalidf("hosts: element %d: name %s is given twice", i+1, one.Name)
		}
		known[one.Name] = true
		all = append(all, one)
	}
	return all, nil
}

// listOf is the list that was given, or that the JSON text has.
func listOf(value any) ([]any, error) {
	switch v := value.(type) {
	case nil:
		return nil, nil
	case []any:
		if text, ok := only(v); ok {
			return listOf(text)
		}
		return v, nil
	case string:
		if strings.TrimSpace(v) == "" {
			return nil, nil
		}
		if len(v) > maxBulkText {
			return nil, request.Invalidf("hosts: longer than %d bytes; write it in several parts", maxBulkText)
		}
		decoder := json.NewDecoder(strings.NewReader(v))
		decoder.UseNumber()
		var list []any
		if err := decoder.Decode(&list); err != nil {
			return nil, request.Invalidf("hosts: must be a JSON list of objects, as in: [{\"name\": \"web-1\", \"connection\": \"dc-1\", " +
				"\"address\": \"192.0.2.7\"}]")
		}
		if _, err := decoder.Token(); err != io.EOF {
			return nil, request.Invalidf("hosts: something follows the JSON list")
		}
		return list, nil
	}
	return nil, request.Invalidf("hosts: must be a list of objects")
}

// only is the only element of a list, if that is a text: as a text arrives for a field that is a list.
func only(list []any) (string, bool) {
	if len(list) != 1 {
		return "", false
	}
	text, ok := list[0].(string)
	return text, ok
}

// rowPath has the fields of an element, for their checks.
var rowPath = &framework.Path{Pattern: "(?P<name>)", Fields: Schemas()}

func parseOne(element any) (One, error) {
	object, ok := element.(map[string]any)
	if !ok {
		return One{}, request.Invalidf("must be an object with name, and the fields of hosts/NAME")
	}
	name, _ := object["name"].(string)
	if name == "" {
		return One{}, request.Invalidf("name: required, as a string")
	}
	if err := request.CheckName("host", name); err != nil {
		return One{}, err
	}
	fields := maps.Clone(object)
	delete(fields, "name")
	req, _, err := request.CheckFields(rowPath, &logical.Request{Operation: logical.UpdateOperation, Path: "hosts/" + name, Data: fields})
	if err != nil {
		return One{}, request.Invalidf("%s: %s", name, err)
	}
	data := &framework.FieldData{Raw: req.Data, Schema: rowPath.Fields}
	if err := data.Validate(); err != nil {
		return One{}, request.Invalidf("%s: %s", name, fieldOf(data))
	}
	return One{Name: name, in: request.Fields{Data: data}}, nil
}

// fieldOf says which field does not have the form of its type. The framework's own error repeats the value.
func fieldOf(data *framework.FieldData) string {
	for _, field := range slices.Sorted(maps.Keys(data.Raw)) {
		alone := &framework.FieldData{Raw: map[string]any{field: data.Raw[field]}, Schema: data.Schema}
		if alone.Validate() != nil {
			return fmt.Sprintf("%s: does not have the form of its type, %s", field, data.Schema[field].Type)
		}
	}
	return "a field does not have the form of its type"
}

// PlanAll says what the writes of a list would do. The error is that of a failure, not of a refusal, which One.Err has.
func (s *Store) PlanAll(ctx context.Context, all []One) error {
	return request.InParallel(s.Log(), len(all), func(i int) error {
		all[i].Change, all[i].Err = s.Plan(ctx, all[i].Name, all[i].in)
		if all[i].Err != nil && !request.IsRefusal(all[i].Err) {
			return all[i].Err
		}
		return nil
	})
}

// Refused is the error of a list of which something is refused; nil if nothing is.
func Refused(all []One) error {
	var reasons hint.Text
	refused := 0
	for _, one := range all {
		if one.Err == nil {
			continue
		}
		if refused++; refused <= maxBulkErrors {
			reasons = hint.Textf("%s; %s: %s", reasons, one.Name, one.Err)
		}
	}
	switch {
	case refused == 0:
		return nil
	case refused > maxBulkErrors:
		reasons = hint.Textf("%s; and %d more, which dry_run=true shows", reasons, refused-maxBulkErrors)
	}
	return request.Invalidf("hosts: nothing was written, since %d of %d are refused%s", refused, len(all), reasons)
}

// WriteAll writes a list whose plan has refused nothing. What others change meanwhile is looked at again. After an error some hosts
// are written, and those need no second write, but may have one.
func (s *Store) WriteAll(ctx context.Context, all []One) error {
	var written atomic.Int64
	err := request.InParallel(s.Log(), len(all), func(i int) error {
		if all[i].Change.Result == Unchanged {
			return nil
		}
		var err error
		if all[i].Change, err = s.Write(ctx, all[i].Name, all[i].in); err != nil {
			return request.WithWayOut(err, "that is host "+all[i].Name)
		}
		written.Add(1)
		return nil
	})
	if err != nil {
		return request.WithWayOut(err, fmt.Sprintf("of %d hosts %d were written; write the list again, which leaves those as they are",
			len(all), written.Load()))
	}
	return nil
}
