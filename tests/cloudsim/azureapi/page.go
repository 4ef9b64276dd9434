package azureapi

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
)

// list is a page of a list.
type list struct {
	Value    []any  `json:"value"`
	NextLink string `json:"nextLink,omitempty"`
}

// page cuts a list and adds where it goes on: at the same path, with the query's own words and a token that only the API reads.
func (r *request) page(all []any) (reply, *failure) {
	from := 0
	if token := r.query.Get("$skiptoken"); token != "" {
		text, err := base64.RawURLEncoding.DecodeString(token)
		if err == nil {
			from, err = strconv.Atoi(string(text))
		}
		if err != nil || from < 0 || from > len(all) {
			return reply{}, fail(http.StatusBadRequest, "InvalidParameter", "The skip token is invalid.")
		}
	}
	out := list{Value: all[from:min(len(all), from+r.api.opts.PageSize)]}
	if next := from + len(out.Value); next < len(all) {
		query := url.Values{"$skiptoken": {base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(next)))}}
		for name, values := range r.query {
			if name != "$skiptoken" {
				query[name] = values
			}
		}
		out.NextLink = r.base + (&url.URL{Path: r.place.path}).EscapedPath() + "?" + query.Encode()
	}
	if out.Value == nil {
		out.Value = []any{}
	}
	return reply{http.StatusOK, out, nil}, nil
}
