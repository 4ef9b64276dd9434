package cloudsim

import (
	"fmt"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// Credentials are one cloud's account in a seeded world, with what a
// connection needs. Fields that the cloud does not use are empty.
type Credentials struct {
	AccountID         string `json:"account_id"`
	Region            string `json:"region"`
	AccessKey         string `json:"access_key,omitempty"`
	SecretKey         string `json:"secret_key,omitempty"`
	ProjectID         string `json:"project_id,omitempty"`
	ProjectName       string `json:"project_name,omitempty"`
	UserID            string `json:"user_id,omitempty"`
	Username          string `json:"username,omitempty"`
	Password          string `json:"password,omitempty"`
	UserDomainName    string `json:"user_domain_name,omitempty"`
	ProjectDomainName string `json:"project_domain_name,omitempty"`
	AppCredentialID   string `json:"application_credential_id,omitempty"`
	AppCredential     string `json:"application_credential_secret,omitempty"`
	RoleARN           string `json:"role_arn,omitempty"`
	ExternalID        string `json:"external_id,omitempty"`
	AgencyName        string `json:"agency_name,omitempty"`
	AgencyDomainName  string `json:"agency_domain_name,omitempty"`
	TenantID          string `json:"tenant_id,omitempty"`
	ClientID          string `json:"client_id,omitempty"`
	ClientSecret      string `json:"client_secret,omitempty"`
	SubscriptionID    string `json:"subscription_id,omitempty"`
	// KeyName and PrivateKey are the launch key pair of the Windows servers.
	KeyName    string `json:"key_name,omitempty"`
	PrivateKey string `json:"private_key,omitempty"`
	// Servers are ids by name.
	Servers map[string]string `json:"servers"`
}

// Seeded is what Seed made, by cloud.
type Seeded map[model.Cloud]Credentials

// SeedOptions configure Seed.
type SeedOptions struct {
	// ReadyAfter is how long Windows servers take to publish their initial
	// password.
	ReadyAfter time.Duration
	// NoServers leaves the accounts without servers.
	NoServers bool
}

// Regions of the seeded accounts.
var regions = map[model.Cloud]string{
	model.AWS: "eu-central-1", model.TencentCloud: "eu-frankfurt", model.HuaweiCloud: "eu-west-101",
	model.OpenTelekomCloud: "eu-de", model.OpenStack: "RegionOne", model.AlibabaCloud: "eu-central-1",
	model.Azure: "westeurope",
}

// Seed fills the world with one account in each cloud, its credentials, a
// launch key pair (the same in all) and a few servers: windows-1 and linux-1 everywhere, and on
// Tencent Cloud, which resets passwords, also ubuntu-1. Servers have the tag
// app=demo.
func (s *Sim) Seed(o SeedOptions) (Seeded, error) {
	out, private := Seeded{}, ""
	for _, c := range model.Clouds() {
		creds, err := s.seedCloud(c, o, &private)
		if err != nil {
			return nil, fmt.Errorf("seed %s: %w", c, err)
		}
		out[c] = creds
	}
	s.mu.Lock()
	s.seeded = out
	s.mu.Unlock()
	return out, nil
}

func (s *Sim) seedCloud(c model.Cloud, o SeedOptions, private *string) (Credentials, error) {
	w := s.world
	region := regions[c]
	account := w.AddAccount(model.Account{Cloud: c, Name: "demo-" + string(c), Regions: []string{region}})
	user := w.AddUser(model.User{Cloud: c, Name: "cloudpw", AccountID: account.ID, Password: "Sim-" + w.NewHex(20)})
	out := Credentials{AccountID: account.ID, Region: region, UserID: user.ID, Servers: map[string]string{}}
	if c != model.OpenStack {
		key := w.AddAccessKey(model.AccessKey{Cloud: c, AccountID: account.ID, UserID: user.ID})
		out.AccessKey, out.SecretKey = key.ID, key.Secret
	}
	switch c {
	case model.AWS, model.TencentCloud, model.AlibabaCloud:
		role := w.AddRole(model.Role{Cloud: c, AccountID: account.ID, Name: "cloudpw", ExternalID: "demo"})
		out.RoleARN, out.ExternalID = role.ARN, role.ExternalID
	case model.Azure:
		out.TenantID, out.SubscriptionID = account.TenantID, account.ID
		out.ClientID, out.ClientSecret = out.AccessKey, out.SecretKey
		out.AccessKey, out.SecretKey = "", ""
	default:
		project := w.AddProject(model.Project{Cloud: c, Name: projectName(c), AccountID: account.ID, Region: region})
		out.ProjectID, out.ProjectName = project.ID, project.Name
		out.Username, out.Password = user.Name, user.Password
		out.UserDomainName, out.ProjectDomainName = account.Name, account.Name
	}
	if c == model.HuaweiCloud || c == model.OpenTelekomCloud {
		// It trusts the account's own users, which spares tests a second account.
		agency := w.AddAgency(model.Agency{Cloud: c, Name: "cloudpw", AccountID: account.ID})
		out.AgencyName, out.AgencyDomainName = agency.Name, account.Name
	}
	if c == model.OpenStack {
		app := w.AddAppCredential(model.AppCredential{
			Name: "cloudpw", Secret: w.NewHex(40), UserID: user.ID, ProjectID: out.ProjectID, Unrestricted: true,
		})
		out.AppCredentialID, out.AppCredential = app.ID, app.Secret
	}
	if o.NoServers {
		return out, nil
	}
	return out, s.seedServers(c, o, private, &out)
}

// projectName is the region on the clouds that name projects so.
func projectName(c model.Cloud) string {
	if c == model.OpenStack {
		return "demo"
	}
	return regions[c]
}

// seedKeyPair makes the launch key pair in the first cloud and imports it into
// the others, as people do who use one key everywhere.
func (s *Sim) seedKeyPair(pair model.KeyPair, private *string) (model.KeyPair, error) {
	if *private != "" {
		return s.world.ImportPEM(pair, *private)
	}
	var err error
	pair, *private, err = s.world.CreateKeyPair(pair, 2048)
	return pair, err
}

func (s *Sim) seedServers(c model.Cloud, o SeedOptions, private *string, out *Credentials) error {
	pair, err := s.seedKeyPair(model.KeyPair{Cloud: c, AccountID: out.AccountID, Name: "demo-key"}, private)
	if err != nil {
		return err
	}
	if c != model.Azure { // which has no launch key pairs that a server would name
		out.KeyName, out.PrivateKey = pair.Name, *private
	}
	list := []model.Server{
		{Name: "windows-1", Platform: model.Windows, KeyName: pair.Name, ReadyAfter: o.ReadyAfter},
		{Name: "linux-1", Platform: model.Linux, KeyName: pair.Name},
	}
	if c == model.TencentCloud || c == model.AlibabaCloud || c == model.Azure {
		list[0].KeyName = "" // Windows has no key pairs there
	}
	if c == model.Azure {
		list[1].KeyName = ""
	}
	if c == model.TencentCloud {
		list = append(list, model.Server{Name: "ubuntu-1", Platform: model.Linux, OSName: "Ubuntu Server 22.04 LTS 64bit"})
	}
	for _, server := range list {
		server.Cloud, server.AccountID, server.ProjectID, server.Region = c, out.AccountID, out.ProjectID, out.Region
		server.Tags = map[string]string{"app": "demo"}
		added, err := s.world.AddServer(server)
		if err != nil {
			return err
		}
		out.Servers[added.Name] = added.ID
	}
	return nil
}
