package novaapi

import (
	"fmt"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

func TestCloudServersOfHuawei(t *testing.T) {
	f := newFixture(t, model.HuaweiCloud, nil)
	win := f.windows(t)
	plain := f.server(t, model.Server{Name: "plain", Metadata: map[string]string{metadataNoResetPlugin: "1"},
		Tags: map[string]string{"env": "prod"}})
	by := f.signer(DialectDirect)
	base := f.compute + "/v1/" + f.project.ID + "/cloudservers/"

	list := get(t, by, "GET", base+"detail?limit=1&offset=2")
	list.want(t, 200, "count", "2")
	list.want(t, 200, "servers/0/id", win.ID)
	list.want(t, 200, "servers/0/metadata/os_type", "Windows")
	get(t, by, "GET", base+"detail?offset=0").want(t, 200, "servers/0/tags", "[env=prod]")
	get(t, by, "GET", base+"detail?offset=9").want(t, 200, "servers", "[]")
	get(t, by, "GET", base+"detail?name=plain").want(t, 200, "count", "1")
	get(t, by, "GET", base+"detail?limit=x").want(t, 400, "error/code", "Ecs.0005")
	get(t, by, "GET", base+plain.ID).want(t, 200, "server/addresses/"+plain.VPCID+"/0/version", "4")
	get(t, by, "GET", base+"none").want(t, 404, "error/code", "Ecs.0114")
	get(t, by, "GET", base+plain.ID+"/tags").want(t, 200, "tags", "[map[key:env value:prod]]")

	want, err := f.world.EncryptedPassword(win.ID)
	if err != nil || want == "" {
		t.Fatalf("no ciphertext: %v", err)
	}
	get(t, by, "GET", base+win.ID+"/os-server-password").want(t, 200, "password", want)
	get(t, by, "GET", base+plain.ID+"/os-server-password").want(t, 200, "password", "")
	get(t, by, "DELETE", base+win.ID+"/os-server-password").want(t, 204, "", "")
	get(t, by, "GET", base+win.ID+"/os-server-password").want(t, 200, "password", "")
	get(t, by, "GET", base+win.ID+"/os-resetpwd-flag").want(t, 200, "resetpwd_flag", "True")
	get(t, by, "GET", base+plain.ID+"/os-resetpwd-flag").want(t, 200, "resetpwd_flag", "False")
	for _, path := range []string{"os-server-password", "os-resetpwd-flag", "tags"} {
		get(t, by, "GET", base+"none/"+path).want(t, 404, "error/code", "Ecs.0114")
	}
	get(t, by, "DELETE", base+"none/os-server-password").want(t, 404, "error/code", "Ecs.0114")
	get(t, by, "POST", base+"detail").want(t, 404, "error_code", "APIGW.0101")
}

func TestCloudServersOfOTCHaveNoPasswordPath(t *testing.T) {
	f := newFixture(t, model.OpenTelekomCloud, nil)
	s := f.windows(t)
	by := f.signer(DialectScoped)
	base := f.compute + "/v1/" + f.project.ID + "/cloudservers/"
	get(t, by, "GET", base+"detail").want(t, 200, "servers/0/id", s.ID)
	get(t, by, "GET", base+s.ID+"/os-server-password").want(t, 404, "error_code", "APIGW.0101")
	if r := get(t, nil, "GET", newFixture(t, model.OpenStack, nil).compute+"/v1/p/cloudservers/detail"); r.status != 300 {
		t.Errorf("OpenStack serves /v1: %s", fmt.Sprint(r))
	}
}
