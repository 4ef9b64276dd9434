package cloud

import "encoding/json"

// Tried is the permission with the outcome of a trial: granted without an error, denied where missing says that the
// error is about just this permission, and unknown else, since the trial failed for another reason.
func (p Permission) Tried(err error, missing func(error) bool) Permission {
	switch {
	case err == nil:
		p.Verdict = PermissionGranted
	case missing(err):
		p.Verdict, p.Message = PermissionDenied, err.Error()
	default:
		return p.Untried("it could not be tried: " + err.Error())
	}
	return p
}

// Untried is the permission where it cannot be determined, with the reason.
func (p Permission) Untried(why string) Permission {
	p.Verdict, p.Message = PermissionUnknown, why
	return p
}

// PolicyText writes a policy, whose fields are texts and lists of texts, as the JSON document to paste.
func PolicyText(policy any) string {
	text, err := json.Marshal(policy)
	if err != nil { // texts always encode
		return ""
	}
	return string(text)
}

// EndpointMissing reports whether an operator has given a connection an endpoint of its own for its main service and
// none for this one: requests that are signed with keys of a private or simulated cloud must not be sent to the
// public one unless the operator says so.
func EndpointMissing(endpoints map[string]string, main, service string) bool {
	return endpoints[main] != "" && endpoints[service] == ""
}
