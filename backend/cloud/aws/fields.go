package aws

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// Name is the value of a connection's provider field.
const Name = "aws"

// fields are the provider's own fields of a connection.
func fields() []cloud.Field {
	return []cloud.Field{
		cloud.Region.CheckedBy(checkRegion),
		cloud.AccessKey.CheckedBy(checkAccessKey),
		cloud.SecretKey,
		cloud.AmbientCredentials,
		cloud.RoleARN.CheckedBy(checkRoleARN),
		cloud.ExternalID.CheckedBy(checkExternalID),
	}
}

// Forms of the fields.
var (
	// Regions of every partition look like eu-central-1, us-gov-west-1, us-isob-east-1 or
	// eusc-de-east-1: the region patterns of the SDK's partitions, made one. A strict form keeps a
	// region from smuggling anything into the host name that is built from it.
	regionForm = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]{2,12}){1,2}-[0-9]{1,2}$`)
	// Access key ids: at most 128 word characters (IAM API reference, AccessKey). Its lower bound of
	// 16 is left to the cloud, as private EC2 endpoints hand out shorter ones.
	accessKeyForm = regexp.MustCompile(`^[A-Za-z0-9_]{1,128}$`)
	// Access key ids of temporary credentials begin with ASIA (IAM user guide, "IAM identifiers", unique id
	// prefixes). Ids of AWS have 20 characters, those of private EC2 endpoints need not.
	sessionKeyForm = regexp.MustCompile(`^ASIA[A-Z0-9]{16}$`)
	// Role ARNs: paths of at most 512 and names of at most 64 characters (IAM API reference, Role).
	roleARNForm = regexp.MustCompile(`^arn:(aws(?:-[a-z]+)*):iam::[0-9]{12}:role/(?:[!-.0-~]+/)*[\w+=,.@-]{1,64}$`)
	// External ids: 2 to 1224 of these (STS API reference, AssumeRole).
	externalIDForm = regexp.MustCompile(`^[\w+=,.@:/\\-]{2,}$`)
)

// The longest values that AssumeRole takes, in characters (STS API reference).
const (
	maxRoleARN    = 2048
	maxExternalID = 1224
)

func checkRegion(region string) error {
	if !regionForm.MatchString(region) {
		return fmt.Errorf("%q is not the name of an AWS region such as eu-central-1 or cn-north-1", region)
	}
	return nil
}

func checkAccessKey(id string) error {
	switch {
	case sessionKeyForm.MatchString(id):
		return errors.New("belongs to a session (ASIA...) and does not work without its token, " +
			"which cloudpw does not accept, since it ends within hours; " +
			"use the access key of an IAM user (AKIA...), or use_ambient_credentials=true where the Vault server has a role")
	case !accessKeyForm.MatchString(id):
		return errors.New("not an access key id; it has only letters and digits, for example AKIAIOSFODNN7EXAMPLE")
	}
	return nil
}

func checkRoleARN(arn string) error {
	if partitionOfRole(arn) == "" || len(arn) > maxRoleARN {
		return fmt.Errorf("%.80q is not the ARN of a role, such as arn:aws:iam::123456789012:role/cloudpw", arn)
	}
	return nil
}

// partitionOfRole is the partition that the ARN of a role names; empty if it is none.
func partitionOfRole(arn string) string {
	parts := roleARNForm.FindStringSubmatch(arn)
	if parts == nil {
		return ""
	}
	return parts[1]
}

func checkExternalID(id string) error {
	if !externalIDForm.MatchString(id) || len(id) > maxExternalID {
		return errors.New(`must be 2 to 1224 letters, digits or characters of _+=,.@:/\-`)
	}
	return nil
}
