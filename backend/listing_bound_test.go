//go:build !race

// One goroutine decodes some hundred MiB here, which takes minutes under the race detector and tells it nothing.

package backend

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestListingsWithoutAnEndAreRefused has page after page of instances that were not seen before, of nearly 4 MiB each.
func TestListingsWithoutAnEndAreRefused(t *testing.T) {
	const perPage = 3_300
	tag := strings.Repeat("v", 1000)
	for provider, form := range map[string][3]string{
		"aws": {ec2Head + "<item><instancesSet>", "<item><instanceId>i-%017x</instanceId><tagSet><item><key>k</key><value>" + tag +
			"</value></item></tagSet></item>",
			"</instancesSet></item></reservationSet><nextToken>more</nextToken></DescribeInstancesResponse>"},
		"tencentcloud": {`{"Response":{"RequestId":"1","TotalCount":99999999,"InstanceSet":[{}`,
			`,{"InstanceId":"ins-%08x","Tags":[{"Key":"k","Value":"` + tag + `"}]}`, `]}}`},
		"alibabacloud": {`{"RequestId":"1","NextToken":"PAGE","Instances":{"Instance":[{}`,
			`,{"InstanceId":"i-%08x","Tags":{"Tag":[{"TagKey":"k","TagValue":"` + tag + `"}]}}`, `]}}`},
		"azure": {`{"nextLink":"http://HOST/subscriptions/x?page=PAGE","value":[{}`,
			`,{"id":"/subscriptions/` + subscription + `/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/v%[1]x",` +
				`"tags":{"k":"` + tag + `"},"properties":{"vmId":"00000000-0000-0000-0000-%012[1]x"}}`, `]}`},
		"openstack": {`{"servers":[{"id":"first"}`, `,{"id":"%08x","metadata":{"k":"` + tag + `"}}`, `]}`},
	} {
		t.Run(provider, func(t *testing.T) {
			pages := 0
			p := falseProvider(t, provider, falseCloud(t, func(r *http.Request) (int, string) {
				if isTokenRequest(r) || isEntraRequest(r) {
					return 0, ""
				}
				pages++
				var page strings.Builder
				page.WriteString(strings.NewReplacer("PAGE", fmt.Sprint(pages), "HOST", r.Host).Replace(form[0]))
				for n := range perPage {
					fmt.Fprintf(&page, form[1], pages*perPage+n)
				}
				return http.StatusOK, page.String() + form[2]
			}).URL)
			found, err := p.FindInstances(t.Context(), nil)
			if err == nil || !strings.Contains(err.Error(), "the listing of instances has more than") || pages > 40 {
				t.Errorf("%d pages, %d instances, %v", pages, len(found), err)
			}
		})
	}
}
