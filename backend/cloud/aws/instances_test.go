package aws

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

func TestInstanceIsMappedFully(t *testing.T) {
	f := newFakeEC2(t)
	f.on("DescribeInstances", func(w http.ResponseWriter, _ url.Values) {
		answer(w, "DescribeInstances", "<reservationSet>"+instanceXML("i-0123456789abcdef0", "running", `
			<platform>windows</platform><platformDetails>Windows with SQL Server Standard</platformDetails><keyName>win key</keyName>
			<privateIpAddress>10.0.0.7</privateIpAddress><ipAddress>203.0.113.9</ipAddress><launchTime>2026-11-01T08:30:00.000Z</launchTime>
			<imageId>ami-12345678</imageId><rootDeviceName>/dev/sda1</rootDeviceName><blockDeviceMapping>
			<item><deviceName>xvdb</deviceName><ebs><volumeId>vol-2</volumeId></ebs></item>
			<item><deviceName>/dev/sda1</deviceName><ebs><volumeId>vol-1</volumeId></ebs></item></blockDeviceMapping>
			<tagSet><item><key>Name</key><value>web 1</value></item><item><key>empty</key><value/></item></tagSet>`)+"</reservationSet>")
	})
	p := newTestProvider(t, testConfig(t, f.URL))
	got, err := p.DescribeInstances(context.Background(), []string{"i-0123456789abcdef0"})
	if err != nil {
		t.Fatal(err)
	}
	want := []cloud.Instance{{
		ID: "i-0123456789abcdef0", Name: "web 1", Platform: cloud.Windows, OSName: "Windows with SQL Server Standard",
		State: cloud.StateRunning, CloudState: "running", KeyName: "win key", PrivateIP: "10.0.0.7", PublicIP: "203.0.113.9",
		Tags: map[string]string{"Name": "web 1", "empty": ""}, LaunchTime: time.Date(2026, 11, 1, 8, 30, 0, 0, time.UTC), SystemDisk: "vol-1",
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestPlatformAndState(t *testing.T) {
	for name, tc := range map[string]struct {
		state, extra string
		platform     cloud.Platform
		want         cloud.State
	}{
		"windows":              {"running", "<platform>windows</platform>", cloud.Windows, cloud.StateRunning},
		"Windows":              {"running", "<platform>Windows</platform>", cloud.Windows, cloud.StateRunning},
		"windows by details":   {"stopped", "<platformDetails>Windows BYOL</platformDetails>", cloud.Windows, cloud.StateStopped},
		"linux":                {"pending", "<platformDetails>Linux/UNIX</platformDetails>", cloud.Linux, cloud.StateChanging},
		"linux SQL Server":     {"stopping", "<platformDetails>SQL Server Enterprise</platformDetails>", cloud.Linux, cloud.StateChanging},
		"shutting down":        {"shutting-down", "", cloud.Linux, cloud.StateGone},
		"terminated":           {"terminated", "", cloud.Linux, cloud.StateGone},
		"a state of tomorrow":  {"hibernating", "", cloud.Linux, cloud.StateChanging},
		"IPv6 only, no IPv4":   {"running", "<ipv6Address>2001:db8::7</ipv6Address>", cloud.Linux, cloud.StateRunning},
		"no platform, running": {"running", "", cloud.Linux, cloud.StateRunning},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeEC2(t)
			f.on("DescribeInstances", func(w http.ResponseWriter, _ url.Values) {
				answer(w, "DescribeInstances", "<reservationSet>"+instanceXML("i-1234abcd", tc.state, tc.extra)+"</reservationSet>")
			})
			got, err := newTestProvider(t, testConfig(t, f.URL)).DescribeInstances(context.Background(), []string{"i-1234abcd"})
			if err != nil || len(got) != 1 {
				t.Fatalf("%d instances, error %v", len(got), err)
			}
			if got[0].Platform != tc.platform || got[0].State != tc.want || got[0].CloudState != tc.state {
				t.Errorf("platform %q, state %q (%q); want %q, %q", got[0].Platform, got[0].State, got[0].CloudState, tc.platform, tc.want)
			}
			if strings.Contains(tc.extra, "ipv6") && got[0].PrivateIP != "2001:db8::7" {
				t.Errorf("private IP %q", got[0].PrivateIP)
			}
		})
	}
}

// filters reads the filters of a Query request back.
func filters(form url.Values) map[string][]string {
	out := map[string][]string{}
	for n := 1; form.Has(fmt.Sprintf("Filter.%d.Name", n)); n++ {
		var values []string
		for v := 1; form.Has(fmt.Sprintf("Filter.%d.Value.%d", n, v)); v++ {
			values = append(values, form.Get(fmt.Sprintf("Filter.%d.Value.%d", n, v)))
		}
		out[form.Get(fmt.Sprintf("Filter.%d.Name", n))] = values
	}
	return out
}

func TestDescribeInstancesInBatchesAndPages(t *testing.T) {
	var ids []string
	for n := range 2*maxFilterValues + 1 {
		ids = append(ids, fmt.Sprintf("i-%08x", n))
	}
	missing := map[string]bool{ids[3]: true, ids[maxFilterValues]: true}

	f := newFakeEC2(t)
	const page = 150
	f.on("DescribeInstances", func(w http.ResponseWriter, form url.Values) {
		if form.Has("InstanceId.1") {
			fail(w, http.StatusBadRequest, "InvalidInstanceID.NotFound", "one unknown id fails the whole call")
			return
		}
		asked := filters(form)["instance-id"]
		if len(asked) > maxFilterValues {
			fail(w, http.StatusBadRequest, "FilterLimitExceeded", "too many values")
			return
		}
		if size, err := strconv.Atoi(form.Get("MaxResults")); err != nil || size < 5 || size > 1000 {
			fail(w, http.StatusBadRequest, "InvalidParameterValue", "MaxResults")
			return
		}
		start := 0
		if token := form.Get("NextToken"); token != "" {
			start, _ = strconv.Atoi(token)
		}
		end := min(start+page, len(asked))
		body := "<reservationSet>"
		for _, id := range asked[start:end] {
			if !missing[id] {
				body += instanceXML(id, "running", "")
			}
		}
		body += instanceXML("i-ffffffff", "running", "") // nobody asked for it
		body += "</reservationSet>"
		if end < len(asked) {
			body += fmt.Sprintf("<nextToken>%d</nextToken>", end)
		}
		answer(w, "DescribeInstances", body)
	})
	cfg := testConfig(t, f.URL)
	limiter := cfg.Limiter.(*countingLimiter)
	got, err := newTestProvider(t, cfg).DescribeInstances(context.Background(), append(ids, ids[:7]...))
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	for _, i := range got {
		seen = append(seen, i.ID)
	}
	slices.Sort(seen)
	want := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return missing[id] })
	if !slices.Equal(seen, want) {
		t.Errorf("%d instances, want each of the %d that exist once", len(seen), len(want))
	}
	// Two full batches of two pages and a last batch of one.
	if n := len(f.sent()); n != 5 {
		t.Errorf("%d requests, want 5", n)
	}
	if passed := limiter.passed(); !slices.Equal(passed, slices.Repeat([]string{"DescribeInstances"}, 5)) {
		t.Errorf("limiter was waited for %v, want once a request", passed)
	}
}

func TestDescribeInstancesWithoutRequests(t *testing.T) {
	f := newFakeEC2(t)
	p := newTestProvider(t, testConfig(t, f.URL))
	if got, err := p.DescribeInstances(context.Background(), nil); err != nil || len(got) != 0 {
		t.Errorf("no ids: %v, %v", got, err)
	}
	if _, err := p.DescribeInstances(context.Background(), []string{"i-1234abcd", "i-*"}); cloud.KindOf(err) != cloud.Refused {
		t.Errorf("malformed id: %v", err)
	}
	if n := len(f.sent()); n != 0 {
		t.Errorf("%d requests, want none", n)
	}
}

func TestFindInstancesByTags(t *testing.T) {
	tags := map[string]string{"team": "a*b", `pa\th`: `c\d?`, "empty": "", "Name": "web"}
	tagXML := func(tags map[string]string) string {
		s := "<tagSet>"
		for k, v := range tags {
			s += "<item><key>" + k + "</key><value>" + v + "</value></item>"
		}
		return s + "</tagSet>"
	}
	near := maps.Clone(tags)
	near["team"] = "aXb" // what an unescaped pattern would match

	f := newFakeEC2(t)
	f.on("DescribeInstances", func(w http.ResponseWriter, form url.Values) {
		if form.Get("NextToken") == "" {
			answer(w, "DescribeInstances", "<reservationSet>"+instanceXML("i-00000001", "running", tagXML(tags))+
				instanceXML("i-00000002", "running", tagXML(near))+"</reservationSet><nextToken>more+/=</nextToken>")
			return
		}
		answer(w, "DescribeInstances", "<reservationSet>"+instanceXML("i-00000003", "stopped", tagXML(tags))+
			instanceXML("i-00000004", "terminated", tagXML(tags))+instanceXML("i-00000005", "shutting-down", tagXML(tags))+"</reservationSet>")
	})
	cfg := testConfig(t, f.URL)
	got, err := newTestProvider(t, cfg).FindInstances(context.Background(), tags)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].ID != "i-00000001" || got[1].ID != "i-00000003" {
		t.Errorf("found %+v", got)
	}
	sent := f.sent()
	if len(sent) != 2 || sent[1].Get("NextToken") != "more+/=" {
		t.Fatalf("requests %v", sent)
	}
	for _, form := range sent {
		want := map[string][]string{
			"instance-state-name": {"pending", "running", "stopping", "stopped"},
			"tag:team":            {`a\*b`}, `tag:pa\th`: {`c\\d\?`}, "tag:empty": {""}, "tag:Name": {"web"},
		}
		if got := filters(form); !reflect.DeepEqual(got, want) {
			t.Errorf("filters %v\nwant    %v", got, want)
		}
	}
	if passed := cfg.Limiter.(*countingLimiter).passed(); len(passed) != 2 {
		t.Errorf("limiter was waited for %v", passed)
	}
}

func TestTagFiltersStayInTheCloudsLimits(t *testing.T) {
	tags := map[string]string{"long": strings.Repeat("x", 254) + "**"}
	for n := range 60 {
		tags[fmt.Sprintf("k%02d", n)] = "v"
	}
	got, err := tagFilters(tags)
	if err != nil || len(got) != maxFilters {
		t.Fatalf("%d filters, error %v", len(got), err)
	}
	for _, filter := range got {
		if *filter.Name == "tag:long" {
			t.Error("a value longer than the cloud takes was sent")
		}
	}
	if (cloud.Instance{Tags: map[string]string{"k00": "v"}}).HasTags(tags) {
		t.Error("tags that were not sent are not compared either")
	}
	if _, err := tagFilters(map[string]string{"": "v"}); cloud.KindOf(err) != cloud.Refused {
		t.Errorf("tag without key: %v", err)
	}
}

func TestListingOfAnErrorOnALaterPageFails(t *testing.T) {
	f := newFakeEC2(t)
	f.on("DescribeInstances", func(w http.ResponseWriter, form url.Values) {
		if form.Get("NextToken") == "" {
			answer(w, "DescribeInstances", "<reservationSet>"+instanceXML("i-00000001", "running", "")+"</reservationSet><nextToken>2</nextToken>")
			return
		}
		fail(w, http.StatusServiceUnavailable, "RequestLimitExceeded", "Request limit exceeded.")
	})
	p := newTestProvider(t, testConfig(t, f.URL))
	got, err := p.FindInstances(context.Background(), nil)
	if cloud.KindOf(err) != cloud.Throttled || got != nil {
		t.Errorf("half a listing: %v, error %v", got, err)
	}
}

func TestGateRefusalSendsNothing(t *testing.T) {
	f := newFakeEC2(t)
	cfg := testConfig(t, f.URL)
	refusal := cloud.Errorf(cloud.Unavailable, "breaker open")
	cfg.Limiter = &countingLimiter{refuse: refusal}
	p := newTestProvider(t, cfg)
	ctx := context.Background()
	for name, do := range map[string]func() error{
		"describe":    func() error { _, err := p.DescribeInstances(ctx, []string{"i-1234abcd"}); return err },
		"find":        func() error { _, err := p.FindInstances(ctx, nil); return err },
		"verify":      func() error { return p.Verify(ctx) },
		"initial":     func() error { _, err := p.InitialPassword(ctx, "i-1234abcd"); return err },
		"check":       func() error { return p.CheckInitialPassword(ctx, "i-1234abcd") },
		"fingerprint": func() error { _, err := p.KeyFingerprint(ctx, "key"); return err },
	} {
		if err := do(); !errors.Is(err, refusal) {
			t.Errorf("%s: %v, want the limiter's refusal", name, err)
		}
	}
	if n := len(f.sent()); n != 0 {
		t.Errorf("%d requests, want none", n)
	}
}
