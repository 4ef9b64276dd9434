package cloud

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A metadata service is a few microseconds away, or it is not there.
const (
	metadataDialTimeout = 2 * time.Second
	metadataTimeout     = 5 * time.Second
	maxMetadata         = 1 << 20 // bytes of an answer
)

var errNotMetadata = errors.New("not the address of a metadata service")

// NewMetadataClient makes the HTTP client for a provider's own source of ambient credentials, the
// metadata service of the machine or container that Vault runs in. It is the exception to the rule of
// NewHTTPClient and its opposite: it reaches the allowed addresses and no others, also after name
// resolution. It uses no proxy and follows no redirect. Nothing that a connection configures may
// choose its URL.
func NewMetadataClient(allowed ...netip.Prefix) *http.Client {
	control := func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		ip := to.Addr().Unmap().WithZone("")
		for _, prefix := range allowed {
			if prefix.Contains(ip) {
				return nil
			}
		}
		return fmt.Errorf("%w: %s", errNotMetadata, ip)
	}
	dialer := &net.Dialer{Timeout: metadataDialTimeout, Control: control}
	transport := &http.Transport{DialContext: dialer.DialContext, MaxIdleConns: 1, IdleConnTimeout: metadataTimeout,
		MaxResponseHeaderBytes: 64 << 10}
	return &http.Client{
		Transport:     bounded{transport, maxMetadata},
		Timeout:       metadataTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// MetadataReader asks a metadata service for credentials. Its errors are of kind Unavailable.
type MetadataReader struct {
	Client *http.Client
	// Without begins each error: which credentials the surroundings do not give.
	Without string
}

// Send makes one request and reads its whole answer.
func (m MetadataReader) Send(request *http.Request) (status int, body []byte, err error) {
	response, err := m.Client.Do(request)
	if err != nil {
		return 0, nil, m.unreachable(err)
	}
	defer response.Body.Close()
	body, err = io.ReadAll(response.Body)
	if err != nil {
		return 0, nil, m.unreachable(err)
	}
	return response.StatusCode, body, nil
}

// metadataTTL is how long a token of a metadata service lasts. It serves one look.
const metadataTTL = time.Minute

// metadataToken keeps a token usable as a header.
var metadataToken = regexp.MustCompile(`^[!-~]+$`)

// Token asks for a token of the metadata service, which servers in the hardened mode ask for. ttl is the header that says how many
// seconds it is to last. It is "" where the service has none to give, as in the normal mode.
func (m MetadataReader) Token(ctx context.Context, url, ttl string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, url, nil)
	if err != nil {
		return "", m.Errorf("%v", err)
	}
	request.Header.Set(ttl, strconv.Itoa(int(metadataTTL/time.Second)))
	status, body, err := m.Send(request)
	token := strings.TrimSpace(string(body))
	if err != nil || status != http.StatusOK || !metadataToken.MatchString(token) {
		return "", err
	}
	return token, nil
}

// Errorf is an error of the reader's own.
func (m MetadataReader) Errorf(format string, args ...any) *Error {
	return Errorf(Unavailable, "%s: %s", m.Without, fmt.Sprintf(format, args...))
}

// unreachable says that there is no metadata service, which mostly means that this machine is none of the cloud's.
func (m MetadataReader) unreachable(err error) *Error {
	e := Transport(m.Without, err)
	if e.Kind == Unknown && errors.Is(err, context.Canceled) {
		e.Message = m.Without + ": abandoned while the metadata service was asked"
	}
	e.Kind = Unavailable
	return e
}

// boundedBody is an answer's body that ends at a limit.
type boundedBody struct {
	io.Reader
	io.Closer
}

// bounded ends every answer at limit bytes.
type bounded struct {
	*http.Transport
	limit int64
}

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.Transport.RoundTrip(r)
	if err == nil {
		resp.Body = boundedBody{io.LimitReader(resp.Body, b.limit), resp.Body}
	}
	return resp, err
}
