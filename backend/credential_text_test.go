package backend

import (
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
)

// A credential with what a console, a shell or an editor has added is refused before the cloud is asked.
func TestCredentialsWithForeignCharactersAreRefused(t *testing.T) {
	h := newHarness(t)
	const secret = "AbCdEf0123456789" // nothing of it may be shown
	for name, c := range map[string]struct{ value, says string }{
		"line feed":             {secret + "\n", "line feed"},
		"carriage return":       {secret + "\r\n", "carriage return"},
		"byte order mark":       {"\ufeff" + secret, "byte order mark"},
		"no-break space":        {secret + "\u00a0", "no-break space"},
		"no-break space inside": {secret[:4] + "\u00a0" + secret[4:], "no-break space"},
		"zero width space":      {secret + "\u200b", "zero width space"},
		"UTF-16":                {strings.Join(strings.Split(secret, ""), "\x00"), "null"},
		"not UTF-8":             {secret + "\ufffd", "replacement character"},
		"tab":                   {"\t" + secret, "tab"},
		"blank before":          {" " + secret, "character 1 is a blank"},
		"blank after":           {secret + " ", "character 17 is a blank"},
		"blank inside":          {secret[:4] + " " + secret[4:], "character 5 is a blank"},
		"quotes":                {`"` + secret + `"`, "quotation mark"},
		"single quotes":         {"'" + secret + "'", "quotation mark"},
		"a quote at the end":    {secret + `"`, "character 17 is a quotation mark"},
		"typographic quotes":    {"\u201c" + secret + "\u201d", "quotation mark"},
	} {
		for _, field := range []string{"access_key", "secret_key"} {
			t.Run(name+", "+field, func(t *testing.T) {
				data := connectionData(resetCloud)
				data[field] = c.value
				resp, err := h.request(t, logical.UpdateOperation, "config/c", data)
				status, message := statusOf(resp, err)
				if status != http.StatusBadRequest || !strings.HasPrefix(message, field+": ") || !strings.Contains(message, c.says) {
					t.Errorf("%d %s", status, message)
				}
				if strings.Contains(message, secret[:4]) || strings.Contains(message, secret[12:]) {
					t.Errorf("the error shows a part of the value: %s", message)
				}
			})
		}
	}
	if n := h.cloud.count(); n != 0 {
		t.Errorf("the cloud was asked %d times", n)
	}
	h.connection(t, "c", resetCloud)
}
