package azure

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// permitted answers all calls of a check; denied are the actions that the caller lacks.
func permitted(t *testing.T, empty bool, denied ...string) (*provider, *fakeCloud) {
	t.Helper()
	return answering(t, func(r asked) (int, any) {
		action := ""
		switch below, inMachine := strings.CutPrefix(r.path, inGroup("demo", "linux-1")); {
		case strings.HasSuffix(r.path, networkPath):
			action = permitInterfaces
		case strings.HasSuffix(r.path, computePath):
			action = permitVirtualMachines
		case strings.HasSuffix(r.path, "/instanceView"):
			action = permitInstanceView
		case r.method == http.MethodGet:
			action = permitRunCommandsRead
		case r.method == http.MethodPut && !inMachine:
			action = permitRunCommandsWrite
		case r.method == http.MethodDelete && !inMachine:
			action = permitRunCommandsDelete
		default:
			t.Errorf("%s of %q", r, below)
		}
		switch {
		case slices.Contains(denied, action):
			return failureOf(http.StatusForbidden, "AuthorizationFailed")
		case action == permitVirtualMachines && !empty:
			return http.StatusOK, paged("", object{"id": "?"}, model(testVMID, "demo", "linux-1", nil))
		case strings.Contains(r.path, "/cloudpw-none-") && r.method == http.MethodDelete:
			return http.StatusNoContent, nil
		case strings.Contains(r.path, "/cloudpw-none-"):
			return failureOf(http.StatusNotFound, "ParentResourceNotFound")
		}
		return http.StatusOK, paged("")
	})
}

func TestCheckPermissions(t *testing.T) {
	all := []string{permitVirtualMachines, permitInstanceView, permitRunCommandsWrite, permitRunCommandsRead, permitRunCommandsDelete,
		permitInterfaces}
	for name, c := range map[string]struct {
		empty  bool
		denied []string
	}{
		"all":                {},
		"a new subscription": {empty: true},
		"nothing":            {denied: all},
		"reader":             {denied: []string{permitRunCommandsWrite, permitRunCommandsDelete}},
		"no list":            {denied: []string{permitVirtualMachines}},
		"no states":          {denied: []string{permitInstanceView}},
		"no deletion":        {empty: true, denied: []string{permitRunCommandsDelete}},
		"no addresses":       {denied: []string{permitInterfaces}},
	} {
		p, f := permitted(t, c.empty, c.denied...)
		permissions, err := p.CheckPermissions(t.Context())
		if err != nil || len(permissions) != len(all) {
			t.Fatalf("%s: %d, %v", name, len(permissions), err)
		}
		for _, one := range permissions {
			want := cloud.PermissionGranted
			if slices.Contains(c.denied, one.Action) {
				want = cloud.PermissionDenied
			}
			if one.Verdict != want || !slices.Contains(all, one.Action) || one.Required != (one.Action != permitInterfaces) {
				t.Errorf("%s: %s is %s (%s), want %s", name, one.Action, one.Verdict, one.Message, want)
			}
			if want == cloud.PermissionDenied && !strings.Contains(one.Message, one.Action) {
				t.Errorf("%s: %s: %s", name, one.Action, one.Message)
			}
			changes := one.Action == permitRunCommandsWrite || one.Action == permitRunCommandsDelete
			if changes && want == cloud.PermissionGranted && !strings.Contains(one.Message, "does not exist") {
				t.Errorf("%s: %s: %q", name, one.Action, one.Message)
			}
			if alone := strings.Contains(one.Message, "resource groups only"); changes && want == cloud.PermissionDenied &&
				alone != (c.empty || slices.Contains(c.denied, permitVirtualMachines)) {
				t.Errorf("%s: %s: %q", name, one.Action, one.Message)
			}
			if single := strings.Contains(one.Message, "single virtual machines only"); single != (changes && want == cloud.PermissionDenied &&
				!c.empty && !slices.Contains(c.denied, permitVirtualMachines)) {
				t.Errorf("%s: %s: %q", name, one.Action, one.Message)
			}
			checkRole(t, one.Policy, one.Action)
		}
		for _, r := range f.seen() {
			if r.method != http.MethodGet && !strings.Contains(r.path, "/virtualMachines/cloudpw-none-") {
				t.Errorf("%s: %s", name, r)
			}
		}
	}
}

// checkRole checks a role to paste.
func checkRole(t *testing.T, policy string, actions ...string) {
	t.Helper()
	var role struct {
		Name, Description                     string
		IsCustom                              bool
		Actions, NotActions, AssignableScopes []string
	}
	if err := json.Unmarshal([]byte(policy), &role); err != nil {
		t.Fatalf("%v: %s", err, policy)
	}
	for _, action := range append(actions, permitVirtualMachines) {
		if !slices.Contains(role.Actions, action) {
			t.Errorf("%s is not in %s", action, policy)
		}
	}
	if role.Name == "" || role.Description == "" || !role.IsCustom || len(role.NotActions) != 0 ||
		!slices.Equal(role.AssignableScopes, []string{"/subscriptions/" + testSubscription}) {
		t.Error(policy)
	}
}

// What is to be pasted for several missing permissions is one role.
func TestRolesAreMerged(t *testing.T) {
	var policies []string
	actions := []string{permitRunCommandsWrite, permitVirtualMachines, permitRunCommandsRead, permitInterfaces}
	for _, action := range actions {
		policies = append(policies, policy(testSubscription, action))
	}
	checkRole(t, cloud.MergePolicies(policies), actions...)
	checkRole(t, cloud.MergePolicies(policies[1:2]), permitVirtualMachines)
}

// Where the credentials themselves do not work nothing can be said. What could not be tried is neither granted nor denied.
func TestCheckOfCredentialsThatDoNotWork(t *testing.T) {
	p, _ := answering(t, func(asked) (int, any) { return failureOf(http.StatusUnauthorized, "InvalidAuthenticationTokenTenant") })
	_, err := p.CheckPermissions(t.Context())
	_ = errorOfKind(t, err, cloud.Denied)

	p, f := permitted(t, false)
	answer := f.answer
	f.answer = func(r asked) (int, any) {
		if r.method == http.MethodPut {
			return failureOf(http.StatusConflict, "ScopeLocked")
		}
		return answer(r)
	}
	permissions, err := p.CheckPermissions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range permissions {
		if want := one.Action == permitRunCommandsWrite; (one.Verdict == cloud.PermissionUnknown) != want ||
			want && !strings.Contains(one.Message, "az lock list") {
			t.Errorf("%s is %s: %s", one.Action, one.Verdict, one.Message)
		}
	}
}

func TestAccount(t *testing.T) {
	p, f := permitted(t, false)
	if id, err := p.CloudAccount(t.Context()); err != nil || id != testSubscription || len(f.seen()) != 1 {
		t.Errorf("%s, %v", id, err)
	}
	p, _ = permitted(t, false, permitVirtualMachines)
	if id, err := p.CloudAccount(t.Context()); id != "" || !permissionMissing(err) {
		t.Errorf("%s, %v", id, err)
	}
}
