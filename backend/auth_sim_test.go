package backend

import (
	"cmp"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// authentication is one way in which a connection proves itself to its cloud, and how that fails.
type authentication struct {
	// connect returns what an operator writes to config/. Variables of the environment it sets by t.
	connect func(t *testing.T, a *authenticated) map[string]any
	// secret is the field, or else the variable, that holds the secret.
	secret string
	// end makes the cloud take the credentials for expired, switched off or changed.
	end func(t *testing.T, a *authenticated)
	// deny takes from the credentials the right to list instances.
	deny func(t *testing.T, a *authenticated)
	// What a client is told of each.
	wrong, ended, denied string
}

// authenticated is the simulated cloud of one authentication.
type authenticated struct {
	sim   *cloudsim.Sim
	world *model.World
	cloud model.Cloud
	of    cloudsim.Credentials
	// key is the access key that signs, where that is none of the seeded ones.
	key model.AccessKey
}

func (a *authenticated) endpoints(services ...string) map[string]any {
	urls := map[string]any{}
	for _, service := range services {
		urls[service] = a.sim.URL(a.cloud, service)
	}
	return urls
}

// services are those of each cloud that signs with access keys.
var signedServices = map[model.Cloud][]string{
	model.AWS: {"ec2", "sts", "iam"}, model.TencentCloud: {"cvm", "sts", "cam"}, model.AlibabaCloud: {"ecs", "sts", "ram"},
	model.HuaweiCloud: {"ecs", "iam"}, model.OpenTelekomCloud: {"ecs", "iam"},
}

func (a *authenticated) connection() map[string]any {
	data := map[string]any{"provider": string(a.cloud), "region": a.of.Region, "endpoints": a.endpoints(signedServices[a.cloud]...)}
	if a.cloud == model.HuaweiCloud || a.cloud == model.OpenTelekomCloud {
		data["project_id"] = a.of.ProjectID
	}
	return data
}

func withAccessKey(_ *testing.T, a *authenticated) map[string]any {
	return merged(a.connection(), map[string]any{"access_key": a.of.AccessKey, "secret_key": a.of.SecretKey})
}

func withRole(t *testing.T, a *authenticated) map[string]any {
	t.Helper()
	return merged(withAccessKey(t, a), map[string]any{"role_arn": a.of.RoleARN, "external_id": a.of.ExternalID})
}

// ambiently leaves keys in variables of the environment: temporary ones, if the cloud's SDK knows a variable for
// their token.
func ambiently(id, secret, token string) func(*testing.T, *authenticated) map[string]any {
	return func(t *testing.T, a *authenticated) map[string]any {
		t.Helper()
		for _, pair := range os.Environ() {
			if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "AWS_") || strings.HasPrefix(name, "TENCENTCLOUD_") ||
				strings.HasPrefix(name, "ALIBABA_CLOUD_") {
				t.Setenv(name, "")
			}
		}
		t.Setenv("HOME", t.TempDir())
		t.Setenv(id, a.of.AccessKey)
		t.Setenv(secret, a.of.SecretKey)
		if token != "" {
			a.key = a.world.AddAccessKey(model.AccessKey{
				Cloud: a.cloud, AccountID: a.of.AccountID, RoleARN: a.of.RoleARN, SessionName: "vault", Token: a.world.NewHex(40),
				Expires: time.Now().Add(time.Hour),
			})
			t.Setenv(id, a.key.ID)
			t.Setenv(secret, a.key.Secret)
			t.Setenv(token, a.key.Token)
		}
		return merged(a.connection(), map[string]any{ambientField: true})
	}
}

// temporary makes a temporary key of the seeded user.
func (a *authenticated) temporary(t *testing.T) model.AccessKey {
	t.Helper()
	user, ok := a.world.User(a.cloud, a.of.UserID)
	if !ok {
		t.Fatal("no such user")
	}
	a.key = a.world.TemporaryKey(user, time.Hour)
	return a.key
}

func withSecurityToken(t *testing.T, a *authenticated) map[string]any {
	t.Helper()
	key := a.temporary(t)
	return merged(a.connection(), map[string]any{"access_key": key.ID, "secret_key": key.Secret, "security_token": key.Token})
}

// withVariables leaves a temporary key in variables of the environment.
func withVariables(id, secret, token string) func(*testing.T, *authenticated) map[string]any {
	return func(t *testing.T, a *authenticated) map[string]any {
		t.Helper()
		key := a.temporary(t)
		t.Setenv(id, key.ID)
		t.Setenv(secret, key.Secret)
		t.Setenv(token, key.Token)
		return merged(a.connection(), map[string]any{ambientField: true})
	}
}

func withAgency(t *testing.T, a *authenticated) map[string]any {
	t.Helper()
	return merged(withAccessKey(t, a), map[string]any{"agency_name": a.of.AgencyName, "agency_domain_name": a.of.AgencyDomainName})
}

// withAgencyOfUser is an agency that a user's token assumes.
func withAgencyOfUser(t *testing.T, a *authenticated) map[string]any {
	t.Helper()
	return merged(withUser(t, a), map[string]any{
		"agency_name": a.of.AgencyName, "agency_domain_name": a.of.AgencyDomainName, "project_name": "", "project_id": a.of.ProjectID,
	})
}

// agency is the seeded one.
func (a *authenticated) agency(t *testing.T) model.Agency {
	t.Helper()
	account, _ := a.world.AccountByName(a.cloud, a.of.AgencyDomainName)
	agency, ok := a.world.AgencyByName(a.cloud, account.ID, a.of.AgencyName)
	if !ok {
		t.Fatal("no such agency")
	}
	return agency
}

func removeAgency(t *testing.T, a *authenticated) {
	t.Helper()
	a.world.RemoveAgency(a.cloud, a.agency(t).ID)
}

func denyAgency(t *testing.T, a *authenticated) {
	t.Helper()
	agency := a.agency(t)
	agency.Deny = []string{"ecs:*"}
	a.world.AddAgency(agency)
}

func (a *authenticated) azure() map[string]any {
	return map[string]any{"provider": string(a.cloud), "subscription_id": a.of.SubscriptionID, "endpoints": a.endpoints("arm", "login")}
}

func withClientSecret(_ *testing.T, a *authenticated) map[string]any {
	return merged(a.azure(), map[string]any{"tenant_id": a.of.TenantID, "client_id": a.of.ClientID, "client_secret": a.of.ClientSecret})
}

// withWorkload leaves a workload's token in a file of the environment, which the application trusts, and beside it that of another.
func withWorkload(t *testing.T, a *authenticated) map[string]any {
	t.Helper()
	const issuer, subject = "https://issuer.example.com/", "system:serviceaccount:vault:vault"
	a.world.AddFederatedIdentity(model.FederatedIdentity{ClientID: a.of.ClientID, Issuer: issuer, Subject: subject})
	t.Chdir(t.TempDir())
	for file, subject := range map[string]string{"token": subject, "wrongtoken": subject + "-2"} {
		token, err := a.world.Assert(model.Assertion{Issuer: issuer, Subject: subject})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("AZURE_FEDERATED_TOKEN_FILE", "token")
	t.Setenv("AZURE_TENANT_ID", a.of.TenantID)
	t.Setenv("AZURE_CLIENT_ID", a.of.ClientID)
	return merged(a.azure(), map[string]any{ambientField: true})
}

func withUser(t *testing.T, a *authenticated) map[string]any {
	t.Helper()
	data := map[string]any{
		"provider": string(a.cloud), "region": a.of.Region, "username": a.of.Username, "password": a.of.Password,
		"user_domain_name": a.of.UserDomainName, "project_name": a.of.ProjectName,
	}
	if a.cloud == model.OpenStack {
		return merged(data, map[string]any{"auth_url": a.sim.URL(a.cloud, "identity") + "/v3"})
	}
	return merged(data, map[string]any{"auth_url": a.sim.URL(a.cloud, "iam") + "/v3", "endpoints": a.endpoints("ecs")})
}

func withApplicationCredential(_ *testing.T, a *authenticated) map[string]any {
	return map[string]any{
		"provider": string(a.cloud), "region": a.of.Region, "auth_url": a.sim.URL(a.cloud, "identity") + "/v3",
		applicationIDField: a.of.AppCredentialID, applicationSecretField: a.of.AppCredential,
	}
}

func switchOff(t *testing.T, a *authenticated) {
	t.Helper()
	if !a.world.SetAccessKeyInactive(a.cloud, cmp.Or(a.of.AccessKey, a.of.ClientID), true) {
		t.Fatal("no such key")
	}
}

// expire lets the temporary key of the environment end.
func expire(_ *testing.T, a *authenticated) {
	key := a.key
	key.Expires = time.Now().Add(-time.Minute)
	a.world.AddAccessKey(key)
}

func denyKey(pattern string) func(*testing.T, *authenticated) {
	return func(t *testing.T, a *authenticated) {
		t.Helper()
		id := cmp.Or(a.of.AccessKey, a.of.ClientID)
		if a.key.ID != "" {
			id = a.key.ID
		}
		if known, err := a.world.Deny(a.cloud, id, []string{pattern}); !known || err != nil {
			t.Fatal(known, err)
		}
	}
}

func denyRole(pattern string) func(*testing.T, *authenticated) {
	return func(t *testing.T, a *authenticated) {
		t.Helper()
		role, ok := a.world.Role(a.cloud, a.of.RoleARN)
		if !ok {
			t.Fatal("no such role")
		}
		role.Deny = []string{pattern}
		a.world.AddRole(role)
	}
}

// changeUser changes the user that a token is asked for by.
func changeUser(change func(*model.User)) func(*testing.T, *authenticated) {
	return func(t *testing.T, a *authenticated) {
		t.Helper()
		user, ok := a.world.User(a.cloud, a.of.UserID)
		if !ok {
			t.Fatal("no such user")
		}
		change(&user)
		a.world.AddUser(user)
	}
}

var (
	otherPassword = changeUser(func(u *model.User) { u.Password = "changed at the cloud" })
	denyUser      = changeUser(func(u *model.User) { u.Deny = []string{"ecs:*", "nova:*", "compute:*"} })
)

func expireApplicationCredential(t *testing.T, a *authenticated) {
	t.Helper()
	credential, ok := a.world.AppCredential(a.of.AppCredentialID)
	if !ok {
		t.Fatal("no such credential")
	}
	credential.Expires = time.Now().Add(-time.Minute)
	a.world.AddAppCredential(credential)
}

// authentications are all that connections know, by provider and method.
var authentications = map[string]authentication{
	"aws access key": {withAccessKey, "secret_key", switchOff, denyKey("ec2:*"),
		"the credentials are wrong", "the credentials are wrong, deleted or inactive", "lack the permission ec2:DescribeInstances"},
	"aws assumed role": {withRole, "secret_key", switchOff, denyRole("ec2:*"),
		"the credentials are wrong", "the credentials are wrong, deleted or inactive", "lack the permission ec2:DescribeInstances"},
	"aws ambient": {ambiently("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"), "AWS_SECRET_ACCESS_KEY", expire,
		denyKey("ec2:*"),
		"the credentials are wrong", "the request counts as expired", "lack the permission ec2:DescribeInstances"},
	"tencentcloud access key": {withAccessKey, "secret_key", switchOff, denyKey("cvm:*"),
		"secret_key does not belong to access_key", "does not know the keys, or they are disabled", "lack the permission cvm:DescribeInstances"},
	"tencentcloud assumed role": {withRole, "secret_key", switchOff, denyRole("cvm:*"),
		"secret_key does not belong to access_key", "does not know the keys, or they are disabled", "lack the permission cvm:DescribeInstances"},
	"tencentcloud ambient": {ambiently("TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY", ""), "TENCENTCLOUD_SECRET_KEY", switchOff,
		denyKey("cvm:*"),
		"the SecretKey of the ambient credentials does not belong to their SecretId", "does not know the keys, or they are disabled",
		"lack the permission cvm:DescribeInstances"},
	"alibabacloud access key": {withAccessKey, "secret_key", switchOff, denyKey("ecs:*"),
		"secret_key does not belong to access_key", "does not know the keys, or they are disabled", "lack the permission ecs:DescribeInstances"},
	"alibabacloud assumed role": {withRole, "secret_key", switchOff, denyRole("ecs:*"),
		"secret_key does not belong to access_key", "does not know the keys, or they are disabled", "lack the permission ecs:DescribeInstances"},
	"alibabacloud ambient": {ambiently("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_SECURITY_TOKEN"),
		"ALIBABA_CLOUD_ACCESS_KEY_SECRET", expire, denyKey("ecs:*"),
		"the secret of the ambient credentials does not belong to their id", "were revoked or have expired",
		"lack the permission ecs:DescribeInstances"},
	"azure client secret": {withClientSecret, "client_secret", switchOff, denyKey("arm:Microsoft.Compute/*/*"),
		"AADSTS7000215", "AADSTS7000112", "lacks the permission Microsoft.Compute/virtualMachines/read"},
	"azure ambient": {withWorkload, "AZURE_FEDERATED_TOKEN_FILE", switchOff, denyKey("arm:Microsoft.Compute/*/*"),
		"AADSTS700213", "AADSTS7000112", "lacks the permission Microsoft.Compute/virtualMachines/read"},
	"huaweicloud access key": {withAccessKey, "secret_key", switchOff, denyKey("ecs:*"),
		"check access_key, secret_key", "access_key", "lack the permission ecs:servers:list"},
	"huaweicloud security token": {withSecurityToken, "security_token", expire, denyKey("ecs:*"),
		"all of one answer", "write a new access_key, secret_key and security_token", "lack the permission ecs:servers:list"},
	"huaweicloud ambient": {withVariables("HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK", "HUAWEICLOUD_SDK_SECURITY_TOKEN"), "HUAWEICLOUD_SDK_SK",
		expire, denyKey("ecs:*"),
		"does not accept the ambient credentials", "does not accept the ambient credentials", "lack the permission ecs:servers:list"},
	"huaweicloud agency": {withAgency, "agency_name", removeAgency, denyAgency,
		"may not assume the agency wrong", "may not assume the agency", "lack the permission ecs:servers:list"},
	"huaweicloud user": {withUser, "password", otherPassword, denyUser,
		"check username, password", "check username, password", "lack the permission ecs:servers:list"},
	"opentelekomcloud security token": {withSecurityToken, "secret_key", expire, denyKey("ecs:*"),
		"all of one answer", "write a new access_key, secret_key and security_token", "lack the permission ecs:servers:list"},
	"opentelekomcloud ambient": {withVariables("OS_ACCESS_KEY", "OS_SECRET_KEY", "OS_SECURITY_TOKEN"), "OS_SECURITY_TOKEN", expire,
		denyKey("ecs:*"),
		"does not accept the ambient credentials", "does not accept the ambient credentials", "lack the permission ecs:servers:list"},
	"opentelekomcloud agency": {withAgencyOfUser, "password", removeAgency, denyAgency,
		"check username, password", "may not assume the agency", "lack the permission ecs:servers:list"},
	"opentelekomcloud access key": {withAccessKey, "secret_key", switchOff, denyKey("ecs:*"),
		"check access_key, secret_key", "access_key", "lack the permission ecs:servers:list"},
	"opentelekomcloud user": {withUser, "password", otherPassword, denyUser,
		"check username, password", "check username, password", "lack the permission ecs:servers:list"},
	"openstack user": {withUser, "password", otherPassword, denyUser,
		"check username, password", "check username, password", "lack the permission os_compute_api:servers:detail"},
	"openstack application credential": {withApplicationCredential, applicationSecretField, expireApplicationCredential, denyUser,
		"does not accept the application credential", "does not accept the application credential",
		"lack the permission os_compute_api:servers:detail"},
}

// Every authentication works, and the simulated cloud refuses it when its secret is wrong, when it has ended, and when it
// may not do what is asked; the real providers and SDKs say which.
func TestEveryAuthentication(t *testing.T) {
	for name, auth := range authentications {
		t.Run(name, func(t *testing.T) {
			provider, _, _ := strings.Cut(name, " ")
			begin := func(t *testing.T) (*harness, *authenticated, map[string]any) {
				t.Helper()
				sim := cloudsim.Start(t, cloudsim.Options{})
				seeded, err := sim.Seed(cloudsim.SeedOptions{})
				if err != nil {
					t.Fatal(err)
				}
				a := &authenticated{sim: sim, world: sim.World(), cloud: model.Cloud(provider), of: seeded[model.Cloud(provider)]}
				return newRealHarness(t), a, auth.connect(t, a)
			}
			t.Run("works", func(t *testing.T) {
				h, _, data := begin(t)
				h.write(t, "config/c", data)
				if got := h.list(t, "discover/c"); len(got) < 2 {
					t.Errorf("sees %v", got)
				}
			})
			t.Run("wrong", func(t *testing.T) {
				h, _, data := begin(t)
				if strings.ToUpper(auth.secret) == auth.secret {
					t.Setenv(auth.secret, "wrong"+os.Getenv(auth.secret))
				} else {
					data[auth.secret] = "wrong" + data[auth.secret].(string)
				}
				h.refusedWrite(t, "config/c", data, "was not stored", auth.wrong)
				h.absent(t, "config/c")
			})
			t.Run("ended", func(t *testing.T) {
				h, a, data := begin(t)
				auth.end(t, a)
				h.refusedWrite(t, "config/c", data, "was not stored", auth.ended)
				h.absent(t, "config/c")
			})
			t.Run("denied", func(t *testing.T) {
				h, a, data := begin(t)
				auth.deny(t, a)
				h.write(t, "config/c", merged(data, map[string]any{"verify_connection": false}))
				h.refused(t, logical.ListOperation, "discover/c", nil, http.StatusBadRequest, auth.denied, "vault read cloudpw/check/c")
				if checked := h.read(t, "check/c"); checked["verdict"] != "denied" {
					t.Errorf("check: %v", fmt.Sprint(checked))
				}
			})
		})
	}
}

// A method that a provider's fields allow and that is not in the table would go untested.
func TestEveryAuthenticationHasItsCase(t *testing.T) {
	methods := map[string]string{
		"access_key": "access key", "role_arn": "assumed role", ambientField: "ambient", "username": "user",
		"security_token": "security token", "agency_name": "agency",
		applicationIDField: "application credential", "client_secret": "client secret",
	}
	want := 0
	for name, d := range providers() {
		for field, method := range methods {
			if _, own := d.Field(field); !own {
				continue
			}
			want++
			if _, ok := authentications[name+" "+method]; !ok {
				t.Errorf("%s of provider %s has no case", field, name)
			}
		}
	}
	if want != len(authentications) {
		t.Errorf("%d methods, but %d cases", want, len(authentications))
	}
}
