package alibabaapi

import (
	"encoding/json"
	"maps"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// Limits of the API pages.
const (
	maxInstanceIDs = 100
	maxTags        = 20
	leastPage      = 10
	// In bytes, of a tag's key and value.
	maxTagKey, maxTagValue = 64, 128
	// maxTagged is how many instances a search by tags shows at most.
	maxTagged = 1000
)

// minute is the form of CreationTime, StartTime and ExpiredTime.
const minute = "2006-01-02T15:04Z"

func ecsService() *service {
	return &service{
		name: "ecs", version: "2014-05-26", regional: true,
		denied: fail(http.StatusForbidden, "Forbidden.RAM",
			"User not authorized to operate on the specified resource, or this API doesn't support RAM."),
		actions: map[string]action{
			"DescribeInstances":            {open: true, params: func() any { return new(instancesParams) }, run: describeInstances},
			"RunCommand":                   {params: func() any { return new(commandParams) }, run: runCommand},
			"DescribeInvocations":          {params: func() any { return new(invocationsParams) }, run: describeInvocations},
			"DescribeInvocationResults":    {params: func() any { return new(resultsParams) }, run: describeInvocationResults},
			"DescribeCloudAssistantStatus": {params: func() any { return new(assistantParams) }, run: describeCloudAssistantStatus},
			"StopInvocation":               {params: func() any { return new(stopParams) }, run: stopInvocation},
		},
	}
}

// instancesParams are the parameters of DescribeInstances that the simulator knows.
type instancesParams struct {
	InstanceIds, InstanceName, KeyPairName, LockReason, Status *string
	ImageId, VpcId, VSwitchId, ZoneId                          *string
	PrivateIpAddresses, PublicIpAddresses, EipAddresses        *string
	Tag                                                        []tag
	AdditionalAttributes                                       []string
	DryRun                                                     *bool
	MaxResults, PageNumber, PageSize                           *int
	NextToken                                                  *string
}

type instancesResult struct {
	RequestID  string `json:"RequestId"`
	Instances  struct{ Instance []instance }
	TotalCount int
	PageNumber int
	PageSize   int
	NextToken  string
}

// instance is a server as ECS shows it.
type instance struct {
	InstanceID          string `json:"InstanceId"`
	InstanceName        string
	HostName            string
	Description         string
	RegionID            string `json:"RegionId"`
	ZoneID              string `json:"ZoneId"`
	Status              string
	OSType              string
	OSName              string
	OSNameEn            string
	ImageID             string `json:"ImageId"`
	ImageOptions        struct{ LoginAsNonRoot bool }
	InstanceType        string
	InstanceTypeFamily  string
	CPU                 int `json:"Cpu"`
	Memory              int
	KeyPairName         string
	InstanceChargeType  string
	InstanceNetworkType string
	CreationTime        string
	StartTime           string
	ExpiredTime         string
	InnerIPAddress      addresses `json:"InnerIpAddress"`
	PublicIPAddress     addresses `json:"PublicIpAddress"`
	EipAddress          struct {
		IPAddress          string `json:"IpAddress"`
		AllocationID       string `json:"AllocationId"`
		InternetChargeType string
	}
	VpcAttributes struct {
		VpcID            string    `json:"VpcId"`
		VSwitchID        string    `json:"VSwitchId"`
		NatIPAddress     string    `json:"NatIpAddress"`
		PrivateIPAddress addresses `json:"PrivateIpAddress"`
	}
	OperationLocks struct{ LockReason []lockReason }
	Tags           tags
}

type addresses struct {
	IPAddress []string `json:"IpAddress"`
}

type lockReason struct {
	LockReason string
	LockMsg    string
}

type tags struct{ Tag []tagView }

type tagView struct{ TagKey, TagValue string }

// status is a server's state in ECS's words; one that the model has no word for begins with a capital.
func status(s model.State) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(string(s[:1])) + string(s[1:])
}

func zone(s model.Server) string { return s.Region + "a" }

// address lists an address, if there is one.
func address(ip string) addresses {
	if ip == "" {
		return addresses{[]string{}}
	}
	return addresses{[]string{ip}}
}

// view shows a server as ECS does.
func view(s model.Server) instance {
	i := instance{
		InstanceID: s.ID, InstanceName: s.Name, HostName: s.Name, RegionID: s.Region, ZoneID: zone(s), Status: status(s.State),
		OSType: s.Platform, OSName: s.OSName, OSNameEn: s.OSName, ImageID: s.ImageID,
		InstanceType: "ecs.g6.large", InstanceTypeFamily: "ecs.g6", CPU: 2, Memory: 8192, KeyPairName: s.KeyName,
		InstanceChargeType: "PostPaid", InstanceNetworkType: "vpc",
		CreationTime: s.Created.UTC().Format(minute), StartTime: s.Started.UTC().Format(minute), ExpiredTime: "2099-12-31T15:59Z",
		InnerIPAddress: address(""), PublicIPAddress: address(s.PublicIP), Tags: tagViews(s.Tags),
	}
	i.ImageOptions.LoginAsNonRoot = s.LoginAsNonRoot
	i.EipAddress.IPAddress = s.ElasticIP
	i.VpcAttributes.VpcID, i.VpcAttributes.VSwitchID = s.VPCID, s.SubnetID
	i.VpcAttributes.PrivateIPAddress = address(s.PrivateIP)
	i.OperationLocks.LockReason = []lockReason{}
	for _, reason := range s.LockReasons {
		i.OperationLocks.LockReason = append(i.OperationLocks.LockReason, lockReason{LockReason: reason})
	}
	return i
}

func tagViews(m map[string]string) tags {
	out := tags{[]tagView{}}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		out.Tag = append(out.Tag, tagView{key, m[key]})
	}
	return out
}

// owns says whether the caller sees a server in the request's region. A released instance is gone.
func (r *request) owns(s model.Server) bool {
	return s.Cloud == model.AlibabaCloud && s.AccountID == r.key.AccountID && s.Region == r.region && s.State != model.StateTerminated
}

// jsonList reads a parameter that is a JSON list of at most 100 texts.
func jsonList(text *string, name string) ([]string, *failure) {
	if text == nil {
		return nil, nil
	}
	out := []string{}
	if err := json.Unmarshal([]byte(*text), &out); err != nil || len(out) > maxInstanceIDs {
		return nil, fail(http.StatusBadRequest, "InvalidParameter."+name, "The specified parameter "+name+" is not valid.")
	}
	return out, nil
}

// describeInstances lists instances. Ids that are unknown are left out, not refused. Who has no permission gets an
// empty list and no error, except with DryRun.
func describeInstances(r *request, params any) (any, *failure) {
	p := params.(*instancesParams)
	match, f := p.match()
	if f != nil {
		return nil, f
	}
	allowed := r.world.Allowed(r.key, "ecs", "DescribeInstances")
	switch {
	case or(p.DryRun, false) && !allowed:
		return nil, ecsService().denied
	case or(p.DryRun, false): // the status is unconfirmed
		return nil, fail(http.StatusBadRequest, "DryRunOperation", "Request validation has been passed with DryRun flag set.")
	}
	all := r.world.Servers(func(s model.Server) bool { return allowed && r.owns(s) && match(s) })
	if len(p.Tag) > 0 && len(all) > maxTagged {
		all = all[:maxTagged]
	}
	// The text of MaxResults gives 10 and 100 for what is outside of them.
	pages := paging{most: maxInstanceIDs, number: p.PageNumber, size: p.PageSize, token: p.NextToken}
	if p.MaxResults != nil {
		n := min(max(*p.MaxResults, leastPage), maxInstanceIDs)
		pages.results = &n
	}
	from, to, f := pages.cut(len(all))
	if f != nil {
		return nil, f
	}
	out := instancesResult{RequestID: r.id, TotalCount: pages.total, PageNumber: pages.page, PageSize: pages.per, NextToken: pages.next}
	out.Instances.Instance = []instance{}
	for _, s := range all[from:to] {
		out.Instances.Instance = append(out.Instances.Instance, view(s))
	}
	return out, nil
}

// match makes the test that a request asks for: all of its conditions.
func (p *instancesParams) match() (func(model.Server) bool, *failure) {
	ids, f := jsonList(p.InstanceIds, "InstanceIds")
	if f == nil {
		f = checkTags(p.Tag)
	}
	lists := map[string]*string{
		"PrivateIpAddresses": p.PrivateIpAddresses, "PublicIpAddresses": p.PublicIpAddresses, "EipAddresses": p.EipAddresses,
	}
	wanted := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(lists)) {
		if f == nil {
			wanted[name], f = jsonList(lists[name], name)
		}
	}
	if f != nil {
		return nil, f
	}
	return func(s model.Server) bool {
		return (ids == nil || slices.Contains(ids, s.ID)) && hasTags(s.Tags, p.Tag) &&
			(p.InstanceName == nil || like(*p.InstanceName, s.Name)) &&
			(p.LockReason == nil || slices.Contains(s.LockReasons, *p.LockReason)) &&
			is(p.KeyPairName, s.KeyName) && is(p.Status, status(s.State)) && is(p.ImageId, s.ImageID) && is(p.VpcId, s.VPCID) &&
			is(p.VSwitchId, s.SubnetID) && is(p.ZoneId, zone(s)) && among(wanted["PrivateIpAddresses"], s.PrivateIP) &&
			among(wanted["PublicIpAddresses"], s.PublicIP) && among(wanted["EipAddresses"], s.ElasticIP)
	}, nil
}

func is(want *string, got string) bool { return want == nil || *want == got }

func among(list []string, got string) bool { return list == nil || slices.Contains(list, got) }

// like compares with a pattern whose only special character is the asterisk.
func like(pattern, name string) bool {
	ok, err := path.Match(regexp.MustCompile(`[\[?\\]`).ReplaceAllString(pattern, `\$0`), name)
	return err == nil && ok
}

func hasTags(m map[string]string, want []tag) bool {
	for _, t := range want {
		// A key without a value asks for any value.
		if value, has := m[t.Key]; !has || t.Value != "" && value != t.Value {
			return false
		}
	}
	return true
}

// checkTags refuses tags as DescribeInvocationResults' page says.
func checkTags(list []tag) *failure {
	if len(list) > maxTags {
		return fail(http.StatusBadRequest, "NumberExceed.Tags", "The Tags parameter number is exceed.")
	}
	seen := map[string]bool{}
	for _, t := range list {
		switch {
		case t.Key == "":
			return fail(http.StatusBadRequest, "MissingParameter.TagKey", "You must specify Tag.N.Key.")
		case len(t.Key) > maxTagKey, strings.HasPrefix(t.Key, "aliyun"), strings.HasPrefix(t.Key, "acs:"), hasURL(t.Key):
			return fail(http.StatusBadRequest, "InvalidTagKey.Malformed", "The specified Tag.n.Key is not valid.")
		case len(t.Value) > maxTagValue, hasURL(t.Value):
			return fail(http.StatusBadRequest, "InvalidTagValue.Malformed", "The specified Tag.n.Value is not valid.")
		case seen[t.Key]:
			return fail(http.StatusBadRequest, "Duplicate.TagKey", "The Tag.N.Key contain duplicate key.")
		}
		seen[t.Key] = true
	}
	return nil
}

func hasURL(s string) bool { return strings.Contains(s, "http://") || strings.Contains(s, "https://") }

// paging is how a request cuts a list, and what the answer says about it.
type paging struct {
	most         int // per page
	results      *int
	number, size *int
	token        *string
	total        int // 0 with MaxResults or NextToken, where it is not valid
	page, per    int
	next         string
}

// cut says which part of a list of n a request is about. MaxResults and NextToken win over PageNumber and PageSize.
func (p *paging) cut(n int) (from, to int, f *failure) {
	if p.results != nil || p.token != nil {
		return p.cutByToken(n)
	}
	p.page, p.per = or(p.number, 1), or(p.size, leastPage)
	switch {
	case p.page < 1:
		return 0, 0, fail(http.StatusBadRequest, "InvalidParam.PageNumber", "The specified parameter is invalid.")
	case p.per < 1 || p.per > p.most:
		return 0, 0, fail(http.StatusBadRequest, "InvalidParam.PageSize", "The specified parameter is invalid.")
	}
	p.total = n
	from = min((p.page-1)*p.per, n)
	return from, min(from+p.per, n), nil
}

func (p *paging) cutByToken(n int) (from, to int, f *failure) {
	per := or(p.results, leastPage)
	if per < 1 || per > p.most {
		return 0, 0, fail(http.StatusBadRequest, "InvalidParameter.MaxResults", "The specified parameter MaxResults is not valid.")
	}
	if token := or(p.token, ""); token != "" {
		number, ok := strings.CutPrefix(token, tokenMark)
		at, err := strconv.ParseInt(number, 36, 32)
		if !ok || err != nil || at < 1 {
			return 0, 0, fail(http.StatusBadRequest, "InvalidParameter.NextToken", "The specified parameter NextToken is not valid.")
		}
		from = min(int(at), n)
	}
	to = min(from+per, n)
	if to < n {
		p.next = tokenMark + strconv.FormatInt(int64(to), 36)
	}
	return from, to, nil
}

// tokenMark is how a NextToken begins here; what follows is a place in the list.
const tokenMark = "AAAAAd"
