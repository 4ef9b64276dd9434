package aws

import (
	"fmt"
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
// region; half of it is left to everybody else.
const (
	defaultRate = 10
	rateSource  = "half of the 20 requests a second by which EC2 refills the bucket of a reading action, per account " +
		"and region (docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html)"
)

// Forms of what a client or operator may send.
var (
	// Regions of every partition look like eu-central-1, us-gov-west-1, us-isob-east-1 or
	// eusc-de-east-1: the region patterns of the SDK's partitions, made one. A strict form keeps a
	// region from smuggling anything into the host name that is built from it.
	regionForm = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]{2,12}){1,2}-[0-9]{1,2}$`)
	// Ids have 17 hexadecimal digits, those of old instances 8.
	instanceIDForm = regexp.MustCompile(`^i-([0-9a-f]{8}|[0-9a-f]{17})$`)
	// Access key ids: at most 128 word characters (IAM API reference, AccessKey). Its lower bound of
	// 16 is left to the cloud, as private EC2 endpoints hand out shorter ones.
	accessKeyForm = regexp.MustCompile(`^[A-Za-z0-9_]{1,128}$`)
)

// Descriptor returns the provider's description for the registry.
func Descriptor() cloud.Descriptor {
	return cloud.Descriptor{
		Name:                     Name,
		Title:                    "Amazon EC2",
		New:                      New,
		Fields:                   []string{"region", "access_key", "secret_key"},
		Validate:                 Validate,
		EndpointKeys:             []string{endpointEC2, endpointSTS, endpointIAM, endpointSSM},
		DefaultRequestsPerSecond: defaultRate,
		RateSource:               rateSource,
		HasInitialPassword:       true,
		UsualInitialDelay:        initialPasswordDelay,
	}
}

// Validate checks a connection's fields as far as that is possible without asking the cloud. Its
// errors name the field; none repeats a secret.
func Validate(cfg cloud.Config) error {
	switch {
	case cfg.Region == "":
		return fmt.Errorf("region: required for provider %s, for example eu-central-1", Name)
	case !regionForm.MatchString(cfg.Region):
		return fmt.Errorf("region: %q is not the name of an AWS region such as eu-central-1 or cn-north-1", cfg.Region)
	case cfg.AccessKey == "" && cfg.SecretKey == "":
		return fmt.Errorf("access_key, secret_key: required for provider %s", Name)
	case cfg.AccessKey == "":
		return fmt.Errorf("access_key: required together with secret_key")
	case cfg.SecretKey == "":
		return fmt.Errorf("secret_key: required together with access_key")
	case !accessKeyForm.MatchString(cfg.AccessKey):
		return fmt.Errorf("access_key: not an access key id; it has only letters and digits, for example AKIAIOSFODNN7EXAMPLE")
	}
	for key, raw := range cfg.Endpoints {
		switch key {
		case endpointEC2, endpointSTS, endpointIAM, endpointSSM:
		default:
			return fmt.Errorf("endpoints: provider %s has no service %q; it has ec2, sts, iam and ssm", Name, key)
		}
		if err := cloud.ValidateURL("endpoints."+key, raw); err != nil {
			return err
		}
	}
	return nil
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
