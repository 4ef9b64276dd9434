package backend

import (
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// A key that was made at a cloud, and one that was made here and imported there, have among their fingerprints the one that
// the cloud prints.
func TestFingerprintsThatCloudsPrint(t *testing.T) {
	sim := cloudsim.Start(t, cloudsim.Options{})
	connections := simulatedConnections(t, sim)
	h := newRealHarness(t)
	for name, kinds := range map[string]struct{ created, imported string }{
		"aws": {"aws_created", "aws_imported"}, "huawei": {"md5", "md5"}, "otc": {"md5", "md5"}, "application": {"md5", "md5"},
	} {
		t.Run(name, func(t *testing.T) {
			h.write(t, "config/"+name, connections[name])
			c := model.Cloud(connections[name]["provider"].(string))
			of := sim.Info().Seeded[c]
			_, private, err := sim.World().CreateKeyPair(model.KeyPair{Cloud: c, AccountID: of.AccountID, Region: of.Region, Name: "created-" +
				name}, 2048)
			if err != nil {
				t.Fatal(err)
			}
			h.write(t, "keys/created-"+name, map[string]any{"private_key": private})
			made := h.write(t, "keys/imported-"+name, map[string]any{"generate": true}).Data
			if _, err := sim.World().ImportPEM(model.KeyPair{Cloud: c, AccountID: of.AccountID, Region: of.Region, Name: "imported-" + name},
				made["public_key"].(string)); err != nil {
				t.Fatal(err)
			}
			provider, err := h.core.Provider(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			for pair, kind := range map[string]string{"created-" + name: kinds.created, "imported-" + name: kinds.imported} {
				printed, err := provider.(cloud.InitialPasswordReader).KeyFingerprint(t.Context(), pair)
				if err != nil {
					t.Fatal(err)
				}
				if have := h.read(t, "keys/"+pair)["fingerprints"].(map[string]string); printed == "" || have[kind] != printed {
					t.Errorf("the cloud prints %q for %s, which is not the %s of %v", printed, pair, kind, have)
				}
			}
		})
	}
}
