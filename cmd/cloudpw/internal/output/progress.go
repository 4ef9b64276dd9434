package output

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"
)

// Progress shows how far something has come: a bar on a terminal, else a line each time that the words change.
type Progress struct {
	w        io.Writer
	terminal bool
	drawn    string // the bar that stands on the terminal's last line
	last     string
}

// NewProgress begins to show the progress of something with a title. Stop ends it.
func NewProgress(w io.Writer, terminal bool, title string) *Progress {
	_, _ = fmt.Fprintln(w, Clean(title))
	return &Progress{w: w, terminal: terminal}
}

// Terminal reports whether a bar is shown, which likes to be told often.
func (p *Progress) Terminal() bool { return p.terminal }

// Update tells how far it has come, and some words about that.
func (p *Progress) Update(done, total int, words string) {
	words = Clean(words)
	if p.terminal {
		p.draw(bar(done, total) + " " + words)
		return
	}
	if words != p.last {
		_, _ = fmt.Fprintf(p.w, "  %s\n", words)
		p.last = words
	}
}

// Note says something beside, such as that Vault does not answer.
func (p *Progress) Note(words string) {
	words = Clean(words)
	if !p.terminal {
		_, _ = fmt.Fprintf(p.w, "  %s\n", words)
		return
	}
	drawn := p.drawn
	p.clear()
	_, _ = fmt.Fprintf(p.w, "  %s\n", words)
	if drawn != "" {
		p.draw(drawn)
	}
}

// Stop leaves the last state standing.
func (p *Progress) Stop() {
	if p.drawn != "" {
		_, _ = fmt.Fprintln(p.w)
		p.drawn = ""
	}
}

// The terminal's own commands: back to the line's beginning; clear the rest of it.
const (
	lineStart = "\r"
	lineRest  = "\x1b[K"
)

func (p *Progress) clear() {
	if p.drawn != "" {
		_, _ = io.WriteString(p.w, lineStart+lineRest)
		p.drawn = ""
	}
}

// draw replaces the bar. It takes one line, since another could not be replaced.
func (p *Progress) draw(line string) {
	line = text.Snip(line, p.columns()-1, "~")
	_, _ = io.WriteString(p.w, lineStart+line+lineRest)
	p.drawn = line
}

// columns is the terminal's width.
func (p *Progress) columns() int {
	if file, ok := p.w.(*os.File); ok {
		if n, _, err := term.GetSize(int(file.Fd())); err == nil && n > 0 {
			return n
		}
	}
	return 80
}

// barLength is in characters.
const barLength = 24

func bar(done, total int) string {
	share := 0
	if total > 0 {
		share = min(max(done, 0), total) * barLength / total
	}
	return "[" + strings.Repeat("#", share) + strings.Repeat(".", barLength-share) + "]"
}
