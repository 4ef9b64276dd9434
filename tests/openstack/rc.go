package openstack

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// requestTimeout bounds one exchange with the real cloud.
const requestTimeout = 30 * time.Second

// assignment is a line of an rc file that sets a variable of OpenStack's clients.
var assignment = regexp.MustCompile(`^\s*(?:export\s+)?(OS_[A-Z0-9_]+)=(.*)$`)

// ReadRC reads the OS_ variables of an rc file, with or without export and quotes. Nothing is run: other
// lines are skipped, and so are values that a shell would compute, such as a password that the file asks
// for. Those come from the environment (see Config).
func ReadRC(r io.Reader) (map[string]string, error) {
	text, err := io.ReadAll(io.LimitReader(r, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("read the rc file: %w", err)
	}
	out := map[string]string{}
	for line := range strings.Lines(string(text)) {
		m := assignment.FindStringSubmatch(strings.TrimRight(line, "\r\n"))
		if m == nil {
			continue
		}
		if value, ok := literal(strings.TrimSpace(m[2])); ok {
			out[m[1]] = value
		}
	}
	if len(out) == 0 {
		return nil, errors.New("the rc file sets no OS_ variable; download one from Horizon: API Access, Download OpenStack RC File")
	}
	return out, nil
}

// literal takes the quotes off a value; false for one that a shell would change.
func literal(value string) (string, bool) {
	if rest, ok := strings.CutPrefix(value, "'"); ok {
		inner, after, closed := strings.Cut(rest, "'")
		return inner, closed && comment(after)
	}
	if rest, ok := strings.CutPrefix(value, `"`); ok {
		inner, after, closed := strings.Cut(rest, `"`)
		return inner, closed && comment(after) && !strings.ContainsAny(inner, "$`\\")
	}
	value, _, _ = strings.Cut(value, " ")
	return value, !strings.ContainsAny(value, "$`\\\"'")
}

func comment(text string) bool {
	text = strings.TrimSpace(text)
	return text == "" || strings.HasPrefix(text, "#") || strings.HasPrefix(text, ";")
}

// Config makes a connection of the variables. environment, normally os.Getenv, goes before the file.
func Config(file map[string]string, environment func(string) string) (cloud.Config, error) {
	get := func(name string) string { return cmp.Or(environment(name), file[name]) }
	cfg := cloud.Config{
		Provider:       "openstack",
		RequestTimeout: requestTimeout,
		Limiter:        cloud.Unlimited{},
		Values: cloud.Values{
			"region": get("OS_REGION_NAME"), "auth_url": get("OS_AUTH_URL"),
			"application_credential_id":     get("OS_APPLICATION_CREDENTIAL_ID"),
			"application_credential_secret": get("OS_APPLICATION_CREDENTIAL_SECRET"),
		},
	}
	if cfg.Values["application_credential_id"] == "" {
		cfg.Values = cfg.With(cloud.Values{
			"username": get("OS_USERNAME"), "password": get("OS_PASSWORD"), "user_domain_name": domainName(get, "OS_USER_DOMAIN"),
			"project_id": get("OS_PROJECT_ID"),
		})
		if cfg.Values["project_id"] == "" {
			cfg.Values = cfg.With(cloud.Values{"project_name": get("OS_PROJECT_NAME"), "project_domain_name": domainName(get, "OS_PROJECT_DOMAIN")})
		}
		if cfg.Values["username"] != "" && cfg.Values["password"] == "" {
			return cfg, errors.New("OS_PASSWORD: the rc file does not hold it; set it in the environment: OS_PASSWORD=... make test-openstack")
		}
	}
	pem := ""
	if name := get("OS_CACERT"); name != "" {
		text, err := os.ReadFile(name)
		if err != nil {
			return cfg, fmt.Errorf("OS_CACERT: %w", err)
		}
		pem = string(text)
	}
	var err error
	cfg.HTTPClient, err = cloud.NewHTTPClient(pem, requestTimeout)
	return cfg, err
}

// domainName reads the name of a domain. Keystone's first domain has the id "default" and, unless its
// operators changed that, the name "Default".
func domainName(get func(string) string, prefix string) string {
	if name := get(prefix + "_NAME"); name != "" {
		return name
	}
	if get(prefix+"_ID") == "default" {
		return "Default"
	}
	return ""
}
