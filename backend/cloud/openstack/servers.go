package openstack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/pagination"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// pageSize is what OTC's page on listing servers advises; the limit is 1,000.
const pageSize = 100

// microversions are asked for in turn, until the cloud takes one: 2.98 shows the properties of a server's
// image, 2.26 its tags, "" is the oldest (nova/api/openstack/compute/rest_api_version_history.rst). The
// vendors' clouds stop before 2.98.
var microversions = []string{"2.98", "2.26", ""}

func (d *sender) show(ctx context.Context, id string) (server, error) {
	var s server
	err := d.withMicroversion(ctx, call{action: actionShow, instance: id, permission: permissionShow},
		func(ctx context.Context, client *gophercloud.ServiceClient) error {
			s = server{}
			if err := servers.Get(ctx, client, id).ExtractInto(&s); err != nil {
				return err
			}
			if s.ID != id {
				return fmt.Errorf("%w: another server than the one asked for", errAnswerForm)
			}
			if s.cellDown() {
				return cloud.Errorf(cloud.Unknown, "%s of instance %s: the cloud cannot reach the database that holds the instance, so it tells "+
					"nothing of it; try again later", actionShow, id)
			}
			return nil
		})
	return s, err
}

// eachServer visits the project's servers, each once, until visit returns false. It makes up the
// markers by itself instead of following the links of the answer, which could name another host and
// would carry the credentials there.
func (d *sender) eachServer(ctx context.Context, visit func(server) bool) error {
	seen := map[string]bool{}
	var visited cloud.Tally
	options := servers.ListOpts{Limit: pageSize}
	for {
		var listed page
		err := d.withMicroversion(ctx, call{action: actionList, permission: permissionList},
			func(ctx context.Context, client *gophercloud.ServiceClient) (err error) {
				listed, err = readPage(ctx, servers.List(client, options))
				return err
			})
		if err != nil {
			return err
		}
		fresh := false
		for _, s := range listed.servers {
			options.Marker = s.ID
			if seen[s.ID] {
				continue
			}
			seen[s.ID], fresh = true, true
			if err := visited.Add(cloud.Instance{ID: s.ID}); err != nil {
				return err
			}
			if !visit(s) {
				return nil
			}
		}
		// A page without anything new is the end, whatever its links say.
		if !fresh || !listed.more && len(listed.servers) < pageSize {
			return nil
		}
	}
}

// withMicroversion is do with the newest of microversions that the cloud takes. One that it refuses (406)
// is not asked for again.
func (d *sender) withMicroversion(ctx context.Context, c call, send func(context.Context, *gophercloud.ServiceClient) error) error {
	first := int32(0)
	if !d.family.plain {
		first = 1
	}
	for {
		next := max(first, d.refused.Load())
		err := d.do(ctx, c, func(ctx context.Context, client *gophercloud.ServiceClient) error {
			client.Microversion = microversions[next]
			return send(ctx, client)
		})
		if a, ok := answerOf(err); !ok || a.status != http.StatusNotAcceptable || int(next) == len(microversions)-1 {
			return err
		}
		d.refused.Store(next + 1)
	}
}

// page is one answer to a list request.
type page struct {
	servers []server
	more    bool // the answer links to a next page
}

// rawPage lets gophercloud's pager hand out an answer without reading it by its own types.
type rawPage struct{ pagination.PageResult }

func (rawPage) NextPageURL() (string, error) { return "", nil }

func (rawPage) IsEmpty() (bool, error) { return false, nil }

func (r rawPage) GetBody() any { return r.Body }

// readPage sends the pager's first request, and no other.
func readPage(ctx context.Context, pager pagination.Pager) (page, error) {
	var result page
	pager = pager.WithPageCreator(func(r pagination.PageResult) pagination.Page { return rawPage{r} })
	err := pager.EachPage(ctx, func(_ context.Context, p pagination.Page) (bool, error) {
		raw, ok := p.(rawPage)
		if !ok {
			return false, errAnswerForm
		}
		var err error
		result, err = raw.read()
		return false, err
	})
	return result, err
}

func (r rawPage) read() (page, error) {
	if r.StatusCode != http.StatusOK {
		// gophercloud's pager takes 204 and 300 for pages, too.
		return page{}, gophercloud.ErrUnexpectedResponseCode{Expected: []int{http.StatusOK}, Actual: r.StatusCode, ResponseHeader: r.Header}
	}
	var fields struct {
		Servers *[]server `json:"servers"`
		Links   []struct {
			Relation string `json:"rel"`
		} `json:"servers_links"`
	}
	if err := r.ExtractInto(&fields); err != nil {
		var typed *json.UnmarshalTypeError
		if errors.As(err, &typed) {
			return page{}, err
		}
		return page{}, errAnswerForm
	}
	if fields.Servers == nil {
		return page{}, fmt.Errorf("%w: no list of servers", errAnswerForm)
	}
	result := page{servers: *fields.Servers}
	for _, s := range result.servers {
		if s.ID == "" {
			return page{}, fmt.Errorf("%w: a server without an id", errAnswerForm)
		}
	}
	for _, link := range fields.Links {
		result.more = result.more || link.Relation == "next"
	}
	return result, nil
}
