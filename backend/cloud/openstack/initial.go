package openstack

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/keypairs"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// initialPasswordDelay is the upper end of the "5 to 10 minutes" after start that both vendors'
// pages on os-server-password name.
const initialPasswordDelay = 10 * time.Minute

// InitialPassword implements cloud.InitialPasswordReader. The cloud answers "not yet" and "never"
// alike, with an empty password; both are NotReady.
func (p *provider) InitialPassword(ctx context.Context, instanceID string) (string, error) {
	ciphertext, err := p.readPassword(ctx, instanceID)
	if err != nil {
		return "", err
	}
	if strings.TrimSpace(ciphertext) == "" {
		never := "without an RSA key pair"
		if p.family.plain {
			never += ", with one of more than 6000 bits" // Nova keeps 1020 characters (nova/api/metadata/password.py)
		}
		return "", cloud.Errorf(cloud.NotReady, "the cloud has no initial password of instance %s; "+
			"a Windows guest with Cloudbase-Init delivers it 5 to 10 minutes after its first start; "+
			"it never comes for Linux, %s, or after it was cleared", instanceID, never)
	}
	return ciphertext, nil
}

// CheckInitialPassword implements cloud.InitialPasswordReader. The API has no dry run; reading the
// ciphertext changes nothing and it is dropped at once.
func (p *provider) CheckInitialPassword(ctx context.Context, instanceID string) error {
	_, err := p.readPassword(ctx, instanceID)
	return err
}

// InitialPasswordDelay implements cloud.InitialPasswordReader.
func (p *provider) InitialPasswordDelay() time.Duration { return initialPasswordDelay }

// WhyNoInitialPassword implements cloud.InitialPasswordExplainer. The guest posts once, to an empty slot: Nova answers
// 409 to a second post (nova/api/metadata/password.py).
func (p *provider) WhyNoInitialPassword() string {
	causes := "the image was made without Sysprep or Cloudbase-Init (or its plugin for passwords is off), or runs Linux; the server was " +
		"launched without a key pair, or with one that is not RSA, under which no password is encrypted; the slot was cleared after the guest " +
		"had posted, or was not cleared before the server was rebuilt, so that the new system could not post"
	if p.family.plain {
		causes += "; or the key has more than 6000 bits"
	}
	return causes
}

func (p *provider) readPassword(ctx context.Context, instanceID string) (string, error) {
	if err := p.ValidateInstanceID(instanceID); err != nil {
		return "", err
	}
	var ciphertext string
	c := call{action: actionPassword, instance: instanceID, permission: permissionPassword}
	err := p.do(ctx, c, func(ctx context.Context, client *gophercloud.ServiceClient) (err error) {
		result := servers.GetPassword(ctx, client, instanceID)
		if result.Err != nil {
			return result.Err
		}
		// An answer without the field is no "not yet".
		if fields, ok := result.Body.(map[string]any); !ok || !hasKey(fields, "password") {
			return fmt.Errorf("%w: no password field", errAnswerForm)
		}
		ciphertext, err = result.ExtractPassword(nil)
		return err
	})
	return ciphertext, err
}

func hasKey(fields map[string]any, key string) bool {
	_, ok := fields[key]
	return ok
}

// ClearInitialPassword implements cloud.InitialPasswordClearer. Success is 204 alone: these clouds
// also answer 202 when they throttle.
func (p *provider) ClearInitialPassword(ctx context.Context, instanceID string) error {
	if err := p.ValidateInstanceID(instanceID); err != nil {
		return err
	}
	c := call{action: actionClear, instance: instanceID, permission: permissionPassword}
	return p.do(ctx, c, func(ctx context.Context, client *gophercloud.ServiceClient) error {
		return deleteAt(ctx, client, client.ServiceURL("servers", instanceID, "os-server-password"))
	})
}

// KeyFingerprint implements cloud.InitialPasswordReader. Key pairs belong to a user, so those of
// other users are not visible; neither that nor a missing permission is an error.
func (p *provider) KeyFingerprint(ctx context.Context, keyName string) (string, error) {
	if !segmentName(keyName) {
		return "", nil
	}
	fingerprint, err := p.keyPair(ctx, keyName)
	switch cloud.KindOf(err) {
	case "", cloud.Denied, cloud.Refused:
		return fingerprint, nil
	}
	return "", err
}

// segmentName reports whether a name, once escaped, is one segment of a path.
func segmentName(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsRune(name, '/')
}

// keyPair returns the fingerprint of a key pair.
func (p *provider) keyPair(ctx context.Context, name string) (string, error) {
	var fingerprint string
	err := p.do(ctx, call{action: actionKeypair, permission: permissionKeypair},
		func(ctx context.Context, client *gophercloud.ServiceClient) error {
			pair, err := keypairs.Get(ctx, client, url.PathEscape(name), nil).Extract()
			if err != nil {
				return err
			}
			if pair != nil {
				fingerprint = text.Name(pair.Fingerprint, cloud.MaxCode)
			}
			return nil
		})
	return fingerprint, err
}
