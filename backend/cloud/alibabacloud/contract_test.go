package alibabacloud

import (
	"net/http"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/contract"
)

func TestResetsKeepTheContract(t *testing.T) {
	contract.Resets(t, contract.Subject{
		Descriptor: Descriptor(), Method: cloud.MethodCommand,
		Refusal: model.Fault{Code: "OperationDenied", Status: http.StatusForbidden},
		New: func(cfg cloud.Config) (cloud.Provider, error) {
			p, err := newProvider(cfg, newAmbient())
			if err == nil {
				p.poll = time.Millisecond
			}
			return p, err
		},
	})
}
