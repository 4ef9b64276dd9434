package bulk

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
)

// nameForm is the form of names of connections and hosts in Vault's paths.
var nameForm = regexp.MustCompile(`^\w(([\w-.]+)?\w)?$`)

// maxPassword is the longest password that import/ records, in characters.
const maxPassword = 255

// rowOf reads the cells of a row, and says all that is wrong with it. What the mount must judge is left to it.
func rowOf(line int, columns []Column, cells []string) (*Row, []string) {
	row := &Row{Line: line, Result: NotTried}
	var wrong []string
	bad := func(column, format string, args ...any) {
		wrong = append(wrong, column+": "+fmt.Sprintf(format, args...))
	}
	skip := ""
	for i, c := range columns {
		cell := cells[i]
		if c.Name == columnPassword {
			row.HasPassword, row.Password = cell != "", engine.NewSecret(cell)
			continue
		}
		if cell = strings.TrimSpace(cell); cell == "" {
			continue
		}
		if strings.ContainsFunc(cell, unicode.IsControl) {
			bad(c.Name, "has a character that is not printable")
			continue
		}
		switch c.Name {
		case columnConnection:
			row.Connection = cell
		case columnServer:
			row.Server = cell
		case columnUsername:
			row.Username = cell
		case columnSkip:
			skip = cell
		default:
			value, why := hostField(c.Name, cell)
			if why != "" {
				bad(c.Name, "%s", why)
				continue
			}
			if row.Host == nil {
				row.Host = map[string]any{}
			}
			row.Host[c.Name] = value
		}
	}
	checkNames(row, bad)
	checkPassword(row, skip, bad)
	if row.Host == nil && !row.HasPassword && len(wrong) == 0 {
		wrong = append(wrong, "has neither a field of a host, such as address, nor a password")
	}
	return row, wrong
}

func checkNames(row *Row, bad func(column, format string, args ...any)) {
	switch {
	case row.Connection == "":
		bad(columnConnection, "required")
	case !nameForm.MatchString(row.Connection):
		bad(columnConnection, "is no name of a connection; letters, digits, - . and _ are allowed")
	}
	switch {
	case row.Server == "":
		bad(columnServer, "required")
	case row.Host != nil && !nameForm.MatchString(row.Server):
		bad(columnServer, "is no name of a host; letters, digits, - . and _ are allowed")
	}
}

func checkPassword(row *Row, skip string, bad func(column, format string, args ...any)) {
	if !row.HasPassword {
		if row.Username != "" {
			bad(columnUsername, "belongs to a password, and the row has none")
		}
		if skip != "" {
			bad(columnSkip, "belongs to a password, and the row has none")
		}
		return
	}
	p := row.Password.Reveal()
	switch {
	case utf8.RuneCountInString(p) > maxPassword:
		bad(columnPassword, "has more than %d characters", maxPassword)
	case strings.ContainsFunc(p, unicode.IsControl):
		bad(columnPassword, "has a character that is not printable, such as a line feed")
	}
	if row.Host != nil && row.Username == "" {
		bad(columnUsername, "required with the password of a new host")
	}
	if skip == "" {
		return
	}
	value, err := strconv.ParseBool(skip)
	if err != nil {
		bad(columnSkip, "must be true or false")
		return
	}
	row.SkipRotation = &value
}

// hostField is a cell as a field of hosts/, or why it is none.
func hostField(column, cell string) (any, string) {
	switch column {
	case columnPort:
		n, err := strconv.Atoi(cell)
		if err != nil || n < 1 || n > 65535 {
			return nil, "must be a number from 1 to 65535"
		}
		return n, ""
	case columnTrust:
		value, err := strconv.ParseBool(cell)
		if err != nil {
			return nil, "must be true or false"
		}
		return value, ""
	case columnPlatform:
		return oneOf(cell, "linux", "windows")
	case columnSudo:
		return oneOf(cell, "auto", "never", "tty")
	case columnTags:
		return tagsOf(cell)
	}
	return cell, ""
}

func oneOf(cell string, words ...string) (any, string) {
	for _, word := range words {
		if cell == word {
			return cell, ""
		}
	}
	return nil, "must be " + strings.Join(words, " or ")
}

// tagsOf reads tags, key=value with commas or semicolons between them.
func tagsOf(cell string) (any, string) {
	tags := map[string]any{}
	for part := range strings.FieldsFuncSeq(cell, func(c rune) bool { return c == ',' || c == ';' }) {
		key, value, found := strings.Cut(part, "=")
		key = strings.TrimSpace(key)
		if !found || key == "" {
			return nil, "must be key=value, several with commas or semicolons between them"
		}
		if _, twice := tags[key]; twice {
			return nil, "has a key twice"
		}
		tags[key] = strings.TrimSpace(value)
	}
	if len(tags) == 0 {
		return nil, "must be key=value, several with commas or semicolons between them"
	}
	return tags, ""
}
