package aws

import "fmt"

// The services, as the keys of a connection's endpoints map.
const (
	endpointEC2 = "ec2"
	endpointSTS = "sts"
	endpointIAM = "iam"
	endpointSSM = "ssm"
)

// endpointKeys are the services whose URL an operator can set.
var endpointKeys = []string{endpointEC2, endpointSTS, endpointIAM, endpointSSM}

// call names one request, for the limiter and for error messages.
type call struct {
	service string // endpoint key
	action  string // API action
	subject string // what the request is about, for people; may be empty
}

func (c call) String() string {
	if c.subject == "" {
		return c.service + " " + c.action
	}
	return fmt.Sprintf("%s %s for %s", c.service, c.action, c.subject)
}
