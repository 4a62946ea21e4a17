package identity

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

const (
	// issuerTimeout is how long the issuer has for one answer.
	issuerTimeout = 10 * time.Second
	// coolDown is how long the issuer is left alone after it was asked for
	// something, whatever it said: tokens with made-up key ids must not make us
	// flood it. A token that is signed with a new key may wait so long.
	coolDown = 10 * time.Second
	// maxIssuerAnswer is far above a discovery document or a key set: a key has
	// about 1 KiB with its certificates.
	maxIssuerAnswer = 1 << 20
	// maxRedirects is how often the issuer may send us on, within its host.
	maxRedirects = 3
)

// issuer finds out the keys of an OpenID Connect issuer when they are needed.
type issuer struct {
	url    string
	client *http.Client

	lock sync.Mutex
	keys *oidc.RemoteKeySet
	// problem is why keys were not found when the issuer was asked last.
	problem error
}

func newIssuer(at, caFile string, now func() time.Time) (*issuer, error) {
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return nil, errors.New("the default HTTP transport was replaced")
	}
	transport = transport.Clone()
	if caFile != "" {
		bundle, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("read the issuer's certificate authority: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(bundle) {
			return nil, fmt.Errorf("no certificate in %s: expected PEM", caFile)
		}
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}
	}
	sparing := &sparingTransport{next: transport, now: now, asked: map[string]attempt{}}
	return &issuer{url: at, client: &http.Client{Transport: sparing, Timeout: issuerTimeout, CheckRedirect: stayThere}}, nil
}

// stayThere keeps us from being sent to another host, or off https: who can make
// one address of the issuer answer with a redirect must not choose whose keys we
// believe, or whom we call.
func stayThere(next *http.Request, via []*http.Request) error {
	if first := via[0].URL; next.URL.Scheme != first.Scheme || next.URL.Host != first.Host {
		return errors.New("sent on to another host")
	}
	if len(via) > maxRedirects {
		return fmt.Errorf("sent on more than %d times", maxRedirects)
	}
	return nil
}

// keySet returns the issuer's keys, which keep themselves up to date.
func (i *issuer) keySet(ctx context.Context) (oidc.KeySet, error) {
	i.lock.Lock()
	defer i.lock.Unlock()
	if i.keys != nil {
		return i.keys, nil
	}
	keys, err := i.discover(ctx)
	if errors.Is(err, errAskedBefore) && i.problem != nil {
		return nil, i.problem
	}
	if i.problem = err; err != nil {
		return nil, err
	}
	i.keys = keys
	return keys, nil
}

// discover reads where the keys are (OpenID Connect Discovery 1.0, section 4).
func (i *issuer) discover(ctx context.Context) (*oidc.RemoteKeySet, error) {
	// Who asks may go away; the answer is for all who come after.
	ctx = oidc.ClientContext(context.WithoutCancel(ctx), i.client)
	provider, err := oidc.NewProvider(ctx, i.url)
	if err != nil {
		return nil, err
	}
	var found struct {
		KeysURL string `json:"jwks_uri"`
	}
	if err := provider.Claims(&found); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(found.KeysURL, "https://") {
		return nil, errors.New("its discovery document names no https URL of keys")
	}
	return oidc.NewRemoteKeySet(oidc.ClientContext(context.Background(), i.client), found.KeysURL), nil
}

// notingKeySet remembers that keys could not be fetched, which the library's
// verifier tells no different from a bad signature.
type notingKeySet struct {
	oidc.KeySet
	unreachable error
}

// VerifySignature implements oidc.KeySet.
func (n *notingKeySet) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	payload, err := n.KeySet.VerifySignature(ctx, jwt)
	// The library has no type for it (go-oidc jwks.go, RemoteKeySet.verify).
	if err != nil && strings.HasPrefix(err.Error(), "fetching keys ") {
		n.unreachable = err
	}
	return payload, err
}

var errAskedBefore = fmt.Errorf("it was asked less than %v ago: try again in a moment", coolDown)

// sparingTransport asks for each URL at most once in coolDown, and reads no more
// than maxIssuerAnswer. It may be used concurrently.
type sparingTransport struct {
	next http.RoundTripper
	now  func() time.Time

	lock  sync.Mutex
	asked map[string]attempt
}

type attempt struct {
	at      time.Time
	problem error
}

// RoundTrip implements http.RoundTripper.
func (s *sparingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	at := r.URL.String()
	if err := s.begin(at); err != nil {
		return nil, err
	}
	response, err := s.next.RoundTrip(r)
	if err == nil && response.StatusCode >= http.StatusBadRequest {
		_ = response.Body.Close() // nothing in it is of interest
		err = fmt.Errorf("it answered %s", response.Status)
	}
	if err != nil {
		s.end(at, err)
		return nil, err
	}
	response.Body = limited{io.LimitReader(response.Body, maxIssuerAnswer), response.Body}
	return response, nil
}

// begin returns an error if it is too early to ask again: the one of last time if
// there was one.
func (s *sparingTransport) begin(at string) error {
	s.lock.Lock()
	defer s.lock.Unlock()
	now := s.now()
	if last, ok := s.asked[at]; ok && now.Sub(last.at).Abs() < coolDown {
		return last.problem
	}
	s.asked[at] = attempt{at: now, problem: errAskedBefore}
	return nil
}

func (s *sparingTransport) end(at string, problem error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.asked[at] = attempt{at: s.now(), problem: problem}
}

type limited struct {
	io.Reader
	io.Closer
}
