package novaapi

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/pagination"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

func TestListsArePaged(t *testing.T) {
	for name, defaultPage := range map[model.Cloud]int{model.OpenTelekomCloud: 25, model.OpenStack: 60} {
		t.Run(string(name), func(t *testing.T) {
			f := newFixture(t, name, nil)
			var want []string
			for range 60 {
				want = append(want, f.server(t, model.Server{}).ID)
			}
			slices.Reverse(want)
			client, err := f.byToken(t, f.login())
			if err != nil {
				t.Fatal(err)
			}
			for limit, pages := range map[int]int{0: (60 + defaultPage - 1) / defaultPage, 20: 4, 59: 2} {
				var got []string
				count := 0
				err := servers.List(client, servers.ListOpts{Limit: limit}).EachPage(t.Context(), func(_ context.Context, page pagination.Page) (bool,
					error) {
					list, err := servers.ExtractServers(page)
					for _, s := range list {
						got = append(got, s.ID)
					}
					count++
					return true, err
				})
				if err != nil || !slices.Equal(got, want) {
					t.Errorf("limit %d: %d servers, %v; want the 60 newest first", limit, len(got), err)
				}
				// gophercloud asks for the page after a full last one, and does not count the empty answer.
				if limit == 20 {
					pages = 3
				}
				if count != pages {
					t.Errorf("limit %d: %d pages, want %d", limit, count, pages)
				}
			}
			base := client.ServiceURL("servers", "detail")
			for query, status := range map[string]int{"limit=0": 200, "limit=-1": 400, "limit=x": 400, "marker=none": 400, "limit=5000": 200} {
				if r := get(t, nil, "GET", base+"?"+query, headerToken, client.Token()); r.status != status {
					t.Errorf("%s: status %d, want %d", query, r.status, status)
				}
			}
		})
	}
}

func TestFilters(t *testing.T) {
	f := newFixture(t, model.OpenTelekomCloud, nil)
	a := f.server(t, model.Server{Name: "web-1", Tags: map[string]string{"env": "prod", "plain": ""}, Created: f.now().Add(-time.Hour)})
	b := f.server(t, model.Server{Name: "db-1", Platform: model.Windows, Tags: map[string]string{"env": "test"}, State: model.StateStopped})
	f.server(t, model.Server{Name: "web-gone", State: model.StateTerminated})
	client, err := f.byToken(t, f.login())
	if err != nil {
		t.Fatal(err)
	}
	hour := f.now().Add(-time.Minute).UTC().Format(time.RFC3339)
	for query, want := range map[string][]string{
		"":                            {b.ID, a.ID},
		"name=web":                    {a.ID},
		"name=%5Edb-%5Cd%24":          {b.ID},
		"status=shutoff":              {b.ID},
		"status=ACTIVE&status=ERROR":  {a.ID},
		"status=nonsense":             {},
		"tags=env":                    {b.ID, a.ID},
		"tags=env%3Dprod":             {a.ID},
		"tags=env%3Dprod,plain":       {a.ID},
		"tags=env%3Dprod,other":       {},
		"tags-any=env%3Dtest,plain":   {b.ID, a.ID},
		"not-tags=plain":              {b.ID},
		"not-tags-any=plain,x":        {b.ID},
		"ip=" + b.PrivateIP + "%24":   {b.ID},
		"image=" + a.ImageID:          {a.ID},
		"flavor=s3.xlarge.2":          {b.ID},
		"changes-since=" + hour:       {b.ID},
		"reservation_id=r-1":          {},
		"sort_key=display_name":       {a.ID, b.ID},
		"sort_key=uuid&sort_dir=asc":  slices.Sorted(slices.Values([]string{a.ID, b.ID})),
		"sort_key=created_at&limit=1": {b.ID},
	} {
		r := get(t, nil, "GET", client.ServiceURL("servers", "detail")+"?"+query, headerToken, client.Token())
		list, _ := r.at("servers").([]any)
		got := []string{}
		for _, s := range list {
			got = append(got, s.(map[string]any)["id"].(string))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v: %.200s", query, got, want, r.text)
		}
	}
	for query, status := range map[string]int{
		"name=(": 400, "changes-since=yesterday": 400, "sort_key=nonsense": 400, "sort_key=host": 403, "all_tenants=1": 403,
	} {
		r := get(t, nil, "GET", client.ServiceURL("servers")+"?"+query, headerToken, client.Token())
		if r.status != status {
			t.Errorf("%s: status %d, want %d: %s", query, r.status, status, r.text)
		}
	}
}

func TestStates(t *testing.T) {
	f := newFixture(t, model.OpenStack, nil)
	s := f.server(t, model.Server{})
	client, err := f.byToken(t, f.login())
	if err != nil {
		t.Fatal(err)
	}
	for state, want := range map[model.State]string{
		model.StateRunning: "ACTIVE", model.StatePending: "BUILD", model.StateStopped: "SHUTOFF", model.StateStopping: "ACTIVE",
		model.StateStarting: "SHUTOFF", model.StateRebooting: "REBOOT", "rescue": "RESCUE",
	} {
		if err := f.world.SetState(s.ID, state); err != nil {
			t.Fatal(err)
		}
		if got, err := servers.Get(t.Context(), client, s.ID).Extract(); err != nil || got.Status != want {
			t.Errorf("%s is shown as %+v, %v; want %s", state, got, err, want)
		}
	}
	if err := f.world.Terminate(s.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := servers.Get(t.Context(), client, s.ID).Extract(); !gophercloud.ResponseCodeIs(err, http.StatusNotFound) {
		t.Errorf("terminated server: %v, want 404", err)
	}
}

func TestWhatDependsOnTheMicroversion(t *testing.T) {
	f := newFixture(t, model.HuaweiCloud, nil)
	s := f.server(t, model.Server{Tags: map[string]string{"env": "prod"}, Metadata: map[string]string{"own": "1"}})
	by := f.signer(DialectDirect)
	root := f.compute + "/v2.1/" + f.project.ID
	url := root + "/servers/" + s.ID
	fields := func(r reply) []string {
		view, _ := r.at("server").(map[string]any)
		return slices.Collect(maps.Keys(view))
	}
	old := get(t, by, "GET", url)
	old.want(t, 200, "server/metadata/os_type", "Linux")
	old.want(t, 200, "server/metadata/own", "1")
	if slices.Contains(fields(old), "tags") || old.header.Get(headerNovaVersion) != "2.1" {
		t.Errorf("2.1: version %q, fields %v", old.header.Get(headerNovaVersion), fields(old))
	}
	get(t, by, "GET", url, headerNovaVersion, "2.26").want(t, 200, "server/tags", "[env=prod]")
	get(t, by, "GET", url, headerAPIVersion, "compute 2.47").want(t, 200, "server/flavor/original_name", "s3.large.2")
	latest := get(t, by, "GET", url, headerNovaVersion, "latest")
	if latest.header.Get(headerNovaVersion) != "2.60" || latest.header.Get(headerAPIVersion) != "compute 2.60" {
		t.Errorf("latest: headers %v", latest.header)
	}
	get(t, by, "GET", url, headerNovaVersion, "2.61").want(t, 406, "computeFault/code", "406")
	get(t, by, "GET", url, headerNovaVersion, "two").want(t, 400, "badRequest/code", "400")
	get(t, by, "GET", url+"/tags", headerNovaVersion, "2.26").want(t, 200, "tags", "[env=prod]")
	get(t, by, "GET", url+"/tags").want(t, 404, "itemNotFound/code", "404")
	get(t, by, "GET", root).want(t, 404, "itemNotFound/code", "404")
	get(t, by, "GET", f.compute+"/v9/"+f.project.ID).want(t, 404, "error_code", "APIGW.0101")
	get(t, by, "GET", root+"/servers?status=nonsense", headerNovaVersion, "2.38").want(t, 400, "badRequest/code", "400")
	get(t, by, "GET", root+"/os-keypairs").want(t, 200, "keypairs/0/keypair/type", "<nil>")
	get(t, by, "GET", root+"/os-keypairs", headerNovaVersion, "2.2").want(t, 200, "keypairs/0/keypair/type", "ssh")
	get(t, by, "GET", root+"/os-keypairs?marker=ops", headerNovaVersion, "2.35").want(t, 200, "keypairs", "[]")
	get(t, by, "GET", root+"/os-keypairs?marker=none", headerNovaVersion, "2.35").want(t, 400, "badRequest/code", "400")
	get(t, by, "GET", root+"/os-keypairs/none").want(t, 404, "itemNotFound/code", "404")
	v2 := get(t, by, "GET", f.compute+"/v2/"+f.project.ID+"/servers/"+s.ID, headerNovaVersion, "2.26")
	if v2.want(t, 200, "server/id", s.ID); slices.Contains(fields(v2), "tags") || v2.header.Get(headerNovaVersion) != "" {
		t.Errorf("/v2 speaks microversions: %v", v2.header)
	}
}

func TestVersionDocuments(t *testing.T) {
	f := newFixture(t, model.OpenStack, nil)
	get(t, nil, "GET", f.compute+"/").want(t, 200, "versions/1/links/0/href", f.compute+"/v2.1/")
	get(t, nil, "GET", f.compute+"/v2.1/").want(t, 200, "version/version", "2.98")
	get(t, nil, "GET", f.compute+"/v2").want(t, 200, "version/id", "v2.0")
	get(t, nil, "GET", f.identity+"/v3").want(t, 200, "version/links/0/href", f.identity+"/v3/")
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	get(t, transport, "GET", f.identity+"/").want(t, 300, "versions/values/0/status", "stable")
	get(t, nil, "GET", f.compute+"/v3/servers").want(t, 300, "choices/1/links/0/href", f.compute+"/v2.1/v3/servers")
	if r := get(t, nil, "GET", f.identity+"/v2.0/tokens"); r.status != 404 || !strings.HasPrefix(r.header.Get("Content-Type"), "text/html") {
		t.Errorf("an unknown version of the identity API: %v", r)
	}
	if r := get(t, nil, "PUT", f.identity+"/v3/auth/tokens"); r.status != 405 || r.header.Get("Allow") != "GET, POST, DELETE, HEAD, OPTIONS" {
		t.Errorf("a method that there is not: %v", r)
	}
	if r := get(t, transport, "HEAD", f.identity+"/"); r.status != 300 {
		t.Errorf("HEAD: %v", r)
	}
	if r := get(t, nil, "GET", f.compute+"/"); r.header.Get("X-Compute-Request-Id") != "" {
		t.Errorf("the list of versions has a request id: %v", r.header)
	}
	get(t, nil, "GET", f.compute+"/v2.1", headerNovaVersion, "x").want(t, 400, "badRequest/code", "400")
}

func TestFaults(t *testing.T) {
	for name, want := range map[model.Cloud]struct{ throttle, code string }{
		model.HuaweiCloud: {"error_code", "APIGW.0308"},
		model.OpenStack:   {"overLimit/code", "429"},
	} {
		f := newFixture(t, name, nil)
		s := f.windows(t)
		client, err := f.byToken(t, f.login())
		if err != nil {
			t.Fatal(err)
		}
		url := client.ServiceURL("servers", s.ID, "os-server-password")
		once := func(fault model.Fault) {
			t.Helper()
			fault.Cloud, fault.Action, fault.Instance, fault.Count = name, "ShowServerPassword", s.ID, 1
			if _, err := f.world.AddFault(fault); err != nil {
				t.Fatal(err)
			}
		}
		once(model.Fault{Kind: model.FaultThrottle})
		get(t, nil, "GET", url, headerToken, client.Token()).want(t, 429, want.throttle, want.code)
		once(model.Fault{Kind: model.FaultServerError})
		get(t, nil, "GET", url, headerToken, client.Token()).want(t, 500, "computeFault/code", "500")
		once(model.Fault{Kind: model.FaultRefuse, Code: "conflictingRequest", Status: 409, Message: "busy"})
		get(t, nil, "GET", url, headerToken, client.Token()).want(t, 409, "conflictingRequest/message", "busy")
		once(model.Fault{Kind: model.FaultRefuse, Code: "APIGW.0301", Status: 401, Message: "no"})
		get(t, nil, "GET", url, headerToken, client.Token()).want(t, 401, "error_code", "APIGW.0301")
		// Without a count: net/http repeats a GET whose old connection was reset.
		dropping, err := f.world.AddFault(model.Fault{Action: "ShowServerPassword", Kind: model.FaultDropBefore})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := servers.GetPassword(t.Context(), client, s.ID).ExtractPassword(nil); err == nil {
			t.Error("a dropped request was answered")
		}
		f.world.RemoveFault(dropping)
		if _, err := f.world.AddFault(model.Fault{Action: "DeleteServerPassword", Kind: model.FaultDropAfter}); err != nil {
			t.Fatal(err)
		}
		if err := clearPassword(t, client, s.ID); err == nil {
			t.Error("a dropped answer arrived")
		}
		if s, _ = f.world.Server(s.ID); !s.Cleared {
			t.Error("drop_after did not do what was asked")
		}
	}
}

func TestIdentityFaults(t *testing.T) {
	f := newFixture(t, model.OpenTelekomCloud, nil)
	if _, err := f.world.AddFault(model.Fault{Service: "iam", Action: "CreateToken", Kind: model.FaultServerError, Count: 1}); err != nil {
		t.Fatal(err)
	}
	user := password(fmt.Sprintf(`"name":"vault","password":"user-Secret.1","domain":{"name":%q}`, f.account.Name))
	tokenRequest(t, f, user, "").want(t, 500, "error/title", "Internal Server Error")
	tokenRequest(t, f, user, "").want(t, 201, "token/user/name", "vault")
	log := f.world.Log(0)
	if len(log) != 2 || log[0].Status != 500 || log[1].Status != 201 || log[1].Service != "iam" || log[1].Action != "CreateToken" {
		t.Errorf("log: %+v", log)
	}
}

func TestTheLogNamesCallerAndServer(t *testing.T) {
	f := newFixture(t, model.HuaweiCloud, nil)
	s := f.windows(t)
	get(t, f.signer(DialectDirect), "GET", f.compute+"/v2.1/"+f.project.ID+"/servers/"+s.ID+"/os-server-password").want(t, 200, "", "")
	log := f.world.Log(0)
	if len(log) != 1 || log[0].AccessKey != f.key.ID || log[0].Source != "127.0.0.1" || !slices.Equal(log[0].Instances, []string{s.ID}) ||
		log[0].Status != 200 ||
		log[0].Region != "eu-de" || !strings.HasPrefix(log[0].RequestID, "req-") {
		t.Errorf("log: %+v", log)
	}
}

func TestImagesOfServersHaveNames(t *testing.T) {
	f := newFixture(t, model.OpenStack, nil)
	s := f.windows(t)
	client, err := f.byToken(t, f.login())
	if err != nil {
		t.Fatal(err)
	}
	base := f.compute + "/image"
	get(t, nil, "GET", base).want(t, 300, "versions/0/links/0/href", base+"/v2/")
	get(t, nil, "GET", base+"/v2/images", headerToken, client.Token()).want(t, 200, "images/0/name", s.OSName)
	get(t, nil, "GET", base+"/v2/images?id=in:none", headerToken, client.Token()).want(t, 200, "images", "[]")
	get(t, nil, "GET", base+"/v2/images/"+s.ImageID, headerToken, client.Token()).want(t, 200, "id", s.ImageID)
	get(t, nil, "GET", base+"/v2/images/none", headerToken, client.Token()).want(t, 404, "code", "404 Not Found")
	get(t, nil, "GET", base+"/v2/images").want(t, 401, "error/code", "401")
	get(t, nil, "PUT", base+"/v2/images/x", headerToken, client.Token()).want(t, 404, "itemNotFound/code", "404")
}

// TestPlainNovaStandsBehindKeystone holds what a Nova 26 of Debian answered to the same requests: who is
// not known learns nothing, and the router in front of the operations writes no JSON.
func TestPlainNovaStandsBehindKeystone(t *testing.T) {
	f := newFixture(t, model.OpenStack, nil)
	s := f.windows(t)
	token := f.login()
	client, err := f.byToken(t, token)
	if err != nil {
		t.Fatal(err)
	}
	of := func(method, path string, headers ...string) reply {
		t.Helper()
		return get(t, nil, method, f.compute+"/v2.1/"+path, append(headers, headerToken, client.Token())...)
	}
	get(t, nil, "GET", f.compute+"/v2.1/nosuch", headerToken, "forged").want(t, 401, "error/code", "401")
	password := "servers/" + s.ID + "/os-server-password"
	for _, r := range []reply{of("GET", "nosuch"), of("PUT", password), of("HEAD", password), of("GET", password+"/"),
		of("GET", "foo/servers")} {
		if r.status != 404 || !strings.HasPrefix(r.header.Get("Content-Type"), "text/plain") || r.header.Get(headerNovaVersion) != "" {
			t.Errorf("an unknown path or method: %v", r)
		}
	}
	of("GET", f.other.ID+"/servers").want(t, 400, "badRequest/code", "400")
	of("GET", password, headerNovaVersion, "2.01").want(t, 400, "badRequest/message",
		"API Version String 2.01 is of invalid format. Must be of format MajorNum.MinorNum.")
	if r := of("GET", password, headerNovaVersion, "2.999"); r.status != 406 || r.header.Get(headerNovaVersion) != "2.999" {
		t.Errorf("an unknown version: %v", r)
	}
	if r := of("GET", "servers/none"); r.header.Get("Content-Type") != "application/json; charset=UTF-8" ||
		r.header.Get("X-Request-Id") != "" {
		t.Errorf("a fault: %v", r)
	}
}

func TestTokensWithoutAProjectSeeNothing(t *testing.T) {
	f := newFixture(t, model.OpenStack, nil)
	s := f.windows(t)
	user := password(fmt.Sprintf(`"name":"vault","password":"user-Secret.1","domain":{"name":%q}`, f.account.Name))
	id := tokenRequest(t, f, user, `"unscoped"`).header.Get(headerSubjectToken)
	get(t, nil, "GET", f.compute+"/v2.1/servers/detail", headerToken, id).want(t, 403, "forbidden/code", "403")
	get(t, nil, "GET", f.compute+"/v2.1/servers/"+s.ID+"/os-server-password", headerToken, id).want(t, 500, "computeFault/code", "500")
}

func TestAccessRulesOfApplicationCredentials(t *testing.T) {
	f := newFixture(t, model.OpenStack, nil)
	s := f.windows(t)
	for rule, allowed := range map[model.AccessRule]bool{
		{Service: "compute", Method: "GET", Path: "/v2.1/servers/*/os-server-password"}:           true,
		{Service: "compute", Method: "GET", Path: "/v2.1/servers/{server_id}/os-server-password"}: true,
		{Service: "compute", Method: "GET", Path: "/v2.1/**"}:                                     true,
		{Service: "compute", Method: "GET", Path: "/v2.1/*"}:                                      false,
		{Service: "compute", Method: "DELETE", Path: "/v2.1/**"}:                                  false,
		{Service: "image", Method: "GET", Path: "/v2.1/**"}:                                       false,
	} {
		credential := f.world.AddAppCredential(model.AppCredential{Secret: "app-Secret", UserID: f.user.ID, ProjectID: f.project.ID,
			AccessRules: []model.AccessRule{rule}})
		identity := fmt.Sprintf(`{"methods":["application_credential"],"application_credential":{"id":%q,"secret":"app-Secret"}}`, credential.ID)
		r := tokenRequest(t, f, identity, "")
		r.want(t, 201, "token/application_credential/access_rules/0/path", rule.Path)
		want := 401
		if allowed {
			want = 200
		}
		url := f.compute + "/v2.1/servers/" + s.ID + "/os-server-password"
		if got := get(t, nil, "GET", url, headerToken, r.header.Get(headerSubjectToken)); got.status != want {
			t.Errorf("%+v: %v, want %d", rule, got, want)
		}
	}
}

// TestChangePassword holds what a Nova 26 of Debian answered to the same bodies, as far as its compute
// service without guests can; the rest is from Nova's source.
func TestChangePassword(t *testing.T) {
	f := newFixture(t, model.OpenStack, nil)
	s := f.windows(t)
	client, err := f.byToken(t, f.login())
	if err != nil {
		t.Fatal(err)
	}
	act := func(id, body string) reply {
		t.Helper()
		return send(t, nil, "POST", f.compute+"/v2.1/servers/"+id+"/action", body, headerToken, client.Token(), "Content-Type",
			"application/json")
	}
	for body, text := range map[string]string{
		"{": "Malformed request body", "{}": "Malformed request body", "": "Malformed request body",
		`{"changePassword":{"adminPass":"x"},"reboot":{}}`: "Malformed request body",
		`{"nosuch":null}`:                            "There is no such action: nosuch",
		`{"changePassword":{}}`:                      "'adminPass' is a required property",
		`{"changePassword":null}`:                    "not of type 'object'",
		`{"changePassword":{"adminPass":5}}`:         "not of type 'string'",
		`{"changePassword":{"adminPass":"x","y":1}}`: "Additional properties are not allowed",
	} {
		r := act(s.ID, body)
		if message := fmt.Sprint(r.at("badRequest/message")); r.status != 400 || !strings.Contains(message, text) {
			t.Errorf("%s: %v, want %s", body, r, text)
		}
	}
	const change = `{"changePassword":{"adminPass":"Changed-Pa55word"}}`
	act("none", change).want(t, 404, "itemNotFound/code", "404")
	if r := act(s.ID, change); r.status != 202 || r.text != "" || r.header.Get("X-Compute-Request-Id") == "" {
		t.Errorf("got %v", r)
	}
	now, _ := f.world.Server(s.ID)
	if !now.HasPassword("Administrator", "Changed-Pa55word") || f.world.Attempts(s.ID)[0].Password != "Changed-Pa55word" {
		t.Errorf("the server has other logins: %+v", now.Logins)
	}
	// libvirt's driver keeps what it set as the server's password, for the launch key pair.
	get(t, nil, "GET", f.compute+"/v2.1/servers/"+s.ID+"/os-server-password", headerToken, client.Token()).want(t, 200, "password",
		now.Ciphertext)

	if _, err := f.world.AddFault(model.Fault{Action: actionChange, Kind: model.FaultStuck, Count: 1}); err != nil {
		t.Fatal(err)
	}
	act(s.ID, change).want(t, 500, "computeFault/code", "500")
	get(t, nil, "GET", f.compute+"/v2.1/servers/"+s.ID, headerToken, client.Token()).want(t, 200, "server/status", "PASSWORD")
	act(s.ID, change).want(t, 409, "conflictingRequest/message", "Cannot 'changePassword' instance "+s.ID+
		" while it is in task_state updating_password")

	for _, name := range []model.Cloud{model.HuaweiCloud, model.OpenTelekomCloud} {
		v := newFixture(t, name, nil)
		windows := v.windows(t)
		client, err := v.byToken(t, v.login())
		if err != nil {
			t.Fatal(err)
		}
		r := send(t, nil, "POST", client.ServiceURL("servers", windows.ID, "action"), change, headerToken, client.Token())
		r.want(t, 404, "itemNotFound/code", "404")
	}
}
