package backend

import (
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/alibabacloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/aws"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/azure"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/openstack"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/ssh"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/tencentcloud"
)

// providers makes the registry. A new cloud is one new package and one more line here: its descriptor brings the fields
// of its connections, credentials too.
func providers() cloud.Registry {
	registry := cloud.Registry{}
	add := func(descriptors ...cloud.Descriptor) {
		for _, d := range descriptors {
			registry[d.Name] = d
		}
	}
	add(aws.Descriptor())
	add(tencentcloud.Descriptor())
	add(alibabacloud.Descriptor())
	add(azure.Descriptor())
	add(openstack.Descriptors()...) // huaweicloud, opentelekomcloud
	add(ssh.Descriptor())
	return registry
}
