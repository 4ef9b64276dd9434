package aws

import (
	"net/http"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/contract"
)

func TestResetsKeepTheContract(t *testing.T) {
	for _, m := range Descriptor().ResetMethods {
		t.Run(m.Name, func(t *testing.T) {
			contract.Resets(t, contract.Subject{
				Descriptor: Descriptor(), Method: m.Name,
				Refusal: model.Fault{Code: "InvalidDocumentOperation", Status: http.StatusBadRequest},
				New: func(cfg cloud.Config) (cloud.Provider, error) {
					p, err := New(cfg)
					if err == nil {
						p.(*Provider).poll = time.Millisecond
					}
					return p, err
				},
			})
		})
	}
}
