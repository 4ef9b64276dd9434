package aws

import (
	"regexp"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// instanceIDForm: ids have 17 hexadecimal digits, those of old instances 8.
var instanceIDForm = regexp.MustCompile(`^i-([0-9a-f]{8}|[0-9a-f]{17})$`)

func validateInstanceID(id string) error {
	if !instanceIDForm.MatchString(id) {
		return cloud.Errorf(cloud.Refused, "%.40q is not an EC2 instance id; it is i- and 17 (old instances: 8) digits or letters a to f, "+
			"for example i-0123456789abcdef0", id)
	}
	return nil
}
