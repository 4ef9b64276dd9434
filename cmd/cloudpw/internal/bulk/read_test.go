package bulk

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

const secret = "Geheim-17,;\"x"

func mustRead(t *testing.T, text string) []*Row {
	t.Helper()
	rows, err := Read(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestReadRows(t *testing.T) {
	rows := mustRead(t, "Connection, server ,address,port,trust_on_first_use,platform,sudo,tags,username,password,"+
		"skip_import_rotation,host_key\n"+
		"dc-1,web-1, 192.0.2.7 ,2222,TRUE,linux,tty,\"env=prod, app=a=b\",,,,ssh-ed25519 AAAA\n"+
		"\n"+
		",,,,,,,,,,,\n"+
		"dc-1,web-2,,,,,,,root,\" \"\"x \",true,\n"+
		"dc-1,web-3,192.0.2.8,,,,,env=a;app=b,admin,p,,\n")
	if len(rows) != 3 || rows[0].Line != 2 || rows[1].Line != 5 || rows[2].Line != 6 {
		t.Fatalf("%+v", rows)
	}
	if want := map[string]any{"address": "192.0.2.7", "port": 2222, "trust_on_first_use": true, "platform": "linux", "sudo": "tty",
		"tags": map[string]any{"env": "prod", "app": "a=b"}, "host_key": "ssh-ed25519 AAAA"}; !reflect.DeepEqual(rows[0].Host, want) ||
		rows[0].HasPassword {
		t.Errorf("the host is %v", rows[0])
	}
	if r := rows[1]; r.Host != nil || r.Password.Reveal() != ` "x ` || r.Username != "root" || r.SkipRotation == nil || !*r.SkipRotation {
		t.Errorf("the password is %v of %+v", r.Password.Reveal(), r)
	}
	if r := rows[2]; !r.HasPassword || r.SkipRotation != nil || !reflect.DeepEqual(r.Host["tags"], map[string]any{"env": "a", "app": "b"}) {
		t.Errorf("both are %+v", r)
	}
	if shown := fmt.Sprintf("%v %+v %#v", *rows[1], *rows[1], *rows[1]); strings.Contains(shown, `"x `) {
		t.Errorf("a printed row shows its password: %s", shown)
	}
}

// TestReadForms: what spreadsheets write is read, and all of it is the same.
func TestReadForms(t *testing.T) {
	plain := "connection,server,username,password\ndc-1,web-1,root,a b\ndc-1,web-2,root,c\n"
	for name, text := range map[string]string{
		"a byte order mark": "\xEF\xBB\xBF" + plain,
		"CRLF":              strings.ReplaceAll(plain, "\n", "\r\n"),
		"both":              "\xEF\xBB\xBF" + strings.ReplaceAll(plain, "\n", "\r\n"),
		"semicolons":        strings.ReplaceAll(plain, ",", ";"),
		"tabs":              strings.ReplaceAll(plain, ",", "\t"),
		"no last line feed": strings.TrimSuffix(plain, "\n"),
		"quotation marks":   "\"connection\",\"server\",\"username\",\"password\"\n\"dc-1\",web-1,root,\"a b\"\ndc-1,web-2,root,c\n",
	} {
		rows := mustRead(t, text)
		if len(rows) != 2 || rows[0].Connection != "dc-1" || rows[0].Password.Reveal() != "a b" || rows[1].Server != "web-2" ||
			rows[1].Password.Reveal() != "c" || rows[1].Line != 3 {
			t.Errorf("%s: %+v", name, rows)
		}
	}
}

func TestReadRefusesFiles(t *testing.T) {
	for _, c := range []struct{ name, text, says string }{
		{"nothing", "", "the file is empty"},
		{"no rows", "connection,server,password\n", "a header and no rows"},
		{"UTF-16", "\xFF\xFEc\x00o\x00", "UTF-16"},
		{"UTF-16 without a mark", "c\x00o\x00", "UTF-16"},
		{"Latin-1", "connection,server,password\ndc-1,web,\xE4\n", "line 2 is no UTF-8"},
		{"an unknown column", "connection,server,pasword\n", `column 3, "pasword", is unknown; the first line names the columns, which are connection`},
		{"no header", "dc-1,web-1,root," + "hunter2\n", "is unknown"},
		{"an unnamed column", "connection,,password\n", "column 2 has no name"},
		{"a column twice", "connection,server,password,Password\n", "column password is there twice"},
		{"no connection", "server,password\n", "column connection is missing"},
		{"no server", "connection,password\n", "column server is missing"},
		{"a quotation mark", "connection,server,password\ndc-1,web,a\"" + secret + "\n", "line 2, character"},
		{"no end of a cell", "connection,server,password\ndc-1,web,\"" + "Geheim\n", "quotation mark"},
	} {
		_, err := Read(strings.NewReader(c.text))
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "Geheim") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestReadListsAllMistakes(t *testing.T) {
	header := "connection,server,address,port,trust_on_first_use,platform,sudo,tags,username,password,skip_import_rotation\n"
	lines := []struct{ line, says string }{
		{",web,192.0.2.1,,,,,,,,", "connection: required"},
		{"d/c,web,192.0.2.1,,,,,,,,", "connection: is no name"},
		{"dc,,192.0.2.1,,,,,,,,", "server: required"},
		{"dc,web 1,192.0.2.1,,,,,,,,", "server: is no name of a host"},
		{"dc,p,192.0.2.1,0,,,,,,,", "port: must be a number from 1 to 65535"},
		{"dc,q,192.0.2.1,65536,,,,,,,", "port: must be"},
		{"dc,r,192.0.2.1,,perhaps,,,,,,", "trust_on_first_use: must be true or false"},
		{"dc,s,192.0.2.1,,,bsd,,,,,", "platform: must be linux or windows"},
		{"dc,t,192.0.2.1,,,,yes,,,,", "sudo: must be auto or never or tty"},
		{"dc,u,192.0.2.1,,,,,env,,,", "tags: must be key=value"},
		{"dc,u2,192.0.2.1,,,,,\"a=1,a=2\",,,", "tags: has a key twice"},
		{"dc,v,192.0.2.1,,,,,,root,,", "username: belongs to a password"},
		{"dc,w,192.0.2.1,,,,,,,,true", "skip_import_rotation: belongs to a password"},
		{"dc,x,,,,,,,root,\"Geheim\nx\",", "password: has a character that is not printable"},
		{"dc,y,,,,,,,root," + strings.Repeat("Geheim", 43) + ",", "password: has more than 255 characters"},
		{"dc,z,,,,,,,root,Geheim,maybe", "skip_import_rotation: must be true or false"},
		{"dc,new,192.0.2.1,,,,,,,Geheim,", "username: required with the password of a new host"},
		{"dc,empty,,,,,,,,,", "has neither a field of a host, such as address, nor a password"},
		{"dc,short,192.0.2.1", "has 3 cells, and the header 11"},
		{"dc,ok,,,,,,,root,Geheim,", ""},
		{"dc,ok,,,,,,,root,Geheim2,", "is about the same account or host as line"},
		{"dc,ok,,,,,,,admin,Geheim2,", ""},
		{"dc,bell\a,,,,,,,root,Geheim,", "server: has a character that is not printable"},
	}
	text, n := header, 0
	for _, l := range lines {
		text += l.line + "\n"
		if l.says != "" {
			n++
		}
	}
	_, err := Read(strings.NewReader(text))
	var wrong *MistakesError
	if !errors.As(err, &wrong) {
		t.Fatal(err)
	}
	line := 2
	for _, l := range lines {
		found := ""
		for _, m := range wrong.Mistakes {
			if m.Line == line {
				found += m.Text + "\n"
			}
		}
		if (l.says == "") != (found == "") || !strings.Contains(found, l.says) {
			t.Errorf("line %d, %q: %q", line, l.line, found)
		}
		line += 1 + strings.Count(l.line, "\n")
	}
	if strings.Contains(err.Error(), "Geheim") || strings.Contains(err.Error(), "perhaps") ||
		!strings.Contains(err.Error(), "nothing was sent") || !strings.Contains(err.Error(), "line 2: connection: required") {
		t.Errorf("the error is %s", err)
	}
}

// TestAMessageIsBounded: the mistakes of a file in another form are as many as its lines.
func TestAMessageIsBounded(t *testing.T) {
	text := "connection,server,password\n" + strings.Repeat("dc\n", 5000)
	_, err := Read(strings.NewReader(text))
	if err == nil || strings.Count(err.Error(), "\n") != maxMistakes+1 || !strings.Contains(err.Error(), "5,000 mistakes") ||
		!strings.Contains(err.Error(), "and 4950 more") {
		t.Errorf("%v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add("connection,server,password\ndc-1,web,\"x\"\n")
	f.Add("\xEF\xBB\xBFconnection;server;address;tags\r\ndc-1;web;192.0.2.1;a=b\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		rows, err := Read(strings.NewReader(text))
		if (err == nil) == (len(rows) == 0) {
			t.Errorf("%d rows, %v", len(rows), err)
		}
		for _, r := range rows {
			if r.Connection == "" || r.Server == "" || r.Host == nil && !r.HasPassword || r.Line < 2 {
				t.Errorf("%+v", r)
			}
		}
	})
}
