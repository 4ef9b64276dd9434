package guestos

import (
	"regexp"
	"strconv"
	"strings"
)

// plainWord is a word that means itself, or one between quotes in which nothing is special.
const plainWord = "(?:[A-Za-z0-9_.,:/=+][A-Za-z0-9_.,:/=+-]*|'[^'\\\\]*'|\"[^\"$`\\\\!]*\")"

var (
	// plainLine is a line of a script that is played: true, false, exit or echo with such words, a comment or
	// nothing.
	plainLine  = regexp.MustCompile(`^\s*(?:(true|:|false)|exit(?: +([0-9]{1,3}))?|echo((?: +` + plainWord + `)*)|#.*)?\s*$`)
	plainWords = regexp.MustCompile(plainWord)
)

// playPlain plays a script that has nothing but plain lines, as clients send to see whether commands work at
// all. It runs nothing. False: there is more to it.
func playPlain(text string) (Result, bool) {
	var r Result
	var out strings.Builder
	for line := range strings.Lines(text) {
		m := plainLine.FindStringSubmatch(strings.TrimRight(line, "\r\n"))
		if m == nil {
			return Result{}, false
		}
		command, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch command {
		case "true", ":":
			r.ExitCode = 0
		case "false":
			r.ExitCode = 1
		case "exit":
			if m[2] != "" {
				n, err := strconv.Atoi(m[2])
				if err != nil || n > 255 {
					return Result{}, false
				}
				r.ExitCode = n
			}
			r.Output = out.String()
			return r, true
		case "echo":
			words := plainWords.FindAllString(m[3], -1)
			for i, w := range words {
				if w[0] == '\'' || w[0] == '"' {
					words[i] = w[1 : len(w)-1]
				}
			}
			out.WriteString(strings.Join(words, " ") + "\n")
			r.ExitCode = 0
		}
	}
	r.Output = out.String()
	return r, true
}
