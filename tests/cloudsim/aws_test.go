package cloudsim_test

import (
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	ec2provider "github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/aws"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// awsEnv is a simulator with the real SDK pointed at it.
type awsEnv struct {
	sim   *cloudsim.Sim
	creds cloudsim.Credentials
	http  *http.Client
}

func startAWS(t *testing.T, o cloudsim.Options, seed cloudsim.SeedOptions) *awsEnv {
	t.Helper()
	sim := cloudsim.Start(t, o)
	seeded, err := sim.Seed(seed)
	if err != nil {
		t.Fatal(err)
	}
	return &awsEnv{sim: sim, creds: seeded[model.AWS], http: http.DefaultClient}
}

// config is the SDK's configuration for some credentials, without retries.
func (e *awsEnv) config(id, secret, token, region string) aws.Config {
	return aws.Config{
		Region: region, Credentials: credentials.NewStaticCredentialsProvider(id, secret, token),
		HTTPClient:   ec2provider.BodyKeeper{Client: e.http},
		BaseEndpoint: aws.String(e.sim.URL(model.AWS, "ec2")), Retryer: func() aws.Retryer { return aws.NopRetryer{} },
	}
}

func (e *awsEnv) ec2() *ec2.Client {
	return ec2.NewFromConfig(e.config(e.creds.AccessKey, e.creds.SecretKey, "", e.creds.Region))
}

// awsCode is the cloud's error code and HTTP status, or "" for none.
func awsCode(err error) string {
	var api smithy.APIError
	var status interface{ HTTPStatusCode() int }
	switch {
	case err == nil:
		return ""
	case errors.As(err, &api) && errors.As(err, &status):
		return fmt.Sprintf("%d %s", status.HTTPStatusCode(), api.ErrorCode())
	default:
		return "not a cloud error: " + err.Error()
	}
}

// decrypt reads an initial password with the seeded private key.
func (e *awsEnv) decrypt(t *testing.T, data string) string {
	t.Helper()
	block, _ := pem.Decode([]byte(e.creds.PrivateKey))
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := base64.StdEncoding.DecodeString(data) // skips line breaks
	if err != nil {
		t.Fatal(err)
	}
	//nolint:staticcheck // SA1019: PKCS#1 v1.5 is what EC2's guests use.
	text, err := rsa.DecryptPKCS1v15(nil, key, sealed)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAWSPasswordDataThroughTheSDK(t *testing.T) {
	e := startAWS(t, cloudsim.Options{}, cloudsim.SeedOptions{ReadyAfter: 10 * time.Minute})
	ctx, client := context.Background(), e.ec2()
	windows, linux := e.creds.Servers["windows-1"], e.creds.Servers["linux-1"]
	get := func(id string) string {
		t.Helper()
		out, err := client.GetPasswordData(ctx, &ec2.GetPasswordDataInput{InstanceId: &id})
		if err != nil {
			t.Fatal(err)
		}
		if *out.InstanceId != id || out.Timestamp.IsZero() {
			t.Errorf("instance %s, time %v", *out.InstanceId, out.Timestamp)
		}
		return *out.PasswordData
	}
	if data := get(windows); data != "" {
		t.Errorf("before its time: %q", data)
	}
	e.sim.World().Advance(10 * time.Minute)
	data := get(windows)
	if data == "" || data[0] != '\n' || data[len(data)-1] != '\n' {
		t.Errorf("want line breaks around the ciphertext: %q", data)
	}
	password := e.decrypt(t, data)
	if err := e.sim.Login(ctx, windows, "Administrator", password); err != nil {
		t.Errorf("log in with the decrypted password: %v", err)
	}
	if data := get(linux); data != "" {
		t.Errorf("linux: %q", data)
	}
	if err := e.sim.World().Terminate(windows); err != nil {
		t.Fatal(err)
	}
	out, err := client.DescribeInstances(ctx, &ec2.DescribeInstancesInput{InstanceIds: []string{windows}})
	if err != nil || out.Reservations[0].Instances[0].State.Name != types.InstanceStateNameTerminated {
		t.Errorf("a terminated instance is not shown as such: %v", err)
	}
	if err := e.sim.Login(ctx, windows, "Administrator", password); err == nil {
		t.Error("a terminated server lets people in")
	}
}

// Instances of another region or account do not exist for who asks here.
func TestAWSForeignInstances(t *testing.T) {
	e := startAWS(t, cloudsim.Options{}, cloudsim.SeedOptions{NoServers: true})
	w, ctx := e.sim.World(), t.Context()
	other := w.AddAccount(model.Account{Cloud: model.AWS, Name: "other", Regions: []string{e.creds.Region}})
	own, _ := w.Account(model.AWS, e.creds.AccountID)
	own.Regions = append(own.Regions, "eu-west-3")
	w.AddAccount(own)
	for name, server := range map[string]model.Server{
		"region":  {Cloud: model.AWS, AccountID: e.creds.AccountID, Region: "eu-west-3"},
		"account": {Cloud: model.AWS, AccountID: other.ID, Region: e.creds.Region},
	} {
		added, err := w.AddServer(server)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.ec2().DescribeInstances(ctx,
			&ec2.DescribeInstancesInput{InstanceIds: []string{added.ID}}); awsCode(err) != "400 InvalidInstanceID.NotFound" {
			t.Errorf("another %s: %v", name, err)
		}
		if _, err := e.ec2().GetPasswordData(ctx,
			&ec2.GetPasswordDataInput{InstanceId: &added.ID}); awsCode(err) != "400 InvalidInstanceID.NotFound" {
			t.Errorf("another %s: %v", name, err)
		}
		if _, err := e.ssm().SendCommand(ctx, command(t, added.ID)); awsCode(err) != "400 InvalidInstanceId" {
			t.Errorf("another %s: %v", name, err)
		}
	}
	all, err := e.ec2().DescribeInstances(ctx, &ec2.DescribeInstancesInput{})
	if err != nil || len(all.Reservations) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
	agents, err := e.ssm().DescribeInstanceInformation(ctx, &ssm.DescribeInstanceInformationInput{})
	if err != nil || len(agents.InstanceInformationList) != 0 {
		t.Errorf("%+v, %v", agents, err)
	}
}

func TestAWSRefusals(t *testing.T) {
	e := startAWS(t, cloudsim.Options{}, cloudsim.SeedOptions{})
	ctx, windows := context.Background(), e.creds.Servers["windows-1"]
	denied := e.sim.World().AddAccessKey(model.AccessKey{
		Cloud: model.AWS, AccountID: e.creds.AccountID, UserID: e.creds.UserID, Deny: []string{"ec2:GetPasswordData"},
	})
	deniedClient := ec2.NewFromConfig(e.config(denied.ID, denied.Secret, "", e.creds.Region))
	get := func(c *ec2.Client, id string, dryRun bool) error {
		_, err := c.GetPasswordData(ctx, &ec2.GetPasswordDataInput{InstanceId: &id, DryRun: &dryRun})
		return err
	}
	describe := func(in *ec2.DescribeInstancesInput) error {
		_, err := e.ec2().DescribeInstances(ctx, in)
		return err
	}
	pairs := func(in *ec2.DescribeKeyPairsInput) error {
		_, err := e.ec2().DescribeKeyPairs(ctx, in)
		return err
	}
	filter := func(name string, values ...string) []types.Filter {
		return []types.Filter{{Name: &name, Values: values}}
	}
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"unknown id":       {get(e.ec2(), "i-00000000", false), "400 InvalidInstanceID.NotFound"},
		"malformed id":     {get(e.ec2(), "i-0000000", false), "400 InvalidInstanceID.Malformed"},
		"upper-case id":    {get(e.ec2(), "i-0000000A", false), "400 InvalidInstanceID.Malformed"},
		"empty id":         {get(e.ec2(), "", false), "400 MissingParameter"},
		"dry run":          {get(e.ec2(), windows, true), "412 DryRunOperation"},
		"dry run, unknown": {get(e.ec2(), "i-00000000", true), "400 InvalidInstanceID.NotFound"},
		"denied":           {get(deniedClient, windows, false), "403 UnauthorizedOperation"},
		"denied, dry run":  {get(deniedClient, windows, true), "403 UnauthorizedOperation"},
		"two unknown": {describe(&ec2.DescribeInstancesInput{InstanceIds: []string{"i-00000000", "i-11111111"}}),
			"400 InvalidInstanceID.NotFound"},
		"ids and MaxResults": {describe(&ec2.DescribeInstancesInput{InstanceIds: []string{windows}, MaxResults: aws.Int32(5)}),
			"400 InvalidParameterCombination"},
		"MaxResults 4":    {describe(&ec2.DescribeInstancesInput{MaxResults: aws.Int32(4)}), "400 InvalidParameterValue"},
		"MaxResults 1001": {describe(&ec2.DescribeInstancesInput{MaxResults: aws.Int32(1001)}), "400 InvalidParameterValue"},
		"dry run of 4": {describe(&ec2.DescribeInstancesInput{MaxResults: aws.Int32(4), DryRun: aws.Bool(true)}),
			"400 InvalidParameterValue"},
		"bad token":      {describe(&ec2.DescribeInstancesInput{NextToken: aws.String("x")}), "400 InvalidNextToken"},
		"unknown filter": {describe(&ec2.DescribeInstancesInput{Filters: filter("colour", "x")}), "400 InvalidParameterValue"},
		"201 filter values": {describe(&ec2.DescribeInstancesInput{Filters: filter("tag:a", slices.Repeat([]string{"x"}, 201)...)}),
			"400 FilterLimitExceeded"},
		"51 filters": {describe(&ec2.DescribeInstancesInput{Filters: slices.Repeat(filter("tag:a", "x"), 51)}),
			"400 FilterLimitExceeded"},
		"long filter value": {describe(&ec2.DescribeInstancesInput{Filters: filter("tag:a", strings.Repeat("x", 256))}),
			"400 FilterLimitExceeded"},
		"key pairs by type":  {pairs(&ec2.DescribeKeyPairsInput{Filters: filter("key-type", "rsa")}), "400 InvalidParameterValue"},
		"key pairs by group": {pairs(&ec2.DescribeKeyPairsInput{Filters: filter("tagged", "x")}), "400 InvalidParameterValue"},
		"key pairs by tag":   {pairs(&ec2.DescribeKeyPairsInput{Filters: filter("tag:a", "x")}), ""},
		"describe, dry run":  {describe(&ec2.DescribeInstancesInput{DryRun: aws.Bool(true)}), "412 DryRunOperation"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := awsCode(c.err); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestAWSCredentials(t *testing.T) {
	now := time.Now()
	e := startAWS(t, cloudsim.Options{Options: model.Options{Now: func() time.Time { return now }}}, cloudsim.SeedOptions{})
	w, ctx := e.sim.World(), context.Background()
	temporary := w.AddAccessKey(model.AccessKey{
		Cloud: model.AWS, AccountID: e.creds.AccountID, UserID: e.creds.UserID, Token: "token", Expires: now.Add(time.Hour),
	})
	for name, c := range map[string]struct {
		id, secret, token, region string
		skew                      time.Duration
		ec2, sts                  string
	}{
		"right key":           {e.creds.AccessKey, e.creds.SecretKey, "", e.creds.Region, 0, "", ""},
		"wrong secret":        {e.creds.AccessKey, "wrong", "", e.creds.Region, 0, "401 AuthFailure", "403 SignatureDoesNotMatch"},
		"unknown key":         {"AKIAUNKNOWN", "x", "", e.creds.Region, 0, "401 AuthFailure", "403 InvalidClientTokenId"},
		"temporary":           {temporary.ID, temporary.Secret, "token", e.creds.Region, 0, "", ""},
		"temporary, no token": {temporary.ID, temporary.Secret, "", e.creds.Region, 0, "401 AuthFailure", "403 InvalidClientTokenId"},
		"temporary, expired":  {temporary.ID, temporary.Secret, "token", e.creds.Region, 2 * time.Hour, "400 RequestExpired", "403 ExpiredToken"},
		"another region":      {e.creds.AccessKey, e.creds.SecretKey, "", "mars-1", 0, "401 AuthFailure", "403 SignatureDoesNotMatch"},
		"slow clock": {e.creds.AccessKey, e.creds.SecretKey, "", e.creds.Region, 6 * time.Minute, "400 RequestExpired",
			"403 SignatureDoesNotMatch"},
		"fast clock": {e.creds.AccessKey, e.creds.SecretKey, "", e.creds.Region, -6 * time.Minute, "401 AuthFailure",
			"403 SignatureDoesNotMatch"},
		"slightly slow clock": {e.creds.AccessKey, e.creds.SecretKey, "", e.creds.Region, 4 * time.Minute, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			now = time.Now().Add(c.skew)
			config := e.config(c.id, c.secret, c.token, c.region)
			_, err := ec2.NewFromConfig(config).DescribeInstances(ctx, &ec2.DescribeInstancesInput{})
			if got := awsCode(err); got != c.ec2 {
				t.Errorf("EC2: got %s, want %s", got, c.ec2)
			}
			_, err = sts.NewFromConfig(config).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
			if got := awsCode(err); got != c.sts {
				t.Errorf("STS: got %s, want %s", got, c.sts)
			}
		})
	}
}

func TestAWSUnsignedRequest(t *testing.T) {
	e := startAWS(t, cloudsim.Options{}, cloudsim.SeedOptions{NoServers: true})
	resp, err := http.Get(e.sim.URL(model.AWS, "ec2") + "/?Action=DescribeInstances&Version=2016-11-15")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("got %s, want 403", resp.Status)
	}
}

// Requests that no SDK makes, signed by the SDK's signer.
func TestAWSRawRequests(t *testing.T) {
	e := startAWS(t, cloudsim.Options{}, cloudsim.SeedOptions{NoServers: true})
	key := aws.Credentials{AccessKeyID: e.creds.AccessKey, SecretAccessKey: e.creds.SecretKey}
	for name, c := range map[string]struct {
		service, query, body, hash string
		status                     int
		holds                      string
	}{
		"GET":                {"ec2", "?Action=DescribeInstances&Version=2016-11-15", "", "", 200, "<reservationSet></reservationSet>"},
		"an older version":   {"ec2", "", "Action=DescribeInstances&Version=2014-10-01", "", 200, "DescribeInstancesResponse"},
		"no such version":    {"ec2", "", "Action=DescribeInstances&Version=2016-11-16", "", 400, "<Code>NoSuchVersion</Code>"},
		"no version":         {"ec2", "", "Action=DescribeInstances", "", 400, "<Code>MissingParameter</Code>"},
		"no action":          {"ec2", "", "Version=2016-11-15", "", 400, "<Code>MissingAction</Code>"},
		"unknown action":     {"ec2", "", "Action=describeInstances&Version=2016-11-15", "", 400, "<Code>InvalidAction</Code>"},
		"pages of key pairs": {"ec2", "", "Action=DescribeKeyPairs&Version=2016-11-15&MaxResults=5", "", 400, "<Code>UnknownParameter</Code>"},
		"unsigned body":      {"ec2", "", "Action=DescribeInstances&Version=2016-11-15", "UNSIGNED-PAYLOAD", 401, "<Code>AuthFailure</Code>"},
		"STS, no version":    {"sts", "", "Action=GetCallerIdentity", "", 400, "GetCallerIdentity for version NO_VERSION_SPECIFIED</Message>"},
		"STS, EC2's version": {"sts", "", "Action=GetCallerIdentity&Version=2016-11-15", "", 400, "<ErrorResponse"},
		"IAM in STS's scope": {"sts", "", "Action=GetUser&Version=2010-05-08", "", 403, "correct service: &#39;iam&#39;"},
		"STS, unsigned body": {"sts", "", "Action=GetCallerIdentity&Version=2011-06-15", "UNSIGNED-PAYLOAD", 403,
			"<Code>SignatureDoesNotMatch</Code>"},
		"a role of no account": {"sts", "", "Action=AssumeRole&Version=2011-06-15&RoleSessionName=me&RoleArn=arn:aws:iam::12:role/x", "", 400,
			"arn:aws:iam::12:role/x is invalid"},
		"a short role": {"sts", "", "Action=AssumeRole&Version=2011-06-15&RoleSessionName=me&RoleArn=x", "", 400,
			"greater than or equal to 20"},
		"no session name": {"sts", "", "Action=AssumeRole&Version=2011-06-15&RoleArn=" + e.creds.RoleARN, "", 400,
			"Value null at &#39;roleSessionName&#39;"},
		"a long session name": {"sts", "", "Action=AssumeRole&Version=2011-06-15&RoleSessionName=" + strings.Repeat("s", 65) + "&RoleArn=" +
			e.creds.RoleARN, "", 400, "less than or equal to 64"},
		"a short external id": {"sts", "", "Action=AssumeRole&Version=2011-06-15&RoleSessionName=me&ExternalId=x&RoleArn=" + e.creds.RoleARN, "",
			400, "&#39;externalId&#39;"},
		"a source identity": {"sts", "", "Action=AssumeRole&Version=2011-06-15&RoleSessionName=me&SourceIdentity=alice&ExternalId=" +
			e.creds.ExternalID + "&RoleArn=" + e.creds.RoleARN, "", 200, "<SourceIdentity>alice</SourceIdentity>"},
	} {
		t.Run(name, func(t *testing.T) {
			method, hash := http.MethodPost, c.hash
			if c.body == "" {
				method = http.MethodGet
			}
			if hash == "" {
				hash = fmt.Sprintf("%x", sha256.Sum256([]byte(c.body)))
			}
			r, err := http.NewRequestWithContext(t.Context(), method, e.sim.URL(model.AWS, c.service)+"/"+c.query, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("X-Amz-Content-Sha256", hash)
			if err := v4.NewSigner().SignHTTP(t.Context(), key, r, hash, c.service, e.creds.Region, time.Now()); err != nil {
				t.Fatal(err)
			}
			resp, err := e.http.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			text, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != c.status || !strings.Contains(string(text), c.holds) {
				t.Errorf("%d %s, %v; want %d %s", resp.StatusCode, text, err, c.status, c.holds)
			}
		})
	}
}

// The root user of an account cannot assume roles.
func TestAWSRootAssumesNoRole(t *testing.T) {
	e := startAWS(t, cloudsim.Options{}, cloudsim.SeedOptions{NoServers: true})
	root := e.sim.World().AddAccessKey(model.AccessKey{Cloud: model.AWS, AccountID: e.creds.AccountID})
	_, err := sts.NewFromConfig(e.config(root.ID, root.Secret, "", e.creds.Region)).AssumeRole(t.Context(), &sts.AssumeRoleInput{
		RoleArn: &e.creds.RoleARN, RoleSessionName: aws.String("me"), ExternalId: &e.creds.ExternalID,
	})
	if awsCode(err) != "403 AccessDenied" || !strings.Contains(err.Error(), "root accounts") {
		t.Error(err)
	}
}

func TestAWSListsInstances(t *testing.T) {
	e := startAWS(t, cloudsim.Options{}, cloudsim.SeedOptions{NoServers: true})
	// With retries: the SDK may close a request's body while the connection still looks for its end, which ends the
	// connection, and with it an answer that comes in several packets.
	config := e.config(e.creds.AccessKey, e.creds.SecretKey, "", e.creds.Region)
	config.Retryer = func() aws.Retryer { return retry.NewStandard() }
	w, ctx, client := e.sim.World(), context.Background(), ec2.NewFromConfig(config)
	for i := range 12 {
		if _, err := w.AddServer(model.Server{
			Cloud: model.AWS, AccountID: e.creds.AccountID, Region: e.creds.Region, Name: fmt.Sprintf("web-%d", i),
			Tags: map[string]string{"app": []string{"web/a", "db[1]"}[i%2]},
		}); err != nil {
			t.Fatal(err)
		}
	}
	list := func(size int32, filters ...types.Filter) (names []string, pages int) {
		t.Helper()
		p := ec2.NewDescribeInstancesPaginator(client, &ec2.DescribeInstancesInput{MaxResults: &size, Filters: filters})
		for p.HasMorePages() {
			out, err := p.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			pages++
			for _, r := range out.Reservations {
				names = append(names, *r.Instances[0].InstanceId)
			}
		}
		return names, pages
	}
	if all, pages := list(5); len(all) != 12 || pages != 3 {
		t.Errorf("%d instances on %d pages, want 12 on 3", len(all), pages)
	}
	for name, c := range map[string]struct {
		filter string
		values []string
		want   int
	}{
		"tag":            {"tag:app", []string{"web/a"}, 6},
		"tag, brackets":  {"tag:app", []string{"db[1]"}, 6},
		"tag, any of":    {"tag:app", []string{"web/a", "db[1]"}, 12},
		"tag, wildcard":  {"tag:app", []string{"w*a"}, 6},
		"name, one char": {"tag:Name", []string{"web-?"}, 10},
		"tag of another": {"tag:other", []string{"*"}, 0},
		"tag key":        {"tag-key", []string{"app"}, 12},
		"state":          {"instance-state-name", []string{"running"}, 12},
		"stopped":        {"instance-state-name", []string{"stopped"}, 0},
		"launch index":   {"launch-index", []string{"0"}, 12},
		"of a profile":   {"iam-instance-profile.id", []string{"*"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got, _ := list(1000, types.Filter{Name: &c.filter, Values: c.values}); len(got) != c.want {
				t.Errorf("%d instances, want %d", len(got), c.want)
			}
		})
	}
}

func TestAWSAssumeRoleAndKeyPairs(t *testing.T) {
	e := startAWS(t, cloudsim.Options{}, cloudsim.SeedOptions{})
	ctx := context.Background()
	client := sts.NewFromConfig(e.config(e.creds.AccessKey, e.creds.SecretKey, "", e.creds.Region))
	in := &sts.AssumeRoleInput{RoleArn: &e.creds.RoleARN, RoleSessionName: aws.String("me"), ExternalId: aws.String("wrong")}
	if _, err := client.AssumeRole(ctx, in); awsCode(err) != "403 AccessDenied" {
		t.Errorf("a wrong external id: %v", err)
	}
	in.ExternalId = &e.creds.ExternalID
	out, err := client.AssumeRole(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	c := out.Credentials
	assumed := ec2.NewFromConfig(e.config(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken, e.creds.Region))
	pairs, err := assumed.DescribeKeyPairs(ctx, &ec2.DescribeKeyPairsInput{KeyNames: []string{e.creds.KeyName},
		IncludePublicKey: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	if len(pairs.KeyPairs) != 1 || len(*pairs.KeyPairs[0].KeyFingerprint) != 59 || *pairs.KeyPairs[0].PublicKey == "" {
		t.Errorf("key pairs %+v", pairs.KeyPairs)
	}
	if _, err := assumed.DescribeKeyPairs(ctx,
		&ec2.DescribeKeyPairsInput{KeyNames: []string{"nope"}}); awsCode(err) != "400 InvalidKeyPair.NotFound" {
		t.Errorf("an unknown key pair: %v", err)
	}
}

func TestAWSSessions(t *testing.T) {
	e := startAWS(t, cloudsim.Options{}, cloudsim.SeedOptions{})
	ctx, w := context.Background(), e.sim.World()
	client := sts.NewFromConfig(e.config(e.creds.AccessKey, e.creds.SecretKey, "", e.creds.Region))
	in := &sts.AssumeRoleInput{RoleArn: &e.creds.RoleARN, RoleSessionName: aws.String("me"), ExternalId: &e.creds.ExternalID}
	for seconds, want := range map[int32]string{899: "400 ValidationError", 900: "", 3600: "", 3601: "400 ValidationError"} {
		in.DurationSeconds = &seconds
		if _, err := client.AssumeRole(ctx, in); awsCode(err) != want {
			t.Errorf("%d s: %v, want %q", seconds, err, want)
		}
	}
	in.DurationSeconds = nil
	out, err := client.AssumeRole(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	c := out.Credentials
	if life := time.Until(*c.Expiration); life < 59*time.Minute || life > time.Hour {
		t.Errorf("a session of %v", life)
	}
	config := e.config(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken, e.creds.Region)
	noToken := e.config(*c.AccessKeyId, *c.SecretAccessKey, "", e.creds.Region)
	ask := func(config aws.Config) (string, string) {
		_, ec2Err := ec2.NewFromConfig(config).DescribeInstances(ctx, &ec2.DescribeInstancesInput{})
		_, stsErr := sts.NewFromConfig(config).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		return awsCode(ec2Err), awsCode(stsErr)
	}
	if a, b := ask(config); a != "" || b != "" {
		t.Errorf("a good session: %q, %q", a, b)
	}
	if a, b := ask(noToken); a != "401 AuthFailure" || b != "403 InvalidClientTokenId" {
		t.Errorf("a session without its token: %q, %q", a, b)
	}
	key, _ := w.AccessKey(model.AWS, *c.AccessKeyId)
	key.Expires = time.Now().Add(-time.Second)
	w.AddAccessKey(key)
	if a, b := ask(config); a != "400 RequestExpired" || b != "403 ExpiredToken" {
		t.Errorf("an expired session: %q, %q", a, b)
	}
	// Who may not assume roles, may not, whatever the role says.
	if _, err := w.Deny(model.AWS, e.creds.AccessKey, []string{"sts:AssumeRole"}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.AssumeRole(ctx, in); awsCode(err) != "403 AccessDenied" {
		t.Errorf("without permission: %v", err)
	}
}

func TestAWSFaults(t *testing.T) {
	e := startAWS(t, cloudsim.Options{}, cloudsim.SeedOptions{})
	for kind, want := range map[model.FaultKind]string{
		model.FaultThrottle: "503 RequestLimitExceeded", model.FaultServerError: "500 InternalError", model.FaultRefuse: "418 Teapot",
	} {
		if _, err := e.sim.World().AddFault(model.Fault{Service: "ec2", Kind: kind, Count: 1, Code: "Teapot", Status: 418}); err != nil {
			t.Fatal(err)
		}
		_, err := e.ec2().DescribeInstances(context.Background(), &ec2.DescribeInstancesInput{})
		if got := awsCode(err); got != want {
			t.Errorf("%s: got %s, want %s", kind, got, want)
		}
	}
	if _, err := e.ec2().DescribeInstances(context.Background(), &ec2.DescribeInstancesInput{}); err != nil {
		t.Errorf("after the faults: %v", err)
	}
}

func TestTLS(t *testing.T) {
	e := startAWS(t, cloudsim.Options{TLS: true}, cloudsim.SeedOptions{NoServers: true})
	if _, err := e.ec2().DescribeInstances(context.Background(), &ec2.DescribeInstancesInput{}); err == nil {
		t.Error("the simulator's certificate is trusted without its CA")
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(e.sim.CAPEM())) {
		t.Fatal("the CA certificate is no PEM")
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	defer transport.CloseIdleConnections()
	e.http = &http.Client{Transport: transport}
	if _, err := e.ec2().DescribeInstances(context.Background(), &ec2.DescribeInstancesInput{}); err != nil {
		t.Errorf("with the CA: %v", err)
	}
}
