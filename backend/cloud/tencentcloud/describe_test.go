package tencentcloud

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/contract"
)

// account is a fake account's instances and how DescribeInstances shows them.
type account struct {
	instances []map[string]any
	// strict makes one unknown id fail the whole call.
	strict bool
	// before is called with the number of the page, from 1, before it is cut.
	before func(f *account, page int)
	pages  int
}

func newFleet(n int) *account {
	f := &account{}
	for i := range n {
		f.instances = append(f.instances, map[string]any{
			"InstanceId": fmt.Sprintf("ins-%08d", i), "InstanceState": "RUNNING", "OsName": "TencentOS Server 4",
			"Tags": []map[string]string{{"Key": "env", "Value": "prod"}},
		})
	}
	return f
}

func (f *account) answer(w http.ResponseWriter, _ string, body map[string]any) {
	number := func(name string, other int) int {
		if v, ok := body[name].(float64); ok {
			return int(v)
		}
		return other
	}
	ids, _ := body["InstanceIds"].([]any)
	if limit := number("Limit", 20); len(ids) > 100 || limit > 100 || ids != nil && body["Filters"] != nil {
		fail(w, "InvalidParameterValue.LimitExceeded", "too much")
		return
	}
	f.pages++
	if f.before != nil {
		f.before(f, f.pages)
	}
	matching := f.instances
	if ids != nil {
		matching = nil
		for _, id := range ids {
			i := slices.IndexFunc(f.instances, func(i map[string]any) bool { return i["InstanceId"] == id })
			if i >= 0 {
				matching = append(matching, f.instances[i])
			} else if f.strict {
				fail(w, "InvalidInstanceId.NotFound", "no such instance")
				return
			}
		}
	}
	from := min(number("Offset", 0), len(matching))
	to := min(from+number("Limit", 20), len(matching))
	reply(w, map[string]any{"TotalCount": len(matching), "InstanceSet": matching[from:to]})
}

func idsOf(instances []cloud.Instance) []string {
	var ids []string
	for _, i := range instances {
		ids = append(ids, i.ID)
	}
	return ids
}

func TestDescribeInstancesInBatches(t *testing.T) {
	fleet := newFleet(250)
	f := newFakeCloud(t, fleet.answer)
	cfg := testConfig(t, f.URL)
	p := newTestProvider(t, cfg)
	var ids []string
	for _, i := range fleet.instances {
		ids = append(ids, i["InstanceId"].(string))
	}
	// Doubles and unknown ids are no error.
	got, err := p.DescribeInstances(t.Context(), append([]string{ids[0], "ins-unknown0"}, ids...))
	if err != nil {
		t.Fatal(err)
	}
	found := idsOf(got)
	slices.Sort(found)
	if !slices.Equal(found, ids) {
		t.Errorf("%d instances, want all %d once", len(found), len(ids))
	}
	if requests, waited := len(f.seen()), cfg.Limiter.(*contract.CountLimiter).Count("DescribeInstances"); requests != 3 || waited != 3 {
		t.Errorf("%d requests, %d times through the limiter, want 3 and 3", requests, waited)
	}
	if got, err := p.DescribeInstances(t.Context(), nil); err != nil || len(got) != 0 || len(f.seen()) != 3 {
		t.Errorf("no ids: %v, %v, %d requests", got, err, len(f.seen()))
	}
}

func TestDescribeInstancesWhereOneUnknownIDFailsAll(t *testing.T) {
	fleet := newFleet(9)
	fleet.strict = true
	f := newFakeCloud(t, fleet.answer)
	cfg := testConfig(t, f.URL)
	got, err := newTestProvider(t, cfg).DescribeInstances(t.Context(),
		[]string{"ins-00000001", "ins-0000000x", "ins-00000005", "ins-0000000y", "ins-00000008"})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"ins-00000001", "ins-00000005", "ins-00000008"}; !slices.Equal(idsOf(got), want) {
		t.Errorf("found %v, want %v", idsOf(got), want)
	}
	if requests, waited := len(f.seen()), cfg.Limiter.(*contract.CountLimiter).Count("DescribeInstances"); requests != waited {
		t.Errorf("%d requests, %d times through the limiter", requests, waited)
	}
}

func TestDescribeInstancesRefusesMalformedIDsUnsent(t *testing.T) {
	f := newFakeCloud(t, newFleet(1).answer)
	_, err := newTestProvider(t, testConfig(t, f.URL)).DescribeInstances(t.Context(), []string{"ins-00000000", "ins-1/../2"})
	wantKind(t, err, cloud.Refused)
	if n := len(f.seen()); n != 0 {
		t.Errorf("%d requests sent", n)
	}
}

func TestFindInstancesFollowsPages(t *testing.T) {
	for _, n := range []int{0, 1, 99, 100, 101, 250} {
		f := newFakeCloud(t, newFleet(n).answer)
		cfg := testConfig(t, f.URL)
		got, err := newTestProvider(t, cfg).FindInstances(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		pages := max(1, (n+99)/100)
		requests, waited := len(f.seen()), cfg.Limiter.(*contract.CountLimiter).Count("DescribeInstances")
		if len(got) != n || requests != pages || waited != pages {
			t.Errorf("%d instances: found %d in %d requests, %d times through the limiter", n, len(got), requests, waited)
		}
	}
}

// TestFindInstancesWhileTheListMoves terminates an instance of the first page before the second is
// read, which moves one instance over the cut.
func TestFindInstancesWhileTheListMoves(t *testing.T) {
	fleet := newFleet(150)
	fleet.before = func(f *account, page int) {
		if page == 2 {
			f.instances = f.instances[1:]
		}
	}
	f := newFakeCloud(t, fleet.answer)
	got, err := newTestProvider(t, testConfig(t, f.URL)).FindInstances(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	found := idsOf(got)
	for i := 1; i < 150; i++ {
		if id := fmt.Sprintf("ins-%08d", i); !slices.Contains(found, id) {
			t.Errorf("%s is missing", id)
		}
	}
}

func TestFindInstancesEndsWithoutACount(t *testing.T) {
	fleet := newFleet(100)
	f := newFakeCloud(t, func(w http.ResponseWriter, _ string, _ map[string]any) {
		reply(w, map[string]any{"InstanceSet": fleet.instances}) // the same full page for ever
	})
	got, err := newTestProvider(t, testConfig(t, f.URL)).FindInstances(t.Context(), nil)
	if err != nil || len(got) != 100 {
		t.Errorf("%d instances, %v", len(got), err)
	}
}

func TestFindInstancesByTags(t *testing.T) {
	tags := func(pairs ...string) (list []map[string]string) {
		for i := 0; i < len(pairs); i += 2 {
			list = append(list, map[string]string{"Key": pairs[i], "Value": pairs[i+1]})
		}
		return list
	}
	fleet := &account{instances: []map[string]any{
		{"InstanceId": "ins-00000001", "InstanceState": "RUNNING", "Tags": tags("env", "prod", "solo", "")},
		{"InstanceId": "ins-00000002", "InstanceState": "RUNNING", "Tags": tags("env", "production", "solo", "")},
		{"InstanceId": "ins-00000003", "InstanceState": "RUNNING", "Tags": tags("env", "prod", "solo", "x")},
		{"InstanceId": "ins-00000004", "InstanceState": "RUNNING"},
		{"InstanceId": "ins-00000005", "InstanceState": "TERMINATING", "Tags": tags("env", "prod", "solo", "")},
	}}
	f := newFakeCloud(t, fleet.answer) // which ignores filters: the provider compares for itself
	got, err := newTestProvider(t, testConfig(t, f.URL)).FindInstances(t.Context(), map[string]string{"env": "prod", "solo": ""})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"ins-00000001"}; !slices.Equal(idsOf(got), want) {
		t.Errorf("found %v, want %v", idsOf(got), want)
	}
	want := `[map[Name:tag:env Values:[prod]] map[Name:tag-key Values:[solo]]]`
	if got := fmt.Sprint(f.seen()[0].body["Filters"]); got != want {
		t.Errorf("filters %s, want %s", got, want)
	}
}

func TestFindInstancesWithMoreTagsThanFilters(t *testing.T) {
	var list []map[string]string
	tags := map[string]string{}
	for i := range 12 {
		key := fmt.Sprintf("key%02d", i)
		tags[key] = "v"
		list = append(list, map[string]string{"Key": key, "Value": "v"})
	}
	fleet := &account{instances: []map[string]any{
		{"InstanceId": "ins-00000001", "InstanceState": "RUNNING", "Tags": list},
		{"InstanceId": "ins-00000002", "InstanceState": "RUNNING", "Tags": list[:11]},
	}}
	f := newFakeCloud(t, fleet.answer)
	got, err := newTestProvider(t, testConfig(t, f.URL)).FindInstances(t.Context(), tags)
	if err != nil || !slices.Equal(idsOf(got), []string{"ins-00000001"}) {
		t.Errorf("found %v, %v", idsOf(got), err)
	}
	if n := len(f.seen()[0].body["Filters"].([]any)); n != maxFilters {
		t.Errorf("%d filters sent, want %d", n, maxFilters)
	}
}

func TestFindInstancesWithAnUnknownTagKey(t *testing.T) {
	f := newFakeCloud(t, func(w http.ResponseWriter, _ string, _ map[string]any) {
		fail(w, "InvalidParameterValue.TagKeyNotFound", "no such key")
	})
	got, err := newTestProvider(t, testConfig(t, f.URL)).FindInstances(t.Context(), map[string]string{"env": "prod"})
	if err != nil || len(got) != 0 {
		t.Errorf("%v, %v; want nothing found", got, err)
	}
}

func TestReadingErrors(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter)
		kind   cloud.Kind
	}{
		"denied":      {func(w http.ResponseWriter) { fail(w, "UnauthorizedOperation", "no") }, cloud.Denied},
		"throttled":   {func(w http.ResponseWriter) { fail(w, "RequestLimitExceeded", "slow") }, cloud.Throttled},
		"failed":      {func(w http.ResponseWriter) { fail(w, "InternalServerError", "oops") }, cloud.Unknown},
		"HTTP 503":    {func(w http.ResponseWriter) { w.WriteHeader(503) }, cloud.Unknown},
		"gateway 429": {func(w http.ResponseWriter) { w.Header().Set("Retry-After", "7"); w.WriteHeader(429) }, cloud.Throttled},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeCloud(t, func(w http.ResponseWriter, _ string, _ map[string]any) { c.answer(w) })
			p := newTestProvider(t, testConfig(t, f.URL))
			_, err := p.DescribeInstances(t.Context(), []string{"ins-00000001"})
			e := errorOfKind(t, err, c.kind)
			if name == "gateway 429" && e.RetryAfter.Seconds() != 7 {
				t.Errorf("retry after %v", e.RetryAfter)
			}
			_, err = p.FindInstances(t.Context(), nil)
			wantKind(t, err, c.kind)
			_, err = p.ResetRecords(t.Context(), []cloud.ResetRef{{InstanceID: "ins-00000001"}})
			wantKind(t, err, c.kind)
			if n := len(f.seen()); n != 3 {
				t.Errorf("%d requests for 3 calls: something retried", n)
			}
		})
	}
}
