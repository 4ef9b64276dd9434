package awsapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/wire"
)

// Systems Manager speaks JSON 1.1: the header X-Amz-Target names the action, and every error of a client
// has HTTP status 400. Members, patterns and errors are those of botocore's ssm/2014-11-06 service-2.json;
// the texts are the ones that people report, where nothing states them.

// ssmTarget is what an X-Amz-Target of Systems Manager begins with.
const ssmTarget = "AmazonSSM."

// jsonType is the media type of JSON 1.1.
const jsonType = "application/x-amz-json-1.1"

// ssm names the service for signatures and permissions.
var ssm = &service{name: "ssm"}

// ssmAction reads its input from the body.
type ssmAction func(r *request, body []byte) (any, *failure)

var ssmActions = map[string]ssmAction{
	"SendCommand":                 ssmCall(sendCommand),
	"CancelCommand":               ssmCall(cancelCommand),
	"GetCommandInvocation":        ssmCall(getCommandInvocation),
	"ListCommands":                ssmCall(listCommands),
	"ListCommandInvocations":      ssmCall(listCommandInvocations),
	"DescribeInstanceInformation": ssmCall(describeInstanceInformation),
}

func ssmCall[In any](run func(*request, *In) (any, *failure)) ssmAction {
	return func(r *request, body []byte) (any, *failure) {
		var in In
		if f := decodeJSON(body, &in); f != nil {
			return nil, f
		}
		return run(r, &in)
	}
}

// serveSSM answers a request with an X-Amz-Target.
func (a *API) serveSSM(rw http.ResponseWriter, r *http.Request, target string) {
	id := a.world.NewUUID()
	refuse := func(f *failure) { wire.Write(rw, answerJSON(f.status, f.code, jsonError{f.code, f.message}, id)) }
	body, err := wire.ReadBody(r)
	if err != nil {
		refuse(fail("SerializationException", err.Error()))
		return
	}
	name, ok := strings.CutPrefix(target, ssmTarget)
	if !ok || r.Method != http.MethodPost || r.Header.Get("Content-Type") != jsonType {
		refuse(fail("UnknownOperationException", ""))
		return
	}
	who, f := a.authenticate(ssm, r, body)
	call := model.Call{
		Cloud: model.AWS, Service: ssm.name, Action: name, Region: who.region,
		Account: who.key.AccountID, AccessKey: who.key.ID, Unauthenticated: f != nil,
	}
	describeJSON(&call, body)
	x := a.world.Begin(call)
	if f != nil {
		f = inJSON(f)
		x.Done(f.status, f.code, id)
		refuse(f)
		return
	}
	req := &request{api: a, world: a.world, caller: who, id: id, exchange: x}
	answer := func(f *failure) wire.Answer { return answerJSON(f.status, f.code, jsonError{f.code, f.message}, id) }
	wire.Serve(rw, a.world, x,
		func(ref *model.Refusal) wire.Answer { return answer(ssmRefusal(ref)) },
		func() wire.Answer {
			result, f := a.runSSM(name, req, body)
			if f != nil {
				return answer(f)
			}
			return answerJSON(http.StatusOK, "", result, id)
		})
}

func (a *API) runSSM(name string, r *request, body []byte) (any, *failure) {
	run, ok := ssmActions[name]
	if !ok {
		return nil, fail("UnknownOperationException", "")
	}
	if !a.world.Allowed(r.caller.key, ssm.name, name) {
		return nil, fail("AccessDeniedException", "User: "+r.caller.arn(a.world)+" is not authorized to perform: ssm:"+name+
			" on resource: arn:aws:ssm:"+r.caller.region+":"+r.caller.key.AccountID+":* because no identity-based policy allows the ssm:"+name+
			" action")
	}
	return run(r, body)
}

// inJSON translates what authenticate says in the words of STS into those of JSON services.
func inJSON(f *failure) *failure {
	code := map[string]string{
		"MissingAuthenticationToken": "MissingAuthenticationTokenException",
		"IncompleteSignature":        "IncompleteSignatureException",
		"InvalidClientTokenId":       "UnrecognizedClientException",
		"SignatureDoesNotMatch":      "InvalidSignatureException",
		"ExpiredToken":               "ExpiredTokenException",
	}[f.code]
	return fail(code, f.message)
}

// ssmRefusal translates an injected refusal or the rate limit's.
func ssmRefusal(r *model.Refusal) *failure {
	switch r.Kind {
	case model.Coded:
		return &failure{r.Status, r.Code, r.Message}
	case model.Throttled:
		return fail("ThrottlingException", "Rate exceeded")
	default:
		return &failure{http.StatusInternalServerError, "InternalServerError", "An internal error has occurred"}
	}
}

// jsonError is the form of an error. Its message has a capital in some answers; all clients take both.
type jsonError struct {
	Type    string `json:"__type"`
	Message string `json:"message,omitempty"`
}

func answerJSON(status int, code string, body any, requestID string) wire.Answer {
	text, err := json.Marshal(body)
	if err != nil {
		return wire.Answer{Status: http.StatusInternalServerError, Code: "InternalServerError", Body: []byte(err.Error())}
	}
	return wire.Answer{
		Status: status, Code: code, RequestID: requestID,
		Header: map[string]string{"Content-Type": jsonType, "x-amzn-RequestId": requestID}, Body: text,
	}
}

// invalid says that a member breaks its constraint; nil if it breaks none.
func invalid(value, member, broken string) *failure {
	if broken == "" {
		return nil
	}
	return fail("ValidationException", violation(value, member, broken))
}

// missing says that a member is not there.
func missing(member string) *failure { return fail("ValidationException", absent(member)) }

// managedID is the form of a managed node's id.
var managedID = text(0, 0, `(^i-(\w{8}|\w{17})$)|(^mi-\w{17}$)`)

func checkInstanceID(id string) *failure { return invalid(id, "instanceId", managedID.broken(id)) }

// checkInstanceIDs checks a list of them, which may be empty.
func checkInstanceIDs(ids []string) *failure {
	if len(ids) > maxCommandInstances {
		return invalid(fmt.Sprint(ids), "instanceIds", tooLong(maxCommandInstances))
	}
	for i, id := range ids {
		if f := checkInstanceID(id); f != nil {
			return f
		}
		if slices.Contains(ids[:i], id) {
			return fail("DuplicateInstanceId", "")
		}
	}
	return nil
}

// commandLength is the length of a command id.
const commandLength = 36

// commandForm is the form of a command id: that of a UUID.
var commandForm = regexp.MustCompile(`^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

func checkCommandID(id string) *failure {
	if id == "" {
		return missing("commandId")
	}
	if f := invalid(id, "commandId", text(commandLength, commandLength, "").broken(id)); f != nil {
		return f
	}
	if !commandForm.MatchString(id) {
		return fail("InvalidCommandId", "")
	}
	return nil
}
