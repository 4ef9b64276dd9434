package backend

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// simulatedConnections are connections of the real providers to the simulator.
func simulatedConnections(t *testing.T, sim *cloudsim.Sim) map[string]map[string]any {
	t.Helper()
	seeded, err := sim.Seed(cloudsim.SeedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	endpoints := func(c model.Cloud, services ...string) map[string]any {
		urls := map[string]any{}
		for _, service := range services {
			urls[service] = sim.URL(c, service)
		}
		return urls
	}
	keyed := func(c model.Cloud, services ...string) map[string]any {
		of := seeded[c]
		return map[string]any{
			"provider": string(c), "region": of.Region, "access_key": of.AccessKey, "secret_key": of.SecretKey,
			"endpoints": endpoints(c, services...),
		}
	}
	assumed := keyed(model.AWS, "ec2", "sts", "iam", "ssm")
	assumed["role_arn"], assumed["external_id"] = seeded[model.AWS].RoleARN, seeded[model.AWS].ExternalID
	open := seeded[model.OpenStack]
	openstack := map[string]any{"provider": "openstack", "region": open.Region, "auth_url": sim.URL(model.OpenStack, "identity") + "/v3"}
	return map[string]map[string]any{
		"aws":     keyed(model.AWS, "ec2", "sts", "iam", "ssm"),
		"assumed": assumed,
		"tencent": keyed(model.TencentCloud, "cvm", "sts", "cam"),
		"alibaba": keyed(model.AlibabaCloud, "ecs", "sts", "ram"),
		"huawei":  merged(keyed(model.HuaweiCloud, "ecs", "iam"), map[string]any{"project_id": seeded[model.HuaweiCloud].ProjectID}),
		// The key is replaced with which the agency is assumed.
		"otc": merged(keyed(model.OpenTelekomCloud, "ecs", "iam"), map[string]any{
			"project_id": seeded[model.OpenTelekomCloud].ProjectID, "agency_name": seeded[model.OpenTelekomCloud].AgencyName,
			"agency_domain_name": seeded[model.OpenTelekomCloud].AgencyDomainName,
		}),
		"application": merged(openstack, map[string]any{
			applicationIDField: open.AppCredentialID, applicationSecretField: open.AppCredential,
		}),
		"user": merged(openstack, map[string]any{
			"username": open.Username, "password": open.Password, "user_domain_name": open.UserDomainName, "project_id": open.ProjectID,
		}),
	}
}

// The real providers and SDKs replace their credentials, say what they may do, and list what they see.
func TestCredentialsOfSimulatedClouds(t *testing.T) {
	sim := cloudsim.Start(t, cloudsim.Options{})
	connections := simulatedConnections(t, sim)
	h := newRealHarness(t)
	for _, name := range slices.Sorted(maps.Keys(connections)) {
		t.Run(name, func(t *testing.T) {
			data := connections[name]
			h.write(t, "config/"+name, data)
			if got := h.list(t, "discover/"+name); len(got) < 2 {
				t.Errorf("discovered %v", got)
			}
			checkTold(t, name, h.read(t, "config/"+name))
			checked := h.read(t, "check/"+name)
			if checked["verdict"] != "granted" {
				t.Errorf("check: %v", checked)
			}
			if name == "assumed" {
				h.refused(t, logical.UpdateOperation, "rotate-root/"+name, nil, http.StatusBadRequest, "role_arn")
				h.delete(t, "config/"+name) // it uses the same key as another one, which is to be replaced
				return
			}
			previous, _ := data["access_key"].(string)
			if id, ok := data[applicationIDField].(string); ok {
				previous = id
			}
			answer := h.write(t, "rotate-root/"+name, nil).Data
			if answer["previous_credential_id"] != previous || answer["credential_id"] == previous {
				t.Errorf("answer %v, previous credential %s", answer, previous)
			}
			if read := h.read(t, "config/"+name); read["credential_id"] != answer["credential_id"] {
				t.Errorf("after a rotation to %v the connection reads %v", answer["credential_id"], read)
			}
			if err := h.connections.AskAll(t.Context()); err != nil {
				t.Fatal(err)
			}
			checkTold(t, name, h.read(t, "config/"+name))
			again := h.write(t, "rotate-root/"+name, nil).Data
			if again["previous_credential_id"] != answer["credential_id"] {
				t.Errorf("the second rotation answers %v after %v", again, answer)
			}
			h.write(t, "config/"+name, map[string]any{"max_requests_per_second": 100}) // verifies the new one
			if previous != "" {
				h.refusedWrite(t, "config/old-"+name, data, "was not stored")
			}
			if len(h.list(t, "discover/"+name)) < 2 {
				t.Error("the new credential sees nothing")
			}
			if read := h.read(t, "config/"+name); read["root_rotation"] != nil || read["leftover_credentials"] != nil ||
				read["last_root_rotation"] == "" {
				t.Errorf("the connection reads %s", fmt.Sprint(read))
			}
		})
	}
}

// checkTold checks what the simulated clouds tell, through the real SDKs, of the credential in use.
func checkTold(t *testing.T, name string, read map[string]any) {
	t.Helper()
	_, created := read["credential_created"]
	tells := map[string]bool{"aws": true, "tencent": true, "alibaba": true, "huawei": true, "otc": true}[name]
	if created != tells || read["credential_error"] != nil || read["credential_age"] == nil ||
		name != "assumed" && read["credential_id"] == nil {
		t.Errorf("the connection reads %v", read)
	}
}
