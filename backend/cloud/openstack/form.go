package openstack

import "regexp"

var (
	// projectForm is wider than the 32 hexadecimal digits of today's project ids and still harmless
	// in a URL path.
	projectForm = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z_-]{0,63}$`)
	// accessKeyForm keeps an access key from breaking out of the Authorization header.
	accessKeyForm = regexp.MustCompile(`^[0-9A-Za-z_-]{1,128}$`)
	// instanceIDForm is the lower-case UUID that Nova prints. One spelling a server: accounts are
	// bound by it.
	instanceIDForm = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	// applicationCredentialForm is that of Keystone's ids, 32 hexadecimal digits, and somewhat wider.
	applicationCredentialForm = projectForm
	// userForm is that of Keystone's user ids: 32 hexadecimal digits, 64 for users of a directory.
	userForm = projectForm
)
