// Package keystone gets tokens from an OpenStack cloud's identity service, and reads what comes with them: the
// catalogue, which says where the other services are, and which of these addresses a token may be sent to.
//
// What an answer means on the clouds of the family, and what a connection configures, is for its caller to know.
package keystone
