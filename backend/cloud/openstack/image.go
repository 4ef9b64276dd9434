package openstack

import (
	"encoding/json"
)

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
