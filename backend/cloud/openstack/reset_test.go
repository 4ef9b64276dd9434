package openstack

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/novaapi"
)

const freshPassword = "Fresh-Pa55word-of-a-reset"

// resetOf is a reset as the core would ask for it, after the method has prepared it.
func resetOf(s model.Server, username string) cloud.Reset {
	return cloud.Reset{InstanceIDs: []string{s.ID}, Username: username, Password: freshPassword, Prepared: username}
}

// resetting simulates a cloud, its provider and a running server.
func resetting(t *testing.T, change func(*model.Server)) (*simulation, cloud.PasswordResetter, model.Server) {
	t.Helper()
	s := simulate(t, accessNamed(t, "openstack application credential"), novaapi.Options{})
	return s, s.provider(t, nil).Resetter(cloud.MethodAPI), s.server(t, change)
}

func TestResetIsDoneWhenItIsAnswered(t *testing.T) {
	for _, a := range accesses {
		if a.cloud != model.OpenStack {
			continue
		}
		t.Run(a.name, func(t *testing.T) {
			s := simulate(t, a, novaapi.Options{})
			server := s.server(t, nil)
			r := s.provider(t, nil).Resetter(cloud.MethodAPI)
			reset := resetOf(server, "Administrator")
			reset.Password, reset.Prepared = "", ""
			prepared, err := r.(cloud.ResetPreparer).PrepareReset(t.Context(), reset)
			if err != nil || prepared != "Administrator" {
				t.Fatalf("prepared %q, %v", prepared, err)
			}
			started, err := r.StartReset(t.Context(), resetOf(server, prepared))
			if err != nil || !started.Done {
				t.Fatalf("started %+v, %v", started, err)
			}
			if now, _ := s.Server(server.ID); !now.HasPassword("Administrator", freshPassword) {
				t.Error("the server has another password")
			}
			if n := s.requests(actionChange); n != 1 {
				t.Errorf("%d requests for one reset", n)
			}
			if n := s.limiter.counts()[actionChange]; n != 0 {
				t.Errorf("the limiter was waited for %d times; the caller has done that", n)
			}
			records, err := r.ResetRecords(t.Context(), []cloud.ResetRef{{InstanceID: server.ID}, {InstanceID: unknownID}})
			if err != nil || len(records) != 1 || records[server.ID] != (cloud.ResetRecord{}) {
				t.Errorf("records are %+v, %v", records, err)
			}
		})
	}
}

func TestResetRefusesBadInputUnsent(t *testing.T) {
	s, r, server := resetting(t, nil)
	for name, test := range map[string]struct {
		change func(*cloud.Reset)
		kind   cloud.Kind
	}{
		"another user": {func(r *cloud.Reset) { r.Username = "admin" }, cloud.Refused},
		"unprepared":   {func(r *cloud.Reset) { r.Prepared = "" }, cloud.Refused},
	} {
		reset := resetOf(server, "Administrator")
		test.change(&reset)
		if _, err := r.StartReset(t.Context(), reset); cloud.KindOf(err) != test.kind {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := s.requests(actionChange); n != 0 {
		t.Errorf("%d requests sent", n)
	}
}

// TestResetRefusals: what Nova says before it asks the hypervisor proves that nothing was done; what it says
// after proves nothing.
func TestResetRefusals(t *testing.T) {
	off := map[string]string{model.ImageOSType: model.Windows}
	for _, test := range []struct {
		name   string
		change func(*model.Server)
		then   func(*simulation, model.Server)
		kind   cloud.Kind
		text   string
	}{
		{"stopped", nil, func(s *simulation, m model.Server) { _ = s.SetState(m.ID, model.StateStopped) }, cloud.Refused,
			"openstack server start "},
		{"starting", nil, func(s *simulation, m model.Server) { _ = s.SetState(m.ID, model.StateStarting) }, cloud.Refused,
			"try again when it runs"},
		{"deleted", nil, func(s *simulation, m model.Server) { _ = s.Terminate(m.ID) }, cloud.NotFound, "no such instance"},
		{"locked", func(m *model.Server) { m.Locked = true }, nil, cloud.Refused, "openstack server unlock "},
		{"no agent in the image", func(m *model.Server) { m.ImageProperties = off }, nil, cloud.Refused, "hw_qemu_guest_agent=yes"},
		{"agent does not answer", func(m *model.Server) { m.Guest.Agent = model.AgentOffline }, nil, cloud.Unknown, "start qemu-guest-agent"},
		{"no such user in the guest", func(m *model.Server) { m.InitialUser, m.Logins = "Admin", map[string]string{"Admin": "x"} }, nil,
			cloud.Unknown, "log of nova-compute"},
		{"no permission", nil, func(s *simulation, _ model.Server) { s.deny(actionChange) }, cloud.Denied, "os_compute_api:os-admin-password"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, r, server := resetting(t, test.change)
			if test.then != nil {
				test.then(s, server)
			}
			_, err := r.StartReset(t.Context(), resetOf(server, "Administrator"))
			s.checkError(t, err, test.kind, test.text)
			if now, _ := s.Server(server.ID); now.HasPassword("Administrator", freshPassword) {
				t.Error("the password was set")
			}
		})
	}
}

// TestResetsOfAServerGoOneByOne: a second one is refused for certain while the hypervisor is at the first,
// which is why the traits say Serial.
func TestResetsOfAServerGoOneByOne(t *testing.T) {
	s, r, server := resetting(t, nil)
	s.fault(t, model.Fault{Kind: model.FaultStuck, Action: actionChange, Count: 1})
	_, err := r.StartReset(t.Context(), resetOf(server, "Administrator"))
	s.checkError(t, err, cloud.Unknown, "MessagingTimeout")
	_, err = r.StartReset(t.Context(), resetOf(server, "Administrator"))
	s.checkError(t, err, cloud.Refused, "openstack server set --state active "+server.ID)
	if _, err := s.Release(server.ID); err != nil {
		t.Fatal(err)
	}
	if started, err := r.StartReset(t.Context(), resetOf(server, "Administrator")); err != nil || !started.Done {
		t.Errorf("after its end: %+v, %v", started, err)
	}
}

func TestResetRenewsItsTokenOnce(t *testing.T) {
	s, r, server := resetting(t, nil)
	if _, err := r.(cloud.ResetPreparer).PrepareReset(t.Context(), resetOf(server, "Administrator")); err != nil {
		t.Fatal(err)
	}
	s.cloud.RevokeTokens()
	if started, err := r.StartReset(t.Context(), resetOf(server, "Administrator")); err != nil || !started.Done {
		t.Errorf("after a revocation: %+v, %v", started, err)
	}
	s.fault(t, model.Fault{Kind: model.FaultRefuse, Action: actionChange, Status: 401, Code: "unauthorized", Message: "no"})
	_, err := r.StartReset(t.Context(), resetOf(server, "Administrator"))
	s.checkError(t, err, cloud.Denied, "openstack catalog show compute")
	if n := s.requests(actionToken); n != 3 {
		t.Errorf("%d tokens, want 3", n)
	}
}

// TestWhosePasswordNovaSets goes through what tells it, and what refuses another user.
func TestWhosePasswordNovaSets(t *testing.T) {
	windows := map[string]string{model.ImageOSType: "windows"}
	for _, test := range []struct {
		name       string
		newest     int // microversion
		properties map[string]string
		metadata   map[string]string
		image      string
		deny       bool // the image cannot be read
		want       string
	}{
		{"image", 60, windows, nil, "", false, "Administrator"},
		{"image without os_type", 60, map[string]string{}, nil, "", false, "root"},
		{"image with another user", 60, map[string]string{model.ImageAdminUser: "debian"}, nil, "", false, "debian"},
		{"the image goes before metadata", 60, windows, map[string]string{"os_admin_user": "Admin"}, "", false, "Administrator"},
		{"metadata", 60, nil, map[string]string{"os_admin_user": "Admin"}, "", true, "Admin"},
		{"os_type in the metadata", 60, nil, map[string]string{"os_type": "Linux"}, "", true, "root"},
		{"booted from a volume", 60, nil, map[string]string{"os_type": "windows"}, model.NoImage, false, "Administrator"},
		{"nothing", 60, windows, nil, "", true, ""},
		{"booted from a volume, nothing", 98, windows, nil, model.NoImage, false, ""},
		{"Nova shows it", 98, windows, nil, "", true, "Administrator"},
		{"Nova shows another user", 98, map[string]string{model.ImageAdminUser: "debian"}, map[string]string{"os_admin_user": "x"}, "", true,
			"debian"},
		{"Nova shows no os_type", 98, map[string]string{}, nil, "", true, "root"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := simulate(t, accessNamed(t, "openstack user"), novaapi.Options{MaxMicroversion: test.newest})
			server := s.server(t, func(m *model.Server) {
				m.ImageProperties, m.Metadata, m.ImageID = test.properties, test.metadata, test.image
			})
			if test.deny {
				s.deny(actionImage)
			}
			prepare := s.provider(t, nil).Resetter(cloud.MethodAPI).(cloud.ResetPreparer).PrepareReset
			got, err := prepare(t.Context(), cloud.Reset{InstanceIDs: []string{server.ID}, Username: test.want})
			if test.want == "" {
				s.checkError(t, err, cloud.Refused, "openstack server set --property os_admin_user=USER "+server.ID)
				return
			}
			if err != nil || got != test.want {
				t.Errorf("got %q, %v; want %q", got, err, test.want)
			}
			_, err = prepare(t.Context(), cloud.Reset{InstanceIDs: []string{server.ID}, Username: "somebody"})
			s.checkError(t, err, cloud.Refused, "use username="+test.want)
		})
	}
}

func TestPrepareResetReportsOutages(t *testing.T) {
	s, r, server := resetting(t, nil)
	s.fault(t, model.Fault{Kind: model.FaultServerError, Action: actionImage})
	_, err := r.(cloud.ResetPreparer).PrepareReset(t.Context(), resetOf(server, "Administrator"))
	s.checkError(t, err, cloud.Unknown, "ShowImage")
	if _, err := r.(cloud.ResetPreparer).PrepareReset(t.Context(),
		cloud.Reset{InstanceIDs: []string{unknownID}}); cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("an unknown instance: %v", err)
	}
}

func TestCheckReset(t *testing.T) {
	check := changePassword{}.CheckReset
	if err := check(cloud.Instance{ID: unknownID, LoginUser: "debian"}, "root"); cloud.KindOf(err) != cloud.Refused ||
		!strings.Contains(err.Error(), "username=debian") {
		t.Errorf("another user: %v", err)
	}
	for _, i := range []cloud.Instance{{LoginUser: "root"}, {}} {
		if err := check(i, "root"); err != nil {
			t.Errorf("%+v: %v", i, err)
		}
	}
	properties := map[string]string{propertyAdminUser: "debian"}
	i := server{Image: serverImage{Properties: properties}}.instance()
	if user := (&provider{sender: &sender{family: plainOpenStack()}}).DefaultUsername(i); user != "debian" {
		t.Errorf("the default user of the image is debian, not %s", user)
	}
}

// TestResetWithForeignAnswers has a server or something before it answer what proves nothing.
func TestResetWithForeignAnswers(t *testing.T) {
	for name, answer := range map[string]func(w http.ResponseWriter){
		"a page":             func(w http.ResponseWriter) { w.WriteHeader(202) },
		"200":                func(w http.ResponseWriter) { w.Header().Set("X-Openstack-Request-Id", "req-1"); w.WriteHeader(200) },
		"403 page":           func(w http.ResponseWriter) { http.Error(w, "forbidden by proxy", 403) },
		"404 page":           func(w http.ResponseWriter) { http.Error(w, "404 Not Found", 404) },
		"401 page":           func(w http.ResponseWriter) { http.Error(w, "log in", 401) },
		"429":                func(w http.ResponseWriter) { w.WriteHeader(429) },
		"502 page":           func(w http.ResponseWriter) { http.Error(w, "<html>"+freshPassword, 502) },
		"redirect":           func(w http.ResponseWriter) { w.Header().Set("Location", "/x"); w.WriteHeader(307) },
		"unknown conflict":   func(w http.ResponseWriter) { answerJSON(w, 409, `{"conflictingRequest":{"code":409,"message":"?"}}`) },
		"conflict elsewhere": func(w http.ResponseWriter) { answerJSON(w, 409, `{"error":"x"}`) },
		"connection lost": func(w http.ResponseWriter) {
			if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
				_ = conn.Close()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			var requests atomic.Int64
			nova := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				if body, err := io.ReadAll(r.Body); err != nil || string(body) != `{"changePassword":{"adminPass":"`+freshPassword+`"}}` {
					t.Errorf("sent %s, %v", body, err)
				}
				answer(w)
			}))
			defer nova.Close()
			p := &provider{sender: &sender{
				family: plainOpenStack(), compute: apiClient(&http.Client{}), limiter: cloud.Unlimited{},
				sessions: &signedSessions{projectID: "p", endpoint: nova.URL + "/v2.1/", keys: ownKeys(cloud.Config{}), own: true},
			}}
			_, err := p.Resetter(cloud.MethodAPI).StartReset(context.Background(), resetOf(model.Server{ID: unknownID}, "root"))
			if cloud.KindOf(err) != cloud.Unknown || strings.Contains(err.Error(), freshPassword) {
				t.Errorf("kind %q: %v", cloud.KindOf(err), err)
			}
			if n := requests.Load(); n != 1 {
				t.Errorf("%d requests", n)
			}
		})
	}
}
