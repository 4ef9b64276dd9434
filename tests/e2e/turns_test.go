//go:build e2e

package e2e

import (
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// wrongTurn is a mistake of somebody who uses the engine for the first time, as he types it. $MOUNT and the
// other names are variables of his shell, see beginner.
type wrongTurn struct {
	// name is that of the subtest.
	name string
	// row is the message by which docs/troubleshooting.md lists the mistake, as part of what Vault prints.
	row string
	// types is the line that goes wrong.
	types string
	// next is the command that the error tells to type.
	next string
	// before makes next do what it is to do: the typist puts a file right, or the cloud goes on.
	before func(b *beginner)
	// unrun is set where next is a command of another program, or about a host that does not exist.
	unrun bool
	// then is a line that works after next; "" where next itself is all.
	then string
	// prints is part of what the last line prints.
	prints string
	// setup prepares the turn. What it names in b.vars is there for the lines above.
	setup func(b *beginner)
}

// beginner is a shell in an empty folder, at a Vault whose mount is not called cloudpw.
type beginner struct {
	*env
	t    *testing.T
	dir  string
	vars map[string]string
}

// turnsMount is not the path that the texts of the plugin are written with.
const turnsMount = "team/servers"

func (b *beginner) file(name, content string) {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, name), []byte(content), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func (b *beginner) expand(line string) string {
	return os.Expand(line, func(name string) string { return b.vars[name] })
}

func (b *beginner) run(line string) (string, error) {
	b.t.Helper()
	return b.Shell(b.t, b.dir, b.expand(line))
}

// works runs a line that has to succeed.
func (b *beginner) works(line string) string {
	b.t.Helper()
	out, err := b.run(line)
	if err != nil {
		b.t.Fatalf("%s: %v\n%s", b.expand(line), err, out)
	}
	return out
}

// connection makes a connection of this turn's own.
func (b *beginner) connection(name string, cloud model.Cloud, more map[string]any) {
	b.t.Helper()
	fields := b.env.connection(cloud)
	maps.Copy(fields, more)
	b.Write(b.t, turnsMount+"/config/"+name, fields)
}

// server launches a Windows server in AWS, or a Linux server in Tencent Cloud, and names it.
func (b *beginner) server(variable string, cloud model.Cloud, s model.Server) {
	b.t.Helper()
	account := b.sim.Info.Seeded[cloud]
	s.Cloud, s.AccountID, s.Region = cloud, account.AccountID, account.Region
	if cloud == model.AWS {
		s.Platform = model.Windows
		if s.KeyName == "" {
			s.KeyName = account.KeyName
		}
	}
	launched, err := b.sim.AddServer(b.t.Context(), s)
	if err != nil {
		b.t.Fatal(err)
	}
	b.vars[variable] = launched.ID
}

// admin changes the simulated clouds' accounts.
func (b *beginner) admin(path string, in, out any) {
	b.t.Helper()
	if err := b.sim.Do(b.t.Context(), http.MethodPost, path, in, out); err != nil {
		b.t.Fatal(err)
	}
}

// deny makes a connection whose credentials lack a permission.
func (b *beginner) deny(name, permission string) {
	b.t.Helper()
	account := b.sim.Info.Seeded[model.AWS]
	var key model.AccessKey
	b.admin("/v1/access-keys", model.AccessKey{Cloud: model.AWS, AccountID: account.AccountID, UserID: account.UserID,
		Deny: []string{permission}}, &key)
	b.connection(name, model.AWS, map[string]any{"access_key": key.ID, "secret_key": key.Secret})
}

// storeKey stores the right key, which is the same in all clouds.
func (b *beginner) storeKey(name string) {
	b.t.Helper()
	b.Write(b.t, turnsMount+"/keys/"+name, map[string]any{"private_key": b.sim.Info.Seeded[model.AWS].PrivateKey})
}

// rightKey leaves the right key in a file.
func rightKey(file string) func(*beginner) {
	return func(b *beginner) { b.file(file, b.sim.Info.Seeded[model.AWS].PrivateKey) }
}

var wrongTurns = []wrongTurn{
	{
		name: "PuTTY key", row: "private_key is a PuTTY key file; convert it with:",
		setup:  func(b *beginner) { b.file("key.ppk", "PuTTY-User-Key-File-3: ssh-rsa\nEncryption: none\n") },
		types:  "vault write $MOUNT/keys/putty private_key=@key.ppk",
		next:   "puttygen key.ppk -O private-openssh -o key.pem",
		unrun:  true,
		before: rightKey("key.pem"),
		then:   "vault write $MOUNT/keys/putty private_key=@key.pem", prints: "fingerprints",
	},
	{
		name: "encrypted key", row: "private_key is encrypted: give its passphrase",
		setup: func(b *beginner) {
			b.file("key.pem", encryptedKey(b.t, "open sesame"))
			b.file("passphrase.txt", "open sesame")
		},
		types: "vault write $MOUNT/keys/encrypted private_key=@key.pem",
		next:  "vault write $MOUNT/keys/encrypted private_key=@key.pem passphrase=@passphrase.txt", prints: "fingerprints",
	},
	{
		name: "wrong credentials", row: "the credentials are wrong, deleted or inactive",
		setup: func(b *beginner) {
			account := b.sim.Info.Seeded[model.AWS]
			b.file("access-key.txt", account.AccessKey)
			b.file("secret-key.txt", "wrong-"+account.SecretKey)
			for service, url := range b.sim.Info.Endpoints[model.AWS] {
				b.vars[strings.ToUpper(service)] = url
			}
			b.vars["REGION"] = account.Region
		},
		types: "vault write $MOUNT/config/prod provider=aws region=$REGION endpoints=ec2=$EC2 endpoints=iam=$IAM endpoints=sts=$STS " +
			"access_key=@access-key.txt secret_key=@secret-key.txt",
		next: "vault write $MOUNT/config/prod access_key=@access-key.txt endpoints=ec2=$EC2 endpoints=iam=$IAM endpoints=sts=$STS " +
			"provider=aws region=$REGION secret_key=@secret-key.txt",
		before: func(b *beginner) { b.file("secret-key.txt", b.sim.Info.Seeded[model.AWS].SecretKey) },
		then:   "vault read $MOUNT/config/prod",
	},
	{
		name: "wrong clock", row: "the clock of this host",
		setup: func(b *beginner) {
			b.connection("clock", model.AWS, nil)
			b.sim.Fault(b.t, model.Fault{Cloud: model.AWS, Action: "DescribeInstances", Kind: model.FaultRefuse, Code: "RequestExpired",
				Message: "Request has expired.", Status: http.StatusBadRequest, Count: 1})
		},
		types: "vault list $MOUNT/discover/clock",
		next:  "timedatectl set-ntp true", unrun: true,
		then: "vault list $MOUNT/discover/clock",
	},
	{
		name: "expired session", row: "Keystone does not accept the application credential",
		setup: func(b *beginner) {
			account := b.sim.Info.Seeded[model.OpenStack]
			var expired model.AppCredential
			b.admin("/v1/app-credentials", model.AppCredential{
				Name: "old", Secret: "expired-secret", UserID: account.UserID, ProjectID: account.ProjectID, Expires: time.Now().Add(-time.Hour),
			}, &expired)
			b.file("secret.txt", expired.Secret)
			b.vars["ID"], b.vars["KEYSTONE"] = expired.ID, b.sim.Info.Endpoints[model.OpenStack]["identity"]
		},
		types: "vault write $MOUNT/config/private provider=openstack auth_url=$KEYSTONE/v3 application_credential_id=$ID " +
			"application_credential_secret=@secret.txt",
		next: "openstack application credential create --unrestricted cloudpw", unrun: true,
	},
	{
		name: "plain http", row: "plain http is allowed to loopback addresses only",
		setup: func(b *beginner) {
			b.file("access-key.txt", "AKIAEXAMPLE")
			b.file("secret-key.txt", "a-secret-of-more-than-14")
		},
		types: "vault write $MOUNT/config/lab provider=aws region=eu-central-1 endpoints=ec2=http://ec2.example.com " +
			"access_key=@access-key.txt secret_key=@secret-key.txt",
		next: "vault write $MOUNT/config/lab access_key=@access-key.txt provider=aws region=eu-central-1 secret_key=@secret-key.txt " +
			"endpoints=ec2=https://ec2.example.com",
		unrun: true, // there is no such host
	},
	{
		name: "misspelt field", row: "unknown field; a ",
		types: "vault write $MOUNT/config/lab provider=aws regoin=eu-central-1",
		next:  "vault path-help $MOUNT/config/lab", prints: "region",
	},
	{
		name: "wrong region or id", row: "knows no instance",
		setup:  func(b *beginner) { b.connection("region", model.AWS, nil) },
		types:  "vault write $MOUNT/roles/region connection=region instance_ids=i-0123456789abcdef0",
		next:   "vault list -detailed $MOUNT/discover/region",
		prints: "windows-1",
	},
	{
		name: "missing permission to find instances", row: "lack the permission",
		setup:  func(b *beginner) { b.deny("blind", "ec2:DescribeInstances") },
		types:  "vault write $MOUNT/roles/blind connection=blind instance_ids=i-0123456789abcdef0",
		next:   "vault read $MOUNT/check/blind",
		prints: `"Action": "ec2:DescribeInstances"`,
	},
	{
		name: "missing permission to read passwords", row: "lack the permission",
		setup: func(b *beginner) {
			b.server("ID", model.AWS, model.Server{})
			b.deny("mute", "ec2:GetPasswordData")
			b.storeKey("mute")
		},
		types:  "vault write $MOUNT/roles/mute connection=mute instance_ids=$ID key=mute",
		next:   "vault read $MOUNT/check/mute",
		prints: `"Action": "ec2:GetPasswordData"`,
	},
	{
		name: "key not stored", row: "and there is no key keys/",
		setup: func(b *beginner) {
			b.connection("nokey", model.AWS, nil)
			b.server("ID", model.AWS, model.Server{})
		},
		types:  "vault write $MOUNT/roles/nokey connection=nokey instance_ids=$ID",
		next:   "vault write $MOUNT/keys/demo-key private_key=@demo-key.pem",
		before: rightKey("demo-key.pem"),
		then:   "vault write $MOUNT/roles/nokey connection=nokey instance_ids=$ID && vault read $MOUNT/creds/nokey", prints: "password",
	},
	{
		name: "key pair with a blank", row: "a name that Vault cannot use",
		setup: func(b *beginner) {
			account := b.sim.Info.Seeded[model.AWS]
			b.connection("blank", model.AWS, nil)
			b.admin("/v1/key-pairs", map[string]any{"cloud": "aws", "account_id": account.AccountID, "region": account.Region, "name": "ops key",
				"pem": account.PrivateKey}, nil)
			b.server("ID", model.AWS, model.Server{KeyName: "ops key"})
		},
		types:  "vault write $MOUNT/roles/blank connection=blank instance_ids=$ID",
		next:   "vault write $MOUNT/keys/ops-key private_key=@ops-key.pem",
		before: rightKey("ops-key.pem"),
		then:   "vault write $MOUNT/roles/blank connection=blank instance_ids=$ID key=ops-key && vault read $MOUNT/creds/blank",
		prints: "password",
	},
	{
		name: "wrong private key", row: "initial password cannot be decrypted with this key",
		setup: func(b *beginner) {
			account := b.sim.Info.Seeded[model.AWS]
			b.connection("wrongkey", model.AWS, nil)
			b.admin("/v1/key-pairs", map[string]any{"cloud": "aws", "account_id": account.AccountID, "region": account.Region, "name": "launch-key",
				"pem": account.PrivateKey}, nil)
			b.server("ID", model.AWS, model.Server{KeyName: "launch-key"})
			b.file("other.pem", encryptedKey(b.t, "other"))
			b.file("other.txt", "other")
			b.works("vault write $MOUNT/keys/launch-key private_key=@other.pem passphrase=@other.txt")
			b.works("vault write $MOUNT/roles/wrongkey connection=wrongkey instance_ids=$ID")
		},
		types:  "vault read $MOUNT/creds/wrongkey",
		next:   "vault write $MOUNT/keys/launch-key private_key=@launch-key.pem",
		before: rightKey("launch-key.pem"),
		then:   "vault read $MOUNT/creds/wrongkey", prints: "password",
	},
	{
		name: "Linux without an initial password", row: "runs Linux, and",
		setup: func(b *beginner) {
			b.connection("linux", model.AWS, nil)
			b.vars["ID"] = b.sim.ServerID(b.t, model.AWS, "linux-1")
		},
		types:  "vault write $MOUNT/roles/linux connection=linux instance_ids=$ID",
		next:   "vault list -detailed $MOUNT/discover/linux",
		prints: "windows-1",
	},
	{
		name: "lease where nothing can reset", row: "mode: the end of a lease resets the password, which provider",
		setup: func(b *beginner) {
			b.connection("leased", model.OpenTelekomCloud, nil)
			b.vars["ID"] = b.sim.ServerID(b.t, model.OpenTelekomCloud, "windows-1")
			b.storeKey("leased")
		},
		types: "vault write $MOUNT/roles/leased connection=leased instance_ids=$ID key=leased mode=leased",
		next:  "vault write $MOUNT/roles/leased connection=leased instance_ids=$ID key=leased mode=static",
		then:  "vault read $MOUNT/creds/leased", prints: "password",
	},
	{
		name: "no force_stop", row: "force_stop: required with provider",
		setup: func(b *beginner) {
			b.connection("stop", model.TencentCloud, nil)
			b.server("ID", model.TencentCloud, model.Server{})
		},
		types: "vault write $MOUNT/roles/stop connection=stop instance_ids=$ID ttl=10m",
		next:  "vault write $MOUNT/roles/stop connection=stop instance_ids=$ID ttl=10m force_stop=true",
		then:  "vault read $MOUNT/roles/stop", prints: "force_stop",
	},
	{
		name: "password not ready yet", row: "has no initial password yet",
		setup: func(b *beginner) {
			b.connection("young", model.AWS, nil)
			b.storeKey("young")
			b.server("ID", model.AWS, model.Server{ReadyAfter: time.Hour})
			b.works("vault write $MOUNT/roles/young connection=young instance_ids=$ID key=young")
		},
		types: "vault read $MOUNT/creds/young",
		next:  "vault read $MOUNT/creds/young wait=45s", prints: "password",
		before: func(b *beginner) {
			if err := b.sim.Advance(b.t.Context(), time.Hour); err != nil {
				b.t.Fatal(err)
			}
		},
	},
	{
		name: "first reset not done yet", row: "waits for its rotation",
		setup: func(b *beginner) {
			b.connection("first", model.TencentCloud, nil)
			b.server("ID", model.TencentCloud, model.Server{})
			b.works("vault write $MOUNT/roles/first connection=first instance_ids=$ID force_stop=true")
		},
		types: "vault read $MOUNT/creds/first",
		next:  "vault read $MOUNT/creds/first wait=45s", prints: "lease_id",
	},
	{
		name: "first rotation skipped", row: "has no password yet: its first rotation was skipped",
		setup: func(b *beginner) {
			b.connection("skipped", model.TencentCloud, nil)
			b.server("ID", model.TencentCloud, model.Server{})
			b.works("vault write $MOUNT/roles/skipped connection=skipped instance_ids=$ID mode=static force_stop=true")
		},
		types: "vault read $MOUNT/creds/skipped",
		next:  "vault write -force $MOUNT/rotate-role/skipped/$ID",
		then:  "vault read $MOUNT/creds/skipped wait=45s", prints: "password",
	},
	{
		name: "password not recorded yet", row: "has no password yet: people set those of role",
		setup: func(b *beginner) {
			b.connection("people", model.OpenTelekomCloud, nil)
			b.vars["ID"] = b.sim.ServerID(b.t, model.OpenTelekomCloud, "linux-1")
			b.file("password.txt", "By-Hand-1")
			b.works("vault write $MOUNT/roles/people connection=people instance_ids=$ID source=import")
		},
		types: "vault read $MOUNT/creds/people",
		next:  "vault write $MOUNT/import/people/$ID/root password=@password.txt",
		then:  "vault read $MOUNT/creds/people", prints: "By-Hand-1",
	},
	{
		name: "several instances", row: "name one of them in the path",
		setup: func(b *beginner) {
			b.connection("several", model.AWS, nil)
			b.storeKey("several")
			b.server("ONE", model.AWS, model.Server{})
			b.server("TWO", model.AWS, model.Server{})
			b.vars["ID"] = min(b.vars["ONE"], b.vars["TWO"])
			b.works("vault write $MOUNT/roles/several connection=several instance_ids=$ONE,$TWO key=several")
		},
		types: "vault read $MOUNT/creds/several",
		next:  "vault read $MOUNT/creds/several/$ID", prints: "password",
	},
	{
		name: "unknown role", row: "unknown role",
		types: "vault read $MOUNT/creds/nobody",
		next:  "vault list $MOUNT/roles", prints: "several",
	},
	{
		name: "instance of another role", row: "already belongs to role",
		setup: func(b *beginner) {
			b.connection("taken", model.AWS, nil)
			b.storeKey("taken")
			b.server("ID", model.AWS, model.Server{})
			b.works("vault write $MOUNT/roles/owner connection=taken instance_ids=$ID key=taken")
		},
		types: "vault write $MOUNT/roles/taken connection=taken instance_ids=$ID key=taken",
		next:  "vault write $MOUNT/accounts/taken/$ID/Administrator/move role=taken", prints: "move_to",
	},
	{
		name: "connection not allowed for the role", row: "does not allow role",
		setup: func(b *beginner) {
			b.connection("closed", model.TencentCloud, map[string]any{"allowed_roles": "db-*"})
			b.server("ID", model.TencentCloud, model.Server{})
		},
		types: "vault write $MOUNT/roles/web connection=closed instance_ids=$ID force_stop=true",
		next:  "vault write $MOUNT/config/closed 'allowed_roles=db-*,web'",
		then:  "vault write $MOUNT/roles/web connection=closed instance_ids=$ID force_stop=true",
	},
	{
		name: "connection in use", row: "is used by roles; delete them first",
		setup: func(b *beginner) {
			b.connection("used", model.TencentCloud, nil)
			b.server("ID", model.TencentCloud, model.Server{})
			b.works("vault write $MOUNT/roles/user connection=used instance_ids=$ID force_stop=true")
		},
		types: "vault delete $MOUNT/config/used",
		next:  "vault delete $MOUNT/roles/user",
		then:  "vault delete $MOUNT/config/used",
	},
}

// Each mistake ends in an error with the command to type next. It is typed, and it helps.
func TestWrongTurns(t *testing.T) {
	t.Parallel()
	rows := firstDayRows(t)
	t.Run("documented", func(t *testing.T) { everyTurnHasItsRow(t, rows) })

	bin := harness.FindBinaries(t)
	e := &env{sim: harness.StartSimulator(t, bin), Vault: harness.StartVault(t, bin)}
	e.Register(t)
	e.MountAt(t, turnsMount)
	for _, turn := range wrongTurns {
		t.Run(turn.name, func(t *testing.T) {
			b := &beginner{env: e, t: t, dir: t.TempDir(), vars: map[string]string{"MOUNT": turnsMount}}
			if turn.setup != nil {
				turn.setup(b)
			}
			said, err := b.run(turn.types)
			if err == nil {
				t.Fatalf("%s: this was to go wrong\n%s", b.expand(turn.types), said)
			}
			next := b.expand(turn.next)
			for _, want := range []string{turn.row, next} {
				if !strings.Contains(said, want) {
					t.Fatalf("%s\nsays %q\nwhich lacks %q", b.expand(turn.types), said, want)
				}
			}
			if !rows[turn.row].MatchString(next) {
				t.Errorf("the page has %s to type after %q; Vault says %q", rows[turn.row], turn.row, next)
			}
			if turn.before != nil {
				turn.before(b)
			}
			printed := ""
			if !turn.unrun {
				printed = b.works(turn.next)
			}
			if turn.then != "" {
				printed = b.works(turn.then)
			}
			if want := b.expand(turn.prints); !strings.Contains(printed, want) {
				t.Errorf("the last line prints %q, want %q in it", printed, want)
			}
		})
	}
}

// firstDayRows reads the rows of the section on the first day of docs/troubleshooting.md: message -> a pattern of the command,
// in which <a name> stands for a word and ... for several.
func firstDayRows(t *testing.T) map[string]*regexp.Regexp {
	t.Helper()
	page, err := os.ReadFile("../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## The first day\n")
	section, _, _ = strings.Cut(section, "\n## ")
	rows := map[string]*regexp.Regexp{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|.*\\| `([^`]+)` \\|$").FindAllStringSubmatch(section, -1) {
		command := strings.ReplaceAll(m[2], "cloudpw/", turnsMount+"/")
		pattern := regexp.MustCompile(`<[^<>]+>|\.\.\.`).ReplaceAllStringFunc(command, func(s string) string {
			if s == "..." {
				return "\x01"
			}
			return "\x02"
		})
		pattern = regexp.QuoteMeta(pattern)
		pattern = strings.NewReplacer("\x01", ".+", "\x02", `\S+`).Replace(pattern)
		rows[m[1]] = regexp.MustCompile("^" + pattern + "$")
	}
	return rows
}

func everyTurnHasItsRow(t *testing.T, rows map[string]*regexp.Regexp) {
	for _, turn := range wrongTurns {
		if rows[turn.row] == nil {
			t.Errorf("docs/troubleshooting.md has no row for %q (%s)", turn.row, turn.name)
		}
	}
	for message := range rows {
		if !slices.ContainsFunc(wrongTurns, func(turn wrongTurn) bool { return turn.row == message }) {
			t.Errorf("no turn ends in the message %q of docs/troubleshooting.md", message)
		}
	}
}
