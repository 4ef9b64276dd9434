package backend

import (
	"slices"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// page answers a LIST with the part of the sorted names that the fields after and limit ask for.
func page(names []string, data *framework.FieldData) (*logical.Response, error) {
	names, err := paged(names, data)
	if err != nil {
		return nil, err
	}
	return logical.ListResponse(names), nil
}

// paged applies the fields after and limit to names.
func paged(names []string, data *framework.FieldData) ([]string, error) {
	slices.Sort(names)
	if after := data.Get("after").(string); after != "" {
		i, found := slices.BinarySearch(names, after)
		if found {
			i++
		}
		names = names[i:]
	}
	limit := data.Get("limit").(int)
	if limit < 0 {
		return nil, invalidf("limit: must be 0 for all, or the greatest number of names to list")
	}
	if limit > 0 && limit < len(names) {
		names = names[:limit]
	}
	return names, nil
}

// warned answers a write that succeeded: nothing, or the warnings.
func warned(warnings []hint.Text) *logical.Response { return warn(nil, warnings...) }

// maxWait keeps a waiting request below the 90 s that Vault lets a request run by default
// (max_request_duration of the listener), and below the 60 s of its clients' default time-out.
const maxWait = 45 * time.Second

// waitOf reads the field wait.
func waitOf(data *framework.FieldData) (time.Duration, error) {
	var wait *time.Duration
	if err := (input{data: data}).duration("wait", &wait); err != nil {
		return 0, err
	}
	if wait == nil {
		return 0, nil
	}
	if *wait > maxWait {
		return 0, invalidf("wait: must be at most %ds; ask again if that was not enough", int(maxWait.Seconds()))
	}
	return *wait, nil
}
