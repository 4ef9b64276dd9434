package awsapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// decodeJSON reads a body. Members that the simulator does not know are refused, other than by the
// cloud, which ignores what it does not know: they are either misspelt or not simulated.
func decodeJSON(body []byte, into any) *failure {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrong):
		return fail("SerializationException", "Unexpected value type in payload: "+wrong.Field)
	case err != nil && strings.Contains(err.Error(), "unknown field"):
		return fail("ValidationException", "the simulator: "+err.Error())
	case err != nil || !errors.Is(d.Decode(new(any)), io.EOF):
		return fail("SerializationException", "")
	}
	if name := misspelt(body, reflect.TypeOf(into)); name != "" {
		return fail("ValidationException", "the simulator: json: unknown field \""+name+"\"")
	}
	return nil
}

// misspelt finds a member whose case differs from the field's that it was read into: encoding/json does not
// mind that, and the cloud does.
func misspelt(raw json.RawMessage, t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return misspelt(raw, t.Elem())
	case reflect.Slice:
		var list []json.RawMessage
		_ = json.Unmarshal(raw, &list) // it has been read before
		for _, one := range list {
			if name := misspelt(one, t.Elem()); name != "" {
				return name
			}
		}
	case reflect.Struct:
		var members map[string]json.RawMessage
		_ = json.Unmarshal(raw, &members)
		fields := map[string]reflect.Type{}
		for _, f := range reflect.VisibleFields(t) {
			name := f.Name
			if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); tag != "" {
				name = tag
			}
			fields[name] = f.Type
		}
		for _, name := range slices.Sorted(maps.Keys(members)) {
			if fields[name] == nil {
				return name
			}
			if inner := misspelt(members[name], fields[name]); inner != "" {
				return inner
			}
		}
	}
	return ""
}

// describeJSON fills the log's view of a call from its body.
func describeJSON(c *model.Call, body []byte) {
	var raw map[string]json.RawMessage
	if json.Unmarshal(body, &raw) != nil {
		return // refused later, with a reason
	}
	c.Params = map[string]string{}
	for name, v := range raw {
		c.Params[name] = string(v)
	}
	// Values of a wrong type are refused later, too.
	var one string
	_ = json.Unmarshal(raw["InstanceIds"], &c.Instances)
	if json.Unmarshal(raw["InstanceId"], &one) == nil {
		c.Instances = append(c.Instances, one)
	}
	for _, name := range []string{"Filters", "Targets"} {
		var conditions []commandTarget
		_ = json.Unmarshal(raw[name], &conditions)
		for _, condition := range conditions {
			if condition.Key == targetInstances {
				c.Instances = append(c.Instances, condition.Values...)
			}
		}
	}
}
