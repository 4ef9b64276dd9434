package cloud

import (
	"net/netip"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// Bounds of what an instance's description keeps of the cloud's own text, in characters: far above what clouds
// allow, since an endpoint is not trusted to keep to that.
const (
	maxWord = 256
	maxTag  = 1024
)

// Shown is the instance with its text in a form that can be listed, logged and stored: printable, and bounded.
// What was replaced or cut off is equal to no text that people may write, so no tag comes to match by it.
// Providers make every Instance by it.
func (i Instance) Shown() Instance {
	for _, word := range []*string{&i.ID, &i.Name, &i.OSName, &i.CloudState, &i.KeyName, &i.LoginUser, &i.Image, &i.SystemDisk} {
		*word = shown(*word, maxWord)
	}
	for _, address := range []*string{&i.PrivateIP, &i.PublicIP} {
		if ip, err := netip.ParseAddr(*address); err != nil || ip.Zone() != "" {
			*address = ""
		}
	}
	for key, value := range i.Tags {
		if shown(key, maxTag) != key || shown(value, maxTag) != value {
			tags := make(map[string]string, len(i.Tags))
			for key, value := range i.Tags {
				tags[shown(key, maxTag)] = shown(value, maxTag)
			}
			i.Tags = tags
			break
		}
	}
	return i
}

// shown is text.Name, but for what was cut off, which a part of the same string would keep in memory.
func shown(s string, n int) string {
	short := text.Name(s, n)
	if len(short) < len(s) {
		return strings.Clone(short)
	}
	return short
}
