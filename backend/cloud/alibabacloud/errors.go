package alibabacloud

import "github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"

// verdict is what an error code means. The advice names the way out; {permission} stands for the RAM action of the call,
// {endpoint} for the connection field with the URL that was asked, {keys}, {mismatch}, {ended}, {principal} and {check} for
// what the origin of the keys says.
type verdict struct {
	kind   cloud.Kind
	advice string
}

const (
	adviceGrant    = "the keys lack the permission {permission}; add it to the RAM policies of {principal}; for the text to add: {check}"
	adviceKeys     = "the cloud does not know the keys, or they are disabled or deleted; check {keys}"
	adviceInstance = "no such instance in this region for these keys; check the id and the connection's region"
	adviceOurs     = "the cloud does not accept the request's form; check {endpoint} and the connection's region, else report it as a bug"
	adviceSlow     = "too many requests; lower max_requests_per_second if other programs use the same account"
	adviceTags     = "the cloud does not accept the tags; check the role's instance_tags"
	adviceServer   = "the cloud had an internal failure"
	adviceClock    = "the cloud refuses the request's date; set the clock of the Vault server"
	adviceRegion   = "the cloud does not know the connection's region; check it"
	adviceState    = "the instance is not in a state for this; it must be running"
	adviceLocked   = "the instance is locked for security reasons, and takes no commands; see its events in the ECS console"
	adviceNothing  = "the cloud does not do this for the instance or the account"
	adviceAgent    = "the instance's Cloud Assistant Agent does not work; see its state in the ECS console (Cloud Assistant)"
	adviceRisk     = "the cloud holds the account back for its own risk control; see the account's messages, or ask its support"
)

// verdicts judges the codes of the pages that list them (help.aliyun.com/document_detail/25686.html and 51132.html,
// alibabacloud.com/help/doc-detail/40644.htm, the pages of RunCommand and InvokeCommand, and RAM's list of error codes).
// A code is of a kind other than Unknown only if it
// certainly means that the request changed nothing: it comes from a check that precedes the operation. Where a code is
// used whose page was not at hand, the comment says so.
var verdicts = map[string]verdict{
	// The keys. The first one comes with HTTP status 404, and says nothing about an instance.
	"InvalidAccessKeyId.NotFound": {cloud.Denied, adviceKeys},
	"InvalidAccessKeyId.Inactive": {cloud.Denied, adviceKeys},
	"SignatureDoesNotMatch":       {cloud.Denied, "{mismatch}"},
	"IncompleteSignature":         {cloud.Denied, "{mismatch}"},
	"MissingSecurityToken":        {cloud.Denied, "{ended}"},
	// Not seen on a page: these three.
	"InvalidSecurityToken.Expired":   {cloud.Denied, "{ended}"},
	"InvalidSecurityToken.Malformed": {cloud.Denied, "{ended}"},
	"InvalidTimeStamp.Expired":       {cloud.Denied, adviceClock},
	// A nonce is taken once: the request has been received before, and what became of that is not known.
	"SignatureNonceUsed": {cloud.Unknown, "the cloud has received this very request before"},

	// Permissions.
	"Forbidden.RAM":            {cloud.Denied, adviceGrant},
	"Forbidden":                {cloud.Denied, adviceGrant},
	"Forbbiden.SubUser":        {cloud.Denied, adviceGrant}, // the cloud's own spelling
	"Forbidden.SubUser":        {cloud.Denied, adviceGrant},
	"NoPermission":             {cloud.Denied, adviceGrant},
	"UnauthorizedNoPermission": {cloud.Denied, adviceGrant},
	"Forbidden.RiskControl":    {cloud.Denied, adviceRisk},

	// Instances.
	"InvalidInstanceId.NotFound":  {cloud.NotFound, adviceInstance},
	"InvalidInstance.NotFound":    {cloud.NotFound, adviceInstance},
	"Forbidden.InstanceNotFound":  {cloud.NotFound, adviceInstance},
	"IncorrectInstanceStatus":     {cloud.Refused, adviceState}, // not seen on a page
	"InvalidInstance.NotRunning":  {cloud.Refused, adviceState}, // not seen on a page
	"InstanceLockedForSecurity":   {cloud.Refused, adviceLocked},
	"OperationDenied":             {cloud.Refused, adviceNothing},
	"InvalidPassword.Malformed":   {cloud.Refused, adviceOurs},
	"IdempotentParameterMismatch": {cloud.Refused, "the cloud has taken another command under the same token; the next attempt has a new one"},

	// Commands: what RunCommand says of an instance and its agent.
	"InvalidInstance.NotMatch": {cloud.Refused,
		"the instance does not run, or has another system than the cloud describes; commands run on running instances only"},
	"InvalidInstance.NoClient": {cloud.Refused, "the instance has no Cloud Assistant Agent; install it (ECS console, Cloud Assistant)"},
	"Operation.Forbidden":      {cloud.Refused, adviceNothing},
	"ClientNeedUpgrade":        {cloud.Refused, "the instance's Cloud Assistant Agent is too old; upgrade it"},
	"ClientNotRunning":         {cloud.Refused, adviceAgent}, // not seen on a page, as an answer to RunCommand

	// An id that no command has.
	"InvalidInvokeId.NotFound": {cloud.NotFound, "the cloud knows no such command (any more)"},

	// Requests.
	"Throttling":                      {cloud.Throttled, adviceSlow},
	"Throttling.User":                 {cloud.Throttled, adviceSlow},
	"Throttling.Api":                  {cloud.Throttled, adviceSlow}, // not seen on a page
	"InvalidParameter":                {cloud.Refused, adviceOurs},
	"MissingParameter":                {cloud.Refused, adviceOurs},
	"InvalidRegionId":                 {cloud.Refused, adviceRegion},
	"UnsupportedHTTPMethod":           {cloud.Refused, adviceOurs},
	"UnsupportedParameter":            {cloud.Refused, adviceOurs},
	"RequestEntityTooLarge":           {cloud.Refused, adviceOurs},
	"InvalidVersion":                  {cloud.Refused, adviceOurs},
	"InvalidAction.NotFound":          {cloud.Refused, adviceOurs},
	"InvalidCmdType.NotFound":         {cloud.Refused, adviceOurs},
	"InvalidRepeatMode.NotFound":      {cloud.Refused, adviceOurs},
	"InvalidTerminationMode.NotFound": {cloud.Refused, adviceOurs},
	"InvalidClientToken.Malformed":    {cloud.Refused, adviceOurs},
	"InvalidTimeout.ExceedLimit":      {cloud.Refused, adviceOurs},
	"InstanceIds.ExceedLimit":         {cloud.Refused, adviceOurs},
	"NumberExceed.Tags":               {cloud.Refused, adviceTags},
	"Duplicate.TagKey":                {cloud.Refused, adviceTags},
	"ServiceUnavailable":              {cloud.Unknown, adviceServer},
	"InternalError":                   {cloud.Unknown, adviceServer},

	codeDryRun: {cloud.Refused, "the cloud would do it"},

	// AssumeRole.
	"EntityNotExist.Role":      {cloud.NotFound, "RAM knows no such role; check role_arn"},
	"NoPermission.RoleNotAuth": {cloud.Denied, adviceGrant},

	// Access keys.
	codeKeyLimit: {cloud.Refused, "the user has as many access keys as RAM allows"},
	codeNoKey:    {cloud.NotFound, "the user has no such access key"},
	codeNoUser:   {cloud.NotFound, "RAM knows no such user"},
}

// Codes that this package tells apart.
const (
	codeKeyLimit = "LimitExceeded.User.AccessKey"
	codeNoKey    = "EntityNotExist.User.AccessKey"
	codeNoUser   = "EntityNotExist.User"
	// codeDryRun is the answer to a request with DryRun that would have been carried out (ecs-20140526 v7.7.0,
	// describe_instances_request_model.go).
	codeDryRun = "DryRunOperation"
)
