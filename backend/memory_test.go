package backend

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/connection"
)

// maxAnswerMemory is what the worst answer of an API may cost at its peak, in bytes.
const maxAnswerMemory = 200 << 20

// falseAnswer is what a false cloud says to a request: a status and a body.
type falseAnswer func(*http.Request) (status int, body string)

// falseCloud is an endpoint for every provider. Requests for a token of Keystone or Entra, too, are answered by answer, if the body
// that it has for them is not empty; else by a token, which leads here.
func falseCloud(tb testing.TB, answer falseAnswer) *httptest.Server {
	tb.Helper()
	tb.Setenv("CLOUDPW_ALLOW_LOOPBACK_HTTP", "true")
	var url string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, body := answer(r)
		if isTokenRequest(r) {
			w.Header().Set("X-Subject-Token", "token")
			if body == "" {
				status, body = http.StatusCreated, tokenHead+tokenEndpoint(url)+tokenTail
			}
		}
		if isEntraRequest(r) && body == "" {
			status, body = http.StatusOK, entraToken
		}
		switch {
		case strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-amz-json"):
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		case strings.HasPrefix(strings.TrimSpace(body), "<"):
			w.Header().Set("Content-Type", "text/xml")
		default:
			w.Header().Set("Content-Type", "application/json")
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body)) // fails for a status that has no body
	}))
	url = server.URL
	tb.Cleanup(server.Close)
	return server
}

func isTokenRequest(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/auth/tokens") }

func isEntraRequest(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/oauth2/v2.0/token") }

// entraToken is Entra's answer.
const entraToken = `{"token_type":"Bearer","expires_in":3599,"access_token":"token"}`

// Keystone's answer, but for the entries of its catalogue.
const (
	tokenHead = `{"token":{"expires_at":"2099-01-01T00:00:00.000000Z","project":{"id":"0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"},"user":{"id":"u"},"catalog":[`
	tokenTail = `]}}`
)

// tokenEndpoint is the catalogue's entry for the compute service.
func tokenEndpoint(url string) string {
	return `{"type":"compute","endpoints":[{"interface":"public","region":"r1","region_id":"r1","url":"` + url + `/v2.1"}]}`
}

// falseConnection is a connection to a false cloud.
func falseConnection(provider, url string) *connection.Record {
	c := &connection.Record{Provider: provider}
	switch provider {
	case "aws":
		c.Own = cloud.Values{"region": "eu-central-1", "access_key": "AKIAIOSFODNN7EXAMPLE", "secret_key": strings.Repeat("abcd", 10)}
		c.Endpoints = map[string]string{"ec2": url, "sts": url, "iam": url, "ssm": url}
	case "tencentcloud":
		c.Own = cloud.Values{"region": "ap-guangzhou", "access_key": "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE",
			"secret_key": strings.Repeat("abcd", 8)}
		c.Endpoints = map[string]string{"cvm": url, "sts": url, "cam": url, "tat": url}
	case "alibabacloud":
		c.Own = cloud.Values{"region": "eu-central-1", "access_key": "LTAI5tExampleExampleExam", "secret_key": strings.Repeat("abcd", 8)}
		c.Endpoints = map[string]string{"ecs": url, "sts": url, "ram": url}
	case "azure":
		c.Own = cloud.Values{"tenant_id": "contoso.onmicrosoft.com", "client_id": lastVM, "subscription_id": subscription,
			"client_secret": strings.Repeat("abcd", 10)}
		c.Endpoints = map[string]string{"arm": url, "login": url}
	case "huaweicloud":
		c.Own = cloud.Values{"region": "cn-north-4", "project_id": strings.Repeat("0a", 16), "access_key": "HUAWEIACCESSKEY00000",
			"secret_key": strings.Repeat("abcd", 10)}
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
	if err := d.Check(c.CloudConfig()); err != nil {
		tb.Fatal(err)
	}
	p, err := connection.NewProvider("false", c, d, cloud.Unlimited{}, cloud.NewAnswers(connection.AnswersAtOnce), nil)
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

// worstAnswer is an expensive answer: a head, as much of a unit as passes the bounds, and a tail. The tail holds what is asked
// for, so that to find it proves that the answer was decoded to its end.
type worstAnswer struct {
	provider         string
	head, unit, tail string
	// passing is how many units pass the bounds; 0: as many as fit into 4 MiB. Some more must be refused.
	passing int
	// ask asks for what the tail holds, and reports whether it was found.
	ask func(context.Context, cloud.Provider) (bool, error)
	// to reports which requests it answers, nil: all but those for a token. The others get other.
	to    func(*http.Request) bool
	other string
}

// lastInstance and lastKey are what the tails hold.
const (
	lastInstance = "i-0123456789abcdef0"
	lastCVM      = "ins-r8hr2upy"
	lastECS      = "i-bp67acfmxazb4p1x2y3z"
	lastKey      = "AKIAIOSFODNN7LAST000"
	lastCommand  = "inv-r8hr2upy"
	lastVM       = "5c0d8a3e-1b7f-4a52-9f0e-6d2b8c4a1e93"
	lastRun      = "cloudpw-0123456789abcdef0123456789abcdef"
	subscription = "0b1f6471-1bf0-4dda-aec3-cb9272f09590"

	ec2Instance = `<item><instanceId>` + lastInstance + `</instanceId><instanceState><name>running</name></instanceState></item>`
	ec2Head     = `<DescribeInstancesResponse><reservationSet>`
	ec2Tail     = `</reservationSet></DescribeInstancesResponse>`
	stsIdentity = `<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/u</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>`
	cvmHead     = `{"Response":{"RequestId":"1","TotalCount":1,"InstanceSet":[`
	tatHead     = `{"Response":{"RequestId":"1","InvocationTaskSet":[`
	camHead     = `{"Response":{"RequestId":"1","AccessKeys":[`
	vmLast      = `{"id":"/subscriptions/` + subscription + `/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/v",` +
		`"properties":{"vmId":"` + lastVM + `"}}]}`
	novaLast = `{"id":"` + fuzzedServerID + `","status":"ACTIVE"}]}`
)

// worst are the most expensive answers of each API that were found.
var worst = map[string]worstAnswer{
	"EC2": {provider: "aws", head: ec2Head + "<item><instancesSet>", unit: "<item/>", tail: ec2Instance + "</instancesSet></item>" + ec2Tail,
		passing: 49_990, ask: findsInstance(lastInstance)},
	"EC2, reservations": {provider: "aws", head: ec2Head, unit: "<item><instancesSet><item/></instancesSet></item>",
		tail:    "<item><instancesSet>" + ec2Instance + "</instancesSet></item>" + ec2Tail,
		passing: 24_990, ask: findsInstance(lastInstance)},
	"EC2, attributes": {provider: "aws", head: ec2Head + "<item><instancesSet><item ", unit: ` a=""`, tail: "/>" + ec2Instance +
		"</instancesSet></item>" + ec2Tail,
		ask: findsInstance(lastInstance)},
	"STS": {provider: "aws", head: "<GetCallerIdentityResponse><GetCallerIdentityResult>", unit: "<Arn>a</Arn>",
		tail: "<Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>",
		ask: func(ctx context.Context, p cloud.Provider) (bool, error) {
			return connection.TellAccount(ctx, p) != "", p.Verify(ctx)
		}},
	"IAM": {provider: "aws", head: "<ListAccessKeysResponse><ListAccessKeysResult><AccessKeyMetadata>", unit: "<member/>",
		tail: "<member><AccessKeyId>" + lastKey +
			"</AccessKeyId></member></AccessKeyMetadata></ListAccessKeysResult></ListAccessKeysResponse>",
		passing: 49_990, ask: findsKey(lastKey), to: hasAction("ListAccessKeys"), other: stsIdentity},
	"Systems Manager": {provider: "aws", head: `{"InstanceInformationList":[`, unit: `{"Name":""},`, tail: `{"InstanceId":"` + lastInstance +
		`","PingStatus":"Online"}]}`,
		passing: 99_990, ask: findsRecord(lastInstance, ""),
		to: isJSONOfAWS, other: ec2Head + "<item><instancesSet>" + ec2Instance + "</instancesSet></item>" + ec2Tail},
	"Tencent, CVM": {provider: "tencentcloud", head: cvmHead, unit: `{},`, tail: `{"InstanceId":"` + lastCVM + `"}]}}`,
		passing: 99_990, ask: findsInstance(lastCVM)},
	"Tencent, TAT": {provider: "tencentcloud", head: tatHead, unit: `{},`, tail: `{"InvocationId":"` + lastCommand + `","InstanceId":"` +
		lastCVM + `","TaskStatus":"SUCCESS"}]}}`,
		passing: 99_990, ask: findsRecord(lastCVM, lastCommand)},
	"Tencent, CAM": {provider: "tencentcloud", head: camHead, unit: `{},`, tail: `{"AccessKeyId":"` + lastKey + `"}]}}`,
		passing: 99_990, ask: findsKey(lastKey),
		to: hasAction("ListAccessKeys"), other: `{"Response":{"RequestId":"1","Arn":"a","AccountId":"1","UserId":"2"}}`},
	"Alibaba, ECS": {provider: "alibabacloud", head: `{"RequestId":"1","Instances":{"Instance":[`, unit: `{},`,
		tail: `{"InstanceId":"` + lastECS + `"}]}}`, passing: 99_990, ask: findsInstance(lastECS)},
	"Alibaba, tags": {provider: "alibabacloud", head: `{"RequestId":"1","Instances":{"Instance":[{"InstanceId":"` + lastECS +
		`","Tags":{"Tag":[`,
		unit: `{},`, tail: `{}]}}]}}`, passing: 99_990, ask: findsInstance(lastECS)},
	"Alibaba, commands": {provider: "alibabacloud", head: `{"RequestId":"1","Invocation":{"InvocationResults":{"InvocationResult":[`,
		unit: `{},`, tail: `{"InvokeId":"t-1","InstanceId":"` + lastECS + `","InvocationStatus":"Success"}]}}}`,
		passing: 99_990, ask: findsRecord(lastECS, "t-1")},
	"Alibaba, RAM": {provider: "alibabacloud", head: `{"RequestId":"1","AccessKeys":{"AccessKey":[`, unit: `{},`,
		tail: `{"AccessKeyId":"` + lastKey + `"}]}}`, passing: 99_990, ask: findsKey(lastKey),
		to:    func(r *http.Request) bool { return r.Header.Get("X-Acs-Action") == "ListAccessKeys" },
		other: `{"RequestId":"1","IdentityType":"RAMUser","Arn":"acs:ram::1:user/x","AccountId":"1","UserId":"2"}`},
	"Azure, machines": {provider: "azure", head: `{"value":[`, unit: `{},`, tail: vmLast, passing: 99_990, ask: findsInstance(lastVM)},
	"Azure, states": {provider: "azure", head: `{"value":[{"properties":{"instanceView":{"statuses":[`, unit: `{},`, tail: `{}]}}},` + vmLast,
		passing: 99_980, ask: findsInstance(lastVM)},
	"Azure, addresses": {provider: "azure", head: `{"value":[{"properties":{"ipConfigurations":[`, unit: `{},`, tail: `{}]}},` + vmLast,
		passing: 99_980, ask: findsInstance(lastVM)},
	"Azure, tags": {provider: "azure", head: `{"value":[{"tags":{`, unit: `"":"",`, tail: `"a":""}},` + vmLast,
		passing: 199_990, ask: findsInstance(lastVM)},
	"Azure, run command": {provider: "azure", head: `{"a":[`, unit: `{},`, tail: `{}],"name":"` + lastRun + `","properties":{}}`,
		passing: 99_990, ask: findsRecord(lastVM, lastRun),
		to: func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/runCommands/") }, other: `{"value":[` + vmLast},
	"Azure, token": {provider: "azure", head: `{"a":[`, unit: `{},`, tail: `{}],` + strings.TrimPrefix(entraToken, "{"),
		passing: 99_990, ask: verifies, to: isEntraRequest, other: `{"value":[` + vmLast},
	"Keystone": {provider: "openstack", head: tokenHead, unit: `{},`, tail: tokenEndpoint("URL") + tokenTail,
		passing: 99_990, ask: verifies, to: isTokenRequest, other: fuzzedServer},
	"Keystone, names": {provider: "openstack", head: tokenHead, unit: `{"name":""},`, tail: tokenEndpoint("URL") + tokenTail,
		passing: 99_990, ask: verifies, to: isTokenRequest, other: fuzzedServer},
	"Keystone, endpoints": {provider: "openstack", head: tokenHead + `{"endpoints":[`, unit: `{"url":""},`, tail: `{}]},` +
		tokenEndpoint("URL") + tokenTail,
		passing: 99_980, ask: verifies, to: isTokenRequest, other: fuzzedServer},
	"Nova": {provider: "openstack", head: `{"servers":[`, unit: `{"id":"a"},`, tail: novaLast,
		passing: 99_990, ask: findsInstance(fuzzedServerID)},
	"Nova, metadata": {provider: "openstack", head: `{"servers":[`, unit: `{"id":"a","metadata":{"a":""}},`, tail: novaLast,
		passing: 49_990, ask: findsInstance(fuzzedServerID)},
	"Nova, password": {provider: "openstack", head: `{"a":[`, unit: `{"a":""},`, tail: `{}],"password":"eA=="}`,
		passing: 99_990, ask: func(ctx context.Context, p cloud.Provider) (bool, error) {
			ciphertext, err := p.(cloud.InitialPasswordReader).InitialPassword(ctx, fuzzedServerID)
			return ciphertext == "eA==", err
		}},
	"Huawei": {provider: "huaweicloud", head: `{"servers":[`, unit: `{"id":"a"},`, tail: novaLast,
		passing: 99_990, ask: findsInstance(fuzzedServerID)},
	"Huawei, IAM": {provider: "huaweicloud", head: `{"credentials":[`, unit: `{"access":""},`,
		tail:    `{"access":"HUAWEIACCESSKEY00000","user_id":"0a0a"}]}`,
		passing: 99_990, ask: findsKey("HUAWEIACCESSKEY00000"),
		to: func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/credentials") }, other: `{"domains":[]}`},
}

func findsInstance(id string) func(context.Context, cloud.Provider) (bool, error) {
	return func(ctx context.Context, p cloud.Provider) (bool, error) {
		found, err := p.FindInstances(ctx, nil)
		return slices.ContainsFunc(found, func(i cloud.Instance) bool { return i.ID == id }), err
	}
}

func findsKey(id string) func(context.Context, cloud.Provider) (bool, error) {
	return func(ctx context.Context, p cloud.Provider) (bool, error) {
		own, err := p.(cloud.CredentialRotator).OwnCredentials(ctx)
		return slices.ContainsFunc(own, func(c cloud.OwnCredential) bool { return c.ID == id }), err
	}
}

func findsRecord(instance, command string) func(context.Context, cloud.Provider) (bool, error) {
	return func(ctx context.Context, p cloud.Provider) (bool, error) {
		records, err := p.(cloud.PasswordResetters).Resetter(cloud.MethodCommand).ResetRecords(ctx,
			[]cloud.ResetRef{{InstanceID: instance, RequestID: command}})
		record, ok := records[instance]
		return ok && record.OperationID == command, err
	}
}

func verifies(ctx context.Context, p cloud.Provider) (bool, error) { return true, p.Verify(ctx) }

// hasAction picks the requests for an action of AWS's query API, or of Tencent Cloud.
func hasAction(name string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		return r.PostFormValue("Action") == name || r.Header.Get("X-TC-Action") == name
	}
}

func isJSONOfAWS(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-amz-json")
}

// full is how many units fit into an answer of 4 MiB.
func (w worstAnswer) full() int { return (4<<20 - len(w.head) - len(w.tail) - 64) / len(w.unit) }

// serve makes a provider whose cloud gives the answer with n units.
func (w worstAnswer) serve(tb testing.TB, n int) cloud.Provider {
	tb.Helper()
	var server *httptest.Server
	body := w.head + strings.Repeat(w.unit, n) + w.tail
	server = falseCloud(tb, func(r *http.Request) (int, string) {
		switch {
		case w.to == nil && isTokenRequest(r), isEntraRequest(r) && (w.to == nil || !w.to(r)):
			return 0, ""
		case w.to == nil || w.to(r) && !isTokenRequest(r):
			return http.StatusOK, body
		case w.to(r):
			return http.StatusCreated, strings.ReplaceAll(body, "URL", server.URL)
		case isTokenRequest(r):
			return 0, ""
		}
		return http.StatusOK, w.other
	})
	return falseProvider(tb, w.provider, server.URL)
}

// check says what is wrong with the outcome of an answer of n units.
func (w worstAnswer) check(n int, found bool, err error) error {
	refused := err != nil && strings.Contains(err.Error(), "larger or more complex than any of a cloud")
	switch {
	case w.passing > 0 && n > w.passing && !refused:
		return fmt.Errorf("%d units are not refused: found %t, %w", n, found, err)
	case (w.passing == 0 || n <= w.passing) && (!found || err != nil):
		return fmt.Errorf("%d units are not decoded to the end: found %t, %w", n, found, err)
	}
	return nil
}

// BenchmarkWorstAnswers holds the peak memory of the worst answers of each API.
func BenchmarkWorstAnswers(b *testing.B) {
	for name, w := range worst {
		sizes := map[string]int{"4 MiB": w.full()}
		if w.passing > 0 {
			sizes["passing"] = w.passing
		}
		for size, n := range sizes {
			b.Run(name+", "+size, func(b *testing.B) {
				p := w.serve(b, n)
				most := uint64(0)
				for b.Loop() {
					ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
					var found bool
					var err error
					most = max(most, peak(func() { found, err = w.ask(ctx, p) }))
					cancel()
					if bad := w.check(n, found, err); bad != nil {
						b.Fatal(bad)
					}
				}
				b.ReportMetric(float64(most)/(1<<20), "MiB-peak")
				if most > maxAnswerMemory {
					b.Errorf("%d MiB", most>>20)
				}
			})
		}
	}
}

// TestWorstAnswersAreDecodedOrRefused has the answers of the benchmark: the largest that pass are decoded to the end, a
// little more and 4 MiB are refused before they are built.
func TestWorstAnswersAreDecodedOrRefused(t *testing.T) {
	for name, w := range worst {
		t.Run(name, func(t *testing.T) {
			sizes := []int{w.full()}
			if w.passing > 0 {
				sizes = append(sizes, w.passing+20)
				if !raceDetector { // which makes decoding ten times slower
					sizes = append(sizes, w.passing)
				}
			}
			for _, n := range sizes {
				found, err := w.ask(t.Context(), w.serve(t, n))
				if bad := w.check(n, found, err); bad != nil {
					t.Error(bad)
				}
			}
		})
	}
}
