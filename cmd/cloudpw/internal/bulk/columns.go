package bulk

import "strings"

// Column is a column of the file.
type Column struct {
	Name string
	// Of is what it belongs to: every row, a host or a password.
	Of string
	// Meaning is for the help.
	Meaning string
}

// What a column belongs to.
const (
	ofRow      = "row"
	ofHost     = "host"
	ofPassword = "password"
)

const (
	columnConnection = "connection"
	columnServer     = "server"
	columnPort       = "port"
	columnTrust      = "trust_on_first_use"
	columnPlatform   = "platform"
	columnSudo       = "sudo"
	columnTags       = "tags"
	columnUsername   = "username"
	columnPassword   = "password"
	columnSkip       = "skip_import_rotation"
)

// Columns are the columns that a file may have. The fields of a host are those of the path hosts/, in docs/api/hosts.md; those of a
// password are those of import/, in docs/api/versions.md.
func Columns() []Column {
	return []Column{
		{columnConnection, ofRow, "name of the connection; required"},
		{columnServer, ofRow, "name of the host; for a password alone: instance id, name or address of the server; required"},
		{"address", ofHost, "IP address or name of the server; required for provider=ssh"},
		{columnPort, ofHost, "port of SSH, 1 to 65535 (default 22)"},
		{"host_key", ofHost, "public host key to pin, in one line"},
		{columnTrust, ofHost, "true or false: pin the key that the first login shows (default false)"},
		{columnPlatform, ofHost, "linux or windows (default linux)"},
		{"login_user", ofHost, "user to log in as (default: the connection's)"},
		{columnSudo, ofHost, "auto, never or tty (default: the connection's)"},
		{columnTags, ofHost, "key=value, several with commas or semicolons between them"},
		{columnUsername, ofPassword, "user of the server; required with a password unless the server has one account only"},
		{columnPassword, ofPassword, "the password that the server has now, which is recorded as it is, blanks included"},
		{columnSkip, ofPassword, "true or false: let the server keep the password instead of rotating it (default false)"},
	}
}

// columnNames are the names of all columns, for messages.
func columnNames() string {
	var names []string
	for _, c := range Columns() {
		names = append(names, c.Name)
	}
	return strings.Join(names, ", ")
}

// columnOf finds a column by name.
func columnOf(name string) (Column, bool) {
	for _, c := range Columns() {
		if c.Name == name {
			return c, true
		}
	}
	return Column{}, false
}
