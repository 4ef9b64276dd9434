package openstack

import (
	"net/http"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/contract"
)

func TestResetsKeepTheContract(t *testing.T) {
	for _, f := range []family{huawei(), telekom(), plainOpenStack()} {
		d := f.descriptor()
		for _, m := range d.ResetMethods {
			t.Run(d.Name+" "+m.Name, func(t *testing.T) {
				subject := contract.Subject{
					Descriptor: d, Method: m.Name, Synchronous: m.Name == cloud.MethodAPI, LinuxOnly: m.Name == cloud.MethodCommand,
					Refusal: model.Fault{Code: "badRequest", Status: http.StatusBadRequest},
					New:     func(cfg cloud.Config) (cloud.Provider, error) { return f.open(cfg, time.Millisecond) },
				}
				if m.Name == cloud.MethodCommand {
					subject.Refusal.Code = "COC.00040601"
				}
				contract.Resets(t, subject)
			})
		}
	}
}
