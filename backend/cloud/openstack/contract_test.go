package openstack

import (
	"net/http"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/contract"
)

func TestResetsKeepTheContract(t *testing.T) {
	for _, d := range Descriptors() {
		for _, m := range d.ResetMethods {
			t.Run(d.Name+" "+m.Name, func(t *testing.T) {
				contract.Resets(t, contract.Subject{
					Descriptor: d, Method: m.Name, Synchronous: m.Name == cloud.MethodAPI,
					Refusal: model.Fault{Code: "badRequest", Status: http.StatusBadRequest},
				})
			})
		}
	}
}
