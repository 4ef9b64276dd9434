package azure

import (
	"context"
	"net/http"
	"net/url"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// maxPages bounds a listing, whatever its links say.
const maxPages = 2000

// page is one of a listing.
type page[T any] struct {
	Value    []T
	NextLink string
}

// list gives each element of a collection of the subscription to add, page by page. Its links are followed on the same host only.
func list[T any](ctx context.Context, d *sender, a action, path string, query url.Values, add func(*T) error) error {
	seen := map[string]bool{}
	r := request{method: http.MethodGet, path: path, query: query}
	for {
		var answer page[T]
		if err := d.ask(ctx, a, r, &answer); err != nil {
			return listFailed(err)
		}
		for i := range answer.Value {
			if err := add(&answer.Value[i]); err != nil {
				return err
			}
		}
		link := answer.NextLink
		switch {
		case link == "":
			return nil
		case seen[link]:
			return cloud.Errorf(cloud.Unknown, "%s: the listing does not end; check endpoints.arm", a)
		case len(seen) >= maxPages:
			return cloud.Errorf(cloud.Unknown, "%s: the listing does not end after %d pages; check endpoints.arm", a, maxPages)
		}
		seen[link] = true
		next, err := follow(d.client.base, link, a)
		if err != nil {
			return err
		}
		r = next
	}
}

// listFailed is the error of a list. That the cloud knows no such collection says nothing about what it would hold.
func listFailed(err error) error {
	if !notFound(err) {
		return err
	}
	e := *cloud.AsError(err)
	e.Kind = cloud.Unknown
	return &e
}
