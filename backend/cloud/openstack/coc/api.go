package coc

import (
	"context"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// API sends the requests of one connection: it has its credentials, its limiter and COC's address. It is safe for concurrent use.
type API interface {
	// Send sends a request and reads what is in its answer's "data". status is that of the cloud's answer; 0: there was none. An
	// error is a *cloud.Error, and holds none of the request's secrets.
	Send(ctx context.Context, r Request) (status int, err error)
	// Show asks the compute service for a server. An error of kind NotFound: it does not exist.
	Show(ctx context.Context, id string) (cloud.Instance, error)
	// ValidateInstanceID is that of cloud.Provider.
	ValidateInstanceID(id string) error
}

// Request is a request to COC.
type Request struct {
	// Action is its name, as Huawei Cloud's SDK has it, and Permission what IAM calls the right to it.
	Action, Permission string
	Method             string
	// Path is what comes behind /v1/job/, with the query.
	Path string
	// Body is what is sent, as JSON, and Data where the answer's data goes; nil: nothing.
	Body, Data any
	// AtOnce: it is sent without waiting for the limiter, and once. But for a token that the cloud does not take any more: what
	// answers so has not let the request pass.
	AtOnce bool
	// Secrets are what no error may repeat.
	Secrets []string
}

// The names of COC's requests.
const (
	ActionList    = "ListScripts"
	ActionGet     = "GetScript"
	ActionCreate  = "CreateScript"
	ActionExecute = "ExecuteScript"
	ActionBatch   = "GetScriptJobBatch"
	ActionOrders  = "ListScriptJobs"
)

// The permissions of IAM (support.huaweicloud.com/api-coc, "Permissions and Supported Actions").
const (
	permissionList    = "coc:document:list"
	permissionGet     = "coc:document:get"
	permissionCreate  = "coc:document:create"
	permissionExecute = "coc:instance:executeDocument"
	permissionOrders  = "coc:job:list"
)
