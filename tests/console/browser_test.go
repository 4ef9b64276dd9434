//go:build console

package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// patience is how long the page may take for anything on a busy machine.
const patience = 90 * time.Second

// browser is a running Chromium.
type browser struct{ ctx context.Context }

// startBrowser finds a Chromium (CHROMIUM_BIN, or by its usual names) and starts it without a window.
func startBrowser(t *testing.T) *browser {
	t.Helper()
	path := os.Getenv("CHROMIUM_BIN")
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); path == "" && err == nil {
			path = found
		}
	}
	if path == "" {
		t.Fatal("no Chromium: install Debian's package chromium, or set CHROMIUM_BIN to the path of a Chromium or Chrome")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()),
		chromedp.WSURLReadTimeout(patience), chromedp.Flag("force-color-profile", "srgb"), chromedp.Flag("lang", "en-GB"))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, end := chromedp.NewContext(allocator)
	t.Cleanup(end)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	return &browser{ctx}
}

// tab is a page in a profile of its own: without the cookies of other tabs.
type tab struct {
	*testing.T
	ctx context.Context

	mu     sync.Mutex
	faults []string // what must not happen in any page
	hosts  map[string]bool
}

// watcher notes in the page what its content security policy has refused.
const watcher = `addEventListener("securitypolicyviolation", (e) => {
	(globalThis.refused ??= []).push(e.violatedDirective + " " + e.blockedURI + " " + e.sample + " " + e.sourceFile + ":" + e.lineNumber);
});`

// open opens an empty tab. At its end the test fails if a script has failed in it, if the content security policy has refused
// something, or if it has asked anything but the console.
func (b *browser) open(t *testing.T) *tab {
	t.Helper()
	ctx, end := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	tab := &tab{T: t, ctx: ctx, hosts: map[string]bool{}}
	err := chromedp.Do(ctx)
	if err == nil {
		err = chromedp.Listen(ctx, tab.event)
	}
	if err == nil {
		err = errors.Join(call(ctx, network.Enable, network.EnableParams{}), call(ctx, log.Enable, cdp.Empty{}), call(ctx, runtime.Enable,
			cdp.Empty{}),
			call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: watcher}))
	}
	if err != nil {
		end()
		t.Fatalf("open a tab: %v", err)
	}
	tab.size(1280, 800)
	t.Cleanup(func() {
		tab.noFaults()
		end()
	})
	return tab
}

// call sends a command of the browser's protocol.
func call[P, R any](ctx context.Context, command cdp.Command[P, R], params P) error {
	return chromedp.Do(ctx, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, command, params)
		return err
	}))
}

// event looks for what must not happen.
func (b *tab) event(event any) {
	fault := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		fault = "a script has failed: " + e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			fault += " " + e.ExceptionDetails.Exception.Description
		}
	case *log.EventEntryAdded:
		// An answer with an error status is noted as a failure of the network, which it is not.
		if e.Entry.Level == log.EntryLevelError && e.Entry.Source != log.EntrySourceNetwork {
			fault = "the browser's log: " + e.Entry.Text
		}
	case *page.EventJavascriptDialogOpening:
		fault = "a dialog: " + e.Message
	case *network.EventRequestWillBeSent:
		if rest, http := strings.CutPrefix(e.Request.URL, "http://"); http {
			host, _, _ := strings.Cut(rest, "/")
			b.mu.Lock()
			b.hosts[host] = true
			b.mu.Unlock()
		} else if !strings.HasPrefix(e.Request.URL, "data:") && !strings.HasPrefix(e.Request.URL, "about:") {
			fault = "a request to " + e.Request.URL
		}
	}
	if fault != "" {
		b.mu.Lock()
		b.faults = append(b.faults, fault)
		b.mu.Unlock()
	}
}

// noFaults fails the test if something has happened that must not.
func (b *tab) noFaults() {
	b.Helper()
	b.mu.Lock()
	faults, hosts := b.faults, slices.Sorted(maps.Keys(b.hosts))
	b.faults = nil
	b.mu.Unlock() // an event that waited for it would keep the answer to the question below from coming
	for _, fault := range faults {
		b.Errorf("%s", fault)
	}
	if len(hosts) > 1 {
		b.Errorf("the page has asked several hosts: %v", hosts)
	}
	var refused []string
	if err := b.tryJS(`globalThis.refused ?? []`, &refused); err == nil {
		for _, one := range refused {
			b.Errorf("the content security policy has refused %s", one)
		}
	}
}

// tryJS evaluates an expression, waits for it if it is a promise, and decodes its value.
func (b *tab) tryJS(expression string, into any) error {
	ctx, end := context.WithTimeout(b.ctx, patience)
	defer end()
	raw, err := chromedp.Run(ctx, chromedp.Evaluate[[]byte](expression, chromedp.EvalAwaitPromise))
	if err != nil || into == nil {
		return err
	}
	return json.Unmarshal(raw, into)
}

// js is tryJS that fails the test. It has no value where into is nil.
func (b *tab) js(expression string, into any) {
	b.Helper()
	if into == nil {
		expression = "(async () => { await (" + expression + "); return null; })()"
	}
	if err := b.tryJS(expression, into); err != nil {
		b.Fatalf("%s: %v", expression, err)
	}
}

// await waits until an expression is true.
func (b *tab) await(expression string) {
	b.Helper()
	harness.Eventually(b.T, patience, expression, func() error {
		var yes bool
		if err := b.tryJS("Boolean("+expression+")", &yes); err != nil {
			return err
		}
		if !yes {
			var text string
			_ = b.tryJS(`document.body?.innerText.slice(0, 1500)`, &text)
			return fmt.Errorf("it is not so; the page shows:\n%s", text)
		}
		return nil
	})
}

// shows waits until the page's text has a text.
func (b *tab) shows(text string) {
	b.Helper()
	b.await(`document.querySelector("main")?.innerText.includes(` + quoted(text) + `)`)
}

// text is what the page shows.
func (b *tab) text() (text string) {
	b.Helper()
	b.js(`document.body.innerText`, &text)
	return text
}

// everything is all that the page has: its elements with their attributes, and the values of its fields.
func (b *tab) everything() (all string) {
	b.Helper()
	b.js(`document.documentElement.outerHTML + [...document.querySelectorAll("input")].map((one) => one.value).join(" ") + location.href`,
		&all)
	return all
}

// click clicks the first element that a selector finds and whose text begins with label.
func (b *tab) click(selector, label string) {
	b.Helper()
	found := `[...document.querySelectorAll(` + quoted(selector) + `)].find((one) => !one.disabled && one.innerText.trim().startsWith(` +
		quoted(label) + `))`
	b.await(found)
	b.js(`(`+found+`).click()`, nil)
}

// choose sets a select or a field of a form as a user does.
func (b *tab) choose(selector, value string) {
	b.Helper()
	b.await(`document.querySelector(` + quoted(selector) + `)`)
	b.js(`(() => { const one = document.querySelector(`+quoted(selector)+`); one.value = `+quoted(value)+`;
		one.dispatchEvent(new Event("input", { bubbles: true })); one.dispatchEvent(new Event("change", { bubbles: true })); })()`, nil)
}

// press presses keys as a keyboard does.
func (b *tab) press(keys ...string) {
	b.Helper()
	for _, key := range keys {
		if err := chromedp.Do(b.ctx, chromedp.KeyEvent(key)); err != nil {
			b.Fatalf("press a key: %v", err)
		}
	}
}

// visit goes to an address.
func (b *tab) visit(url string) {
	b.Helper()
	ctx, end := context.WithTimeout(b.ctx, patience)
	defer end()
	if err := chromedp.Do(ctx, chromedp.Navigate(url)); err != nil {
		b.Fatalf("visit: %v", err)
	}
}

// view shows a view of the console. A link leads there by a page of its own, which may not have gone yet.
func (b *tab) view(hash, title string) {
	b.Helper()
	b.await(`location.pathname.startsWith("/c/") && document.readyState === "complete"`)
	b.js(`location.hash = `+quoted(hash), nil)
	b.await(`document.querySelector("h1")?.innerText.includes(` + quoted(title) + `)`)
}

// size sets the size of the window.
func (b *tab) size(width, height int64) {
	b.Helper()
	if err := call(b.ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height,
		DeviceScaleFactor: 1}); err != nil {
		b.Fatalf("set the size of the window: %v", err)
	}
}

// media sets what the page learns of the user's wishes, such as "prefers-color-scheme", "dark".
func (b *tab) media(name, value string) {
	b.Helper()
	err := call(b.ctx, emulation.SetEmulatedMedia,
		emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: name, Value: value}}})
	if err != nil {
		b.Fatalf("emulate %s: %v", name, err)
	}
}

// picture takes a picture of the window.
func (b *tab) picture(path string) {
	b.Helper()
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(path, png, 0o644)
	}
	if err != nil {
		b.Fatalf("take a picture: %v", err)
	}
}

// quoted is a text as JavaScript writes it.
func quoted(text string) string {
	raw, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string can always be written
	}
	return string(raw)
}
