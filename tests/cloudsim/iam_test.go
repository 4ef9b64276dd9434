package cloudsim_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// iam makes one call of IAM, signed by the SDK's signer, and returns status
// and body.
func (e *awsEnv) iam(t *testing.T, id, secret string, params ...string) (int, string) {
	t.Helper()
	form := url.Values{"Version": {"2010-05-08"}, "Action": {params[0]}}
	for i := 1; i < len(params); i += 2 {
		form.Set(params[i], params[i+1])
	}
	body := form.Encode()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.sim.URL(model.AWS, "iam")+"/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	sum := sha256.Sum256([]byte(body))
	key := aws.Credentials{AccessKeyID: id, SecretAccessKey: secret}
	if err := v4.NewSigner().SignHTTP(t.Context(), key, r, hex.EncodeToString(sum[:]), "iam", "us-east-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	resp, err := e.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestIAMKeyRotation(t *testing.T) {
	e := startAWS(t, cloudsim.Options{}, cloudsim.SeedOptions{NoServers: true})
	oldID, oldSecret := e.creds.AccessKey, e.creds.SecretKey
	status, text := e.iam(t, oldID, oldSecret, "CreateAccessKey")
	var made struct {
		ID     string `xml:"CreateAccessKeyResult>AccessKey>AccessKeyId"`
		Secret string `xml:"CreateAccessKeyResult>AccessKey>SecretAccessKey"`
	}
	if err := xml.Unmarshal([]byte(text), &made); err != nil || status != http.StatusOK || made.Secret == "" {
		t.Fatalf("create: %d %s", status, text)
	}
	for _, c := range []struct {
		name, id, secret string
		params           []string
		status           int
		holds            string
	}{
		{"a third key", oldID, oldSecret, []string{"CreateAccessKey"}, 409, "<Code>LimitExceeded</Code>"},
		{"who am I", made.ID, made.Secret, []string{"GetUser"}, 200, "<UserName>cloudpw</UserName>"},
		{"another user", made.ID, made.Secret, []string{"GetUser", "UserName", "x"}, 404, "<Code>NoSuchEntity</Code>"},
		{"list", made.ID, made.Secret, []string{"ListAccessKeys"}, 200, "<AccessKeyId>" + oldID},
		{"bad status", made.ID, made.Secret, []string{"UpdateAccessKey", "AccessKeyId", oldID, "Status", "Gone"}, 400,
			"<Code>ValidationError</Code>"},
		{"no key named", made.ID, made.Secret, []string{"DeleteAccessKey"}, 400, "<Code>ValidationError</Code>"},
		{"unknown key", made.ID, made.Secret, []string{"DeleteAccessKey", "AccessKeyId", "AKIA0000000000000000"}, 404,
			"<Code>NoSuchEntity</Code>"},
		{"short key id", made.ID, made.Secret, []string{"DeleteAccessKey", "AccessKeyId", "AKIAX"}, 400, "greater than or equal to 16"},
		{"odd user name", made.ID, made.Secret, []string{"GetUser", "UserName", "a b"}, 400, "regular expression pattern: [\\w+=,.@-]+"},
		{"first page", made.ID, made.Secret, []string{"ListAccessKeys", "MaxItems", "1"}, 200, "<IsTruncated>true</IsTruncated><Marker>"},
		{"page of none", made.ID, made.Secret, []string{"ListAccessKeys", "MaxItems", "0"}, 400, "<Code>ValidationError</Code>"},
		{"foreign marker", made.ID, made.Secret, []string{"ListAccessKeys", "Marker", "x"}, 400, "<Code>ValidationError</Code>"},
		{"switch off", made.ID, made.Secret, []string{"UpdateAccessKey", "AccessKeyId", oldID, "Status", "Inactive"}, 200,
			"UpdateAccessKeyResponse"},
		{"use of a switched-off key", oldID, oldSecret, []string{"GetUser"}, 403, "<Code>InvalidClientTokenId</Code>"},
		{"delete", made.ID, made.Secret, []string{"DeleteAccessKey", "AccessKeyId", oldID}, 200, "DeleteAccessKeyResponse"},
		{"unknown action", made.ID, made.Secret, []string{"DeleteEverything"}, 400, "<Code>InvalidAction</Code>"},
		{"unknown field", made.ID, made.Secret, []string{"GetUser", "Colour", "x"}, 400, "<Code>UnknownParameter</Code>"},
	} {
		if status, text := e.iam(t, c.id, c.secret, c.params...); status != c.status || !strings.Contains(text, c.holds) {
			t.Errorf("%s: %d %s; want %d %s", c.name, status, text, c.status, c.holds)
		}
	}
}
