package openstack

import (
	"cmp"
	"context"
	"net/http"

	"github.com/gophercloud/gophercloud/v2"
)

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
func (d *sender) imageProperties(ctx context.Context, id string) (map[string]string, error) {
	if !segmentName(id) {
		return nil, nil
	}
	s, err := d.sessions.get(ctx)
	if err != nil || s.imageEndpoint == "" {
		return nil, err
	}
	var image map[string]any
	err = d.do(ctx, call{action: actionImage, image: true}, func(ctx context.Context, client *gophercloud.ServiceClient) error {
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
	case answered && a.status == http.StatusUnauthorized && d.applicationCredential != "":
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return textsOf(image), nil
}
