//go:build console

package console

import (
	"os"
	"path/filepath"
	"testing"
)

// largestPicture is how many bytes a picture may have.
const largestPicture = 150 << 10

// testPictures takes the pictures of the README and the docs.
func (s *scene) testPictures(t *testing.T) {
	folder := os.Getenv("PICTURES")
	b := s.root(t)
	b.media("prefers-color-scheme", "light")
	b.size(1200, 640)
	b.choose("#filter-text", "web-")
	b.click("[data-sort=name] button", "Server")
	b.await(names + `.length === 12`)
	b.await(`document.querySelector(".row[aria-rowindex='2'] a").innerText === "web-1"`)
	b.take(t, filepath.Join(folder, "console-fleet.png"))

	b.media("prefers-color-scheme", "dark")
	b.view(s.accountPage("web-1"), "web-1")
	b.await(`document.querySelectorAll(".timeline li").length > 4`)
	b.size(1200, 720)
	b.take(t, filepath.Join(folder, "console-server-dark.png"))

	b.media("prefers-color-scheme", "light")
	b.size(360, 720)
	b.view("#/fleet", "Fleet")
	b.choose("#filter-text", "web-")
	b.await(`document.querySelector("#count").innerText.startsWith("12 of")`)
	b.choose("#sort", "name")
	b.await(names + `[0] === "web-1"`)
	b.js(`document.querySelector("#count").scrollIntoView({ block: "start" })`, nil)
	b.take(t, filepath.Join(folder, "console-small.png"))
}

// take takes a picture, which must be small.
func (b *tab) take(t *testing.T, path string) {
	t.Helper()
	b.js(`document.activeElement?.blur()`, nil)
	b.js(`new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))`, nil)
	b.picture(path)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > largestPicture {
		t.Errorf("%s has %d bytes, more than %d", path, info.Size(), largestPicture)
	}
}
