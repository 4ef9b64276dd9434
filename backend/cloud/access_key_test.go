package cloud

import (
	"strings"
	"testing"
)

func TestCheckAccessKey(t *testing.T) {
	for name, c := range map[string]struct {
		values Values
		want   string // of the error; "" for none
	}{
		"keys":                 {Values{"access_key": "id", "secret_key": "s3cr3t"}, ""},
		"ambient":              {Values{"use_ambient_credentials": "true"}, ""},
		"both":                 {Values{"use_ambient_credentials": "true", "secret_key": "s3cr3t"}, "use_ambient_credentials: contradicts"},
		"none":                 {Values{}, "access_key, secret_key: required; give a key, or"},
		"no key":               {Values{"secret_key": "s3cr3t"}, "access_key: required together"},
		"no secret":            {Values{"access_key": "id"}, "secret_key: required together"},
		"role":                 {Values{"use_ambient_credentials": "true", "role_arn": "arn", "external_id": "x"}, ""},
		"external id alone":    {Values{"access_key": "id", "secret_key": "s3cr3t", "external_id": "x"}, "external_id: only used"},
		"the same, by ambient": {Values{"use_ambient_credentials": "true", "external_id": "x"}, "external_id: only used"},
	} {
		err := Config{Values: c.values}.CheckAccessKey("a key")
		if (err == nil) != (c.want == "") || err != nil && (!strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "s3cr3t")) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestCheckEndpoints(t *testing.T) {
	for name, c := range map[string]struct {
		endpoints map[string]string
		want      string
	}{
		"none":          {nil, ""},
		"good":          {map[string]string{"ec2": "https://ec2.example", "sts": "https://sts.example"}, ""},
		"other service": {map[string]string{"cvm": "https://cvm.example"}, `endpoints: the provider has no service "cvm"; it has ec2, sts`},
		"no URL":        {map[string]string{"sts": "sts.example"}, "endpoints.sts"},
	} {
		err := Config{Endpoints: c.endpoints}.CheckEndpoints([]string{"ec2", "sts"})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
