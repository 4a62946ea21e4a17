package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/spf13/cobra"
	"golang.org/x/oauth2"

	"github.com/mollyguard/mollyguard/operation"
)

func newLogin(c console) *cobra.Command {
	var o connectOptions
	var i issuerOptions
	var scopes []string
	cmd := &cobra.Command{
		Use:   "login --server URL --issuer URL --client-id ID [flags]",
		Short: "Log in to a server's API in a browser",
		Long: `Log in to a server's API in a browser, on any device: the OAuth 2.0 device
authorization grant (RFC 8628) with the OpenID Connect issuer that the server
trusts. The login is kept in your configuration folder and renewed as long as the
issuer lets it be. The next time --server is enough.`,
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.complete(cmd)
			if o.server == "" {
				return usageError("say --server URL, or set "+serverVariable, "the server is missing: it is not needed to log in to a cluster")
			}
			if _, err := o.client(); err != nil { // a wrong URL or file is told before the browser
				return err
			}
			cache, err := loginCache(o.server)
			if err != nil {
				return err
			}
			if i.Issuer == "" && i.ClientID == "" {
				last, err := cache.load()
				if err != nil {
					return err
				}
				i = last.issuerOptions
			}
			i.Scopes = withDefaults(scopes)
			l, name, err := i.deviceLogin(cmd.Context(), c)
			if err != nil {
				return err
			}
			if err := cache.save(l); err != nil {
				return err
			}
			c.say("logged in to %s as %s", o.server, shown(name))
			return nil
		},
	}
	cmd.Flags().StringVar(&o.server, "server", "", "https `URL` of the server (default: $"+serverVariable+")")
	cmd.Flags().StringVar(&i.Issuer, "issuer", "", "https `URL` of the OpenID Connect issuer, as the server has it in api.oidc.issuerURL")
	cmd.Flags().StringVar(&i.ClientID, "client-id", "", "`ID` of the public client, as the server has it in api.oidc.clientID")
	cmd.Flags().StringVar(&i.CA, "issuer-ca", "", "PEM `FILE` with the authority that signed the issuer's certificate (default: the system's)")
	cmd.Flags().StringSliceVar(&scopes, "scope", nil, "`SCOPES` to ask for beside openid, email and offline_access, such as groups")
	return cmd
}

// withDefaults are the scopes to ask for: an ID token, with the address that
// servers mostly name people by, that can be renewed.
func withDefaults(scopes []string) []string {
	all := []string{oidc.ScopeOpenID, "email", oidc.ScopeOfflineAccess}
	for _, scope := range scopes {
		if !slices.Contains(all, scope) {
			all = append(all, scope)
		}
	}
	return all
}

// issuerOptions say where somebody logs in, and as which client.
type issuerOptions struct {
	Issuer   string   `json:"issuer"`
	ClientID string   `json:"client_id"`
	CA       string   `json:"ca,omitempty"`
	Scopes   []string `json:"scopes"`
}

// deviceLogin lets somebody log in on another device, and returns by what name
// the issuer knows them.
func (o issuerOptions) deviceLogin(ctx context.Context, c console) (login, string, error) {
	i, ctx, err := o.open(ctx)
	if err != nil {
		return login{}, "", err
	}
	if i.Endpoint.DeviceAuthURL == "" {
		return login{}, "", &exitError{
			code: exitUndecided, err: fmt.Errorf("%s offers no login by device code", shown(o.Issuer)),
			hint: "get a token in another way, and say --api-token-file FILE",
		}
	}
	device, err := i.DeviceAuth(ctx)
	if err != nil {
		return login{}, "", issuerError("ask for a device code", err)
	}
	c.say("open %s and enter the code %s", operation.Printable(device.VerificationURI), operation.Printable(device.UserCode))
	if device.VerificationURIComplete != "" {
		c.say("or open %s", operation.Printable(device.VerificationURIComplete))
	}
	token, err := i.DeviceAccessToken(ctx, device)
	if err != nil {
		return login{}, "", issuerError("wait for the login", err)
	}
	return i.login(ctx, token)
}

// openIssuer is an issuer that has been asked where its doors are.
type openIssuer struct {
	oauth2.Config
	options  issuerOptions
	verifier *oidc.IDTokenVerifier
}

// open asks the issuer where its doors are (OpenID Connect Discovery 1.0). The
// context is for what is asked there next.
func (o issuerOptions) open(ctx context.Context) (openIssuer, context.Context, error) {
	if o.Issuer == "" || o.ClientID == "" {
		return openIssuer{}, ctx, usageError("the server's configuration has them under api.oidc", "--issuer and --client-id must both be given")
	}
	httpClient, err := httpsClient(o.CA)
	if err != nil {
		return openIssuer{}, ctx, err
	}
	httpClient.Timeout = userTimeout
	httpClient.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	ctx = oidc.ClientContext(ctx, httpClient)
	if !strings.HasPrefix(o.Issuer, "https://") {
		return openIssuer{}, ctx, usageError("", "--issuer: %s is not an https URL", shown(o.Issuer))
	}
	provider, err := oidc.NewProvider(ctx, o.Issuer)
	if err != nil {
		return openIssuer{}, ctx, issuerError("ask for its configuration", err)
	}
	endpoint := provider.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInParams // a public client has no secret to show in a header
	for _, url := range []string{endpoint.TokenURL, endpoint.DeviceAuthURL} {
		if url != "" && !strings.HasPrefix(url, "https://") {
			return openIssuer{}, ctx, &exitError{code: exitUndecided, err: fmt.Errorf("%s sends logins to %s, which is not https", shown(o.Issuer), shown(url))}
		}
	}
	return openIssuer{
		Config:  oauth2.Config{ClientID: o.ClientID, Endpoint: endpoint, Scopes: o.Scopes},
		options: o, verifier: provider.VerifierContext(ctx, &oidc.Config{ClientID: o.ClientID}),
	}, ctx, nil
}

// login checks what the issuer gave, so that what the server would not take is
// told now.
func (i openIssuer) login(ctx context.Context, token *oauth2.Token) (login, string, error) {
	raw, ok := token.Extra("id_token").(string)
	if !ok || raw == "" {
		return login{}, "", &exitError{code: exitUndecided, err: errors.New("the issuer gave no ID token"), hint: "the scope openid must be allowed for the client"}
	}
	verified, err := i.verifier.Verify(ctx, raw)
	if err != nil { // its text may quote the token
		return login{}, "", &exitError{code: exitUndecided, err: errors.New("the issuer gave an ID token that is not good: signature, audience or times")}
	}
	var claims struct {
		Email string `json:"email"`
	}
	name := verified.Subject
	if err := verified.Claims(&claims); err == nil && claims.Email != "" {
		name = claims.Email
	}
	return login{
		issuerOptions: i.options, idToken: operation.NewSecret(raw), refreshToken: operation.NewSecret(token.RefreshToken), expires: verified.Expiry.UTC(),
	}, name, nil
}

// issuerError words what an issuer says (RFC 8628 section 3.5, RFC 6749 section
// 5.2), and never quotes its answer: there may be a token in it.
func issuerError(attempted string, err error) error {
	var retrieve *oauth2.RetrieveError
	exit := &exitError{code: exitUndecided}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		exit.err = errors.New("the code has expired: nobody entered it in time")
	case errors.Is(err, context.Canceled):
		exit.err = errors.New("interrupted")
	case !errors.As(err, &retrieve):
		exit.err = fmt.Errorf("%s of the issuer: %s", attempted, operation.Printable(err.Error()))
	case retrieve.ErrorCode == "access_denied":
		exit.code, exit.err = exitDenied, errors.New("the login was refused")
	case retrieve.ErrorCode == "expired_token":
		exit.err = errors.New("the code has expired: nobody entered it in time")
	default:
		exit.err = fmt.Errorf("%s: the issuer says %s: %s", attempted, shown(retrieve.ErrorCode), operation.Printable(retrieve.ErrorDescription))
	}
	return exit
}
