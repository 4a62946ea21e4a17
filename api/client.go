package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/identity"
	"github.com/mollyguard/mollyguard/operation"
)

const (
	// clientTimeout is longer than the server takes, so that its reason arrives.
	clientTimeout = requestTimeout + 10*time.Second
	// maxAnswer is the longest answer that is read: 500 cases of 64 KiB, with a
	// full list of targets twice, in the request and in the grant.
	maxAnswer = 32 << 20
)

// ClientOptions says which server to ask, and as whom. URL and Token are
// required.
type ClientOptions struct {
	// URL is where the server is, with https.
	URL string
	// HTTPClient is how to get there; nil means http.DefaultClient's ways. It is
	// copied: redirects are never followed, since a token is for one server.
	HTTPClient *http.Client
	// Token returns the bearer token to show; it is called for each request.
	Token func(ctx context.Context) (operation.Secret, error)
}

// Client is a Desk that is elsewhere. Who acts is whom the server takes the
// token's bearer for; the actors that the methods are given are not sent. It may
// be used concurrently.
//
// Beside what Desk says, a method returns an *identity.Rejection if the server
// does not take the token, a *Problem for what it could not read or decide, and an
// *UnreachableError if there was no answer at all.
type Client struct {
	base  *url.URL
	http  http.Client
	token func(context.Context) (operation.Secret, error)
}

// UnreachableError says that a server could not be asked: nobody is there, or it is
// not to be trusted.
type UnreachableError struct{ err error }

// Error implements error.
func (e *UnreachableError) Error() string { return "ask the server: " + e.err.Error() }

// Unwrap returns what went wrong.
func (e *UnreachableError) Unwrap() error { return e.err }

// NewClient returns a Client. It does not talk to the server.
func NewClient(o ClientOptions) (*Client, error) {
	base, err := url.Parse(o.URL)
	switch {
	case err != nil || base.Scheme != "https" || base.Host == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "":
		return nil, fmt.Errorf("%q is not the https URL of a server", o.URL)
	case o.Token == nil:
		return nil, errors.New("a client needs a token")
	}
	c := &Client{base: base, token: o.Token}
	if o.HTTPClient != nil {
		c.http = *o.HTTPClient
	}
	if c.http.Timeout <= 0 {
		c.http.Timeout = clientTimeout
	}
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c, nil
}

// WhoAmI returns who the server takes the token's bearer for.
func (c *Client) WhoAmI(ctx context.Context) (Caller, error) {
	return ask[Caller](ctx, c, http.MethodGet, pathWhoAmI, "", nil)
}

// Decision returns a recent decision about an operation of the token's bearer, or
// breakglass.ErrNotFound.
func (c *Client) Decision(ctx context.Context, id string) (operation.Decision, error) {
	return ask[operation.Decision](ctx, c, http.MethodGet, pathDecision, id, nil)
}

// Request implements Desk.
func (c *Client) Request(ctx context.Context, _ operation.Actor, p breakglass.Proposal) (breakglass.View, error) {
	return c.ask(ctx, http.MethodPost, pathRequests, "", proposalOf(p))
}

// Judge implements Desk.
func (c *Client) Judge(ctx context.Context, _ operation.Actor, id string, kind breakglass.VerdictKind, reason string) (breakglass.View, error) {
	return c.ask(ctx, http.MethodPost, pathVerdict(kind), id, verdict{reason})
}

// View implements Desk.
func (c *Client) View(ctx context.Context, id string) (breakglass.View, error) {
	return c.ask(ctx, http.MethodGet, pathRequest, id, nil)
}

// List implements Desk.
func (c *Client) List(ctx context.Context) ([]breakglass.View, error) {
	list, err := ask[cases](ctx, c, http.MethodGet, pathRequests, "", nil)
	if err != nil {
		return nil, err
	}
	views := make([]breakglass.View, len(list.Cases))
	for i, one := range list.Cases {
		views[i] = one.View()
	}
	return views, nil
}

// Token implements Desk.
func (c *Client) Token(ctx context.Context, _ operation.Actor, id string) (operation.Secret, error) {
	answer, err := ask[portable](ctx, c, http.MethodPost, pathToken, id, nil)
	return operation.NewSecret(answer.Token), err
}

// Import implements Desk.
func (c *Client) Import(ctx context.Context, _ operation.Actor, token operation.Secret) (breakglass.View, error) {
	return c.ask(ctx, http.MethodPost, pathTokens, "", portable{token.Reveal()})
}

// UsePlan implements Desk.
func (c *Client) UsePlan(ctx context.Context, _ operation.Actor, token operation.Secret, plan operation.Reference, decision string) (breakglass.View, error) {
	return c.ask(ctx, http.MethodPost, pathUses, "", PlanUse{token.Reveal(), plan.Ref, decision})
}

// ask is the function ask for what is answered with a case.
func (c *Client) ask(ctx context.Context, method, path, id string, body any) (breakglass.View, error) {
	answer, err := ask[Case](ctx, c, method, path, id, body)
	if err != nil {
		return breakglass.View{}, err
	}
	return answer.View(), nil
}

// ask sends a request and reads the answer. id is for the path's {id}, if it has
// one.
func ask[T any](ctx context.Context, c *Client, method, path, id string, body any) (answer T, err error) {
	if strings.Contains(path, "{id}") {
		if path, err = at(path, id); err != nil {
			return answer, err
		}
	}
	request, err := c.request(ctx, method, path, body)
	if err != nil {
		return answer, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return answer, &UnreachableError{err}
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if closeErr := response.Body.Close(); err == nil {
		err = closeErr
	}
	switch {
	case err != nil:
		return answer, fmt.Errorf("read the answer of %s: %w", c.base.Host, err)
	case len(text) > maxAnswer:
		return answer, fmt.Errorf("the answer of %s is larger than %d MiB", c.base.Host, maxAnswer>>20)
	case response.StatusCode/100 != 2:
		return answer, c.problem(response, text)
	}
	// What is not known is left out: fields are added over time.
	if err := jsonv2.Unmarshal(text, &answer); err != nil {
		return answer, fmt.Errorf("read the answer of %s: %s", c.base.Host, describe(err))
	}
	return answer, nil
}

func (c *Client) request(ctx context.Context, method, path string, body any) (*http.Request, error) {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return nil, fmt.Errorf("encode the request: %w", err)
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, c.base.JoinPath(path).String(), bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("ask the server: %w", err)
	}
	token, err := c.token(ctx)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+token.Reveal())
	request.Header.Set("User-Agent", "mollyguard")
	request.Header.Set("Accept", "application/json, application/problem+json")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return request, nil
}

// problem makes of an answer the error that it was made of. An answer that is no
// problem of ours comes from something else on the way.
func (c *Client) problem(response *http.Response, text []byte) error {
	var p Problem
	path := strings.Trim(c.base.Path, "/")
	ours := jsonv2.Unmarshal(text, &p) == nil && p.Status == response.StatusCode && strings.HasPrefix(p.Type, typePrefix)
	switch {
	case path != "" && response.StatusCode == http.StatusNotFound && (!ours || p.Type == typeNoPath):
		return fmt.Errorf("%s has no API under /%s: leave the path out of the server's URL", c.base.Host, path)
	case !ours:
		return fmt.Errorf("%s answered %s: is it a Mollyguard server?", c.base.Host, response.Status)
	}
	switch p.Type {
	case typeRefused:
		return &breakglass.Refusal{Reason: p.Error()}
	case typeNotFound:
		return breakglass.ErrNotFound
	case typeUnknown:
		return &identity.Rejection{Reason: p.Error()}
	}
	return &p
}

// at fills the {id} of a path.
func at(path, id string) (string, error) {
	if id == "" || strings.Trim(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-") != "" {
		return "", fmt.Errorf("%q is neither a handle nor an id", id)
	}
	return strings.Replace(path, "{id}", id, 1), nil
}
