package cloudsim

import (
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// metadataHost is where servers find their metadata, whatever the cloud.
const metadataHost = "169.254.169.254"

const metadataSuffix = "-metadata"

// metadataOf names the listener with the metadata of a cloud's servers.
func metadataOf(c model.Cloud) string { return string(c) + metadataSuffix }

func isMetadata(listener string) bool { return strings.HasSuffix(listener, metadataSuffix) }

// serversAgency is the agency that the metadata show keys of: the seeded one.
func (s *Sim) serversAgency(c model.Cloud) (model.Agency, bool) {
	s.mu.Lock()
	seeded := s.seeded[c]
	s.mu.Unlock()
	return s.world.AgencyByName(c, seeded.AccountID, seeded.AgencyName)
}

// metadataURLs are where the metadata services are. The caller holds the lock.
func (s *Sim) metadataURLs() map[model.Cloud]string {
	out := map[model.Cloud]string{}
	for _, c := range model.Clouds() {
		if url := s.urls[metadataOf(c)]; url != "" {
			out[c] = url
		}
	}
	return out
}
