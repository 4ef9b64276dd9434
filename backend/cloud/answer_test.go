package cloud

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestAnswersBeyondTheBoundsAreRefused has what costs an SDK hundreds of times what it costs to send.
func TestAnswersBeyondTheBoundsAreRefused(t *testing.T) {
	fill := func(unit string) string { return strings.Repeat(unit, maxAnswer/len(unit)) }
	pack := func(plain string) string {
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		_, _ = w.Write([]byte(plain))
		_ = w.Close()
		return out.String()
	}
	for name, c := range map[string]struct {
		body    string
		gzip    bool
		refused bool
	}{
		"nothing":                  {"", false, false},
		"XML":                      {"<a>" + strings.Repeat("<item><b>c</b></item>", 1000) + "</a>", false, false},
		"JSON":                     {"[" + strings.Repeat(`{"a":"b, [c]"},`, 10_000) + "{}]", false, false},
		"4 MiB of text":            {`{"a":"` + strings.Repeat("[", maxAnswer-8) + `"}`, false, false},
		"more than 4 MiB":          {strings.Repeat("x", maxAnswer+1), false, true},
		"empty items":              {fill("<item/>"), false, true},
		"items with a prefix":      {fill("<x:ITEM />"), false, true},
		"items with an attribute":  {fill(`<item a="/>">`), false, true},
		"items after text":         {`{"a":[` + fill("<item/>")[20:], false, true},
		"empty elements":           {fill("<a/>"), false, true},
		"members":                  {fill("<member></member>"), false, true},
		"nested elements":          {strings.Repeat("<a>", 100), false, true},
		"empty objects":            {"[" + fill("{},")[2:] + "]", false, true},
		"numbers":                  {"[" + fill("0,")[2:] + "]", false, true},
		"nested lists":             {strings.Repeat("[", 100), false, true},
		"quotes in XML, then JSON": {`<a b='"'>` + fill("[],")[20:], false, false}, // text of an element
		"compressed":               {pack("[1,2,3]"), true, false},
		"a compressed bomb":        {pack(strings.Repeat("\x00", 64<<20)), true, true},
		"compressed items":         {pack(fill("<item/>")), true, true},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if c.gzip {
					w.Header().Set("Content-Encoding", "gzip")
				}
				_, _ = w.Write([]byte(c.body))
			}))
			defer server.Close()
			t.Setenv("CLOUDPW_ALLOW_LOOPBACK_HTTP", "true")
			body, err := fetch(t, server.URL)
			if c.refused != errors.Is(err, ErrAnswer) || !c.refused && err != nil {
				t.Fatalf("%d bytes, %v", len(body), err)
			}
			if !c.refused {
				if !c.gzip && string(body) != c.body {
					t.Error("another body")
				}
				return
			}
			if e := Transport("ec2 DescribeInstances", err); e.Kind != Unknown || !strings.Contains(e.Error(), "larger or more complex") {
				t.Errorf("%s: %v", e.Kind, e)
			}
		})
	}
}

func fetch(t *testing.T, url string) ([]byte, error) {
	t.Helper()
	client, err := NewHTTPClient("", 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	resp, err := client.Get(url)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

func TestAnswersWithoutAnEndAreRefused(t *testing.T) {
	t.Setenv("CLOUDPW_ALLOW_LOOPBACK_HTTP", "true")
	for name, handler := range map[string]http.HandlerFunc{
		"body": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(bytes.Repeat([]byte("x"), 64<<10)); err != nil {
					return
				}
			}
		},
		"header": func(w http.ResponseWriter, _ *http.Request) {
			for i := range 1000 {
				w.Header().Set(fmt.Sprintf("X-%d", i), strings.Repeat("x", 1000))
			}
		},
	} {
		server := httptest.NewServer(handler)
		if body, err := fetch(t, server.URL); err == nil {
			t.Errorf("%s: %d bytes", name, len(body))
		}
		server.Close()
	}
}

func TestBrokenAnswersKeepWhatCame(t *testing.T) {
	t.Setenv("CLOUDPW_ALLOW_LOOPBACK_HTTP", "true")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte("the first part"))
	}))
	defer server.Close()
	if body, err := fetch(t, server.URL); string(body) != "the first part" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%q, %v", body, err)
	}
}

// FuzzBounds holds that whatever is let through has no more elements than the bounds say.
func FuzzBounds(f *testing.F) {
	f.Add([]byte(`{"a":["b",{"c":"\"["}]}`))
	f.Add([]byte("<a><item x='>'/><b:member></b:member><!-- < --></a>"))
	f.Add([]byte(`<a "<a '<a`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if simple(body) != simple(append([]byte(nil), body...)) {
			t.Error("not the same twice")
		}
		if n := bytes.Count(body, []byte("<")); n <= maxDepth && bytes.Count(body, []byte("["))+bytes.Count(body, []byte("{")) <= maxDepth &&
			len(body) < maxValues && !simple(body) {
			t.Errorf("%d bytes are refused", len(body))
		}
	})
}
