package console

import (
	"bytes"
	"embed"
	"io/fs"
	"net/http"
	"path"
	"time"
)

//go:embed assets/index.html assets/*.css assets/*.js assets/icon.svg assets/vendor
var embedded embed.FS

// kinds are the content types of the page's files. The system's table is not asked: it may say anything of .js.
var kinds = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
	".svg": "image/svg+xml", "": "text/plain; charset=utf-8",
}

// asset serves a file of the page by the path below /assets/. There is no list of files.
func asset(w http.ResponseWriter, r *http.Request) { serveFile(w, r, r.PathValue("file")) }

// page serves the page, which asks the API for all that it shows.
func page(w http.ResponseWriter, r *http.Request) { serveFile(w, r, "index.html") }

func serveFile(w http.ResponseWriter, r *http.Request, name string) {
	kind, known := kinds[path.Ext(name)]
	content, err := fs.ReadFile(embedded, path.Join("assets", path.Clean("/"+name)))
	if err != nil || !known {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", kind)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}
