//go:build console && bench

package console

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

const (
	defaultAccounts = 100_000
	// roleSize is how many accounts a role has: few enough that one write of it ends in time on a busy machine.
	roleSize = 500
	// scrolls is how many places of the table are scrolled to.
	scrolls = 60
)

// TestScale measures the console with many accounts in a real Vault: the time to the first rows and to all of them, how long it takes
// to show the rows of a place far away in the table, sorts and searches, and the memory of the process and of the page.
func TestScale(t *testing.T) {
	size := defaultAccounts
	if text := os.Getenv("SCALE_ACCOUNTS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < roleSize || n%roleSize != 0 {
			t.Fatalf("SCALE_ACCOUNTS=%s: must be a multiple of %d", text, roleSize)
		}
		size = n
	}
	s := newScene(t, harness.Quiet)
	for n := range size / roleSize {
		role := fmt.Sprintf("role-%d", n)
		for i := range roleSize {
			s.server(t, fmt.Sprintf("node-%d-%d", n, i), role)
		}
		s.role(t, role, map[string]any{"mode": "static", "rotation_period": "240h"})
	}
	t.Logf("%d accounts are there", size)
	s.browser = startBrowser(t)
	p, link := s.console(t, s.vault.Address, s.vault.Client.Token())
	b := s.browser.open(t)
	began := time.Now()
	b.visit(link)
	b.await(`document.querySelectorAll(".row a").length > 5`)
	t.Logf("first rows after %s", time.Since(began).Round(10*time.Millisecond))
	whole := fmt.Sprintf("%d", size+1)
	b.await(`document.querySelector("[role=table]").getAttribute("aria-rowcount") === "` + whole + `"`)
	t.Logf("all rows after %s", time.Since(began).Round(10*time.Millisecond))

	// Each place is far from the one before, so that its rows are not there yet.
	var times []float64
	b.js(fmt.Sprintf(`(async () => {
		const scroller = document.querySelector("#scroller"), times = [];
		for (let i = 1; i <= %d; i++) {
			const began = performance.now();
			scroller.scrollTop = (scroller.scrollHeight - scroller.clientHeight) * ((i * 0.6180339) %% 1);
			while (true) {
				await new Promise(requestAnimationFrame);
				const box = scroller.getBoundingClientRect(), at = document.elementFromPoint(box.left + 60, box.top + box.height / 2)?.closest(".row");
				if (at?.querySelector("a") && Math.abs(Number(at.ariaRowIndex) * 52 - scroller.scrollTop) < 2000) break;
			}
			times.push(performance.now() - began);
		}
		return times.sort((a, b) => a - b);
	})()`, scrolls), &times)
	t.Logf("rows of a place far away: median %.0f ms, 95%% within %.0f ms, at most %.0f ms", times[scrolls/2], times[scrolls*95/100],
		times[scrolls-1])
	// By the wheel, frames that take long are seen as jerks.
	var frames []float64
	b.js(`(async () => {
		const scroller = document.querySelector("#scroller"), frames = [];
		scroller.scrollTop = 0;
		let before = await new Promise(requestAnimationFrame);
		for (let i = 0; i < 240; i++) {
			scroller.scrollTop += 120;
			const now = await new Promise(requestAnimationFrame);
			frames.push(now - before);
			before = now;
		}
		return frames.sort((a, b) => a - b);
	})()`, &frames)
	t.Logf("scrolling by 120 pixels a frame: median %.0f ms a frame, 95%% within %.0f ms, at most %.0f ms", frames[120], frames[228],
		frames[239])

	for _, step := range []struct {
		what string
		do   func()
		done string
	}{
		{"sort by name", func() { b.click("[data-sort=name] button", "Server") }, names + `[0] === "node-0-0"`},
		{"search", func() { b.choose("#filter-text", "node-7-499") }, `document.querySelector("#count").innerText.startsWith("1 of")`},
		{"clear", func() { b.click("button", "Clear filters") },
			`document.querySelector("[role=table]").getAttribute("aria-rowcount") === "` + whole + `"`},
	} {
		began := time.Now()
		step.do()
		b.await(step.done)
		t.Logf("%s: %s", step.what, time.Since(began).Round(10*time.Millisecond))
	}
	var heap struct{ Heap, Nodes float64 }
	b.js(`({ heap: performance.memory.usedJSHeapSize, nodes: document.querySelectorAll("*").length })`, &heap)
	t.Logf("the page: %.1f MiB of JavaScript's heap, %.0f elements", heap.Heap/(1<<20), heap.Nodes)
	t.Logf("the process: %s", resident(t, p.cmd.Process.Pid))
	if heap.Nodes > 2000 {
		t.Errorf("the page has %.0f elements: the table is not cut down to what can be seen", heap.Nodes)
	}
}

// resident is the memory of a process that Linux tells.
func resident(t *testing.T, pid int) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return "its memory is not known here"
	}
	var found []string
	for line := range strings.SplitSeq(string(content), "\n") {
		if strings.HasPrefix(line, "VmRSS") || strings.HasPrefix(line, "VmHWM") {
			found = append(found, strings.Join(strings.Fields(line), " "))
		}
	}
	return strings.Join(found, ", ")
}
