package openstack

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/openstack/coc"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/cocapi"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/novaapi"
)

// newPassword is what resets of these tests set.
const newPassword = "N3w-Password!42"

// withCOC is a simulated Huawei Cloud with COC, and what a connection to it can do. url leads to COC.
func withCOC(t *testing.T, a access, o cocapi.Options, change func(*cloud.Config)) (s *simulation, c *commander, url string) {
	t.Helper()
	s = simulate(t, a, novaapi.Options{})
	o.Identity = s.cloud
	server := httptest.NewServer(cocapi.New(s.World, o))
	t.Cleanup(server.Close)
	cfg := s.cfg
	cfg.Endpoints = maps.Clone(cfg.Endpoints)
	cfg.Endpoints[endpointCOC] = server.URL
	if change != nil {
		change(&cfg)
	}
	p, err := s.access.family.open(cfg, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	return s, p.(*commander), server.URL
}

// linux adds a running Linux server.
func (s *simulation) linux(t *testing.T) string {
	t.Helper()
	added := s.server(t, func(m *model.Server) { m.Platform, m.KeyName, m.InitialPassword = model.Linux, "", "" })
	return added.ID
}

func resetFor(id string) cloud.Reset {
	return cloud.Reset{InstanceIDs: []string{id}, Username: "root", Password: newPassword, Platform: cloud.Linux, Order: time.Now().Unix(),
		NotAfter: time.Now().Add(cloud.OrderDeadline)}
}

// set sets a password as the core does, until its outcome is known.
func (s *simulation) set(t *testing.T, c *commander, reset cloud.Reset) cloud.ResetRecord {
	t.Helper()
	method := c.Resetter(cloud.MethodCommand)
	var err error
	if reset.Prepared, err = method.(cloud.ResetPreparer).PrepareReset(t.Context(), reset); err != nil {
		t.Fatal(err)
	}
	started, err := method.StartReset(t.Context(), reset)
	if err != nil || started.RequestID == "" {
		t.Fatalf("%+v, %v", started, err)
	}
	s.Advance(time.Hour)
	id := reset.InstanceIDs[0]
	records, err := method.ResetRecords(t.Context(), []cloud.ResetRef{{InstanceID: id, RequestID: started.RequestID}})
	if err != nil || records[id].OperationID != started.RequestID {
		t.Fatalf("%+v, %v", records, err)
	}
	return records[id]
}

// check looks which password a server has.
func (s *simulation) check(t *testing.T, c *commander, id string) cloud.PasswordFinding {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for range 20_000 {
			<-tick.C
			if s.Stats().InFlight > 0 {
				s.Advance(time.Hour)
				return
			}
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	found, err := c.Checker(cloud.CheckCommand).CheckPassword(ctx, cloud.PasswordCheck{InstanceID: id, Username: "root", Platform: cloud.Linux,
		Values: []string{"another", newPassword}})
	if err != nil {
		t.Fatal(err)
	}
	<-done
	return found
}

// Passwords are set and checked whichever way COC hands the parameters over, and with each kind of credentials.
func TestCOCSetsAndChecksPasswords(t *testing.T) {
	for _, name := range []string{"huawei signed", "huawei token by project name", "huawei token by project id, auth_url"} {
		for _, way := range []string{cocapi.Replace, cocapi.Environment} {
			t.Run(name+" "+way, func(t *testing.T) {
				s, c, _ := withCOC(t, accessNamed(t, name), cocapi.Options{Parameters: way}, nil)
				id := s.linux(t)
				newer := resetFor(id)
				if got := s.set(t, c, newer); got.State != cloud.OperationSuccess || got.Message != "" {
					t.Fatalf("%+v", got)
				}
				if server, _ := s.Server(id); !server.HasPassword("root", newPassword) {
					t.Error("the password is not set")
				}
				if found := s.check(t, c, id); found.Match != 1 || found.Unknown != "" {
					t.Errorf("%+v", found)
				}
				older := newer
				older.Order -= 10
				if got := s.set(t, c, older); got.State != cloud.OperationFailed || got.Kind != "" || got.Order != newer.Order {
					t.Errorf("an older value: %+v", got)
				}
			})
		}
	}
}

// What the guest refuses is certain, and says why.
func TestCOCTellsWhatTheGuestRefuses(t *testing.T) {
	s, c, _ := withCOC(t, accessNamed(t, "huawei signed"), cocapi.Options{}, nil)
	id := s.linux(t)
	for name, change := range map[string]struct {
		guest model.Guest
		user  string
		says  string
	}{
		"no user":   {model.Guest{}, "nobody", "no such user"},
		"no base64": {guestWith(func(g *model.Guest) { g.NoBase64 = true }), "root", "no base64, openssl or busybox"},
		"no flock":  {guestWith(func(g *model.Guest) { g.NoFlock = true }), "root", "flock"},
	} {
		if err := s.SetGuest(id, change.guest); err != nil {
			t.Fatal(err)
		}
		reset := resetFor(id)
		reset.Username = change.user
		got := s.set(t, c, reset)
		if got.State != cloud.OperationFailed || got.Kind != cloud.Refused || !strings.Contains(got.Message, change.says) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func guestWith(change func(*model.Guest)) (g model.Guest) {
	change(&g)
	return g
}

// A script that waits for approval is told so, and used as soon as it is approved; one that somebody changed is not run.
func TestCOCWaitsForApproval(t *testing.T) {
	s := simulate(t, accessNamed(t, "huawei signed"), novaapi.Options{})
	api := cocapi.New(s.World, cocapi.Options{Identity: s.cloud, NewScripts: "PENDING_APPROVE"})
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	cfg := s.cfg
	cfg.Endpoints = maps.Clone(cfg.Endpoints)
	cfg.Endpoints[endpointCOC] = server.URL
	p, err := huawei().open(cfg, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	c, id := p.(*commander), s.linux(t)
	prepare := c.Resetter(cloud.MethodCommand).(cloud.ResetPreparer).PrepareReset
	_, err = prepare(t.Context(), resetFor(id))
	s.checkError(t, err, cloud.Refused, "is not approved yet")
	_, after, _ := strings.Cut(err.Error(), "script ")
	name, _, _ := strings.Cut(after, " ")
	if n := api.SetScript(name, "APPROVED", ""); n != 1 {
		t.Fatalf("%d scripts of the name %q", n, name)
	}
	if got := s.set(t, c, resetFor(id)); got.State != cloud.OperationSuccess {
		t.Errorf("%+v", got)
	}
	// Another connection to the same tenant finds the script, and looks at it first.
	other, err := huawei().open(cfg, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	api.SetScript(name, "", "#!/bin/sh\nreboot\n")
	_, err = other.(*commander).Resetter(cloud.MethodCommand).(cloud.ResetPreparer).PrepareReset(t.Context(), resetFor(id))
	s.checkError(t, err, cloud.Refused, "is not as cloudpw made it")
	if n := s.requests("CreateScript"); n != 1 {
		t.Errorf("made %d scripts", n)
	}
}

// Where a connection's endpoints are its own, nothing goes to a COC that nobody meant.
func TestCOCNeedsItsEndpoint(t *testing.T) {
	const own = "https://own.example.com"
	for name, c := range map[string]struct {
		family    family
		region    string
		auth      string
		endpoints map[string]string
		want      string
	}{
		"Dublin":           {huawei(), "eu-west-101", "", nil, "https://coc-eu-west-101-open-api.myhuaweicloud.eu"},
		"China":            {huawei(), "cn-north-4", "", nil, "https://coc.myhuaweicloud.com"},
		"China, another":   {huawei(), "cn-south-1", "", nil, "https://coc.myhuaweicloud.com"},
		"elsewhere":        {huawei(), "ap-southeast-3", "", nil, "https://coc-intl.myhuaweicloud.com"},
		"like Dublin":      {huawei(), "eu-west-0", "", nil, "https://coc-intl.myhuaweicloud.com"},
		"own":              {huawei(), "cn-north-4", "", map[string]string{"coc": own + "/"}, own},
		"own, a version":   {huawei(), "cn-north-4", "", map[string]string{"coc": own + "/v1/"}, own},
		"own, all":         {huawei(), "cn-north-4", "https://k.example.com/v3", map[string]string{"coc": own, "ecs": own, "iam": own}, own},
		"own ecs":          {huawei(), "cn-north-4", "", map[string]string{"ecs": own}, ""},
		"own iam":          {huawei(), "cn-north-4", "", map[string]string{"iam": own}, ""},
		"own auth_url":     {huawei(), "cn-north-4", "https://k.example.com/v3", nil, ""},
		"own iam, own coc": {huawei(), "cn-north-4", "", map[string]string{"iam": own, "coc": own}, own},
		"own auth, coc":    {huawei(), "cn-north-4", "https://k.example.com/v3", map[string]string{"coc": own}, own},
		"like its auth":    {huawei(), "cn-north-4", "https://iam.myhuaweicloud.com.example/v3", nil, ""},
		"OTC's auth":       {huawei(), "eu-de", "https://iam.eu-de.otc.t-systems.com/v3", nil, ""},
		"the cloud's auth": {huawei(), "cn-north-4", "https://iam.cn-north-4.myhuaweicloud.com/v3", nil, "https://coc.myhuaweicloud.com"},
		"OTC":              {telekom(), "eu-de", "", nil, ""},
		"OTC, coc":         {telekom(), "eu-de", "", map[string]string{"coc": own}, ""},
		"OpenStack":        {plainOpenStack(), "R", "https://k.example.com/v3", nil, ""},
	} {
		cfg := cloud.Config{Values: cloud.Values{"region": c.region, "auth_url": c.auth}, Endpoints: c.endpoints}
		if got := c.family.cocBase(cfg); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}

	s, c, _ := withCOC(t, accessNamed(t, "huawei signed"), cocapi.Options{}, func(c *cloud.Config) { delete(c.Endpoints, endpointCOC) })
	id, before := s.linux(t), len(s.Log(0))
	method, checker := c.Resetter(cloud.MethodCommand), c.Checker(cloud.CheckCommand)
	_, prepared := method.(cloud.ResetPreparer).PrepareReset(t.Context(), resetFor(id))
	_, started := method.StartReset(t.Context(), resetFor(id))
	_, shown := method.ResetRecords(t.Context(), []cloud.ResetRef{{InstanceID: id, RequestID: "SCT1"}})
	_, looked := checker.CheckPassword(t.Context(), cloud.PasswordCheck{InstanceID: id, Username: "root", Platform: cloud.Linux})
	for _, err := range []error{
		method.(cloud.ResetChecker).CheckReset(cloud.Instance{Platform: cloud.Linux}, "root"), prepared, started, shown, looked,
		checker.CanCheck(cloud.Instance{Platform: cloud.Linux}, "root"),
	} {
		s.checkError(t, err, cloud.Refused, "endpoints.coc: required")
		if !strings.Contains(err.Error(), "https://coc-intl.myhuaweicloud.com") {
			t.Errorf("%v", err)
		}
	}
	if n := len(s.Log(0)) - before; n != 0 {
		t.Errorf("%d requests", n)
	}
}

// Each answer of COC and of the gateway before it means what it says; what another answered proves nothing. None repeats what was sent.
func TestCOCAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		header string // Retry-After
		body   string
		kind   cloud.Kind
		says   string
		code   string
	}{
		"a value": {400, "", `{"error_code":"COC.00040601","error_msg":"The paramValue is invalid: @"}`, cloud.Refused,
			"does not accept the request", "COC.00040601"},
		"another":   {400, "", `{"error_code":"COC.00040701","error_msg":"x"}`, cloud.Refused, "the cloud says: x", "COC.00040701"},
		"no script": {404, "", `{"error_code":"COC.00040401","error_msg":"x"}`, cloud.Refused, "COC does not know", "COC.00040401"},
		"no API":    {404, "", `{"error_code":"APIGW.0101","error_msg":"x"}`, cloud.Refused, "check endpoints.coc and region", "APIGW.0101"},
		"denied": {403, "", `{"error_code":"COC.00040301","error_msg":"x"}`, cloud.Denied, "coc:instance:executeDocument",
			"COC.00040301"},
		"wrong key": {401, "", `{"error_code":"APIGW.0301","error_msg":"Incorrect IAM authentication information"}`, cloud.Denied,
			"check access_key", "APIGW.0301"},
		"throttled":      {429, "7", `{"error_code":"APIGW.0308","error_msg":"x"}`, cloud.Throttled, "too many requests", "APIGW.0308"},
		"own failure":    {500, "", `{"error_code":"COC.00050001","error_msg":"x"}`, cloud.Unknown, "cannot say whether", "COC.00050001"},
		"the gateway's":  {502, "", `<html>`, cloud.Unknown, "cannot say whether", ""},
		"a proxy's 400":  {400, "", `<html>bad request</html>`, cloud.Unknown, "", ""},
		"a proxy's 403":  {403, "", `{"message":"blocked"}`, cloud.Unknown, "blocked", ""},
		"a proxy's 404":  {404, "", ``, cloud.Unknown, "", ""},
		"a proxy's 429":  {429, "", `slow down`, cloud.Unknown, "", ""},
		"a proxy's 401":  {401, "", `{"error":{"code":401,"message":"log in"}}`, cloud.Unknown, "log in", ""},
		"another's code": {404, "", `{"error":{"code":"Ecs.0114","message":"x"}}`, cloud.Refused, "check endpoints.coc", "Ecs.0114"},
		"accepted":       {202, "", `{"data":"SCT1"}`, cloud.Unknown, "", ""},
		"no content":     {204, "", ``, cloud.Unknown, "", ""},
		"empty":          {200, "", ``, cloud.Unknown, "check that endpoints.coc is COC", ""},
		"cut":            {200, "", `{"data":"SC`, cloud.Unknown, "", ""},
		"a redirect":     {302, "", ``, cloud.Unknown, "endpoints.coc", ""},
		"no data":        {200, "", `{}`, cloud.Unknown, "check that endpoints.coc is COC", ""},
		"null data":      {200, "", `{"data":null}`, cloud.Unknown, "", ""},
		"data of others": {200, "", `{"data":{"a":1}}`, cloud.Unknown, "", ""},
		"no JSON":        {200, "", `ok`, cloud.Unknown, "", ""},
		"an odd id":      {200, "", `{"data":"a b"}`, cloud.Unknown, "names no order", ""},
	} {
		var got *http.Request
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got = r
			sent, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			if c.header != "" {
				w.Header().Set("Retry-After", c.header)
			}
			w.WriteHeader(c.status)
			_, _ = w.Write([]byte(strings.ReplaceAll(c.body, "@", strings.ReplaceAll(string(sent), `"`, `\"`))))
		}))
		s, commander, _ := withCOC(t, accessNamed(t, "huawei signed"), cocapi.Options{},
			func(c *cloud.Config) { c.Endpoints[endpointCOC] = server.URL })
		reset := resetFor("05184ba3-00ba-4fbc-b7a2-03b62b884931")
		reset.Prepared = "SC1"
		started, err := commander.Resetter(cloud.MethodCommand).StartReset(t.Context(), reset)
		s.checkError(t, err, c.kind, c.says)
		if started != (cloud.ResetStarted{}) || cloud.CodeOf(err) != c.code {
			t.Errorf("%s: %+v, code %q", name, started, cloud.CodeOf(err))
		}
		for next := err; next != nil; next = errors.Unwrap(next) {
			if strings.Contains(next.Error(), newPassword) || strings.Contains(next.Error(), "JDYkcm91bmRz") {
				t.Errorf("%s: a secret stands in %v", name, next)
			}
		}
		if e := cloud.AsError(err); (e.RetryAfter > 0) != (c.header != "") {
			t.Errorf("%s: after %v", name, e.RetryAfter)
		}
		if got.Header.Get("X-Language") != "en-us" || got.Header.Get("X-Project-Id") != s.project.ID ||
			got.URL.Path != "/v1/job/scripts/SC1" || !strings.Contains(got.Header.Get("Authorization"), "x-project-id") {
			t.Errorf("%s: %s %v", name, got.URL, got.Header)
		}
		server.Close()
	}
}

// What was sent is kept out of errors and records also where an answer or a log repeats a part of it, whatever is done to it.
func TestCOCKeepsHashesOut(t *testing.T) {
	var hash string // as the parameter has it
	for name, spoil := range map[string]func(string) string{
		"whole":     func(s string) string { return s },
		"in clear":  clearHash,
		"cut":       func(s string) string { return s[:50] },
		"clear cut": func(s string) string { return clearHash(s)[:60] },
		"cut again": func(s string) string { return s[:len(s)-9] },
		"escaped":   func(s string) string { return strings.ReplaceAll(s, "/", `\\/`) },
		"its end":   func(s string) string { return s[30:] },
		"a line":    func(s string) string { return "cloudpw_hash=" + s[:100] + "..." },
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					_, _ = w.Write([]byte(`{"data":{"execute_instances":[{"target_instance":{"resource_id":"` + unknownID +
						`"},"status":"ABNORMAL","message":"agent: ` + spoil(hash) + `"}]}}`))
					return
				}
				sent, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				_, after, _ := strings.Cut(string(sent), `"cloudpw_hash","param_value":"`)
				hash, _, _ = strings.Cut(after, `"`)
				w.WriteHeader(http.StatusBadRequest)
				_, _ = w.Write([]byte(`{"error_code":"COC.00040601","error_msg":"invalid: ` + spoil(hash) + ` for it"}`))
			}))
			t.Cleanup(server.Close)
			s, c, _ := withCOC(t, accessNamed(t, "huawei signed"), cocapi.Options{},
				func(c *cloud.Config) { c.Endpoints[endpointCOC] = server.URL })
			reset := resetFor(unknownID)
			reset.Prepared = "SC1"
			method := c.Resetter(cloud.MethodCommand)
			_, refused := method.StartReset(t.Context(), reset)
			s.checkError(t, refused, cloud.Refused, "the cloud says: invalid: ")
			records, err := method.ResetRecords(t.Context(), []cloud.ResetRef{{InstanceID: unknownID, RequestID: "SCT1"}})
			if err != nil || !strings.Contains(records[unknownID].Message, "agent: ") {
				t.Fatalf("%+v, %v", records, err)
			}
			// What stands behind the salt is what passwords can be tried against.
			_, tail, _ := strings.Cut(clearHash(hash), "$"+strconv.FormatInt(reset.Order, 10))
			for _, said := range []string{refused.Error(), records[unknownID].Message} {
				for _, part := range []string{hash[:24], hash[40:60], hash[60:80], hash[len(hash)-30 : len(hash)-10], tail[7:15], tail[30:40]} {
					if strings.Contains(said, part) {
						t.Errorf("%q has %q", said, part)
					}
				}
			}
		})
	}
}

// clearHash is the hash in a parameter.
func clearHash(parameter string) string {
	raw, err := base64.StdEncoding.DecodeString(parameter)
	if err != nil {
		panic(err)
	}
	return strings.TrimSuffix(string(raw), ":")
}

// A script or an order without data is none, also where nothing in it is read; and what was made may be told by 201.
func TestCOCAnswersHaveData(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		orders cloud.Verdict
		start  cloud.Kind
	}{
		"data":         {200, `{"data":"SCT1"}`, cloud.PermissionGranted, ""},
		"made":         {201, `{"data":"SCT1"}`, cloud.PermissionGranted, ""},
		"no data":      {200, `{"status":"ok"}`, cloud.PermissionUnknown, cloud.Unknown},
		"null":         {200, `{"data":null}`, cloud.PermissionUnknown, cloud.Unknown},
		"another JSON": {200, `[]`, cloud.PermissionUnknown, cloud.Unknown},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			_, _ = w.Write([]byte(c.body))
		}))
		s, commander, _ := withCOC(t, accessNamed(t, "huawei signed"), cocapi.Options{},
			func(c *cloud.Config) { c.Endpoints[endpointCOC] = server.URL })
		reset := resetFor(unknownID)
		reset.Prepared = "SC1"
		_, err := commander.Resetter(cloud.MethodCommand).StartReset(t.Context(), reset)
		s.checkError(t, err, c.start, "")
		for _, p := range commander.center.Permissions(t.Context()) {
			if p.Action == "coc:job:list" && p.Verdict != c.orders {
				t.Errorf("%s: %+v", name, p)
			}
		}
		server.Close()
	}
}

// A token that COC does not take any more is renewed, and the request sent again; that happens once.
func TestCOCRenewsTokens(t *testing.T) {
	for refusals, kind := range map[int]cloud.Kind{0: "", 1: "", 2: cloud.Denied} {
		left, tokens := refusals, map[string]bool{}
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			tokens[r.Header.Get("X-Auth-Token")] = true
			if left--; left >= 0 {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			_, _ = w.Write([]byte(`{"data":"SCT1"}`))
		}))
		s, c, _ := withCOC(t, accessNamed(t, "huawei token by project name"), cocapi.Options{},
			func(c *cloud.Config) { c.Endpoints[endpointCOC] = server.URL })
		reset := resetFor("05184ba3-00ba-4fbc-b7a2-03b62b884931")
		reset.Prepared = "SC1"
		_, err := c.Resetter(cloud.MethodCommand).StartReset(t.Context(), reset)
		if kind == cloud.Denied && cloud.KindOf(err) == cloud.Unknown {
			kind = cloud.Unknown // that refusal has no code, so it may be another's
		}
		s.checkError(t, err, kind, "")
		if len(tokens) != min(refusals, 1)+1 || tokens[""] {
			t.Errorf("%d refusals: %d tokens", refusals, len(tokens))
		}
		server.Close()
	}
}

// What only reads is tried; the rest is not, and comes with its policy.
func TestCOCPermissions(t *testing.T) {
	s, c, _ := withCOC(t, accessNamed(t, "huawei signed"), cocapi.Options{}, nil)
	verdicts := func() map[string]cloud.Permission {
		all, err := c.CheckPermissions(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]cloud.Permission{}
		for _, p := range all {
			if strings.HasPrefix(p.Action, "coc:") {
				out[p.Action] = p
				if (p.Policy == "") != (p.Verdict == cloud.PermissionGranted) || p.Policy != "" && !strings.Contains(p.Policy, p.Action) {
					t.Errorf("%+v", p)
				}
			}
		}
		return out
	}
	got := verdicts()
	if len(got) != 5 || got["coc:document:list"].Verdict != cloud.PermissionGranted || got["coc:job:list"].Verdict != cloud.PermissionGranted {
		t.Errorf("%+v", got)
	}
	user := s.user
	user.Deny = []string{"coc:ListScripts", "coc:" + coc.ActionOrders}
	s.AddUser(user)
	got = verdicts()
	if got["coc:document:list"].Verdict != cloud.PermissionDenied || got["coc:job:list"].Verdict != cloud.PermissionDenied {
		t.Errorf("%+v", got)
	}
	if n := s.requests("CreateScript") + s.requests("ExecuteScript"); n != 0 {
		t.Errorf("%d scripts were made or run", n)
	}
}

// Methods that there are not.
func TestCommanderMethods(t *testing.T) {
	_, c, _ := withCOC(t, accessNamed(t, "huawei signed"), cocapi.Options{}, nil)
	if c.Resetter(cloud.MethodAPI) != nil || c.Resetter("") != nil || c.Checker("") != nil || c.Checker("ssh") != nil {
		t.Error("there is a method that is none")
	}
	for _, f := range []family{telekom(), plainOpenStack()} {
		var p cloud.Provider = &provider{}
		if _, checks := p.(cloud.PasswordCheckers); checks || f.descriptor().HasCheckMethod(cloud.CheckCommand) {
			t.Errorf("%s checks passwords", f.name)
		}
	}
}

// A reset is one request, for which the limiter is not waited, also while a client waits and the cloud says that it is too much. What
// sets nothing waits, and is sent again.
func TestCOCSendsAResetOnce(t *testing.T) {
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests++
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = w.Write([]byte(`{"error_code":"APIGW.0308","error_msg":"x"}`))
	}))
	t.Cleanup(server.Close)
	s, c, _ := withCOC(t, accessNamed(t, "huawei signed"), cocapi.Options{},
		func(c *cloud.Config) { c.Endpoints[endpointCOC] = server.URL })
	reset, ctx := resetFor("05184ba3-00ba-4fbc-b7a2-03b62b884931"), cloud.WithInteractive(t.Context())
	reset.Prepared = "SC1"
	method := c.Resetter(cloud.MethodCommand)
	_, err := method.StartReset(ctx, reset)
	s.checkError(t, err, cloud.Throttled, "")
	if requests != 1 || s.limiter.counts()[coc.ActionExecute] != 0 {
		t.Errorf("%d requests, waited for %v", requests, s.limiter.counts())
	}
	_, err = method.(cloud.ResetPreparer).PrepareReset(ctx, reset)
	s.checkError(t, err, cloud.Throttled, "")
	if requests != 4 || s.limiter.counts()[coc.ActionList] != 3 {
		t.Errorf("%d requests, waited for %v", requests, s.limiter.counts())
	}
}
