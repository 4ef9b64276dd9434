package tencentcloud

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// Name is the value of a connection's provider field.
const Name = "tencentcloud"

// fields are the provider's own fields of a connection.
func fields() []cloud.Field {
	secretID := cloud.AccessKey.CheckedBy(checkSecretID)
	secretID.Description = "Access key id, which is called SecretId."
	return []cloud.Field{
		cloud.Region.CheckedBy(checkRegion),
		secretID,
		cloud.SecretKey.CheckedBy(checkSecretKey),
		cloud.AmbientCredentials,
		cloud.RoleARN.CheckedBy(checkRoleARN),
		cloud.ExternalID.CheckedBy(checkExternalID),
	}
}

// Forms of the fields.
var (
	// regionForm covers the regions of the SDK's list (common/regions), finance and open regions
	// included, without being a list: new regions appear.
	regionForm = regexp.MustCompile(`^[a-z]{2}(-[a-z0-9]{1,24}){1,3}$`)
	// accessKeyForm keeps a credential usable in the Authorization header, which separates its parts by
	// blanks, commas and slashes.
	accessKeyForm = regexp.MustCompile(`^[!-+\-.0-~]{1,256}$`)
	secretKeyForm = regexp.MustCompile(`^[!-~]{1,256}$`)
	// roleARNForm covers the four forms of AssumeRole's page (product/1150/49456): roles and service
	// roles, by id and by name.
	roleARNForm = regexp.MustCompile(`^qcs::cam::uin/[0-9]{1,20}:(role|roleName)/(tencentcloudServiceRole(Name)?/)?[\w+=,.@-]{1,128}$`)
	// externalIDForm is that of the same page.
	externalIDForm = regexp.MustCompile(`^[\w+=,.@:/-]{2,128}$`)
)

func checkRegion(region string) error {
	if !regionForm.MatchString(region) {
		return fmt.Errorf("%q is not the name of a Tencent Cloud region, "+
			"such as ap-guangzhou (a zone such as ap-guangzhou-3 names a part of it)", region)
	}
	return nil
}

func checkSecretID(id string) error {
	if !accessKeyForm.MatchString(id) {
		return errors.New("not a SecretId; it holds a character that none has, maybe a blank or a line break")
	}
	return nil
}

func checkSecretKey(key string) error {
	if !secretKeyForm.MatchString(key) {
		return errors.New("not a SecretKey; it holds a character that none has, maybe a blank or a line break")
	}
	return nil
}

func checkRoleARN(arn string) error {
	if !roleARNForm.MatchString(arn) {
		return fmt.Errorf("%.80q is not the name of a role, such as qcs::cam::uin/100000000001:roleName/cloudpw", arn)
	}
	return nil
}

func checkExternalID(id string) error {
	if !externalIDForm.MatchString(id) {
		return errors.New("must be 2 to 128 letters, digits or characters of _+=,.@:/-")
	}
	return nil
}
