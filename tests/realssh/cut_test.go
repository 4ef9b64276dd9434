//go:build realssh

package realssh

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

var (
	cuts    = flag.Int("cuts", 300, "how many sessions TestACutSessionClaimsNothing cuts")
	cutSeed = flag.Uint64("cut.seed", rand.Uint64(), "where it begins to count the bytes")
)

const (
	// cutWorkers cut sessions at the same time, each with a server of its own.
	cutWorkers = 6
	// firstCutUser is the user id of the first of the users that are made for it.
	firstCutUser = 3000
)

// cutPoint is one session that ends after some bytes, and the user whose password it was to set.
type cutPoint struct {
	direction Direction
	bytes     int64
	user      string
	order     int64
	kind      cloud.Kind
}

// TestACutSessionClaimsNothing cuts sessions after N bytes, for N over the whole session and in both directions, each with a user of its
// own. What the method says of each must be true then and in the end: a success, and the server has the value; a certain refusal, and it
// never gets it; an unknown outcome, and the same value can be sent again.
func TestACutSessionClaimsNothing(t *testing.T) {
	Need(t)
	t.Logf("-cut.seed=%d", *cutSeed)
	key := NewKey(t)
	servers := StartMany(t, cutWorkers, func(int) Options { return Options{Keys: []string{key.Public}} })
	f := newFleet(t, key, nil, usualTimeout)
	proxies := make([]*Proxy, cutWorkers)
	for i, s := range servers {
		s.Sh(t, fmt.Sprintf(`i=0; while [ $i -lt %d ]; do
			echo "cut$i:x:$((%d + i)):100::/:/bin/sh" >>/etc/passwd; echo "cut$i:*:19700:0:99999:7:::" >>/etc/shadow; i=$((i + 1)); done`,
			2*(*cuts/cutWorkers+2), firstCutUser))
		proxies[i] = StartProxy(t, s.Endpoint())
		f.put(cloud.Host{Name: fmt.Sprint("web-", i), Address: proxies[i].Address, Port: proxies[i].Port, HostKey: s.HostKey(t, "ed25519")})
	}
	points := cutPoints(t, f, proxies[0], servers[0])
	var wg sync.WaitGroup
	share := make([][]*cutPoint, cutWorkers)
	for i, p := range points {
		p.user = fmt.Sprint("cut", 1+i/cutWorkers)
		share[i%cutWorkers] = append(share[i%cutWorkers], p)
	}
	began := time.Now()
	for i := range cutWorkers {
		wg.Go(func() {
			for _, p := range share[i] {
				cutOne(t, f, fmt.Sprint("web-", i), servers[i], proxies[i], p)
			}
		})
	}
	wg.Wait()
	counts := map[cloud.Kind]int{}
	for i := range cutWorkers {
		for _, p := range share[i] {
			counts[p.kind]++
			// What was refused must not have come later.
			if has := servers[i].has(t, p.user, p.order); has == p.kind.CertainlyNothingDone() && p.kind != "" {
				t.Errorf("%d bytes %s: %q, and in the end the server has the value: %v", p.bytes, p.direction, p.kind, has)
			}
		}
	}
	t.Logf("%d sessions were cut in %s: %d refusals, %d unknown outcomes, %d successes", len(points), time.Since(began).Round(time.Second),
		len(points)-counts[cloud.Unknown]-counts[""], counts[cloud.Unknown], counts[""])
	if counts[cloud.Refused] == 0 || counts[cloud.Unknown] == 0 {
		t.Error("the cuts have missed a part of the session")
	}
}

// cutPoints are spread over the whole of a session, whose length they measure first.
func cutPoints(t *testing.T, f *fleet, p *Proxy, s *Server) []*cutPoint {
	t.Helper()
	order := time.Now().Unix()
	if err := f.reset(t.Context(), "web-0", "cut0", becomes, order); err != nil || !s.has(t, "cut0", order) {
		t.Fatalf("without a cut: %v", err)
	}
	var whole [2]int64
	for _, c := range p.Connections() {
		whole[ToServer], whole[ToClient] = max(whole[ToServer], c.Bytes[ToServer]), max(whole[ToClient], c.Bytes[ToClient])
	}
	t.Logf("a session has %d bytes to the server and %d to the client", whole[ToServer], whole[ToClient])
	step := max(1, (whole[ToServer]+whole[ToClient])/int64(*cuts))
	var points []*cutPoint
	for _, d := range []Direction{ToServer, ToClient} {
		for n := int64(*cutSeed % uint64(step)); n <= whole[d]; n += step {
			points = append(points, &cutPoint{direction: d, bytes: n, order: order + 1})
		}
	}
	// The workers share the parts of the session evenly.
	rand.New(rand.NewPCG(*cutSeed, 0)).Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
	return slices.Clip(points)
}

// cutOne cuts one session, and judges what is said of it.
func cutOne(t *testing.T, f *fleet, host string, s *Server, proxy *Proxy, p *cutPoint) {
	proxy.CutAfter(p.direction, p.bytes)
	err := f.reset(t.Context(), host, p.user, becomes, p.order)
	p.kind = kindOf(err)
	proxy.Pass()
	switch set := s.has(t, p.user, p.order); {
	case p.kind == "" && !set:
		t.Errorf("%d bytes %s: a success, and the server has not got the value", p.bytes, p.direction)
	case p.kind == cloud.Unknown:
		// The script may still run: the same value again waits for it.
		if err := f.reset(t.Context(), host, p.user, becomes, p.order); err != nil || !s.has(t, p.user, p.order) {
			t.Errorf("%d bytes %s: the same value again: %v", p.bytes, p.direction, err)
		}
	case p.kind != "" && set:
		t.Errorf("%d bytes %s: a refusal, and the server has the value: %v", p.bytes, p.direction, err)
	}
}
