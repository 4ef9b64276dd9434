package alibabacloud

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// described are servers as the fake cloud shows them.
func described(ids ...string) object {
	list := []object{}
	for _, id := range ids {
		list = append(list, object{"InstanceId": id, "OSType": "linux", "Status": "Running"})
	}
	return object{"Instances": object{"Instance": list}}
}

func ids(instances []cloud.Instance) []string {
	var all []string
	for _, i := range instances {
		all = append(all, i.ID)
	}
	return all
}

// Any number of ids is asked for in batches of one hundred, each id once.
func TestDescribeInBatches(t *testing.T) {
	var wanted []string
	for n := range 130 {
		wanted = append(wanted, fmt.Sprintf("i-%08d", n))
	}
	p, f := answering(t, func(r request) (int, any) {
		var asked []string
		if err := json.Unmarshal([]byte(r.params.Get("InstanceIds")), &asked); err != nil || len(asked) > 100 {
			return failure(400, "InvalidParameter")
		}
		return 200, described(append(asked, "i-not-asked-for")...)
	})
	got, err := p.DescribeInstances(t.Context(), append(wanted, wanted[:5]...))
	if err != nil || !slices.Equal(ids(got), wanted) || len(f.seen()) != 2 {
		t.Errorf("%d of %d, %v after %s", len(got), len(wanted), err, f.actions())
	}
	_, err = p.DescribeInstances(t.Context(), []string{"ins-12345678"})
	_ = errorOfKind(t, err, cloud.Refused)
}

// An empty list is believed only where the cloud says that the keys may describe instances.
func TestEmptyListsAreNotBelieved(t *testing.T) {
	for name, c := range map[string]struct {
		dry  func() (int, any)
		kind cloud.Kind
	}{
		"gone":          {func() (int, any) { return failure(400, "DryRunOperation") }, ""},
		"no permission": {func() (int, any) { return failure(403, "Forbidden.RAM") }, cloud.Denied},
		"throttled":     {func() (int, any) { return failure(503, "Throttling.User") }, cloud.Throttled},
		"no dry run":    {func() (int, any) { return 200, described() }, cloud.Unknown},
	} {
		p, f := answering(t, func(r request) (int, any) {
			if r.params.Get("DryRun") == "true" {
				return c.dry()
			}
			return 200, described()
		})
		calls := map[string]func() error{
			"describe": func() error { _, err := p.DescribeInstances(t.Context(), []string{testInstance}); return err },
			"find":     func() error { _, err := p.FindInstances(t.Context(), nil); return err },
			"records": func() error {
				records, err := p.Resetter(cloud.MethodCommand).ResetRecords(t.Context(), []cloud.ResetRef{{InstanceID: testInstance}})
				if len(records) != 0 {
					t.Errorf("%s: %+v", name, records)
				}
				return err
			},
		}
		for what, call := range calls {
			if err := call(); cloud.KindOf(err) != c.kind {
				t.Errorf("%s, %s: %v", name, what, err)
			}
		}
		if n := len(f.seen()); n != 6 {
			t.Errorf("%s: %d requests", name, n)
		}
	}
}

// One id that the cloud refuses does not hide the others.
func TestDescribeHalves(t *testing.T) {
	p, _ := answering(t, func(r request) (int, any) {
		var asked []string
		if err := json.Unmarshal([]byte(r.params.Get("InstanceIds")), &asked); err != nil || slices.Contains(asked, "i-00000003") {
			return failure(404, "InvalidInstanceId.NotFound")
		}
		return 200, described(asked...)
	})
	got, err := p.DescribeInstances(t.Context(), []string{"i-00000001", "i-00000002", "i-00000003", "i-00000004"})
	if err != nil || !slices.Equal(ids(got), []string{"i-00000001", "i-00000002", "i-00000004"}) {
		t.Errorf("%v, %v", ids(got), err)
	}
}

// A listing follows the tokens to the end, compares every tag, and asks for the first twenty.
func TestFindPageByPage(t *testing.T) {
	tags := map[string]string{}
	var shown []object
	for n := range 22 {
		tags[fmt.Sprintf("k%02d", n)] = "v"
		shown = append(shown, object{"TagKey": fmt.Sprintf("k%02d", n), "TagValue": "v"})
	}
	tags["k00"] = ""
	shown[0]["TagValue"] = ""
	p, f := answering(t, func(r request) (int, any) {
		if r.params.Get("Tag.1.Key") != "k00" || r.params.Has("Tag.1.Value") || r.params.Get("Tag.20.Value") != "v" ||
			r.params.Has("Tag.21.Key") {
			return failure(400, "NumberExceed.Tags")
		}
		id := map[string]string{"": "i-00000002", "two": "i-00000001", "three": "i-00000003"}[r.params.Get("NextToken")]
		one := object{"InstanceId": id, "Status": "Running", "Tags": object{"Tag": shown}}
		if id == "i-00000003" {
			one["Tags"] = object{"Tag": shown[:20]}
		}
		next := map[string]string{"": "two", "two": "three"}[r.params.Get("NextToken")]
		return 200, object{"Instances": object{"Instance": []object{one}}, "NextToken": next}
	})
	got, err := p.FindInstances(t.Context(), tags)
	if err != nil || !slices.Equal(ids(got), []string{"i-00000001", "i-00000002"}) || len(f.seen()) != 3 {
		t.Errorf("%v, %v after %s", ids(got), err, f.actions())
	}
}

// A cloud that gives the same token again would keep a caller for ever.
func TestListingThatDoesNotEnd(t *testing.T) {
	p, f := answering(t, func(request) (int, any) {
		answer := described(testInstance)
		answer["NextToken"] = "again"
		return 200, answer
	})
	_, err := p.FindInstances(t.Context(), nil)
	if e := errorOfKind(t, err, cloud.Unknown); !strings.Contains(e.Message, "does not end") || len(f.seen()) != 2 {
		t.Errorf("%v after %s", e, f.actions())
	}
}
