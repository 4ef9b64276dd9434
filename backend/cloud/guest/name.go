package guest

import "strings"

// nameLine begins the line that bears a command's name.
const nameLine = "# cloudpw: "

// Named returns the script with our own id of the command as its last line, a comment. It is for clouds whose record of a
// command shows nothing else of what the caller chose. No name changes nothing.
func (s Script) Named(name string) Script {
	if name != "" {
		s.Text += nameLine + name + "\n"
	}
	return s
}

// HasName reports whether the text of a script, as a cloud shows it, is that of a script with this name.
func HasName(text, name string) bool {
	return name != "" && strings.HasSuffix(strings.TrimRight(text, "\r\n"), "\n"+nameLine+name)
}
