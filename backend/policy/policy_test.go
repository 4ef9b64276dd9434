package policy

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
)

func TestGenerate(t *testing.T) {
	system := new(logical.StaticSystemView)
	p := New(system)
	rules := password.Rules{MinLength: 12, MaxLength: 30, MinClasses: 3}
	tries := 0
	system.SetPasswordPolicy("sometimes", func() (string, error) {
		if tries++; tries%5 != 0 {
			return "short", nil
		}
		return "Long-Enough-4-All", nil
	})
	system.SetPasswordPolicy("never", func() (string, error) { return "never-s3cret", nil })
	system.SetPasswordPolicy("empty", func() (string, error) { return "", nil })
	if got, err := p.Generate(t.Context(), "sometimes", rules, "root"); err != nil || got != "Long-Enough-4-All" {
		t.Errorf("a policy that fits now and then: %v", err)
	}
	never := password.Rules{MinLength: 12, MaxLength: 30, MinClasses: 4}
	if _, err := p.Generate(t.Context(), "never", never, "root"); err == nil || strings.Contains(err.Error(), "never-s3cret") ||
		!strings.Contains(err.Error(), "policy never") {
		t.Errorf("a policy that never fits: %v", err)
	}
	for _, policy := range []string{"empty", "missing"} {
		if _, err := p.Generate(t.Context(), policy, rules, "root"); err == nil || !strings.Contains(err.Error(), policy) {
			t.Errorf("policy %s: %v", policy, err)
		}
	}
	if got, err := p.Generate(t.Context(), "", rules, "root"); err != nil || rules.Check(got, "root") != nil {
		t.Errorf("the built-in generator: %v", err)
	}
}

// madeOf makes passwords of a policy: so many characters of an alphabet.
func madeOf(r *rand.Rand, alphabet string, length int) func() (string, error) {
	return func() (string, error) {
		password := make([]byte, length)
		for i := range password {
			password[i] = alphabet[r.IntN(len(alphabet))]
		}
		return string(password), nil
	}
}

// Policies whose passwords can be guessed are warned of, without any password, when somebody names one.
func TestWeakPolicies(t *testing.T) {
	const lower, digits = "abcdefghijklmnopqrstuvwxyz", "0123456789"
	alnum := lower + strings.ToUpper(lower) + digits
	all := alnum + "!#$%&()*+,-./:;<=>?@[]^_{|}~"
	system := new(logical.StaticSystemView)
	p := New(system)
	r := rand.New(rand.NewPCG(1, 2))
	named := func(name string) request.Fields {
		return request.Fields{Data: &framework.FieldData{Raw: map[string]any{"password_policy": name}}}
	}
	for name, c := range map[string]struct {
		policy func() (string, error)
		weak   bool
	}{
		"one-password": {func() (string, error) { return "Correct-Horse-7-Battery", nil }, true},
		"prefix":       {func() (string, error) { s, _ := madeOf(r, digits, 6)(); return "Very-Long-Prefix-" + s, nil }, true},
		"digits-12":    {madeOf(r, digits, 12), true},
		"two-letters":  {madeOf(r, "aB", 30), true},
		"all-9":        {madeOf(r, all, 9), true},
		"all-14":       {madeOf(r, all, 14), false},
		"alnum-16":     {madeOf(r, alnum, 16), false},
		"digits-24":    {madeOf(r, digits, 24), false},
	} {
		system.SetPasswordPolicy(name, c.policy)
		warnings := fmt.Sprint(p.Warnings(t.Context(), named(name), name))
		if got := strings.Contains(warnings, "password_policy: passwords of policy "+name+" have about"); got != c.weak {
			t.Errorf("%s: %s", name, warnings)
		}
		if strings.Contains(warnings, "Horse") {
			t.Errorf("%s: a warning holds a password: %s", name, warnings)
		}
	}
	system.SetPasswordPolicy("weak", madeOf(r, digits, 8))
	for name, in := range map[string]request.Fields{
		"of a write that does not name it": {Data: &framework.FieldData{}}, "of a write that drops it": named(""),
	} {
		if warnings := p.Warnings(t.Context(), in, "weak"); warnings != nil {
			t.Errorf("%s: %s", name, warnings)
		}
	}
}
