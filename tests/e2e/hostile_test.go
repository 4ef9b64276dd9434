//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// resets are the settings of a role whose passwords Tencent Cloud's reset API sets.
var resets = map[string]any{"force_stop": true, "min_reset_interval": 0}

// A hostile endpoint, and each of the three personas of docs/vault-policies.md on its side, gets no password that opens a
// real server.
func TestHostileCloud(t *testing.T) {
	t.Parallel()
	h := startHostile(t, "readable", "mine", "b", "theirs")

	t.Run("the false cloud is believable, and recorded", h.decoy)
	t.Run("only an administrator leads a connection elsewhere", h.refusals)
	api := ledAway{cloud: model.TencentCloud, fields: resets, action: "ResetInstancesPassword", lead: h.lead}
	command := api
	command.fields, command.action = map[string]any{"reset_method": "command", "min_reset_interval": 0}, "RunCommand"
	windows := ledAway{
		cloud: model.AWS, platform: model.Windows, action: "SendCommand", skip: 1, lead: h.lead, // the first one fetches the guest's public key
		fields: map[string]any{"source": "initial", "mode": "leased", "key": keyOf(model.AWS), "min_reset_interval": 0},
	}
	for name, a := range map[string]ledAway{
		"the answer is held back":                  api.meeting(model.FaultHoldAfter),
		"the cloud works on it":                    api.meeting(model.FaultStuck),
		"the answer is lost":                       api.meeting(model.FaultDropAfter),
		"the credentials are verified there":       api.meeting(model.FaultDropAfter).by(h.leadVerified),
		"the connection is deleted and made again": api.meeting(model.FaultDropAfter).by(h.writeAnew),
		"a command on Linux":                       command.meeting(model.FaultDropAfter),
		"a command on Windows":                     windows.meeting(model.FaultDropAfter),
	} {
		t.Run("a reset is under way, "+name, func(t *testing.T) { h.pending(t, a) })
	}
	t.Run("the false cloud has no such server", h.gone)
	t.Run("the answers show no address of the false cloud", h.addresses)
	t.Run("a server joins a shared password", h.joiner)
	t.Run("another team's ciphertext", h.ciphertext)
	t.Run("a server is tagged for another role", h.retagged)
}

// decoy shows that the engine works with the false cloud as with any other, and that the record of its requests holds the
// passwords that it is sent. Else the attacks would show nothing.
func (h *hostile) decoy(t *testing.T) {
	h.admin.Write(t, "cloudpw/config/decoy", h.falselyNew(model.TencentCloud))
	server := h.server(t, model.Server{Cloud: model.TencentCloud, Name: "decoy"})
	h.double(t, server, "")
	h.admin.Write(t, "cloudpw/roles/decoy", with(resets, map[string]any{"connection": "decoy", "instance_ids": server.ID}))
	secret := h.rogue.first(t, "decoy")
	if leaks := harness.FindLeaks(t, []harness.Secret{{Name: "the decoy's password", Value: secret.Password}},
		h.record.path); len(leaks) == 0 {
		t.Fatal("the false cloud set a password, which is not in the record of its requests")
	}
	h.reaches(t, "decoy", server.ID)
	h.kept(t, server.ID, secret.Username)
}

// refusals are for the personas who may not change where secrets go, and for the administrator what only an emergency allows.
func (h *hostile) refusals(t *testing.T) {
	h.admin.Write(t, "cloudpw/config/guarded", h.honestly(model.TencentCloud))
	noWrites := []string{"config/guarded", "config/new", "keys/new", "roles/new"}
	forEmergencies := []string{"place/guarded", "rotate-root/guarded", "take-over/b", "rotate-connection/guarded", "rotate-reader",
		"verify-connection/guarded", "import/guarded/ins-00000000/root"}
	for persona, c := range map[string]struct {
		e     *env
		paths []string
	}{
		"operator":      {h.operator, slices.Concat(noWrites, forEmergencies)},
		"reader":        {h.reader, slices.Concat(noWrites, forEmergencies, []string{"rotate-role/b"})},
		"administrator": {h.admin, append(forEmergencies, "accounts/guarded/ins-00000000/root/move")},
	} {
		for _, path := range c.paths {
			_, err := c.e.Client.Logical().WriteWithContext(t.Context(), "cloudpw/"+path, h.falsely(model.TencentCloud, nil))
			if harness.Status(err) != http.StatusForbidden {
				t.Errorf("the %s writes %s: %v", persona, path, err)
			}
		}
		for _, path := range []string{"creds/guarded", "versions/guarded/ins-00000000/root/1"} {
			if _, err := c.e.TryRead(t.Context(), "cloudpw/"+path); harness.Status(err) != http.StatusForbidden {
				t.Errorf("the %s reads %s: %v", persona, path, err)
			}
		}
		if persona == "administrator" {
			continue
		}
		if _, err := c.e.Client.Logical().DeleteWithContext(t.Context(), "cloudpw/config/guarded"); harness.Status(err) != http.StatusForbidden {
			t.Errorf("the %s deletes a connection: %v", persona, err)
		}
	}
}

// ledAway is an attack on a server whose reset is under way.
type ledAway struct {
	cloud    model.Cloud
	platform string
	fields   map[string]any // of the role
	action   string         // that the fault meets
	skip     int            // actions before that
	fault    model.FaultKind
	lead     func(t *testing.T, a ledAway, name string, role map[string]any)
}

func (a ledAway) meeting(fault model.FaultKind) ledAway {
	a.fault = fault
	return a
}

func (a ledAway) by(lead func(t *testing.T, a ledAway, name string, role map[string]any)) ledAway {
	a.lead = lead
	return a
}

// lead leads a connection to the false cloud, as an administrator may; back leads it home.
func (h *hostile) lead(t *testing.T, a ledAway, name string, _ map[string]any) {
	t.Helper()
	h.admin.Write(t, "cloudpw/config/"+name, h.falsely(a.cloud, map[string]any{"verify_connection": false}))
}

func (h *hostile) leadVerified(t *testing.T, a ledAway, name string, _ map[string]any) {
	t.Helper()
	h.admin.Write(t, "cloudpw/config/"+name, h.falsely(a.cloud, nil))
}

// writeAnew deletes a connection and its role, and writes others of the same names at the false cloud.
func (h *hostile) writeAnew(t *testing.T, a ledAway, name string, role map[string]any) {
	t.Helper()
	h.replace(t, name, with(h.falselyNew(a.cloud), map[string]any{"verify_connection": false}), role)
}

func (h *hostile) replace(t *testing.T, name string, connection, role map[string]any) {
	t.Helper()
	h.admin.Delete(t, "cloudpw/roles/"+name)
	h.admin.Delete(t, "cloudpw/config/"+name)
	h.admin.Write(t, "cloudpw/config/"+name, connection)
	h.admin.Write(t, "cloudpw/roles/"+name, role)
}

func (h *hostile) back(t *testing.T, name string, cloud model.Cloud) {
	t.Helper()
	h.admin.Write(t, "cloudpw/config/"+name, with(h.honestly(cloud), map[string]any{"verify_connection": true}))
}

// target is a server in both clouds, with a connection and a role of their own: both have the server's id as their name.
func (h *hostile) target(t *testing.T, cloud model.Cloud, platform string, fields map[string]any) (model.Server, map[string]any) {
	t.Helper()
	server := model.Server{Cloud: cloud, Platform: platform}
	if platform == model.Windows {
		server.KeyName = h.sim.Info.Seeded[cloud].KeyName
	}
	server = h.server(t, server)
	h.double(t, server, "")
	h.admin.Write(t, "cloudpw/config/"+server.ID, h.honestly(cloud))
	if key, ok := fields["key"]; ok {
		h.admin.Write(t, fmt.Sprintf("cloudpw/keys/%s", key), map[string]any{"private_key": h.sim.Info.Seeded[cloud].PrivateKey})
	}
	role := with(fields, map[string]any{"connection": server.ID, "instance_ids": server.ID})
	h.admin.Write(t, "cloudpw/roles/"+server.ID, role)
	return server, role
}

// pending leads a connection away while the password of a reset is on its way, and home again.
func (h *hostile) pending(t *testing.T, a ledAway) {
	server, role := h.target(t, a.cloud, a.platform, a.fields)
	id := server.ID
	first := h.first(t, id)
	h.sim.Fault(t, model.Fault{Cloud: a.cloud, Instance: id, Action: a.action, Kind: a.fault, Skip: a.skip, Count: 1})
	h.revoke(t, first.lease)
	h.underWay(t, a, first)
	early := h.openers(t, id)
	defer func() { h.kept(t, id, first.Username, early...) }() // also when a wait fails
	a.lead(t, a, id, role)
	if a.fault == model.FaultHoldAfter {
		if _, err := h.sim.ReleaseHolds(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	h.reaches(t, id, id)
	h.operator.Write(t, "cloudpw/rotate-role/"+id, nil)
	harness.Eventually(t, rotatesWithin, "an account that waits for its own place", func() error {
		a := h.operator.accountAt(t, first)
		if a.Trusted || a.WaitingFor != "settle_window" || a.State == "gone" {
			return fmt.Errorf("the account is %s, trusts its place: %v, waits for %q; last error: %q", a.State, a.Trusted, a.WaitingFor,
				a.LastError)
		}
		return nil
	})
	if answer, err := h.TryRead(t.Context(), "cloudpw/creds/"+id); err == nil {
		t.Errorf("a password that nobody has confirmed was given: version %v", answer.Data["version"])
	}
	h.kept(t, id, first.Username, early...)

	if a.fault == model.FaultStuck {
		if err := h.sim.Do(t.Context(), http.MethodPost, "/v1/servers/"+id+"/release", nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	h.back(t, id, a.cloud)
	h.awaitRotated(t, first)
	if secret := h.issue(t, id); secret.Version != first.Version+1 {
		t.Errorf("version %d after one rotation", secret.Version)
	}
}

// underWay waits until the reset has got as far as the attack needs it.
func (h *hostile) underWay(t *testing.T, a ledAway, first issued) {
	t.Helper()
	switch a.fault {
	case model.FaultHoldAfter:
		h.sim.AwaitHeld(t, 1, rotatesWithin)
	case model.FaultStuck:
		harness.Eventually(t, rotatesWithin, "the cloud's word that it works on the reset", func() error {
			if at := h.operator.accountAt(t, first); at.WaitingFor != "outcome" {
				return fmt.Errorf("the account is %s and waits for %q", at.State, at.WaitingFor)
			}
			return nil
		})
		return
	}
	harness.Eventually(t, rotatesWithin, "the reset", func() error {
		if h.sim.Login(t, first.InstanceID, first.Username, first.Password) == nil {
			return errors.New("the server still accepts the old password")
		}
		return nil
	})
}

// gone lets the false cloud say that a server is not there.
func (h *hostile) gone(t *testing.T) {
	server, _ := h.target(t, model.TencentCloud, model.Linux, resets)
	id := server.ID
	first := h.first(t, id)
	if err := h.rogue.sim.Delete(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	h.lead(t, ledAway{cloud: model.TencentCloud}, id, nil)
	asked := h.record.asked(t, id)
	h.operator.Write(t, "cloudpw/rotate-role/"+id, nil)
	harness.Eventually(t, rotatesWithin, "what the false cloud says", func() error {
		if a := h.operator.accountAt(t, first); h.record.asked(t, id) == asked || a.LastError == "" {
			return fmt.Errorf("the account is %s, last error: %q, asked: %v", a.State, a.LastError, h.record.asked(t, id) > asked)
		}
		return nil
	})
	if a := h.operator.accountAt(t, first); a.State == "gone" || a.Gone != "" || a.Trusted {
		t.Errorf("the account is %s since %q, and its place is trusted: %v", a.State, a.Gone, a.Trusted)
	}
	h.sim.Accepts(t, id, first.Username, first.Password)
	h.back(t, id, model.TencentCloud)
	secret := h.first(t, id)
	if a := h.operator.accountAt(t, secret); a.State == "gone" || a.Gone != "" {
		t.Errorf("at the real place the account is %s since %q", a.State, a.Gone)
	}
	h.kept(t, id, first.Username, first.Password)
}

// addresses reads while the connection leads elsewhere, after everything that looks at the servers there.
func (h *hostile) addresses(t *testing.T) {
	server, role := h.target(t, model.TencentCloud, model.Linux, resets)
	id := server.ID
	first := h.first(t, id)
	h.lead(t, ledAway{cloud: model.TencentCloud}, id, nil)
	h.reaches(t, id, id)
	asked := h.record.asked(t, id)
	more := h.server(t, model.Server{Cloud: model.TencentCloud, Platform: model.Linux})
	h.double(t, more, "")
	h.admin.Write(t, "cloudpw/roles/"+id, with(role, map[string]any{"instance_ids": id + "," + more.ID}))
	h.admin.List(t, "cloudpw/instances/"+id)
	if h.record.asked(t, id) == asked {
		t.Error("the false cloud was not asked about the server: this shows nothing")
	}
	answer := h.Read(t, "cloudpw/creds/"+id+"/"+id)
	if got := asIssued(t, answer); got.Password != first.Password || answer.Data["confirmed_here"] != false || len(answer.Warnings) == 0 {
		t.Errorf("the answer is version %d, confirmed_here=%v, warnings %v", got.Version, answer.Data["confirmed_here"], answer.Warnings)
	}
	account := h.operator.Read(t, fmt.Sprintf("cloudpw/accounts/%s/%s/%s", id, id, first.Username))
	for path, data := range map[string]map[string]any{"creds/": answer.Data, "accounts/": account.Data} {
		text := fmt.Sprint(data)
		if strings.Contains(text, falsePrivateIP) || strings.Contains(text, falsePublicIP) || !strings.Contains(text, server.PrivateIP) {
			t.Errorf("%s shows another address than %s: private_ip=%v", path, server.PrivateIP, data["private_ip"])
		}
	}
	h.kept(t, id, first.Username, first.Password)
}

// joiner has an attacker's own server join those of a role with one password for all.
func (h *hostile) joiner(t *testing.T) {
	h.admin.Write(t, "cloudpw/config/fleet", h.honestly(model.TencentCloud))
	var ids []string
	for range 3 {
		ids = append(ids, h.server(t, model.Server{Cloud: model.TencentCloud, Platform: model.Linux}).ID)
	}
	intruder := ids[2]
	h.admin.Write(t, "cloudpw/roles/mine",
		with(resets, map[string]any{"connection": "fleet", "shared_password": true, "instance_ids": strings.Join(ids[:2], ",")}))
	first := h.ofAll(t, ids[:2])
	h.admin.Write(t, "cloudpw/roles/mine", map[string]any{"instance_ids": strings.Join(ids, ",")})
	if answer, err := h.reader.TryRead(t.Context(), "cloudpw/creds/mine/"+intruder); err == nil && answer.Data["password"] == first.Password {
		t.Error("a reader is given the others' password for the server that joins")
	}
	next := h.ofAll(t, ids)
	if slices.Contains(h.passwords(t, intruder), first.Password) {
		t.Error("the server that joined was sent the password that the others had")
	}
	for _, id := range ids {
		h.sim.Refuses(t, id, first.Username, first.Password)
	}
	if values := h.passwords(t, intruder); !slices.Equal(values, []string{next.Password}) {
		t.Errorf("the server that joined was sent %d values, want the next one alone", len(values))
	}
}

// ofAll reads the shared password, as soon as all these servers accept it.
func (h *hostile) ofAll(t *testing.T, ids []string) issued {
	t.Helper()
	var shared issued
	harness.Eventually(t, rotatesWithin, "a password of all", func() error {
		answer, err := h.reader.TryRead(t.Context(), "cloudpw/creds/mine", "wait", "20s")
		if err != nil {
			return err
		}
		shared = asIssued(t, answer)
		for _, id := range ids {
			if err := h.sim.Login(t, id, shared.Username, shared.Password); err != nil {
				return fmt.Errorf("%s: %w", id, err)
			}
		}
		return nil
	})
	return shared
}

// ciphertext lets a cloud of one team's own answer with what another team's server posted.
func (h *hostile) ciphertext(t *testing.T) {
	account := h.sim.Info.Seeded[model.AWS]
	victim, err := h.sim.Server(t.Context(), h.sim.ServerID(t, model.AWS, "windows-1"))
	if err != nil || victim.Ciphertext == "" {
		t.Fatal("the other team's server has posted nothing", err)
	}
	h.admin.Write(t, "cloudpw/keys/team-a", map[string]any{"private_key": account.PrivateKey, "allowed_connections": "team-a,team-a-*"})
	h.admin.Write(t, "cloudpw/config/team-b", h.falselyNew(model.AWS))
	h.double(t, victim.Server, victim.Ciphertext)
	role := map[string]any{"connection": "team-b", "instance_ids": victim.ID, "key": "team-a"}
	_, err = h.admin.Client.Logical().WriteWithContext(t.Context(), "cloudpw/roles/theirs", role)
	if text := harness.Refused(t, err, http.StatusBadRequest); !strings.Contains(text, "keys/team-a is not for connection team-b") {
		t.Errorf("the role is refused with %q", text)
	}
	// A role that was written while the key was everybody's reads nothing any more.
	h.admin.Write(t, "cloudpw/keys/team-a", map[string]any{"allowed_connections": "*"})
	h.admin.Write(t, "cloudpw/roles/theirs", role)
	h.admin.Write(t, "cloudpw/keys/team-a", map[string]any{"allowed_connections": "team-a,team-a-*"})
	for _, path := range []string{"creds/theirs", "creds/theirs/" + victim.ID} {
		_, err := h.reader.TryRead(t.Context(), "cloudpw/"+path)
		if text := harness.Refused(t, err, http.StatusBadRequest); strings.Contains(text, victim.InitialPassword) {
			t.Error("the refusal holds the password")
		}
	}
	// Where the key allows it the very same answer is a password: the refusals were for the key's sake.
	h.admin.Write(t, "cloudpw/keys/team-a", map[string]any{"allowed_connections": "team-b"})
	if answer, err := h.reader.TryRead(t.Context(), "cloudpw/creds/theirs"); err != nil || answer.Data["password"] != victim.InitialPassword {
		t.Errorf("an allowed connection does not read the password: %v", err)
	}
}

// retagged is done by whoever may write tags at the cloud.
func (h *hostile) retagged(t *testing.T) {
	h.admin.Write(t, "cloudpw/config/tagged", h.honestly(model.TencentCloud))
	server := h.server(t, model.Server{Cloud: model.TencentCloud, Platform: model.Linux, Tags: map[string]string{"team": "a"}})
	own := h.server(t, model.Server{Cloud: model.TencentCloud, Platform: model.Linux, Tags: map[string]string{"team": "b"}})
	for _, team := range []string{"a", "b"} {
		h.admin.Write(t, "cloudpw/roles/"+team, with(resets, map[string]any{"connection": "tagged", "instance_tags": "team=" + team}))
	}
	first := h.first(t, "a")
	if err := h.sim.Do(t.Context(), http.MethodPut, "/v1/servers/"+server.ID+"/tags", map[string]string{"team": "b"}, nil); err != nil {
		t.Fatal(err)
	}
	for _, team := range []string{"a", "b"} {
		h.admin.Write(t, "cloudpw/roles/"+team, map[string]any{"instance_tags": "team=" + team})
		h.admin.List(t, "cloudpw/instances/"+team)
	}
	_, err := h.reader.TryRead(t.Context(), "cloudpw/creds/b/"+server.ID)
	harness.Refused(t, err, http.StatusBadRequest)
	if secret := h.first(t, "b"); secret.InstanceID != own.ID {
		t.Errorf("readers of b are given the password of %s", secret.InstanceID)
	}
	if again := h.issue(t, "a"); again.Password != first.Password {
		t.Error("the tag changed the password")
	}
	h.Write(t, fmt.Sprintf("cloudpw/accounts/tagged/%s/%s/move", server.ID, first.Username), map[string]any{"role": "b"})
	if secret := h.first(t, "b/"+server.ID); secret.Password == first.Password {
		t.Error("after the word, readers of b are given what readers of a know")
	}
	h.sim.Refuses(t, server.ID, first.Username, first.Password)
}

// placed is what accounts/ shows of an account's place, and of what it waits for.
type placed struct {
	State      string `json:"state"`
	Trusted    bool   `json:"place_trusted"`
	Gone       string `json:"gone_time"`
	WaitingFor string `json:"waiting_for"`
	LastError  string `json:"last_error"`
}

func (e *env) accountAt(t *testing.T, i issued) placed {
	t.Helper()
	var a placed
	decode(t, e.Read(t, fmt.Sprintf("cloudpw/accounts/%s/%s/%s", i.Connection, i.InstanceID, i.Username)).Data, &a)
	return a
}

// with is fields and more of them.
func with(fields, more map[string]any) map[string]any {
	all := maps.Clone(fields)
	maps.Copy(all, more)
	return all
}
