// Package azure is the provider for Microsoft Azure's virtual machines.
package azure
