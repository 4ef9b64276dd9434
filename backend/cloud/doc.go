// Package cloud defines what the rotation core and the cloud providers share: the Provider interface
// and its optional capabilities, Instance, the error kinds that the core decides on, the connection
// settings, the guarded HTTP client, and the type of the provider registry.
//
// A provider describes itself by a Descriptor. That lists the fields of the provider's connections, credentials
// included: what a mount does with one follows from its Field alone, so a new cloud changes no other package.
//
// What a provider can do beyond finding instances, it shows by the optional interfaces that it implements: set passwords
// (PasswordResetters), look which one a server has (PasswordCheckers), read the first one (InitialPasswordReader), and so
// on.
//
// The package knows no cloud SDK and no Vault path. Each provider package translates its SDK's
// values and errors into the types of this one.
package cloud
