//go:build e2e

package e2e

import (
	"bytes"
	"os"
	"regexp"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// mostActions is more than the engine uses of any service, and far less than the large services have.
const mostActions = 20

// Names of functions end with a zero byte, and each follows that of another.
var (
	clientMethod = regexp.MustCompile(`\.\(\*Client\)\.([A-Z]\w*)\x00`)
	servicePath  = regexp.MustCompile(`(aws-sdk-go-v2/service|tencentcloud-sdk-go/tencentcloud)/\w+`)
)

// TestBinaryHoldsFewActions looks for the actions of the clouds' SDKs in the binary's table of functions. The linker
// drops those that nobody calls, unless reflection can reach a client (see package aws, operations.go): then all of them
// come along, and the binary is twice as large.
func TestBinaryHoldsFewActions(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(harness.FindBinaries(t).Plugin)
	if err != nil {
		t.Fatal(err)
	}
	services := map[string]map[string]bool{}
	for _, found := range clientMethod.FindAllSubmatchIndex(content, -1) {
		name := content[bytes.LastIndexByte(content[:found[0]], 0)+1 : found[0]]
		if path := servicePath.Find(name); path != nil {
			if services[string(path)] == nil {
				services[string(path)] = map[string]bool{}
			}
			services[string(path)][string(content[found[2]:found[3]])] = true
		}
	}
	for service, action := range map[string]string{ // so that a look which finds nothing does not pass
		"aws-sdk-go-v2/service/ec2":            "GetPasswordData",
		"aws-sdk-go-v2/service/ssm":            "SendCommand",
		"tencentcloud-sdk-go/tencentcloud/cvm": "ResetInstancesPasswordWithContext",
		"tencentcloud-sdk-go/tencentcloud/tat": "RunCommandWithContext",
	} {
		if !services[service][action] {
			t.Errorf("%s: the binary does not show the action %s, which it uses: look for actions in another way", service, action)
		}
	}
	for service, actions := range services {
		if len(actions) > mostActions {
			t.Errorf("%s: the binary holds %d actions, want at most %d", service, len(actions), mostActions)
		}
	}
}
