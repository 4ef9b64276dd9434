package awsapi

import (
	"encoding/xml"
	"regexp"
	"slices"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// ec2Namespace is the namespace of EC2's answers.
const ec2Namespace = "http://ec2.amazonaws.com/doc/2016-11-15/"

// ec2Versions are the versions of the API that botocore has had; later ones do not change the calls.
var ec2Versions = []string{
	"2014-09-01", "2014-10-01", "2015-03-01", "2015-04-15", "2015-10-01", "2016-04-01", "2016-09-15", "2016-11-15",
}

// instanceID is the form of an instance id, old and new.
var instanceID = regexp.MustCompile(`^i-(?:[0-9a-f]{8}|[0-9a-f]{17})$`)

func ec2Service() *service {
	filterParams := []string{"Filter.N.Name", "Filter.N.Value.N", "DryRun"}
	return &service{name: "ec2", namespace: ec2Namespace, actions: map[string]action{
		"GetPasswordData": {
			params: []string{"InstanceId", "DryRun"}, required: []string{"InstanceId"}, run: getPasswordData,
		},
		"DescribeInstances": {
			params: append([]string{"InstanceId.N", "IncludeManagedResources", "MaxResults", "NextToken"}, filterParams...), run: describeInstances,
		},
		"DescribeKeyPairs": {
			params: append([]string{"KeyName.N", "KeyPairId.N", "IncludePublicKey"}, filterParams...), run: describeKeyPairs,
		},
	}}
}

// dryRun is the answer to a call with DryRun=true that would have worked.
func (r *request) dryRun() *failure {
	switch v := r.get("DryRun"); strings.ToLower(v) {
	case "", "false":
		return nil
	case "true":
		return &failure{412, "DryRunOperation", "Request would have succeeded, but DryRun flag is set."}
	default:
		return fail("InvalidParameterValue", "Invalid value '"+v+"' for DryRun. It must be true or false.")
	}
}

// instance finds one of the caller's instances in the request's region.
func (r *request) instances(ids []string) ([]model.Server, *failure) {
	for _, id := range ids {
		if !instanceID.MatchString(id) {
			return nil, fail("InvalidInstanceID.Malformed", `Invalid id: "`+id+`"`)
		}
	}
	var out []model.Server
	var missing []string
	for _, id := range ids {
		s, ok := r.world.Server(id)
		switch {
		case !ok || !r.owns(s):
			missing = append(missing, id)
		case !slices.ContainsFunc(out, func(o model.Server) bool { return o.ID == id }):
			out = append(out, s)
		}
	}
	switch {
	case len(missing) == 1:
		return nil, fail("InvalidInstanceID.NotFound", "The instance ID '"+missing[0]+"' does not exist")
	case len(missing) > 1:
		return nil, fail("InvalidInstanceID.NotFound", "The instance IDs '"+strings.Join(missing, ", ")+"' do not exist")
	}
	return out, nil
}

// owns says whether the caller sees a server in the request's region.
func (r *request) owns(s model.Server) bool {
	return s.Cloud == model.AWS && s.AccountID == r.caller.key.AccountID && s.Region == r.caller.region
}

type passwordDataResponse struct {
	XMLName      xml.Name `xml:"GetPasswordDataResponse"`
	Namespace    string   `xml:"xmlns,attr"`
	RequestID    string   `xml:"requestId"`
	InstanceID   string   `xml:"instanceId"`
	Timestamp    string   `xml:"timestamp"`
	PasswordData verbatim `xml:"passwordData"`
}

// verbatim is text whose line breaks are sent as they are, which the encoder
// of encoding/xml would write as character references.
type verbatim struct {
	Text string `xml:",innerxml"`
}

// getPasswordData answers with the ciphertext of the initial password, or an
// empty string while (or if ever) there is none.
func getPasswordData(r *request) (any, *failure) {
	found, f := r.instances([]string{r.get("InstanceId")})
	if f != nil {
		return nil, f
	}
	if f := r.dryRun(); f != nil {
		return nil, f
	}
	s := found[0]
	data, err := r.world.EncryptedPassword(s.ID)
	if err != nil {
		return nil, fail("InvalidInstanceID.NotFound", "The instance ID '"+s.ID+"' does not exist")
	}
	// Before the guest has written it, the time is that of the launch.
	stamp := s.Launched
	if data != "" {
		stamp = s.ReadyAt()
	}
	return passwordDataResponse{
		Namespace: ec2Namespace, RequestID: r.id, InstanceID: s.ID, Timestamp: stamp.UTC().Format(timeFormat),
		PasswordData: verbatim{wrap(data)},
	}, nil
}

// timeFormat is how EC2 writes times.
const timeFormat = "2006-01-02T15:04:05.000Z"

// wrap breaks base64 into lines between line breaks, as EC2 sends what the
// guest wrote. XML parsers make one LF of each CR LF.
func wrap(data string) string {
	if data == "" {
		return ""
	}
	var b strings.Builder
	b.WriteString("\r\n")
	for line := range slices.Chunk([]byte(data), 76) {
		b.WriteString(xmlText(string(line)) + "\r\n")
	}
	return b.String()
}

// xmlText escapes what a rubbish ciphertext may hold.
func xmlText(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}
