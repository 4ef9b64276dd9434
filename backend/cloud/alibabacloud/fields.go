package alibabacloud

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// Name is the value of a connection's provider field.
const Name = "alibabacloud"

// fields are the provider's own fields of a connection.
func fields() []cloud.Field {
	role := cloud.RoleARN.CheckedBy(checkRoleARN)
	role.AccountOf = accountOfRole
	return []cloud.Field{
		cloud.Region.CheckedBy(checkRegion),
		cloud.AccessKey.CheckedBy(checkAccessKey),
		cloud.SecretKey.CheckedBy(checkSecretKey),
		cloud.AmbientCredentials,
		role,
		cloud.ExternalID.CheckedBy(checkExternalID),
	}
}

// Forms of the fields.
var (
	// regionForm covers the regions of the SDK's list (ecs-20140526 client.go), without being a list: new regions appear.
	// It becomes part of a host.
	regionForm = regexp.MustCompile(`^[a-z]{2,4}(-[a-z0-9]{1,24}){1,4}$`)
	// accessKeyForm keeps a credential usable in the Authorization header, which separates its parts by commas. Ids of
	// temporary keys have a dot.
	accessKeyForm = regexp.MustCompile(`^[0-9A-Za-z._-]{1,128}$`)
	secretKeyForm = regexp.MustCompile(`^[!-~]{1,256}$`)
	tokenForm     = regexp.MustCompile(`^[!-~]+$`)
	// roleARNForm is that of AssumeRole (sts, 2015-04-01): acs:ram::ACCOUNT:role/NAME.
	roleARNForm = regexp.MustCompile(`^acs:ram::[0-9]{1,20}:role/[0-9A-Za-z.-]{1,64}$`)
	// externalIDForm is that of AssumeRole's ExternalId, which has 2 to 1224 characters.
	externalIDForm = regexp.MustCompile(`^[\w+=,.@:/-]+$`)
)

func checkRegion(region string) error {
	if !regionForm.MatchString(region) {
		return fmt.Errorf("%q is not the id of an Alibaba Cloud region, such as eu-central-1 or cn-hangzhou "+
			"(a zone such as cn-hangzhou-g names a part of it)", region)
	}
	return nil
}

func checkAccessKey(id string) error {
	if !accessKeyForm.MatchString(id) {
		return errors.New("not an AccessKey ID; it holds a character that none has, maybe a blank or a line break")
	}
	return nil
}

func checkSecretKey(key string) error {
	if !secretKeyForm.MatchString(key) {
		return errors.New("not an AccessKey secret; it holds a character that none has, maybe a blank or a line break")
	}
	return nil
}

func checkRoleARN(arn string) error {
	if !roleARNForm.MatchString(arn) {
		return fmt.Errorf("%.80q is not the ARN of a RAM role, such as acs:ram::1000000000000001:role/cloudpw", arn)
	}
	return nil
}

// accountOfRole is the account that a role belongs to.
func accountOfRole(arn string) string {
	rest, isRole := strings.CutPrefix(arn, "acs:ram::")
	account, _, found := strings.Cut(rest, ":")
	if !isRole || !found {
		return arn
	}
	return account
}

func checkExternalID(id string) error {
	if len(id) < 2 || len(id) > 1224 || !externalIDForm.MatchString(id) {
		return errors.New("must be 2 to 1224 letters, digits or characters of _+=,.@:/-")
	}
	return nil
}
