package backend

import (
	"context"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// maxAnswerMemory is what the worst answer of an API may cost at its peak, in bytes.
const maxAnswerMemory = 200 << 20

// falseCloud is an endpoint for every provider that answers the same to every request but those for a token.
func falseCloud(tb testing.TB, answer func(*http.Request) string) string {
	tb.Helper()
	tb.Setenv("CLOUDPW_ALLOW_LOOPBACK_HTTP", "true")
	var url string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/auth/tokens") {
			w.Header().Set("X-Subject-Token", "token")
			w.WriteHeader(http.StatusCreated)
			_, _ = w.Write([]byte(`{"token":{"expires_at":"2099-01-01T00:00:00.000000Z","project":{"id":"0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"},"user":{"id":"u"},"catalog":[{"type":"compute","endpoints":[{"interface":"public","region":"r1","region_id":"r1","url":"` + url + `/v2.1"}]}]}}`))
			return
		}
		if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-amz-json") {
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		} else if strings.HasPrefix(strings.TrimSpace(answer(r)), "<") {
			w.Header().Set("Content-Type", "text/xml")
		} else {
			w.Header().Set("Content-Type", "application/json")
		}
		_, _ = w.Write([]byte(answer(r)))
	}))
	url = server.URL
	tb.Cleanup(server.Close)
	return url
}

// falseConnection is a connection to a false cloud.
func falseConnection(provider, url string) *connection {
	c := &connection{Provider: provider}
	switch provider {
	case "aws":
		c.Own = cloud.Values{"region": "eu-central-1", "access_key": "AKIAIOSFODNN7EXAMPLE", "secret_key": strings.Repeat("abcd", 10)}
		c.Endpoints = map[string]string{"ec2": url, "sts": url, "iam": url, "ssm": url}
	case "tencentcloud":
		c.Own = cloud.Values{"region": "ap-guangzhou", "access_key": "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE", "secret_key": strings.Repeat("abcd", 8)}
		c.Endpoints = map[string]string{"cvm": url, "sts": url, "cam": url, "tat": url}
	case "huaweicloud":
		c.Own = cloud.Values{"region": "cn-north-4", "project_id": strings.Repeat("0a", 16), "access_key": "HUAWEIACCESSKEY00000", "secret_key": strings.Repeat("abcd", 10)}
		c.Endpoints = map[string]string{"ecs": url, "iam": url}
	case "openstack":
		c.Own = cloud.Values{
			"region": "r1", "auth_url": url + "/v3", "username": "u", "password": "passw0rd-of-u", "project_id": strings.Repeat("0a", 16),
			"user_domain_name": "Default",
		}
	}
	return c
}

// falseProvider is a provider of the real SDK whose cloud is false.
func falseProvider(tb testing.TB, name, url string) cloud.Provider {
	tb.Helper()
	c := falseConnection(name, url)
	d := providers()[name]
	timeout := 20 * time.Second
	c.RequestTimeout = &timeout
	if err := d.Check(c.cloudConfig()); err != nil {
		tb.Fatal(err)
	}
	p, err := newProvider("false", c, d, cloud.NoGate{}, cloud.NewAnswers(answersAtOnce))
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// peak is the most heap that something used while it ran, above what was used before.
func peak(do func()) uint64 {
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	var most atomic.Uint64
	stop := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		var now runtime.MemStats
		for {
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
			}
			runtime.ReadMemStats(&now)
			most.Store(max(most.Load(), now.HeapAlloc))
		}
	})
	do()
	close(stop)
	watch.Wait()
	return most.Load() - min(before.HeapAlloc, most.Load())
}

// worst are the most expensive answers of an API: as much of a unit as passes the bounds, and 4 MiB of it.
var worst = map[string]struct {
	provider         string
	head, unit, tail string
	passing          int
	ask              func(context.Context, cloud.Provider)
}{
	"EC2":               {"aws", `<DescribeInstancesResponse><reservationSet><item><instancesSet>`, "<item/>", `</instancesSet></item></reservationSet></DescribeInstancesResponse>`, 49_000, find},
	"EC2, reservations": {"aws", `<DescribeInstancesResponse><reservationSet>`, "<item><instancesSet><item/></instancesSet></item>", `</reservationSet></DescribeInstancesResponse>`, 24_000, find},
	"STS and IAM":       {"aws", `<GetCallerIdentityResponse><GetCallerIdentityResult>`, "<Arn>a</Arn>", `</GetCallerIdentityResult></GetCallerIdentityResponse>`, 300_000, check},
	"Systems Manager":   {"aws", `{"InstanceInformationList":[`, "{},", `{}]}`, 99_000, prepare},
	"Tencent":           {"tencentcloud", `{"Response":{"RequestId":"1","TotalCount":1,"InstanceSet":[`, "{},", `{}]}}`, 99_000, find},
	"Nova":              {"openstack", `{"servers":[`, "{},", `{}]}`, 99_000, find},
	"Nova, metadata":    {"openstack", `{"servers":[`, `{"metadata":{"a":""}},`, `{}]}`, 60_000, find},
	"Huawei":            {"huaweicloud", `{"servers":[`, "{},", `{}]}`, 99_000, find},
}

func find(ctx context.Context, p cloud.Provider)  { _, _ = p.FindInstances(ctx, nil) }
func check(ctx context.Context, p cloud.Provider) { _ = p.Verify(ctx) }

func prepare(ctx context.Context, p cloud.Provider) {
	if r, ok := p.(cloud.PasswordResetters).Resetter(cloud.MethodCommand).(cloud.ResetPreparer); ok {
		_, _ = r.PrepareReset(ctx, cloud.Reset{InstanceIDs: []string{"i-0123456789abcdef0"}, Username: "Administrator", Platform: cloud.Windows})
	}
}

// BenchmarkWorstAnswers holds the peak memory of the worst answers of each API.
func BenchmarkWorstAnswers(b *testing.B) {
	for name, w := range worst {
		for size, n := range map[string]int{"passing": w.passing, "4 MiB": (4<<20 - len(w.head) - len(w.tail)) / len(w.unit)} {
			b.Run(name+", "+size, func(b *testing.B) {
				body := w.head + strings.Repeat(w.unit, n) + w.tail
				p := falseProvider(b, w.provider, falseCloud(b, func(*http.Request) string { return body }))
				most := uint64(0)
				for b.Loop() {
					ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
					most = max(most, peak(func() { w.ask(ctx, p) }))
					cancel()
				}
				b.ReportMetric(float64(most)/(1<<20), "MiB-peak")
				if most > maxAnswerMemory {
					b.Errorf("%d MiB", most>>20)
				}
			})
		}
	}
}

// TestHugeAnswersAreRefused has 4 MiB of the smallest elements from each API: refused before they are built.
func TestHugeAnswersAreRefused(t *testing.T) {
	for name, w := range worst {
		if w.unit == "<Arn>a</Arn>" || name == "Nova, metadata" || name == "EC2, reservations" {
			continue // these pass, as they cost little
		}
		t.Run(name, func(t *testing.T) {
			body := w.head + strings.Repeat(w.unit, (4<<20-len(w.head)-len(w.tail))/len(w.unit)) + w.tail
			p := falseProvider(t, w.provider, falseCloud(t, func(*http.Request) string { return body }))
			if _, err := p.FindInstances(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "larger or more complex than any of a cloud") {
				t.Errorf("%v", err)
			}
		})
	}
}
