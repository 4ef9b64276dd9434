package tencentcloud

import (
	cam "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/cam/v20190116"
	cvm "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/cvm/v20170312"
	sts "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/sts/v20180813"
	tat "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/tat/v20201028"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// verdict is what an error code means. The advice names the way out; {permission} stands for the
// CAM action of the call, {endpoint} for the connection field with the URL that was asked, {keys}, {id},
// {mismatch}, {ended}, {principal} and {check} for what the origin of the keys says.
type verdict struct {
	kind   cloud.Kind
	advice string
}

const (
	adviceRunning  = "another operation is running on the instance; wait for it to end, the reset can be repeated then"
	adviceMoving   = "the instance is between two states; repeat when it is running or stopped"
	adviceGrant    = "the keys lack the permission {permission}; add it to the CAM policies of {principal}; for the text to add: {check}"
	adviceMFA      = "the account asks for multi-factor authentication for {permission}; exempt {principal} in CAM"
	adviceKeys     = "the cloud does not know the keys, or they are disabled or deleted; check {keys}"
	adviceID       = "an instance id is malformed; ids look like ins-r8hr2upy"
	adviceOurs     = "the cloud does not accept the request's form; check {endpoint}, else report it as a bug"
	adviceBill     = "the instance is isolated or frozen for billing reasons; settle that in the cloud's console first"
	adviceSlow     = "too many requests; lower max_requests_per_second if other programs use the same account"
	adviceRescue   = "the instance is in rescue mode, or entering or leaving it; end that first"
	adviceServer   = "the cloud had an internal failure"
	adviceTags     = "the cloud does not accept a filter; check the role's instance_tags"
	advicePassword = "the cloud does not accept the password; check password_policy against the rules for the instance's system"
	adviceRole     = "the role cannot be assumed this way; check role_arn"
	adviceNothing  = "the cloud does not do this for the instance or the account"
)

// verdicts judges every code that the API documents for the calls of this package. A code is of a
// kind other than Unknown only if it certainly means that the request changed nothing: it comes from
// a check that precedes the operation. That a batch is checked as a whole before any of its instances
// is touched is inferred from the API's form (one code for all, and pages of sister actions that say
// so); the caller keeps the value that it sent in any case.
var verdicts = map[string]verdict{
	// ResetInstancesPassword (cvm client.go, and the page of 2018 for InvalidPassword).
	cvm.INVALIDINSTANCEID_MALFORMED:               {cloud.Refused, adviceID},
	cvm.INVALIDPARAMETERVALUE_INSTANCEIDMALFORMED: {cloud.Refused, adviceID},
	cvm.INVALIDINSTANCEID_NOTFOUND: {cloud.NotFound,
		"no such instance in this region for these keys; check the id and the connection's region"},
	cvm.INVALIDPARAMETERVALUE: {cloud.Refused,
		"the cloud does not accept a value of the request; check the role's username and the connection's region"},
	cvm.INVALIDPARAMETERVALUE_INVALIDPASSWORD: {cloud.PasswordRefused, advicePassword},
	cvm.INVALIDPASSWORD:                       {cloud.PasswordRefused, advicePassword},
	cvm.INVALIDPARAMETERVALUE_LIMITEXCEEDED: {cloud.Refused,
		"a list of the request is too long; at most 100 instances fit into one"},
	cvm.INVALIDPARAMETERVALUE_TOOLONG: {cloud.Refused,
		"a value of the request is too long; check the role's username (at most 64 characters)"},
	cvm.MISSINGPARAMETER:                            {cloud.Refused, adviceOurs},
	cvm.MUTEXOPERATION_TASKRUNNING:                  {cloud.Refused, adviceRunning},
	cvm.OPERATIONDENIED_INSTANCEOPERATIONINPROGRESS: {cloud.Refused, adviceRunning},
	cvm.UNSUPPORTEDOPERATION_INSTANCESTATERUNNING: {cloud.Refused,
		"the instance is running and force_stop is not set; set force_stop=true on the role, or stop the instance first"},
	cvm.UNSUPPORTEDOPERATION_INSTANCESTATEPENDING:            {cloud.Refused, adviceMoving},
	cvm.UNSUPPORTEDOPERATION_INSTANCESTATEREBOOTING:          {cloud.Refused, adviceMoving},
	cvm.UNSUPPORTEDOPERATION_INSTANCESTATESTARTING:           {cloud.Refused, adviceMoving},
	cvm.UNSUPPORTEDOPERATION_INSTANCESTATESTOPPING:           {cloud.Refused, adviceMoving},
	cvm.UNSUPPORTEDOPERATION_INSTANCESTATESERVICELIVEMIGRATE: {cloud.Refused, "the instance is being migrated; repeat when that has ended"},
	cvm.UNSUPPORTEDOPERATION_INSTANCESTATESHUTDOWN: {cloud.Refused,
		"the instance waits for its destruction; recover it from the recycle bin first"},
	cvm.UNSUPPORTEDOPERATION_INSTANCESTATETERMINATING:     {cloud.Refused, "the instance is being destroyed"},
	cvm.UNSUPPORTEDOPERATION_INSTANCESTATEFREEZING:        {cloud.Refused, adviceBill},
	cvm.UNSUPPORTEDOPERATION_INSTANCESTATEISOLATING:       {cloud.Refused, adviceBill},
	cvm.UNSUPPORTEDOPERATION_INSTANCESTATEENTERRESCUEMODE: {cloud.Refused, adviceRescue},
	cvm.UNSUPPORTEDOPERATION_INSTANCESTATERESCUEMODE:      {cloud.Refused, adviceRescue},
	cvm.UNSUPPORTEDOPERATION_INSTANCESTATEEXITRESCUEMODE:  {cloud.Refused, adviceRescue},
	cvm.UNSUPPORTEDOPERATION_INSTANCEREINSTALLFAILED: {cloud.Refused,
		"the last reinstallation of the instance's system failed; reinstall it first"},
	cvm.UNSUPPORTEDOPERATION_SPECIALINSTANCETYPE: {cloud.Refused, "the cloud resets no passwords on instances of this type"},
	cvm.UNSUPPORTEDOPERATION_STOPPEDMODESTOPCHARGING: {cloud.Refused,
		"the instance was stopped without further charge, which releases its machine; start it first, or stop it with KEEP_CHARGING"},
	cvm.INVALIDINSTANCE_NOTSUPPORTED: {cloud.Refused, "the cloud resets no password on this instance"},
	cvm.FAILEDOPERATION_INVALIDINSTANCEAPPLICATIONROLE: {cloud.Refused,
		"the instance belongs to another product, which alone may reset its password"},
	cvm.UNAUTHORIZEDOPERATION_MFAEXPIRED:  {cloud.Denied, adviceMFA},
	cvm.UNAUTHORIZEDOPERATION_MFANOTFOUND: {cloud.Denied, adviceMFA},
	cvm.INTERNALSERVERERROR:               {cloud.Unknown, adviceServer},

	// DescribeInstances.
	cvm.INVALIDFILTER:                              {cloud.Refused, adviceTags},
	cvm.INVALIDFILTERVALUE_LIMITEXCEEDED:           {cloud.Refused, "the cloud does not accept so many filters; name fewer instance_tags"},
	cvm.INVALIDPARAMETERVALUE_TAGKEYNOTFOUND:       {cloud.NotFound, "no resource of the account has such a tag key; check instance_tags"},
	cvm.FAILEDOPERATION_ILLEGALTAGKEY:              {cloud.Refused, adviceTags},
	cvm.FAILEDOPERATION_ILLEGALTAGVALUE:            {cloud.Refused, adviceTags},
	cvm.FAILEDOPERATION_TAGKEYRESERVED:             {cloud.Refused, adviceTags},
	cvm.INVALIDPARAMETERVALUE_IPADDRESSMALFORMED:   {cloud.Refused, adviceOurs},
	cvm.INVALIDPARAMETERVALUE_IPV6ADDRESSMALFORMED: {cloud.Refused, adviceOurs},
	cvm.INVALIDPARAMETERVALUE_INVALIDAPPIDFORMAT:   {cloud.Refused, adviceOurs},
	cvm.INVALIDPARAMETERVALUE_INVALIDIPFORMAT:      {cloud.Refused, adviceOurs},
	cvm.INVALIDPARAMETERVALUE_INVALIDTIMEFORMAT:    {cloud.Refused, adviceOurs},
	cvm.INVALIDPARAMETERVALUE_INVALIDVAGUENAME:     {cloud.Refused, adviceOurs},
	cvm.INVALIDPARAMETERVALUE_SUBNETIDMALFORMED:    {cloud.Refused, adviceOurs},
	cvm.INVALIDPARAMETERVALUE_UUIDMALFORMED:        {cloud.Refused, adviceOurs},
	cvm.INVALIDPARAMETERVALUE_VPCIDMALFORMED:       {cloud.Refused, adviceOurs},
	cvm.INVALIDHOSTID_MALFORMED:                    {cloud.Refused, adviceOurs},
	cvm.INVALIDSECURITYGROUPID_NOTFOUND:            {cloud.Refused, adviceOurs},
	cvm.INVALIDSGID_MALFORMED:                      {cloud.Refused, adviceOurs},
	cvm.INVALIDZONE_MISMATCHREGION:                 {cloud.Refused, adviceOurs},
	cvm.RESOURCENOTFOUND_HPCCLUSTER:                {cloud.Refused, adviceOurs},
	cvm.UNAUTHORIZEDOPERATION_INVALIDTOKEN:         {cloud.Denied, adviceKeys},

	// RunCommand and DescribeInvocationTasks. TAT looks at instance and agent before it takes a command,
	// and refuses it for all instances if one will not do (client.go: "returns a failure"). What its calls
	// to other services failed at is not known.
	tat.RESOURCEUNAVAILABLE_AGENTNOTINSTALLED: {cloud.Refused,
		"the instance has no TAT agent; install it, or use reset_method=api"},
	tat.RESOURCEUNAVAILABLE_AGENTSTATUSNOTONLINE: {cloud.Refused,
		"the instance's TAT agent is offline; start its service tat_agent and let it reach the cloud, or use reset_method=api"},
	tat.RESOURCEUNAVAILABLE_INSTANCESTATENOTRUNNING: {cloud.Refused,
		"the instance is not running, and a command needs that; start it, or use reset_method=api"},
	tat.RESOURCEUNAVAILABLE_LIGHTHOUSEUNSUPPORTEDREGION: {cloud.Refused, adviceOurs},
	tat.RESOURCENOTFOUND_INSTANCENOTFOUND: {cloud.NotFound,
		"no such instance in this region for these keys; check the id and the connection's region"},
	tat.INVALIDPARAMETERVALUE_AGENTUNSUPPORTEDCOMMANDTYPE: {cloud.Refused,
		"the instance's agent runs no commands of this kind; the cloud describes the instance with another system than it has"},
	tat.FAILEDOPERATION_CVMERROR:                                     {cloud.Unknown, "TAT could not ask CVM about the instance"},
	tat.FAILEDOPERATION_LIGHTHOUSEERROR:                              {cloud.Unknown, "TAT could not ask Lighthouse about the instance"},
	tat.UNAUTHORIZEDOPERATION_CAMAUTHFAILED:                          {cloud.Denied, adviceGrant},
	tat.INVALIDPARAMETER_CONFLICTPARAMETER:                           {cloud.Refused, adviceOurs},
	tat.INVALIDPARAMETER_INVALIDUSERNAME:                             {cloud.Refused, adviceOurs},
	tat.INVALIDPARAMETER_PARAMETERNAMEDUPLICATED:                     {cloud.Refused, adviceOurs},
	tat.INVALIDPARAMETERVALUE_COMMANDCONTENTINVALID:                  {cloud.Refused, adviceOurs},
	tat.INVALIDPARAMETERVALUE_COMMANDNAMEDUPLICATED:                  {cloud.Refused, adviceOurs},
	tat.INVALIDPARAMETERVALUE_INCONSISTENTINSTANCE:                   {cloud.Refused, adviceOurs},
	tat.INVALIDPARAMETERVALUE_INVALIDCOMMANDID:                       {cloud.Refused, adviceOurs},
	tat.INVALIDPARAMETERVALUE_INVALIDCOMMANDNAME:                     {cloud.Refused, adviceOurs},
	tat.INVALIDPARAMETERVALUE_INVALIDCONTENT:                         {cloud.Refused, adviceOurs},
	tat.INVALIDPARAMETERVALUE_INVALIDFILTER:                          {cloud.Refused, adviceOurs},
	tat.INVALIDPARAMETERVALUE_INVALIDINSTANCEID:                      {cloud.Refused, adviceID},
	tat.INVALIDPARAMETERVALUE_INVALIDINVOCATIONID:                    {cloud.Refused, adviceOurs},
	tat.INVALIDPARAMETERVALUE_INVALIDINVOCATIONTASKID:                {cloud.Refused, adviceOurs},
	tat.INVALIDPARAMETERVALUE_INVALIDOUTPUTCOSBUCKETURL:              {cloud.Refused, adviceOurs},
	tat.INVALIDPARAMETERVALUE_INVALIDOUTPUTCOSKEYPREFIX:              {cloud.Refused, adviceOurs},
	tat.INVALIDPARAMETERVALUE_INVALIDUSERNAME:                        {cloud.Refused, adviceOurs},
	tat.INVALIDPARAMETERVALUE_INVALIDWORKINGDIRECTORY:                {cloud.Refused, adviceOurs},
	tat.INVALIDPARAMETERVALUE_LACKOFPARAMETERINFO:                    {cloud.Refused, adviceOurs},
	tat.INVALIDPARAMETERVALUE_PARAMETERDISABLED:                      {cloud.Refused, adviceOurs},
	tat.INVALIDPARAMETERVALUE_PARAMETERINVALIDJSONFORMAT:             {cloud.Refused, adviceOurs},
	tat.INVALIDPARAMETERVALUE_PARAMETERKEYCONTAINSINVALIDCHAR:        {cloud.Refused, adviceOurs},
	tat.INVALIDPARAMETERVALUE_PARAMETERKEYDUPLICATED:                 {cloud.Refused, adviceOurs},
	tat.INVALIDPARAMETERVALUE_PARAMETERKEYLENEXCEEDED:                {cloud.Refused, adviceOurs},
	tat.INVALIDPARAMETERVALUE_PARAMETERNUMBEREXCEEDED:                {cloud.Refused, adviceOurs},
	tat.INVALIDPARAMETERVALUE_PARAMETERVALUENOTSTRING:                {cloud.Refused, adviceOurs},
	tat.INVALIDPARAMETERVALUE_RANGE:                                  {cloud.Refused, adviceOurs},
	tat.INVALIDPARAMETERVALUE_SUPPORTPARAMETERSONLYIFENABLEPARAMETER: {cloud.Refused, adviceOurs},

	// GetCallerIdentity.
	sts.AUTHFAILURE_ACCESSKEYILLEGAL:         {cloud.Denied, adviceKeys},
	sts.INVALIDPARAMETER_ACCESSKEYNOTSUPPORT: {cloud.Denied, "STS does not accept keys of this kind; use an API key of a CAM user"},
	sts.INTERNALERROR_GETSEEDTOKENERROR:      {cloud.Unknown, adviceServer},

	// AssumeRole.
	sts.FAILEDOPERATION_CHECKMFAERROR:           {cloud.Denied, adviceMFA},
	sts.FAILEDOPERATION_MFATYPENOTSUPPORTED:     {cloud.Denied, adviceMFA},
	sts.INTERNALERROR_DBERROR:                   {cloud.Unknown, adviceServer},
	sts.INTERNALERROR_ENCRYPTERROR:              {cloud.Unknown, adviceServer},
	sts.INTERNALERROR_GETAPPIDERROR:             {cloud.Unknown, adviceServer},
	sts.INTERNALERROR_GETROLEERROR:              {cloud.Unknown, adviceServer + " while it looked the role up; check role_arn if that lasts"},
	sts.INTERNALERROR_ILLEGALROLE:               {cloud.Denied, adviceRole},
	sts.INTERNALERROR_PBSERIALIZEERROR:          {cloud.Unknown, adviceServer},
	sts.INTERNALERROR_SYSTEMERROR:               {cloud.Unknown, adviceServer},
	sts.INTERNALERROR_UNKNOWNERROR:              {cloud.Unknown, adviceServer},
	sts.INVALIDPARAMETER_ACCOUNTNOTAVALIABLE:    {cloud.Denied, "the account of the role does not exist or cannot be used; check role_arn"},
	sts.INVALIDPARAMETER_EXTENDSTRATEGYOVERSIZE: {cloud.Refused, adviceOurs},
	sts.INVALIDPARAMETER_GRANTOTHERRESOURCE:     {cloud.Denied, adviceRole},
	sts.INVALIDPARAMETER_OVERLIMIT:              {cloud.Throttled, adviceSlow},
	sts.INVALIDPARAMETER_OVERTIMEERROR: {cloud.Refused,
		"the role allows only shorter sessions than two hours; raise its maximum session duration in CAM"},
	sts.INVALIDPARAMETER_PARAMERROR: {cloud.Refused,
		"the cloud does not accept a parameter of the request; check role_arn and external_id, where the connection has them"},
	sts.INVALIDPARAMETER_POLICYTOOLONG:        {cloud.Refused, adviceOurs},
	sts.INVALIDPARAMETER_RESOUCEERROR:         {cloud.Refused, "the cloud cannot read the name of the role; check role_arn"},
	sts.INVALIDPARAMETER_STRATEGYFORMATERROR:  {cloud.Refused, adviceOurs},
	sts.INVALIDPARAMETER_STRATEGYINVALID:      {cloud.Refused, adviceOurs},
	sts.INVALIDPARAMETER_TEMPCODENOTAVALIABLE: {cloud.Refused, adviceOurs},
	sts.RESOURCENOTFOUND_ROLENOTFOUND:         {cloud.NotFound, "no such role; check role_arn"},

	// Access keys in CAM. The operation error says nothing about what was done.
	cam.FAILEDOPERATION_ACCESSKEY:          {cloud.Unknown, "CAM failed at the access key"},
	cam.INVALIDPARAMETER_USERNOTEXIST:      {cloud.Refused, "CAM does not know the user of the keys; check {keys}"},
	cam.OPERATIONDENIED_ACCESSKEYOVERLIMIT: {cloud.Refused, "the user has as many access keys as CAM allows"},
	cam.OPERATIONDENIED_SUBUIN:             {cloud.Denied, "CAM lets no user change the keys of the main account"},
	cam.OPERATIONDENIED_UINNOTMATCH:        {cloud.Refused, "the access key belongs to another user"},
	cam.RESOURCENOTFOUND_SECRETNOTEXIST:    {cloud.NotFound, "no such access key"},

	// Common to all APIs (page 213/33281).
	"ActionOffline":                    {cloud.Refused, "the cloud has withdrawn this API; a newer cloudpw may know its successor"},
	"AuthFailure.InvalidAuthorization": {cloud.Denied, adviceKeys},
	"AuthFailure.InvalidSecretId":      {cloud.Denied, "{id} is not the SecretId of an API key; create one under CAM, API keys"},
	"AuthFailure.MFAFailure":           {cloud.Denied, adviceMFA},
	"AuthFailure.SecretIdNotFound":     {cloud.Denied, adviceKeys},
	"AuthFailure.SignatureExpire": {cloud.Denied,
		"the clock of this host is more than five minutes off the cloud's; synchronize it: timedatectl set-ntp true"},
	"AuthFailure.SignatureFailure":      {cloud.Denied, "{mismatch}"},
	"AuthFailure.TokenFailure":          {cloud.Denied, "{ended}"},
	"AuthFailure.UnauthorizedOperation": {cloud.Denied, adviceGrant},
	"DryRunOperation":                   {cloud.Refused, adviceOurs},
	"FailedOperation":                   {cloud.Unknown, "the cloud reports a failure without a reason"},
	"InternalError":                     {cloud.Unknown, adviceServer},
	"InvalidAction":                     {cloud.Refused, adviceOurs},
	"InvalidParameter": {cloud.Refused,
		"the cloud does not accept a parameter of the request; check the role's username and instance_tags"},
	"InvalidRequest":       {cloud.Refused, adviceOurs},
	"IpInBlacklist":        {cloud.Denied, "the account's IP deny list names this host's address; remove it there"},
	"IpNotInWhitelist":     {cloud.Denied, "the account's IP allow list lacks this host's address; add it there"},
	"LimitExceeded":        {cloud.Refused, "a quota of the account is used up; have it raised"},
	"NoSuchProduct":        {cloud.Refused, adviceOurs},
	"NoSuchVersion":        {cloud.Refused, adviceOurs},
	"RequestLimitExceeded": {cloud.Throttled, adviceSlow},
	"RequestLimitExceeded.GlobalRegionUinLimitExceeded": {cloud.Throttled, adviceSlow},
	"RequestLimitExceeded.IPLimitExceeded":              {cloud.Throttled, adviceSlow},
	"RequestLimitExceeded.UinLimitExceeded":             {cloud.Throttled, adviceSlow},
	"RequestSizeLimitExceeded":                          {cloud.Refused, adviceOurs},
	"ResourceInUse":                                     {cloud.Unknown, "the cloud says that the resource is in use"},
	"ResourceInsufficient":                              {cloud.Unknown, "the cloud is short of resources"},
	"ResourceNotFound": {cloud.NotFound,
		"no such resource in this region for these keys; check the instance id and the connection's region"},
	"ResourceUnavailable":       {cloud.Unknown, "the resource is not available now"},
	"ResponseSizeLimitExceeded": {cloud.Unknown, "the answer was too large for the cloud to send"},
	"ServiceUnavailable":        {cloud.Unknown, adviceServer},
	"UnauthorizedOperation":     {cloud.Denied, adviceGrant},
	"UnknownParameter":          {cloud.Refused, adviceOurs},
	"UnsupportedOperation":      {cloud.Refused, adviceNothing},
	"UnsupportedProtocol":       {cloud.Refused, adviceOurs},
	unsupportedRegion: {cloud.Refused,
		"the cloud does not offer CVM in this region; check the connection's region"},
}

// unsupportedRegion is the common code for a region that the service asked for does not have.
const unsupportedRegion = "UnsupportedRegion"
