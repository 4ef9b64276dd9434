package tencentcloud

// The services, as the keys of the endpoints field.
const (
	endpointCVM = "cvm"
	endpointSTS = "sts"
	endpointCAM = "cam"
	endpointTAT = "tat"
)

// endpointKeys are the services whose URL an operator can set.
var endpointKeys = []string{endpointCVM, endpointSTS, endpointCAM, endpointTAT}

// action is an API action.
type action struct {
	service, name string
	// reads is set where a call changes nothing, so that even an unclear refusal harms nobody.
	reads bool
}

// String is the action's name in messages.
func (a action) String() string { return a.service + " " + a.name }

var (
	describeInstances       = action{"cvm", "DescribeInstances", true}
	resetInstancesPassword  = action{"cvm", "ResetInstancesPassword", false}
	runCommand              = action{"tat", "RunCommand", false}
	describeInvocationTasks = action{"tat", "DescribeInvocationTasks", true}
	getCallerIdentity       = action{"sts", "GetCallerIdentity", true}
	assumeRole              = action{"sts", "AssumeRole", true}
	listAccessKeys          = action{"cam", "ListAccessKeys", true}
	createAccessKey         = action{"cam", "CreateAccessKey", false}
	updateAccessKey         = action{"cam", "UpdateAccessKey", false}
	deleteAccessKey         = action{"cam", "DeleteAccessKey", false}
)

// outcomeOpen ends the message about a call whose outcome the error leaves open.
func (a action) outcomeOpen() string {
	if a == resetInstancesPassword || a == runCommand {
		return "; whether the reset took effect is not known yet"
	}
	return "; whether the call took effect is not known"
}
