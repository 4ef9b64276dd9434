package cloud

import (
	"bytes"
	"errors"
	"io"
	"net/http"
)

// An endpoint is not trusted to keep its answers small, nor to answer with what was asked for. SDKs build a value
// for each element of an answer, of a kilobyte and more for one of a few bytes: so an answer is read whole and its
// elements are counted before an SDK sees it. A page of ours has 100 instances, in real clouds well under 1 MiB
// with some tens of thousands of elements.
const (
	// maxAnswer bounds an answer's body, in bytes, after decompression.
	maxAnswer = 4 << 20
	// maxHeader bounds an answer's header, in bytes.
	maxHeader = 256 << 10
	// maxValues bounds the values of JSON, maxElements those of XML, and maxItems the elements of XML's lists.
	maxValues   = 200_000
	maxElements = 400_000
	maxItems    = 50_000
	// maxDepth bounds how deep values are nested.
	maxDepth = 64
)

// ErrAnswer is the refusal of an answer that is larger or more complex than any of a cloud.
var ErrAnswer = errors.New("the answer is larger or more complex than any of a cloud")

// ReadBounded reads an answer's body and gives it back, unless it is beyond the bounds. The client of NewHTTPClient does so by itself;
// it is for clients that an SDK insists on making. What came before a connection
// broke is left for the SDK to judge, with the error at its end.
func ReadBounded(resp *http.Response) error {
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if len(body) > maxAnswer || !simple(body) {
		return ErrAnswer
	}
	resp.Body = wholeBody{bytes.NewReader(body)}
	if err != nil {
		resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), broken{err}))
	}
	return nil
}

// wholeBody is a body that has been read.
type wholeBody struct{ *bytes.Reader }

// Close implements io.Closer.
func (wholeBody) Close() error { return nil }

// broken is a body that ends with an error.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

// simple reports whether a body has no more elements than its SDK can take. Which format it is read in is for the
// SDK to say, and XML may begin with any text: so each body is looked at as both.
func simple(body []byte) bool { return simpleJSON(body) && simpleXML(body) }

// simpleJSON counts the values of a body as if it were JSON.
func simpleJSON(body []byte) bool {
	values, depth, quoted := 0, 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			values++
			depth++
		case c == '}' || c == ']':
			depth--
		case c == ',':
			values++
		}
		if values > maxValues || depth > maxDepth {
			return false
		}
	}
	return true
}

// simpleXML counts the elements of a body as if it were XML.
func simpleXML(body []byte) bool {
	elements, items, depth := 0, 0, 0
	for {
		i := bytes.IndexByte(body, '<')
		if i < 0 || i == len(body)-1 {
			return true
		}
		body = body[i+1:]
		switch body[0] {
		case '/':
			depth--
			continue
		case '!', '?':
			continue
		}
		elements++
		name, closed := tag(body)
		if !closed {
			depth++
		}
		if _, local, ok := bytes.Cut(name, []byte(":")); ok {
			name = local
		}
		if bytes.EqualFold(name, []byte("item")) || bytes.EqualFold(name, []byte("member")) {
			items++
		}
		if elements > maxElements || items > maxItems || depth > maxDepth {
			return false
		}
	}
}

// maxTagScan is how far the end of a tag is looked for, in bytes: else hostile quotes would make that slow.
const maxTagScan = 512

// tag returns the name in a start tag, and whether the tag closes itself.
func tag(body []byte) (name []byte, closed bool) {
	end := bytes.IndexAny(body[:min(len(body), maxTagScan)], " \t\r\n/>")
	if end < 0 {
		return body, false
	}
	name = body[:end]
	var quote byte
	for i := end; i < min(len(body), maxTagScan); i++ {
		switch c := body[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			return name, i > 0 && body[i-1] == '/'
		case c == '<':
			return name, false // no tag; what follows is looked at by itself
		}
	}
	return name, false
}
