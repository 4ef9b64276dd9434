package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/vault/api"
)

// person is somebody who has an account of Vault in the playground. The password is the name: everything here is simulated.
type person struct {
	name, does string
	policies   []string // personas of docs/vault-policies.md
	reads      []string // roles whose passwords the person may read
}

// me is the person whom the playground's shell is of, who may do what the others may do together.
const me = "you"

// people are those of the playground.
func people() []person {
	all := []string{}
	for _, g := range fleet() {
		all = append(all, g.role)
	}
	return []person{
		{me, "may do all that the others may", []string{"operator", "on-call", "security-officer", "recorder", "mover", "administrator",
			"emergency"}, all},
		{"alice", "reads the passwords of web, cache and db", nil, []string{"web", "cache", "db"}},
		{"bob", "reads those of web, windows and erp", nil, []string{"web", "windows", "erp"}},
		{"ivan", "has left: he had read those of lab and mail", nil, []string{"lab", "mail"}},
		{"olivia", "operator: sees the fleet, rotates, checks; reads no password", []string{"operator", "on-call"}, nil},
		{"sam", "security officer: ends what somebody has had", []string{"security-officer"}, nil},
		{"rita", "records passwords that people have set", []string{"recorder"}, nil},
		{"adam", "administrator: connections, keys, roles", []string{"administrator", "mover", "keeper-of-credentials"}, nil},
	}
}

// policySection matches a persona of the page about policies, and their policy: the first one below the heading.
var policySection = regexp.MustCompile("(?s)^([^\n]+)\n.*?```hcl\n(.*?)```")

// policies are those of docs/vault-policies.md by persona. The reader's is for one role, so each role has one, as reader-<role>.
func policies(page string, roles []string) (map[string]string, error) {
	out := map[string]string{}
	for _, section := range strings.Split(page, "\n## ")[1:] {
		if m := policySection.FindStringSubmatch(section); m != nil {
			out[strings.ReplaceAll(strings.ToLower(m[1]), " ", "-")] = m[2]
		}
	}
	reader := out["reader"]
	if !strings.Contains(reader, "creds/web\"") {
		return nil, errors.New("docs/vault-policies.md: the reader's policy is not about creds/web")
	}
	for _, role := range roles {
		out["reader-"+role] = strings.NewReplacer("/web\"", "/"+role+"\"", "/web/", "/"+role+"/").Replace(reader)
	}
	return out, nil
}

// enrol writes policies and users, and logs everybody in.
func enrol(ctx context.Context, s *server, docs string) (map[string]*api.Client, error) {
	page, err := os.ReadFile(filepath.Join(docs, "vault-policies.md"))
	if err != nil {
		return nil, fmt.Errorf("the policies: %w", err)
	}
	var roles []string
	for _, g := range fleet() {
		roles = append(roles, g.role)
	}
	texts, err := policies(string(page), roles)
	if err != nil {
		return nil, err
	}
	for name, text := range texts {
		if err := s.root.Sys().PutPolicyWithContext(ctx, name, text); err != nil {
			return nil, fmt.Errorf("policy %s: %w", name, err)
		}
	}
	if err := s.root.Sys().EnableAuthWithOptionsWithContext(ctx, "userpass", &api.EnableAuthOptions{Type: "userpass"}); err != nil {
		return nil, fmt.Errorf("userpass: %w", err)
	}
	clients := map[string]*api.Client{}
	for _, p := range people() {
		if clients[p.name], err = p.enrol(ctx, s, texts); err != nil {
			return nil, fmt.Errorf("user %s: %w", p.name, err)
		}
	}
	return clients, nil
}

func (p person) enrol(ctx context.Context, s *server, known map[string]string) (*api.Client, error) {
	granted := slices.Clone(p.policies)
	for _, role := range p.reads {
		granted = append(granted, "reader-"+role)
	}
	for _, name := range granted {
		if known[name] == "" {
			return nil, fmt.Errorf("docs/vault-policies.md has no policy %q", name)
		}
	}
	user := "auth/userpass/users/" + p.name
	if _, err := s.root.Logical().WriteWithContext(ctx, user, map[string]any{"password": p.name, "token_policies": granted}); err != nil {
		return nil, err
	}
	c, err := client(s.address, "none")
	if err != nil {
		return nil, err
	}
	in, err := c.Logical().WriteWithContext(ctx, "auth/userpass/login/"+p.name, map[string]any{"password": p.name})
	if err != nil {
		return nil, err
	}
	c.SetToken(in.Auth.ClientToken)
	return c, nil
}
