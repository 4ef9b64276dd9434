package openstack

import (
	"net/http"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

func untried(why string) cloud.Permission { return cloud.Permission{}.Untried(why) }

// verdictOf reads the outcome of a trial. Only a refusal of the credentials is a denial; an outage says
// nothing about permissions. A trial that ends with 401 was left out by access rules (see forbidden): no role
// helps against those.
func verdictOf(err error) cloud.Permission {
	switch cloud.KindOf(err) {
	case "":
		return cloud.Permission{Verdict: cloud.PermissionGranted}
	case cloud.Denied:
		denied := cloud.Permission{Verdict: cloud.PermissionDenied, Message: err.Error()}
		if a, answered := answerOf(err); answered && a.status == http.StatusUnauthorized && a.keystone {
			denied.Policy = "openstack application credential create --unrestricted cloudpw\n# or with access rules that name this call, too"
		}
		return denied
	}
	return untried(err.Error())
}
