package request

import (
	"slices"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// Page answers a LIST with the part of the sorted names that the fields after and limit ask for.
func Page(names []string, data *framework.FieldData) (*logical.Response, error) {
	names, err := PageOf(names, data)
	if err != nil {
		return nil, err
	}
	return logical.ListResponse(names), nil
}

// PageOf applies the fields after and limit to names.
func PageOf(names []string, data *framework.FieldData) ([]string, error) {
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
		return nil, Invalidf("limit: must be 0 for all, or the greatest number of names to list")
	}
	if limit > 0 && limit < len(names) {
		names = names[:limit]
	}
	return names, nil
}

// Warned answers a write that succeeded: nothing, or the warnings.
func Warned(warnings []hint.Text) *logical.Response { return Warn(nil, warnings...) }

// MaxWait keeps a waiting request below the 90 s that Vault lets a request run by default
// (max_request_duration of the listener), and below the 60 s of its clients' default time-out.
const MaxWait = 45 * time.Second

// Wait reads the field wait.
func Wait(data *framework.FieldData) (time.Duration, error) {
	var wait *time.Duration
	if err := (Fields{Data: data}).Duration("wait", &wait); err != nil {
		return 0, err
	}
	if wait == nil {
		return 0, nil
	}
	if *wait > MaxWait {
		return 0, Invalidf("wait: must be at most %ds; ask again if that was not enough", int(MaxWait.Seconds()))
	}
	return *wait, nil
}
