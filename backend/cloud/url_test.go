package cloud

import (
	"strings"
	"testing"
)

func TestValidateURL(t *testing.T) {
	const field = "endpoints.ec2"
	for raw, want := range map[string]string{
		// Allowed.
		"https://ec2.eu-central-1.amazonaws.com": "",
		"https://ecs.example.com:8443/v2.1/":     "",
		"HTTPS://ecs.example.com":                "",
		"https://10.0.0.7":                       "",
		"https://[2001:db8::7]:8443":             "",
		"https://127.0.0.1:8443":                 "",
		"http://127.0.0.1:8080":                  "",
		"http://127.255.255.254":                 "",
		"http://[::1]:8080":                      "",
		"http://[::ffff:127.0.0.1]:8080":         "",
		"http://localhost:8080":                  "",
		"http://LOCALHOST":                       "",
		// Plain http beyond loopback, also under names that only look like it.
		"http://ecs.example.com":       "plain http",
		"http://10.0.0.7":              "plain http",
		"http://localhost.example.com": "plain http",
		"http://127.0.0.1.example.com": "plain http",
		"http://127.1":                 "plain http",
		"http://2130706433":            "plain http",
		"http://0.0.0.0":               "plain http",
		// Link-local, where metadata services live, in every notation that is an address.
		"https://169.254.169.254":                 "link-local",
		"http://169.254.169.254/latest/meta-data": "link-local",
		"https://169.254.0.1:8443":                "link-local",
		"https://[fe80::1]":                       "link-local",
		"https://[fe80::1%25eth0]":                "link-local",
		"https://[::ffff:169.254.169.254]":        "link-local",
		"https://[::ffff:a9fe:a9fe]":              "link-local",
		"https://[ff02::1]":                       "link-local",
		"https://224.0.0.251":                     "link-local",
		// Dots of other scripts, which become dots before the host is dialed.
		"https://169。254。169。254":  "link-local",
		"https://169.254.169。254":  "link-local",
		"https://168．63．129．16":    "link-local",
		"https://100｡100｡100｡200｡": "link-local",
		"https://127。0。0。1":        "usual form",
		"http://127。0。0。1":         "plain http",
		// Ports that do not exist.
		"https://ecs.example.com:0":     "port 0 does not exist",
		"https://ecs.example.com:65536": "port 65536 does not exist",
		"https://ecs.example.com:99999": "port 99999 does not exist",
		"https://ecs.example.com:65535": "",
		// Parts that do not belong into an endpoint.
		"https://user:hunter2@ecs.example.com": "user name or password",
		"https://user@ecs.example.com":         "user name or password",
		"https://ecs.example.com/?token=x":     "query or fragment",
		"https://ecs.example.com?":             "query or fragment",
		"https://ecs.example.com/#x":           "query or fragment",
		"http://localhost@169.254.169.254":     "user name or password",
		// Other schemes and things that are no URL of a host.
		"ftp://ecs.example.com":        "scheme must be https",
		"file://host/etc/passwd":       "scheme must be https",
		"gopher://127.0.0.1":           "scheme must be https",
		"":                             "is not a URL",
		"ecs.example.com":              "is not a URL",
		"ecs.example.com:443":          "is not a URL",
		"https://":                     "is not a URL",
		"https://:443":                 "is not a URL",
		"https:ecs.example.com":        "is not a URL",
		"/v2.1":                        "is not a URL",
		"https://ecs.example.com:port": "is not a URL",
		"https://ecs.exa mple.com":     "is not a URL",
		"https://ecs.example.com\n":    "is not a URL",
		"https://u:hunter2@bad host/":  "is not a URL",
	} {
		err := ValidateURL(field, raw)
		if want == "" {
			if err != nil {
				t.Errorf("%q: refused: %v", raw, err)
			}
			continue
		}
		if err == nil || !strings.HasPrefix(err.Error(), field+": ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one of %s about %q", raw, err, field, want)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: the error repeats the password: %v", raw, err)
		}
	}
}
