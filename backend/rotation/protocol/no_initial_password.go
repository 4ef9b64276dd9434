package protocol

import (
	"cmp"
	"fmt"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// WhyNoInitialPassword names the causes and the ways out.
func (a *Account) WhyNoInitialPassword(provider cloud.Provider) string {
	causes := "the image makes no password (Linux, or a Windows image without the cloud's agent), or the instance was launched without an RSA key pair"
	if e, ok := provider.(cloud.InitialPasswordExplainer); ok {
		causes = e.WhyNoInitialPassword()
	}
	ways := "set a password in the server and record it: " + a.ImportCommand()
	switch resetters, ok := provider.(cloud.PasswordResetters); {
	case a.Settings.CanReset:
		ways += "; or have one set that needs none before: " + a.rotateCommand()
	case ok:
		for _, method := range []string{cloud.MethodAPI, cloud.MethodCommand} {
			if resetters.Resetter(method) != nil {
				ways += fmt.Sprintf("; or have one set: vault write %sroles/%s reset_method=%s, then: %s", Mount, cmp.Or(a.Role, unknownRole), method, a.rotateCommand())
				break
			}
		}
	}
	return "usual causes are that " + causes + ". What to do: " + ways
}
