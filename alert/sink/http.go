package sink

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/operation"
)

const (
	// maxAnswer is how much of an answer is read, in bytes: none that is believed has
	// more than one KiB.
	maxAnswer = 64 << 10
	// maxAnswerHeader is how large the header of an answer may be, in bytes.
	maxAnswerHeader = 64 << 10
	// maxCA is how large a file of certificate authorities may be, in bytes: the list of
	// a whole system has a quarter of it.
	maxCA = 1 << 20
	// Within alert.SendTimeout there must be time for a second address of the same name.
	dialTimeout      = 5 * time.Second
	handshakeTimeout = 5 * time.Second
	idleTimeout      = 90 * time.Second
)

// Connection is how a sink reaches the other side over HTTP: the same for all of them.
// The proxy is the environment's (HTTPS_PROXY, NO_PROXY). Redirects are not followed:
// they would take a credential elsewhere, or a POST to a page that says 200.
type Connection struct {
	// Version is Mollyguard's own, for the User-Agent.
	Version string
	// CAFile has the certificate authorities (PEM) that are trusted instead of the
	// system's; empty for the system's. It is read once.
	CAFile string
	// Log gets what does not keep an alert from being sent; nil discards.
	Log *slog.Logger
	// Now is the time; nil is time.Now.
	Now func() time.Time
}

// poster sends JSON. It may be used concurrently.
type poster struct {
	client *http.Client
	agent  string
	log    *slog.Logger
	now    func() time.Time
}

func newPoster(c Connection) (*poster, error) {
	roots, err := readCA(c.CAFile)
	if err != nil {
		return nil, err
	}
	p := &poster{agent: "mollyguard/" + cmp.Or(c.Version, "devel"), log: c.Log, now: c.Now}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	if p.now == nil {
		p.now = time.Now
	}
	p.client = &http.Client{
		Timeout:       alert.SendTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
			TLSHandshakeTimeout:    handshakeTimeout,
			ForceAttemptHTTP2:      true,
			IdleConnTimeout:        idleTimeout,
			MaxIdleConnsPerHost:    2,
			MaxResponseHeaderBytes: maxAnswerHeader,
			// An answer that unpacks to gigabytes stays packed.
			DisableCompression: true,
		},
	}
	return p, nil
}

// readCA returns nil, the system's, for no path.
func readCA(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read certificate authorities: %w", err)
	}
	defer file.Close() // only read
	bundle, err := io.ReadAll(io.LimitReader(file, maxCA+1))
	if err != nil {
		return nil, fmt.Errorf("read certificate authorities: %w", err)
	}
	if len(bundle) > maxCA {
		return nil, fmt.Errorf("certificate authorities in %s: more than %d bytes", path, maxCA)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(bundle) {
		return nil, fmt.Errorf("no certificate in %s: expected PEM", path)
	}
	return pool, nil
}

// message is one thing to send.
type message struct {
	// to is secret as a whole: of a Slack webhook the path is the credential.
	to     operation.Secret
	header http.Header
	body   []byte
	// secrets are those that header and body hold; they are sent over https only.
	secrets []operation.Secret
	// kept are secrets that are not sent, but that the other side knows.
	kept []operation.Secret
}

// answer is what the other side said, with the means to quote it.
type answer struct {
	code        int
	contentType string
	body        []byte
	// whole says that nothing of the body is missing.
	whole bool
	host  string
	scrub scrubber
}

// quote is what the answer says, for an error.
func (a answer) quote() string {
	if text := a.scrub.clean(string(a.body)); text != "" {
		return text
	}
	return "nothing"
}

// post sends a message and returns an answer of 200 to 299. Any other is an error of
// the kind that alert.Sink wants.
func (p *poster) post(ctx context.Context, m message) (answer, error) {
	to, err := parseURL(m.to.Reveal(), len(m.secrets) > 0)
	if err != nil {
		return answer{}, err
	}
	public := []string{to.Host, to.Hostname(), "services"}
	a := answer{host: operation.Printable(to.Host), scrub: newScrubber(public, slices.Concat(m.secrets, m.kept, []operation.Secret{m.to})...)}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), bytes.NewReader(m.body))
	if err != nil {
		return a, fmt.Errorf("%s: %s", a.host, a.scrub.clean(err.Error()))
	}
	if m.header != nil {
		request.Header = m.header.Clone()
	}
	request.Header.Set("User-Agent", p.agent)
	if request.Header.Get("Content-Type") == "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := p.client.Do(request)
	if err != nil {
		return a, a.unreachable(ctx, err)
	}
	defer response.Body.Close() // what matters of it was read
	a.code, a.contentType = response.StatusCode, response.Header.Get("Content-Type")
	a.body, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	a.whole = err == nil && len(a.body) <= maxAnswer
	a.body = a.body[:min(len(a.body), maxAnswer)]
	if refusal := p.classify(a, response); refusal != nil {
		return a, refusal
	}
	if err != nil {
		return a, a.unreachable(ctx, fmt.Errorf("the answer breaks off: %w", err))
	}
	return a, nil
}

// unreachable is an error of the way there. net/url's hold the whole URL.
func (a answer) unreachable(ctx context.Context, err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	if ctx.Err() != nil { // only this may be unwrapped: whoever does so prints what is in it
		return fmt.Errorf("%s did not answer in time: %w", a.host, ctx.Err())
	}
	return fmt.Errorf("%s: %s", a.host, a.scrub.clean(err.Error()))
}

// parseURL reads an absolute URL of a service. Its errors do not show it.
func parseURL(text string, credentials bool) (*url.URL, error) {
	to, err := url.Parse(text)
	switch {
	case err != nil || to.Host == "" || to.Scheme != "https" && to.Scheme != "http":
		return nil, errors.New("not a URL that begins with https:// or http://")
	case to.User != nil:
		return nil, fmt.Errorf("the URL of %s has a user or password in it: give them as files", operation.Printable(to.Host))
	case credentials && to.Scheme == "http" && !isLoopback(to.Hostname()):
		return nil, fmt.Errorf("http://%s: a secret is sent over https only", operation.Printable(to.Host))
	}
	return to, nil
}

func isLoopback(host string) bool {
	address := net.ParseIP(host)
	return host == "localhost" || address != nil && address.IsLoopback()
}
