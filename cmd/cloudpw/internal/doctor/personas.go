package doctor

// A rule of a policy.
type rule struct {
	path         string // cloudpw/ stands for the mount
	capabilities []string
}

// persona is a policy of docs/vault-policies.md. A test compares them. Those for one move of the mount, and for the end of logins, which
// depend on names that nobody knows here, are left out.
type persona struct {
	name  string
	rules []rule
}

func personas() []persona {
	read, list, update, sudo := "read", "list", "update", "sudo"
	caps := func(c ...string) []string { return c }
	write := caps("create", read, update, "delete", list)
	return []persona{
		{"Reader", []rule{{"cloudpw/creds/web", caps(read)}, {"cloudpw/creds/web/*", caps(read)},
			{"cloudpw/instances/web", caps(list)}, {"sys/leases/revoke/cloudpw/creds/web/*", caps(update)}}},
		{"Operator", []rule{{"cloudpw/accounts/*", caps(read, list)}, {"cloudpw/instances/*", caps(list)}, {"cloudpw/config/*", caps(read, list)},
			{"cloudpw/roles/*", caps(read, list)}, {"cloudpw/rotate-role/*", caps(update)}, {"cloudpw/verify/*", caps(update)},
			{"cloudpw/status", caps(read)}, {"cloudpw/report", caps(read)}, {"cloudpw/campaigns/*", caps(read, list)},
			{"cloudpw/discover/*", caps(list)}, {"cloudpw/check/*", caps(read)}, {"sys/leases/lookup", caps(update)},
			{"sys/leases/lookup/cloudpw/creds/*", caps(list, sudo)}, {"sys/leases/revoke/cloudpw/creds/*", caps(update)},
			{"sys/leases/revoke-prefix/cloudpw/creds/*", caps(update, sudo)}}},
		{"On-call", []rule{{"cloudpw/rotate-connection/*", caps(update, sudo)}, {"cloudpw/verify-connection/*", caps(update, sudo)}}},
		{"Security officer", []rule{{"cloudpw/accounts/*", caps(read, list)}, {"cloudpw/report", caps(read)},
			{"cloudpw/campaigns/*", caps(read, list)}, {"cloudpw/status", caps(read)}, {"cloudpw/rotate-reader", caps(update, sudo)}}},
		{"Keeper of hosts", []rule{{"cloudpw/hosts", caps(update, list)}, {"cloudpw/hosts/*", write}}},
		{"Keeper of host keys", []rule{{"cloudpw/hosts/*", caps(read, list)}, {"cloudpw/host-key/*", caps(read, update, sudo)}}},
		{"Administrator", []rule{{"cloudpw/config/*", write}, {"cloudpw/keys/*", write}, {"cloudpw/roles/*", write},
			{"cloudpw/instances/*", caps(list)}, {"cloudpw/accounts/*", caps(read, list)}, {"cloudpw/status", caps(read)},
			{"cloudpw/report", caps(read)}, {"cloudpw/discover/*", caps(list)}, {"cloudpw/check/*", caps(read)}}},
		{"Keeper of credentials", []rule{{"cloudpw/rotate-root/*", caps(update, sudo)}, {"cloudpw/check/*", caps(read)},
			{"cloudpw/discover/*", caps(list)}}},
		{"Recorder", []rule{{"cloudpw/import/prod-otc/*", caps(update, sudo)}, {"cloudpw/accounts/prod-otc/*", caps(read, list)}}},
		{"Mover", []rule{{"cloudpw/accounts/+/+/+/move", caps(update)}, {"cloudpw/take-over/*", caps(update, sudo)}}},
		{"Emergency", []rule{{"cloudpw/rotate-connection/*", caps(update, sudo)}, {"cloudpw/verify-connection/*", caps(update, sudo)},
			{"cloudpw/rotate-reader", caps(update, sudo)}, {"cloudpw/versions/*", caps(read, list, update, sudo)},
			{"cloudpw/import/*", caps(update, sudo)}, {"cloudpw/reread/*", caps(update, sudo)}, {"cloudpw/place/*", caps(read, update, sudo)},
			{"cloudpw/accounts/*", caps(read, list, "delete")}, {"cloudpw/status", caps(read)}, {"cloudpw/report", caps(read)},
			{"cloudpw/campaigns/*", caps(read, list, "delete")}}},
	}
}

// The names in the policies that stand for one's own.
const (
	sampleRole       = "web"
	sampleConnection = "prod-otc"
)
