package azure

import (
	"net/http"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// verdict is what an error code means. The advice names the way out; {permission} stands for the action that a role needs for
// the call, {credentials}, {principal} and {check} for what the origin of the token says.
type verdict struct {
	kind   cloud.Kind
	advice string
}

const (
	adviceGrant    = "{principal} lacks the permission {permission}; add it to a role of theirs; for the text to add: {check}"
	adviceToken    = "the cloud does not accept the token; the next call gets another; check {credentials}, and the connection's cloud"
	adviceTenant   = "the token is of another tenant than the subscription; check tenant_id and subscription_id"
	adviceSub      = "the cloud does not know the subscription; check subscription_id, and the connection's cloud"
	adviceVM       = "the cloud knows no such virtual machine or run command (any more)"
	adviceStopped  = "the cloud does not do this in the virtual machine's state; it must be running, with extensions allowed"
	adviceConflict = "another change of the virtual machine is under way; the next attempt comes later"
	adviceLimit    = "the cloud does not accept the request; a virtual machine keeps 25 run commands at most (az vm run-command list)"
	adviceOurs     = "the cloud does not accept the request's form; check endpoints.arm, else report it as a bug"
	adviceSlow     = "too many requests; lower max_requests_per_second if other programs use the same subscription"
	adviceServer   = "the cloud had an internal failure"
	adviceLock     = "a lock on the virtual machine, its resource group or the subscription forbids changes; remove it (az lock list)"
	advicePolicy   = "an Azure Policy forbids it; see the policy assignments of the subscription"
	adviceOff      = "the subscription is disabled or read-only; see its state in the Azure portal"
	adviceProvider = "the subscription is not registered for Microsoft.Compute; register it (az provider register)"
	adviceUnknown  = "the cloud answered with an error that cloudpw does not know"
)

// Codes that this package tells apart.
const (
	codeNoResource = "ResourceNotFound"
	codeNoGroup    = "ResourceGroupNotFound"
	codeNoParent   = "ParentResourceNotFound"
	codeNotFound   = "NotFound"
	codeNotAllowed = "AuthorizationFailed"
	codeLinked     = "LinkedAuthorizationFailed"
)

// verdicts judges ARM's and Compute's codes. A code is of a kind other than Unknown only if it certainly means that the
// request changed nothing: it comes from a check that precedes the operation. Where no page at hand shows a code, the
// comment says so.
//
// A subscription that the cloud does not know is none of a missing virtual machine: it says that the connection is wrong.
var verdicts = map[string]verdict{
	"InvalidAuthenticationToken":       {cloud.Denied, adviceToken},
	"ExpiredAuthenticationToken":       {cloud.Denied, adviceToken},
	"AuthenticationFailed":             {cloud.Denied, adviceToken},
	"InvalidAuthenticationTokenTenant": {cloud.Denied, adviceTenant},

	codeNotAllowed:                 {cloud.Denied, adviceGrant},
	codeLinked:                     {cloud.Denied, adviceGrant},
	"RequestDisallowedByPolicy":    {cloud.Denied, advicePolicy},
	"ReadOnlyDisabledSubscription": {cloud.Denied, adviceOff}, // not seen on a page
	"ScopeLocked":                  {cloud.Denied, adviceLock},

	"SubscriptionNotFound":                   {cloud.Denied, adviceSub},
	"InvalidSubscriptionId":                  {cloud.Denied, adviceSub},
	"MissingSubscriptionRegistration":        {cloud.Denied, adviceProvider},
	"SubscriptionNotRegistered":              {cloud.Denied, adviceProvider},
	"DisallowedOperation":                    {cloud.Denied, adviceOff}, // not seen on a page
	codeNoResource:                           {cloud.NotFound, adviceVM},
	codeNoGroup:                              {cloud.NotFound, adviceVM},
	codeNoParent:                             {cloud.NotFound, adviceVM},
	codeNotFound:                             {cloud.NotFound, adviceVM},
	"OperationNotAllowed":                    {cloud.Refused, adviceStopped},
	"Conflict":                               {cloud.Refused, adviceConflict},
	"CannotModifyExtensionsWhenVMNotRunning": {cloud.Refused, adviceStopped},
	// It speaks of an operation that was interrupted, so what became of that is open.
	"ConflictingConcurrentWriteNotAllowed": {cloud.Unknown, adviceConflict},
	"OperationPreempted":                   {cloud.Unknown, adviceConflict},

	"InvalidParameter":              {cloud.Refused, adviceLimit},
	"BadRequest":                    {cloud.Refused, adviceLimit},
	"InvalidRequestFormat":          {cloud.Refused, adviceOurs},
	"InvalidRequestContent":         {cloud.Refused, adviceOurs},
	"LocationRequired":              {cloud.Refused, adviceOurs},
	"InvalidApiVersionParameter":    {cloud.Refused, adviceOurs},
	"MissingApiVersionParameter":    {cloud.Refused, adviceOurs},
	"NoRegisteredProviderFound":     {cloud.Refused, adviceOurs},
	"InvalidResourceLocation":       {cloud.Refused, adviceOurs},
	"InvalidResourceType":           {cloud.Refused, adviceOurs},
	codeThrottled:                   {cloud.Throttled, adviceSlow},
	"SubscriptionRequestsThrottled": {cloud.Throttled, adviceSlow},
	"InternalServerError":           {cloud.Unknown, adviceServer},
	"ServerTimeout":                 {cloud.Unknown, adviceServer},
	"ServiceUnavailable":            {cloud.Unknown, adviceServer},
	"InternalExecutionError":        {cloud.Unknown, adviceServer},
}

// judge returns the verdict on an error. Its status comes first where that says that nothing is certain.
func judge(e *apiError) verdict {
	v, known := verdicts[e.Code]
	switch {
	case e.throttled:
		return verdict{cloud.Throttled, adviceSlow}
	case e.status == http.StatusRequestTimeout || e.status >= http.StatusInternalServerError:
		return verdict{cloud.Unknown, adviceServer}
	case known:
		return v
	case e.status == http.StatusUnauthorized:
		return verdict{cloud.Denied, adviceToken}
	}
	return verdict{cloud.Unknown, adviceUnknown}
}

// notFound reports whether the cloud says that what a call was about does not exist.
func notFound(err error) bool { return cloud.KindOf(err) == cloud.NotFound }

// permissionMissing reports whether the cloud knew who asks but did not allow them the call.
func permissionMissing(err error) bool {
	if cloud.KindOf(err) != cloud.Denied {
		return false
	}
	code := cloud.CodeOf(err)
	return code == codeNotAllowed || code == codeLinked
}
