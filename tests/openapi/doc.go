// Package openapi checks the OpenAPI document that a real Vault serves for the mount: it is valid for a validator that is not
// cloudpw's (Redocly CLI), and a client that is generated from it (oapi-codegen, folder client/) compiles and works.
// `make test-openapi` runs it; that needs Node.js with npm.
//
// The document is cut down to the mount before it is checked, so that what other engines say of themselves makes no
// difference here. Two conventions of Vault's own remain, which no validator can see and all of Vault's documents have. The
// schema of a response is that of the data in it, and not of the envelope (request_id, lease_id, data, ...) around it:
// HashiCorp's own generated clients unwrap it, and so does the one here. And the format "duration" means texts such as "20m",
// not those of RFC 3339; config.yaml tells the generator.
package openapi
