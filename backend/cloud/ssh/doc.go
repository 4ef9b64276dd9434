// Package ssh is the provider for servers that no cloud manages, or that it gives no other way to: those of the mount's inventory, which
// are reached by SSH with the connection's key. There are no initial passwords.
package ssh
