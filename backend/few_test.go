package backend

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/connection"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/policy"
)

// hang has the cloud hang at each call of some methods. goOn lets all of them go on.
func (h *harness) hang(methods ...string) (entered chan struct{}, goOn func()) {
	entered, release := make(chan struct{}, 1000), make(chan struct{})
	h.cloud.mu.Lock()
	defer h.cloud.mu.Unlock()
	h.cloud.during = map[string]func(context.Context) error{}
	for _, method := range methods {
		h.cloud.during[method] = func(context.Context) error { entered <- struct{}{}; <-release; return nil }
	}
	return entered, sync.OnceFunc(func() { close(release) })
}

// questions are all requests of clients by which an endpoint of a connection is asked what may be a lot.
func questions(name string) []logical.Request {
	return []logical.Request{
		{Operation: logical.ListOperation, Path: "discover/" + name},
		{Operation: logical.UpdateOperation, Path: "config/" + name, Data: map[string]any{"secret_key": "an0ther-key"}},
		{Operation: logical.CreateOperation, Path: "roles/new-" + name, Data: map[string]any{"connection": name, "instance_tags": "env=" + name,
			"force_stop": true}},
		{Operation: logical.CreateOperation, Path: "roles/listed-" + name, Data: map[string]any{"connection": name, "instance_ids": "srv-" + name,
			"force_stop": true, "username": "other"}},
		{Operation: logical.UpdateOperation, Path: "roles/tagged-" + name},
		{Operation: logical.ListOperation, Path: "instances/tagged-" + name},
		{Operation: logical.ReadOperation, Path: "creds/tagged-" + name + "/unknown"},
	}
}

// TestFewQuestionsOfAConnectionAtOnce: others wait, and hear of it when their time is over. Those of another connection,
// whose cloud answers, do not wait.
func TestFewQuestionsOfAConnectionAtOnce(t *testing.T) {
	h := newHarness(t)
	for _, name := range []string{"hung", "well"} {
		h.cloud.launch(cloud.Instance{ID: "srv-" + name, Platform: cloud.Linux, Tags: map[string]string{"env": name}})
		h.connection(t, name, resetCloud)
		h.write(t, "roles/tagged-"+name, map[string]any{"connection": name, "instance_tags": "env=" + name, "force_stop": true})
	}
	entered, goOn := h.hang("Verify", "FindInstances", "DescribeInstances")
	defer goOn()
	var clients sync.WaitGroup
	for range 3 {
		for _, q := range questions("hung") {
			q.Storage = h.storage
			clients.Go(func() {
				ctx := context.WithoutCancel(t.Context())
				if resp, err := h.HandleRequest(ctx, &q); err != nil && strings.Contains(err.Error(), "under way") {
					t.Errorf("%s: %v, %v", q.Path, resp, err)
				}
			})
		}
	}
	for range connection.QuestionsAtOnce {
		<-entered
	}
	short, leave := context.WithTimeout(t.Context(), 2*time.Second) // whose time to wait is over at once
	defer leave()
	for _, q := range questions("hung") {
		if q.Storage = h.storage; strings.HasPrefix(q.Path, "creds/") {
			continue // one read in ten seconds asks
		}
		resp, err := h.HandleRequest(short, &q)
		if status, message := statusOf(resp, err); status != http.StatusServiceUnavailable ||
			!strings.Contains(message, "connection hung has 4 verifications") {
			t.Errorf("%s: %d %q", q.Path, status, message)
		}
	}
	if n := len(entered); n != 0 {
		t.Errorf("%d more than %d at once", n, connection.QuestionsAtOnce)
	}
	h.cloud.mu.Lock()
	h.cloud.during = nil
	h.cloud.mu.Unlock()
	for _, q := range questions("well") {
		q.Storage = h.storage
		if resp, err := h.HandleRequest(t.Context(), &q); q.Operation != logical.ReadOperation && (err != nil || resp.IsError()) &&
			!strings.HasPrefix(q.Path, "roles/new") {
			t.Errorf("%s: %v, %v", q.Path, resp, err)
		}
	}
	goOn()
	clients.Wait()
}

// TestManyRoleWritesAtOnceAskAFewAtATime, and all of them end well.
func TestManyRoleWritesAtOnceAskAFewAtATime(t *testing.T) {
	h := newHarness(t)
	h.connection(t, "prod", resetCloud)
	const writes = 50
	for i := range writes {
		h.cloud.launch(cloud.Instance{ID: fmt.Sprintf("srv-%d", i), Platform: cloud.Linux})
	}
	var mu sync.Mutex
	asking, most := 0, 0
	h.cloud.mu.Lock()
	h.cloud.during = map[string]func(context.Context) error{"DescribeInstances": func(context.Context) error {
		mu.Lock()
		asking++
		most = max(most, asking)
		mu.Unlock()
		runtime.Gosched()
		mu.Lock()
		asking--
		mu.Unlock()
		return nil
	}}
	h.cloud.mu.Unlock()
	var clients sync.WaitGroup
	for i := range writes {
		clients.Go(func() {
			path, data := fmt.Sprintf("roles/r-%d", i), map[string]any{"connection": "prod", "instance_ids": fmt.Sprintf("srv-%d", i),
				"force_stop": true}
			if resp, err := h.request(t, logical.CreateOperation, path, data); err != nil || resp.IsError() {
				t.Errorf("%s: %v, %v", path, resp, err)
			}
		})
	}
	clients.Wait()
	if most == 0 || most > connection.QuestionsAtOnce {
		t.Errorf("%d at once, want at most %d", most, connection.QuestionsAtOnce)
	}
}

// BenchmarkWorstAnswersAtOnce has the worst answers that a cloud can give come to many connections at once: they cost no
// more memory than a few of them.
func BenchmarkWorstAnswersAtOnce(b *testing.B) {
	w := worst["Tencent, CVM"]
	body := w.head + strings.Repeat(w.unit, w.passing) + w.tail
	url := falseCloud(b, func(*http.Request) (int, string) { return http.StatusOK, body }).URL
	answers := cloud.NewAnswers(connection.AnswersAtOnce)
	asked := connection.NewStore(new(logical.InmemStorage), nil, policy.Generator{}, time.Now)
	for b.Loop() {
		most := peak(func() {
			var clients sync.WaitGroup
			for n := range 50 {
				name := fmt.Sprintf("c-%d", n/connection.QuestionsAtOnce)
				c := falseConnection(w.provider, url)
				p, err := connection.NewProvider(name, c, providers()[w.provider], cloud.Unlimited{}, answers, nil)
				if err != nil {
					b.Fatal(err)
				}
				clients.Go(func() { _, _ = asked.FindInstances(b.Context(), name, p, nil) })
			}
			clients.Wait()
		})
		b.ReportMetric(float64(most)/(1<<20), "MiB-peak")
		if most > connection.AnswersAtOnce*maxAnswerMemory {
			b.Errorf("%d MiB", most>>20)
		}
	}
}
