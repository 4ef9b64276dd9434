package output

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/jedib0t/go-pretty/v6/progress"
)

// Progress shows how far something has come: a bar on a terminal, else a line each time that the words change.
type Progress struct {
	w       io.Writer
	bar     progress.Writer
	tracker *progress.Tracker
	done    sync.WaitGroup
	last    string
}

// NewProgress begins to show the progress of something with a title. Stop ends it.
func NewProgress(w io.Writer, terminal bool, title string) *Progress {
	p := &Progress{w: w}
	title = Clean(title)
	if !terminal {
		_, _ = fmt.Fprintln(w, title)
		return p
	}
	p.bar = progress.NewWriter()
	p.bar.SetOutputWriter(w)
	p.bar.SetTrackerLength(30)
	p.bar.SetUpdateFrequency(200 * time.Millisecond)
	p.bar.SetStyle(progress.StyleBlocks)
	p.bar.Style().Visibility = progress.StyleVisibility{Percentage: true, Tracker: true, Value: true}
	p.tracker = &progress.Tracker{Message: title}
	p.bar.AppendTracker(p.tracker)
	p.done.Go(p.bar.Render)
	return p
}

// Terminal reports whether a bar is shown, which likes to be told often.
func (p *Progress) Terminal() bool { return p.bar != nil }

// Update tells how far it has come, and some words about that.
func (p *Progress) Update(done, total int, words string) {
	words = Clean(words)
	if p.bar == nil {
		if words != p.last {
			_, _ = fmt.Fprintf(p.w, "  %d of %d: %s\n", done, total, words)
			p.last = words
		}
		return
	}
	p.tracker.UpdateTotal(int64(total))
	p.tracker.SetValue(int64(done))
	p.tracker.UpdateMessage(words)
}

// Note says something beside, such as that Vault does not answer.
func (p *Progress) Note(words string) {
	words = Clean(words)
	if p.bar != nil {
		p.bar.Log("%s", words)
		return
	}
	_, _ = fmt.Fprintln(p.w, "  "+words)
}

// Stop leaves the last state standing.
func (p *Progress) Stop() {
	if p.bar != nil {
		p.bar.Stop()
		p.done.Wait()
		p.bar = nil
	}
}
