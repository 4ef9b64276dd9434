package protocol

import (
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// WhyNoInitialPassword names the causes and the ways out.
func (a *Account) WhyNoInitialPassword(provider cloud.Provider) hint.Text {
	causes := "the image makes no password (Linux, or a Windows image without the cloud's agent), or the instance was launched without an " +
		"RSA key pair"
	if e, ok := provider.(cloud.InitialPasswordExplainer); ok {
		causes = e.WhyNoInitialPassword()
	}
	ways := hint.Textf("set a password in the server and record it: %s", a.ImportHint())
	switch resetters, ok := provider.(cloud.PasswordResetters); {
	case a.Settings.CanReset:
		ways = ways.Add(hint.Textf("; or have one set that needs none before: %s", a.rotateHint()))
	case ok:
		for _, method := range []string{cloud.MethodAPI, cloud.MethodCommand} {
			if resetters.Resetter(method) != nil {
				ways = ways.Add(hint.Textf("; or have one set: %s, then: %s", a.methodHint(method), a.rotateHint()))
				break
			}
		}
	}
	return hint.Textf("usual causes are that %s. What to do: %s", causes, ways)
}
