package tencentapi

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// cvmFilter is a filter of DescribeInstances (models.go, DescribeInstancesRequestParams).
type cvmFilter struct {
	// read reads what the values are compared with; nil for one that match judges.
	read  func(model.Server) []string
	match func(s model.Server, value string) bool
	// valid says whether a value has the right form; refusal is the code for one that has not.
	valid   func(value, region string) bool
	refusal string
}

// timeForm is that of creation-start-time and creation-end-time. The page tells no time zone; the cloud's is
// Beijing's, and which one it means is unconfirmed, so that it is UTC here.
const timeForm = time.DateTime

var cvmFilters = map[string]cvmFilter{
	"zone": {read: one(zone), refusal: "InvalidZone.MismatchRegion",
		valid: func(v, region string) bool { return strings.HasPrefix(v, region+"-") }},
	"project-id":           {read: one(func(model.Server) string { return "0" }), refusal: "InvalidParameterValue", valid: form(`\d+`)},
	"host-id":              {read: none, refusal: "InvalidHostId.Malformed", valid: form(`host-\w+`)},
	"dedicated-cluster-id": {read: none},
	"vpc-id": {read: one(func(s model.Server) string { return s.VPCID }), refusal: "InvalidParameterValue.VpcIdMalformed",
		valid: form(`vpc-\w+`)},
	"subnet-id": {read: one(func(s model.Server) string { return s.SubnetID }), refusal: "InvalidParameterValue.SubnetIdMalformed",
		valid: form(`subnet-\w+`)},
	"instance-id": {read: one(func(s model.Server) string { return s.ID }), refusal: "InvalidInstanceId.Malformed",
		valid: func(v, _ string) bool { return instanceID.MatchString(v) }},
	"uuid": {read: one(uuid), refusal: "InvalidParameterValue.UuidMalformed",
		valid: form(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)},
	"security-group-id": {read: one(func(model.Server) string { return securityGroup }), refusal: "InvalidSgId.Malformed",
		valid: form(`sg-\w+`)},
	"instance-name":        {read: one(func(s model.Server) string { return s.Name })},
	"instance-charge-type": {read: one(func(model.Server) string { return "POSTPAID_BY_HOUR" })},
	"instance-state":       {read: one(func(s model.Server) string { return state(s.State) })},
	"private-ip-address": {read: one(func(s model.Server) string { return s.PrivateIP }),
		refusal: "InvalidParameterValue.IPAddressMalformed", valid: address},
	"public-ip-address": {read: one(func(s model.Server) string { return s.PublicIP }), refusal: "InvalidParameterValue.IPAddressMalformed",
		valid: address},
	"ipv6-address": {read: none, refusal: "InvalidParameterValue.IPv6AddressMalformed", valid: address},
	"tag-key":      {read: func(s model.Server) []string { return slices.Collect(keys(s.Tags)) }},
	"tag-value":    {read: tagValues},
	"creation-start-time": {match: func(s model.Server, v string) bool { return !s.Created.Before(moment(v)) },
		refusal: "InvalidParameterValue.InvalidTimeFormat", valid: isMoment},
	"creation-end-time": {match: func(s model.Server, v string) bool { return !s.Created.After(moment(v)) },
		refusal: "InvalidParameterValue.InvalidTimeFormat", valid: isMoment},
}

func one(read func(model.Server) string) func(model.Server) []string {
	return func(s model.Server) []string { return []string{read(s)} }
}

func none(model.Server) []string { return nil }

func form(pattern string) func(string, string) bool {
	whole := regexp.MustCompile("^(" + pattern + ")$")
	return func(v, _ string) bool { return whole.MatchString(v) }
}

func address(v, _ string) bool {
	_, err := netip.ParseAddr(v)
	return err == nil
}

func moment(v string) time.Time {
	at, _ := time.Parse(timeForm, v) // checked before
	return at
}

func isMoment(v, _ string) bool {
	_, err := time.Parse(timeForm, v)
	return err == nil
}

func tagValues(s model.Server) []string {
	var out []string
	for _, v := range s.Tags {
		out = append(out, v)
	}
	return out
}

// checkFilters refuses filters as the API page says.
func checkFilters(filters []filter, region string) *failure {
	if len(filters) > maxFilters {
		return fail("InvalidFilterValue.LimitExceeded", fmt.Sprintf("The number of Filters exceeds %d.", maxFilters))
	}
	for _, f := range filters {
		key, isTag := strings.CutPrefix(f.Name, "tag:")
		known, ok := cvmFilters[f.Name]
		switch {
		case !ok && (!isTag || key == ""):
			return fail("InvalidFilter", "The filter `"+f.Name+"` is not supported.")
		case len(f.Values) > maxFilterValues:
			return fail("InvalidFilterValue.LimitExceeded", fmt.Sprintf("The number of Values of filter `%s` exceeds %d.", f.Name, maxFilterValues))
		case known.valid == nil:
			continue
		}
		for _, v := range f.Values {
			if !known.valid(v, region) {
				return fail(known.refusal, "The value `"+v+"` of filter `"+f.Name+"` is not valid.")
			}
		}
	}
	return nil
}

// meets says whether a server meets all filters, each by any of its values.
func meets(filters []filter, s model.Server) bool {
	for _, f := range filters {
		known := cvmFilters[f.Name]
		tagged, has := s.Tags[strings.TrimPrefix(f.Name, "tag:")]
		if !slices.ContainsFunc(f.Values, func(v string) bool {
			switch {
			case known.match != nil:
				return known.match(s, v)
			case known.read != nil:
				return slices.Contains(known.read(s), v)
			default:
				return has && tagged == v
			}
		}) {
			return false
		}
	}
	return true
}
