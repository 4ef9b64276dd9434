//go:build console

package console

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// names are the servers' names of the rows that the table has, from the top.
const names = `[...document.querySelectorAll(".row")].sort((a, b) => a.ariaRowIndex - b.ariaRowIndex)` +
	`.map((row) => row.querySelector("a")?.innerText ?? "")`

// testFleet: the table has all accounts, of which it makes only those that can be seen, and finds and sorts them.
func (s *scene) testFleet(t *testing.T) {
	b := s.root(t)
	all := many + 24
	b.await(fmt.Sprintf(`document.querySelector("#count").innerText === "%d,%03d accounts"`, all/1000, all%1000))
	b.await(fmt.Sprintf(`document.querySelector("[role=table]").getAttribute("aria-rowcount") === "%d"`, all+1))
	var made int
	b.js(`document.querySelectorAll(".row").length`, &made)
	if made > 60 {
		t.Errorf("%d rows are made at once", made)
	}
	count := func(expression string) {
		t.Helper()
		b.await(`document.querySelector("#count").innerText.startsWith("` + expression + `")`)
	}

	b.click("[data-sort=name] button", "Server")
	b.choose("#filter-role", "web")
	count("12 of 2,024 accounts")
	var got []string
	b.await(names + `.length === 12`)
	b.js(names, &got)
	want := []string{"web-1", "web-2", "web-3", "web-4", "web-5", "web-6", "web-7", "web-8", "web-9", "web-10", "web-11", "web-12"}
	if !slices.Equal(got, want) {
		t.Errorf("sorted by name: %q", got)
	}
	b.click("[data-sort=name] button", "Server")
	b.await(names + `[0] === "web-12"`)
	b.await(`document.querySelector("[data-sort=name]").ariaSort === "descending"`)

	b.choose("#filter-holder", "userpass-alice")
	count("2 of") // web-1 and web-3; a static role has no lease
	b.choose("#filter-holder", "")
	b.js(`document.querySelector("#filter-failing").click()`, nil)
	count("1 of")
	b.await(names + `[0] === "web-7"`)
	b.js(`document.querySelector("#filter-failing").click()`, nil)
	b.choose("#filter-state", "ready")
	count("11 of")
	b.choose("#filter-older", "1")
	count("0 of")
	b.click("button", "Clear filters")
	count("2,024 accounts")
	b.choose("#filter-text", "NODE-01")
	count("100 of")
	b.choose("#filter-connection", "prod-tencent")
	count("100 of")
	b.js(`document.querySelector("#filter-drifted").click()`, nil)
	count("0 of")
	// The address has the filters, so that a reload keeps them.
	var hash string
	b.js(`location.hash`, &hash)
	for _, part := range []string{"text=NODE-01", "connection=prod-tencent", "drifted=true"} {
		if !strings.Contains(hash, part) {
			t.Errorf("the address %s lacks %s", hash, part)
		}
	}
	b.js(`document.querySelector("#filter-drifted").click()`, nil)
	b.js(`location.reload()`, nil)
	count("100 of")
	var text string
	b.js(`document.querySelector("#filter-text").value`, &text)
	if text != "NODE-01" {
		t.Errorf("after a reload the search is %q", text)
	}
	b.click("button", "Clear filters")
	count("2,024 accounts")
	b.js(`document.querySelector("#scroller").scrollTop = 1e9`, nil)
	b.await(fmt.Sprintf(`document.querySelector('.row[aria-rowindex="%d"] a')`, all+1))
}

// testKeyboard: everything can be reached and used without a mouse.
func (s *scene) testKeyboard(t *testing.T) {
	b := s.root(t)
	focused := func(expression string) {
		t.Helper()
		b.await(`((one) => ` + expression + `)(document.activeElement)`)
	}
	b.js(`document.activeElement.blur()`, nil)
	b.press(kb.Tab)
	focused(`one.classList.contains("skip")`)
	b.press(kb.Enter)
	focused(`one.id === "main"`)
	b.press(kb.Tab)
	focused(`one.id === "filter-text"`)
	b.press("w", "e", "b", "-", "1")
	b.await(names + `.length === 4`) // web-1, web-10, web-11, web-12
	// From the filters to the table, whose rows are one stop.
	for range 40 {
		b.press(kb.Tab)
		var there bool
		b.js(`Boolean(document.activeElement.closest(".row"))`, &there)
		if there {
			break
		}
	}
	focused(`one.closest(".row")?.ariaRowIndex === "2"`)
	b.press(kb.ArrowDown, kb.ArrowDown)
	focused(`one.closest(".row")?.ariaRowIndex === "4"`)
	b.press(kb.ArrowUp)
	focused(`one.closest(".row")?.ariaRowIndex === "3"`)
	b.press(kb.End)
	focused(`one.closest(".row")?.ariaRowIndex === "5"`)
	b.press(kb.Home)
	focused(`one.closest(".row")?.ariaRowIndex === "2"`)
	// Far rows are fetched before they get the focus.
	b.click("button", "Clear filters")
	b.await(`document.querySelector("#count").innerText === "2,024 accounts"`)
	b.js(`document.querySelector(".row a").focus()`, nil)
	b.press(kb.End)
	focused(fmt.Sprintf(`one.closest(".row")?.ariaRowIndex === "%d"`, many+24+1))
	b.press(kb.PageUp)
	focused(fmt.Sprintf(`Number(one.closest(".row")?.ariaRowIndex) < %d`, many+24))
	b.press(kb.Home)
	focused(`one.closest(".row")?.ariaRowIndex === "2"`)
	b.press(kb.Enter)
	b.await(`location.hash.startsWith("#/server/prod-tencent/")`)
	focused(`one.tagName === "H1"`)
	// A question takes the focus and gives it back.
	b.await(`[...document.querySelectorAll("button")].some((one) => one.innerText === "Rotate")`)
	b.js(`[...document.querySelectorAll("button")].find((one) => one.innerText === "Rotate").focus()`, nil)
	b.press(kb.Enter)
	focused(`one.innerText === "Cancel" && one.closest("dialog")`)
	b.press(kb.Escape)
	focused(`one.innerText === "Rotate" && !document.querySelector("dialog")`)
}
