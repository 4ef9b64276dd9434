package azure

import (
	"net/http"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	clouds "github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/contract"
)

func TestResetsKeepTheContract(t *testing.T) {
	contract.Resets(t, contract.Subject{
		Descriptor: Descriptor(), Method: cloud.MethodCommand,
		Refusal: clouds.Fault{Code: "OperationNotAllowed", Status: http.StatusConflict},
		Logged:  "VirtualMachineRunCommands_CreateOrUpdate", Permission: "arm:" + permitRunCommandsWrite,
		New: func(cfg cloud.Config) (cloud.Provider, error) {
			p, err := newProvider(cfg, newMetadata())
			if err == nil {
				p.poll, p.relist = time.Millisecond, 0
			}
			return p, err
		},
	})
}
