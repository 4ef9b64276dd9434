package aws

import (
	"regexp"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// Name is the value of a connection's provider field.
const Name = "aws"

// Keys of a connection's endpoints map.
const (
	endpointEC2 = "ec2"
	endpointSTS = "sts"
	endpointIAM = "iam"
	endpointSSM = "ssm"
)

// initialPasswordDelay is the wait that the API reference of GetPasswordData advises after a launch.
const initialPasswordDelay = 15 * time.Minute

// defaultRate is the default of max_requests_per_second, in requests per second and API action. EC2
// refills the bucket of a reading action by 20 requests a second, for the whole account in the
// region; half of it is left to everybody else. No page states the limits of Systems Manager's actions, of
// which a reset takes three: throttling by it is waited for like any other.
const (
	defaultRate = 10
	rateSource  = "half of the 20 requests a second by which EC2 refills the bucket of a reading action, per account " +
		"and region (docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html)"
)

// instanceIDForm: ids have 17 hexadecimal digits, those of old instances 8.
var instanceIDForm = regexp.MustCompile(`^i-([0-9a-f]{8}|[0-9a-f]{17})$`)

// Descriptor returns the provider's description for the registry.
func Descriptor() cloud.Descriptor {
	return cloud.Descriptor{
		Name:                     Name,
		Title:                    "Amazon EC2",
		New:                      New,
		Fields:                   fields(),
		Validate:                 validate,
		EndpointKeys:             []string{endpointEC2, endpointSTS, endpointIAM, endpointSSM},
		DefaultRequestsPerSecond: defaultRate,
		RateSource:               rateSource,
		HasInitialPassword:       true,
		ResetMethods:             []cloud.ResetMethod{{Name: cloud.MethodCommand}},
		UsualInitialDelay:        initialPasswordDelay,
	}
}

// ValidateInstanceID implements cloud.Provider.
func (*Provider) ValidateInstanceID(id string) error { return validateInstanceID(id) }

func validateInstanceID(id string) error {
	if !instanceIDForm.MatchString(id) {
		return cloud.Errorf(cloud.Refused, "%.40q is not an EC2 instance id; it is i- and 17 (old instances: 8) digits or letters a to f, "+
			"for example i-0123456789abcdef0", id)
	}
	return nil
}
