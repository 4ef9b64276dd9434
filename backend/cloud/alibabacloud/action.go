package alibabacloud

// The services, as the keys of the endpoints field.
const (
	endpointECS = "ecs"
	endpointSTS = "sts"
	endpointRAM = "ram"
)

// endpointKeys are the services whose URL an operator can set.
var endpointKeys = []string{endpointECS, endpointSTS, endpointRAM}

// versions are those of the services' APIs.
var versions = map[string]string{endpointECS: "2014-05-26", endpointSTS: "2015-04-01", endpointRAM: "2015-05-01"}

// action is an API action.
type action struct {
	service, name string
	// reads is set where a call changes nothing, so that even an unclear refusal harms nobody.
	reads bool
}

// String is the action's name in messages.
func (a action) String() string { return a.service + " " + a.name }

var (
	describeInstances         = action{endpointECS, "DescribeInstances", true}
	runCommand                = action{endpointECS, "RunCommand", false}
	describeInvocations       = action{endpointECS, "DescribeInvocations", true}
	describeInvocationResults = action{endpointECS, "DescribeInvocationResults", true}
	describeAssistant         = action{endpointECS, "DescribeCloudAssistantStatus", true}
	getCallerIdentity         = action{endpointSTS, "GetCallerIdentity", true}
	assumeRole                = action{endpointSTS, "AssumeRole", true}
	listAccessKeys            = action{endpointRAM, "ListAccessKeys", true}
	createAccessKey           = action{endpointRAM, "CreateAccessKey", false}
	updateAccessKey           = action{endpointRAM, "UpdateAccessKey", false}
	deleteAccessKey           = action{endpointRAM, "DeleteAccessKey", false}
)

// outcomeOpen ends the message about a call whose outcome the error leaves open.
func (a action) outcomeOpen() string {
	if a == runCommand {
		return "; whether the command was taken is not known yet"
	}
	return "; whether the call took effect is not known"
}
