package role

import (
	"context"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// Existing describes those of the instances that exist, by id, and says at which place.
func (s *Store) Existing(ctx context.Context, connection string, instances []string) (map[string]cloud.Instance, rotation.Place, error) {
	live, err := s.Core.Connected(ctx, connection)
	if err != nil {
		return nil, "", request.VaultError("connection "+connection, err)
	}
	described, err := s.Connections.DescribeInstances(ctx, connection, live.Provider, instances)
	if err != nil {
		return nil, "", err
	}
	exist := make(map[string]cloud.Instance, len(described))
	for _, i := range described {
		if i.State != cloud.StateGone {
			exist[i.ID] = i
		}
	}
	return exist, live.Place, nil
}

// shown describes instances by id, those that are terminated too, and says at which place.
func (s *Store) shown(ctx context.Context, connection string, instances []string) (map[string]cloud.Instance, rotation.Place, error) {
	if len(instances) == 0 {
		return nil, "", nil
	}
	live, err := s.Core.Connected(ctx, connection)
	if err != nil {
		return nil, "", request.VaultError("connection "+connection, err)
	}
	described, err := s.Connections.DescribeInstances(ctx, connection, live.Provider, instances)
	if err != nil {
		return nil, "", request.VaultError("connection "+connection+" cannot describe the instances", err)
	}
	shown := make(map[string]cloud.Instance, len(described))
	for _, i := range described {
		shown[i.ID] = i
	}
	return shown, live.Place, nil
}
