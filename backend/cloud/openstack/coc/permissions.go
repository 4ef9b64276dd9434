package coc

import (
	"context"
	"net/http"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
)

// What each permission is for.
const (
	forFinding = "find cloudpw's scripts at COC, for reset_method=command and check_method=command"
	forReading = "see that cloudpw's scripts at COC are as it made them, and approved"
	forMaking  = "make cloudpw's scripts at COC, once"
	forRunning = "set and check passwords by COC's scripts"
	forLooking = "see what became of a script"
)

// Permissions are those that setting and checking passwords needs. COC has no dry run, so what only reads is tried, and nothing else.
// None of them is needed without these methods.
func (c *Center) Permissions(ctx context.Context) []cloud.Permission {
	if c.Unavailable != nil {
		why := cloud.Permission{}.Untried(c.Unavailable.Error())
		return []cloud.Permission{about(why, permissionList, forFinding), about(why, permissionGet, forReading),
			about(why, permissionCreate, forMaking), about(why, permissionExecute, forRunning), about(why, permissionOrders, forLooking)}
	}
	id, err := c.find(ctx, nameOf(guest.SetPassword, guest.StoredLinux()))
	list := tried(err)
	get := cloud.Permission{}.Untried("COC does not have cloudpw's script yet, or does not show it")
	create := cloud.Permission{}.Untried("COC has no way to try it without making a script")
	if id != "" {
		_, err := c.API.Send(ctx, Request{Action: ActionGet, Permission: permissionGet, Method: http.MethodGet, Path: "scripts/" + id})
		get = tried(err)
	}
	_, err = c.API.Send(ctx, Request{
		Action: ActionOrders, Permission: permissionOrders, Method: http.MethodGet, Path: "script/orders?limit=1",
	})
	return []cloud.Permission{about(list, permissionList, forFinding), about(get, permissionGet, forReading),
		about(create, permissionCreate, forMaking),
		about(cloud.Permission{}.Untried("COC has no way to try it without running a script"), permissionExecute, forRunning),
		about(tried(err), permissionOrders, forLooking)}
}

// tried reads the outcome of a trial. An outage says nothing about permissions.
func tried(err error) cloud.Permission {
	switch cloud.KindOf(err) {
	case "":
		return cloud.Permission{Verdict: cloud.PermissionGranted}
	case cloud.Denied:
		return cloud.Permission{Verdict: cloud.PermissionDenied, Message: err.Error()}
	}
	return cloud.Permission{}.Untried(err.Error())
}

func about(p cloud.Permission, action, purpose string) cloud.Permission {
	p.Action, p.Purpose = action, purpose
	return p
}
