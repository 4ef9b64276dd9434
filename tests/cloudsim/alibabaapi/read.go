package alibabaapi

import (
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"net/url"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/wire"
)

// formType is the one type of body that the simulated services take.
const formType = "application/x-www-form-urlencoded"

// arrival is a request before it is judged.
type arrival struct {
	action, version string
	body            []byte
	query           url.Values
	// params are those of query and form together, by their flat names, such as Tag.1.Key.
	params map[string]string
}

// read takes a request apart.
func read(r *http.Request) (*arrival, *failure) {
	if r.Method != http.MethodPost && r.Method != http.MethodGet {
		return nil, fail(http.StatusForbidden, "UnsupportedHTTPMethod", "This http method is not supported.")
	}
	if r.URL.Path != "/" {
		return nil, fail(http.StatusNotFound, "InvalidAction.NotFound", "Specified api is not found, please check your url and method.")
	}
	body, err := wire.ReadBody(r)
	if errors.Is(err, wire.ErrBodyTooLong) {
		return nil, fail(http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "The request is too long.")
	}
	if err != nil {
		return nil, fail(http.StatusInternalServerError, "InternalError", err.Error())
	}
	a := &arrival{action: r.Header.Get("X-Acs-Action"), version: r.Header.Get("X-Acs-Version"), body: body, params: map[string]string{}}
	switch {
	case a.action == "":
		return nil, missing("Action")
	case a.version == "":
		return nil, missing("Version")
	}
	if a.query, err = url.ParseQuery(r.URL.RawQuery); err != nil {
		return nil, fail(http.StatusBadRequest, "InvalidParameter", "The query is not URL-encoded.")
	}
	if f := a.take(a.query); f != nil {
		return nil, f
	}
	return a, a.takeForm(r)
}

// takeForm reads the body. Its type is refused in the words of STS's page.
func (a *arrival) takeForm(r *http.Request) *failure {
	if len(a.body) == 0 {
		return nil
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != formType {
		return fail(http.StatusBadRequest, "InvalidParameter.ContentType",
			`The ContentType request header must be either "application/json" or "`+formType+`".`)
	}
	form, err := url.ParseQuery(string(a.body))
	if err != nil {
		return fail(http.StatusBadRequest, "InvalidParameter", "The body is not URL-encoded.")
	}
	return a.take(form)
}

// take adds parameters. What the cloud does about one that is there twice is unconfirmed; a client that writes
// one twice has a mistake.
func (a *arrival) take(values url.Values) *failure {
	for name, list := range values {
		if _, twice := a.params[name]; twice || len(list) != 1 {
			return invalid(name)
		}
		a.params[name] = list[0]
	}
	return nil
}

// describe fills the log's view of a call.
func (a *arrival) describe(c *model.Call) {
	c.Params = a.params
	if text := a.params["InstanceIds"]; text != "" {
		_ = json.Unmarshal([]byte(text), &c.Instances) // what is no list is refused later
		return
	}
	if id := a.params["InstanceId"]; id != "" {
		c.Instances = []string{id}
		return
	}
	c.Instances = a.list("InstanceId")
}
