// Package ownfields is a provider whose connections have fields that no other provider has: a client and its token.
// It imports package cloud alone, as a cloud from outside would. TestAProviderOwnsItsFields of package backend mounts
// it and holds that everything which a mount does with fields follows from the provider's descriptor.
package ownfields
