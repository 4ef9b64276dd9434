// Package openstack tests the provider openstack against a real Keystone and Nova:
//
//	CLOUDPW_OPENSTACK_RC=openrc.sh make test-openstack
//
// The file is what Horizon offers for download, or any other list of OS_ variables; it is read, not run
// (see ReadRC). The same checks run against the simulator with the other tests, so that they work when
// somebody has a cloud to point them at.
//
// For want of a cloud, scripts/openstack-dev.sh runs a Keystone and a Nova of Debian's on this machine.
// They change nothing, unless a variable allows it:
//
//	CLOUDPW_OPENSTACK_ROTATE=1     makes an application credential and deletes it again
//	CLOUDPW_OPENSTACK_RESET=ID     sets the password of the server with that id to a random one
//
// CLOUDPW_OPENSTACK_KEY may name the file of a private key that decrypts the initial passwords.
package openstack
