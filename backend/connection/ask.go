package connection

import (
	"context"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// Ask asks the cloud of a connection a question, for which it waits for a place.
func Ask[T any](ctx context.Context, s *Store, connection string, question func(context.Context) (T, error)) (answer T, err error) {
	ctx, leave, err := s.asking.enter(ctx, connection)
	if err != nil {
		return answer, err
	}
	defer leave()
	return question(ctx)
}

// DescribeInstances is the question for instances by their ids.
func (s *Store) DescribeInstances(ctx context.Context, connection string, p cloud.Provider, ids []string) ([]cloud.Instance, error) {
	return Ask(ctx, s, connection, func(ctx context.Context) ([]cloud.Instance, error) { return p.DescribeInstances(ctx, ids) })
}

// FindInstances is the question for instances by their tags.
func (s *Store) FindInstances(ctx context.Context, connection string, p cloud.Provider, tags map[string]string) ([]cloud.Instance, error) {
	return Ask(ctx, s, connection, func(ctx context.Context) ([]cloud.Instance, error) { return p.FindInstances(ctx, tags) })
}
