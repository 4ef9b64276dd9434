package openstack

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/tokens"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

const actionImage = "ShowImage"

// Properties of images, which count as a server's metadata, too, where the image cannot be read.
const (
	propertyAdminUser = "os_admin_user"
	propertyOSType    = "os_type"
)

// serverImage is what Nova shows of a server's image: "" for a server that was booted from a volume.
type serverImage struct {
	ID string
	// Properties are the image's at the time of the boot; nil before microversion 2.98.
	Properties map[string]string
}

// UnmarshalJSON takes what it can use: the image is no reason to fail.
func (i *serverImage) UnmarshalJSON(text []byte) error {
	var object struct {
		ID         string         `json:"id"`
		Properties map[string]any `json:"properties"`
	}
	if json.Unmarshal(text, &object) == nil {
		i.ID, i.Properties = object.ID, textsOf(object.Properties)
	}
	return nil
}

// textsOf keeps the texts among properties; nil stays nil.
func textsOf(properties map[string]any) map[string]string {
	if properties == nil {
		return nil
	}
	out := map[string]string{}
	for name, value := range properties {
		if value, ok := value.(string); ok {
			out[name] = value
		}
	}
	return out
}

// adminOf is the user whose password Nova's libvirt driver sets on a server of an image with such
// properties (nova/virt/libvirt/driver.py, set_admin_password). It compares os_type without folding case.
func adminOf(properties map[string]string) string {
	switch {
	case properties[propertyAdminUser] != "":
		return properties[propertyAdminUser]
	case properties[propertyOSType] == "windows":
		return "Administrator"
	}
	return "root"
}

// loginUser is the server's default user, where the cloud names it or its operating system; else "".
func (s server) loginUser() string {
	if s.Image.Properties[propertyAdminUser] != "" || s.Image.Properties[propertyOSType] != "" {
		return adminOf(s.Image.Properties)
	}
	return s.Metadata[propertyAdminUser]
}

// adminUser tells whose password Nova sets on a server, "" if that cannot be found out: by the image's
// properties that Nova shows from microversion 2.98 on; else by the image itself, which may have changed
// since the boot; else by the server's metadata, where somebody says it.
func (p *provider) adminUser(ctx context.Context, s server) (string, error) {
	if s.Image.Properties != nil {
		return adminOf(s.Image.Properties), nil
	}
	properties, err := p.imageProperties(ctx, s.Image.ID)
	switch {
	case err != nil:
		return "", err
	case properties != nil:
		return adminOf(properties), nil
	}
	if s.Metadata[propertyAdminUser] != "" || s.Metadata[propertyOSType] != "" {
		return cmp.Or(s.Metadata[propertyAdminUser], p.DefaultUsername(s.instance())), nil
	}
	return "", nil
}

// imageProperties reads an image from the image service; nil if there is none, or none that the
// credentials may see: a new token that is refused all the same belongs to an application credential whose
// access rules leave the image service out. Properties are fields beside the others (Image API v2).
func (p *provider) imageProperties(ctx context.Context, id string) (map[string]string, error) {
	if !segmentName(id) {
		return nil, nil
	}
	s, err := p.sessions.get(ctx)
	if err != nil || s.imageEndpoint == "" {
		return nil, err
	}
	var image map[string]any
	err = p.do(ctx, call{action: actionImage, image: true}, func(ctx context.Context, client *gophercloud.ServiceClient) error {
		err := getJSON(ctx, client, client.ServiceURL("images", id), &image)
		if err == nil && image["id"] != id {
			err = errAnswerForm
		}
		return err
	})
	a, answered := answerOf(err)
	switch {
	case answered && (a.status == http.StatusNotFound || a.status == http.StatusForbidden):
		return nil, nil
	case answered && a.status == http.StatusUnauthorized && p.applicationCredential != "":
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return textsOf(image), nil
}

// imageEndpoint finds the image service of a region in the catalogue, down to its version and with a
// final slash; "" if there is none that may be used.
func imageEndpoint(catalog tokens.ServiceCatalog, region string) string {
	for _, entry := range catalog.Entries {
		if entry.Type != "image" {
			continue
		}
		for _, e := range entry.Endpoints {
			if e.Interface != publicEndpoint || region != "" && region != e.RegionID && region != e.Region {
				continue
			}
			if cloud.ValidateURL("the catalogue's image endpoint", e.URL) != nil {
				return ""
			}
			return versioned(e.URL, "v2")
		}
	}
	return ""
}
