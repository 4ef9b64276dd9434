package novaapi

import (
	"encoding/json"
	"net/http"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// maxAccessKeys is both vendors' limit of access keys per user.
const maxAccessKeys = 2

// accessKeyView shows a key without its secret.
func accessKeyView(k model.AccessKey) map[string]any {
	status := "active"
	if k.Inactive {
		status = "inactive"
	}
	return map[string]any{
		"access": k.ID, "user_id": k.UserID, "status": status, "description": k.Description,
		"create_time": k.Created.UTC().Format(keystoneTime),
	}
}

// ownUser refuses requests about other users: those take an administrator.
func (c *Cloud) ownUser(r *request, id string) *answer {
	if id != r.caller.user.ID {
		return keystoneError(http.StatusForbidden, "You are not authorized to perform the requested action.")
	}
	return nil
}

func (c *Cloud) listAccessKeys(r *request) *answer {
	if id := r.URL.Query().Get("user_id"); id != "" {
		if refused := c.ownUser(r, id); refused != nil {
			return refused
		}
	}
	list := []map[string]any{}
	for _, k := range c.world.AccessKeys(c.opts.Cloud, r.caller.user.ID) {
		list = append(list, accessKeyView(k))
	}
	return ok(map[string]any{"credentials": list})
}

// createAccessKey makes a key; its secret is shown here and never again.
func (c *Cloud) createAccessKey(r *request) *answer {
	var in struct {
		Credential *struct {
			UserID      string `json:"user_id"`
			Description string `json:"description"`
		} `json:"credential"`
	}
	if err := json.Unmarshal(r.body, &in); err != nil || in.Credential == nil || in.Credential.UserID == "" {
		return keystoneError(http.StatusBadRequest, "Request body is invalid.")
	}
	if refused := c.ownUser(r, in.Credential.UserID); refused != nil {
		return refused
	}
	k, made := c.world.CreateAccessKey(c.opts.Cloud, r.caller.user.ID, maxAccessKeys)
	if !made {
		return keystoneError(http.StatusBadRequest, "akSkNumExceed")
	}
	k.Description = in.Credential.Description
	c.world.DescribeAccessKey(c.opts.Cloud, k.ID, k.Description)
	view := accessKeyView(k)
	view["secret"] = k.Secret
	return &answer{status: http.StatusCreated, body: map[string]any{"credential": view}}
}

// ownAccessKey finds the key of the path.
func (c *Cloud) ownAccessKey(r *request) (model.AccessKey, *answer) {
	k, found := c.world.AccessKey(c.opts.Cloud, r.vars[0])
	if !found || k.Token != "" {
		return k, keystoneError(http.StatusNotFound, "Could not find credential: "+r.vars[0]+".")
	}
	return k, c.ownUser(r, k.UserID)
}

func (c *Cloud) showAccessKey(r *request) *answer {
	k, refused := c.ownAccessKey(r)
	if refused != nil {
		return refused
	}
	return ok(map[string]any{"credential": accessKeyView(k)})
}

// updateAccessKey switches a key off or on, or describes it again.
func (c *Cloud) updateAccessKey(r *request) *answer {
	k, refused := c.ownAccessKey(r)
	if refused != nil {
		return refused
	}
	var in struct {
		Credential *struct {
			Status      *string `json:"status"`
			Description *string `json:"description"`
		} `json:"credential"`
	}
	if err := json.Unmarshal(r.body, &in); err != nil || in.Credential == nil {
		return keystoneError(http.StatusBadRequest, "Request body is invalid.")
	}
	if status := in.Credential.Status; status != nil {
		if *status != "active" && *status != "inactive" {
			return keystoneError(http.StatusBadRequest, "Request body is invalid.")
		}
		c.world.SetAccessKeyInactive(c.opts.Cloud, k.ID, *status == "inactive")
	}
	if description := in.Credential.Description; description != nil {
		c.world.DescribeAccessKey(c.opts.Cloud, k.ID, *description)
	}
	k, _ = c.world.AccessKey(c.opts.Cloud, k.ID)
	return ok(map[string]any{"credential": accessKeyView(k)})
}

func (c *Cloud) deleteAccessKey(r *request) *answer {
	k, refused := c.ownAccessKey(r)
	if refused != nil {
		return refused
	}
	c.world.DeleteAccessKey(c.opts.Cloud, k.ID)
	return &answer{status: http.StatusNoContent}
}
