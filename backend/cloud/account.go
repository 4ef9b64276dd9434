package cloud

import "context"

// AccountTeller is implemented by providers whose cloud tells of which of its accounts the credentials are.
type AccountTeller interface {
	// CloudAccount returns the cloud's own id of the account that the connection works in: the account, or the project
	// where servers belong to projects. It is "" where the configured endpoints do not tell.
	CloudAccount(ctx context.Context) (string, error)
}
