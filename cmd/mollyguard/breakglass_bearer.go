package main

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

	"github.com/mollyguard/mollyguard/api"
	"github.com/mollyguard/mollyguard/identity"
	"github.com/mollyguard/mollyguard/operation"
)

// client speaks to the server's API.
func (o connectOptions) client() (*api.Client, error) {
	httpClient, err := httpsClient(o.ca)
	if err != nil {
		return nil, err
	}
	token, err := o.bearer()
	if err != nil {
		return nil, err
	}
	client, err := api.NewClient(api.ClientOptions{URL: o.server, HTTPClient: httpClient, Token: token})
	if err != nil {
		return nil, usageError("", "--server: %w", err)
	}
	return client, nil
}

// httpsClient trusts the authority in a PEM file, or the system's if there is none.
// How long an answer may take is for the caller to say.
func httpsClient(caFile string) (*http.Client, error) {
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, TLSHandshakeTimeout: userTimeout,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
	}
	if caFile != "" {
		bundle, err := os.ReadFile(caFile)
		if err != nil {
			return nil, usageError("", "read the certificate authority: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(bundle) {
			return nil, usageError("", "no certificate in %s: expected PEM", shown(caFile))
		}
		transport.TLSClientConfig.RootCAs = pool
	}
	return &http.Client{Transport: transport}, nil
}

// bearer says where the token is that tells the server who somebody is.
func (o connectOptions) bearer() (func(context.Context) (operation.Secret, error), error) {
	fixed := func(token operation.Secret) func(context.Context) (operation.Secret, error) {
		return func(context.Context) (operation.Secret, error) { return token, nil }
	}
	if o.tokenFile != "" {
		token, err := readSecretFile(o.tokenFile, identity.MaxToken)
		return fixed(token), err
	}
	if text := os.Getenv(tokenVariable); text != "" {
		return fixed(operation.NewSecret(strings.TrimSpace(text))), nil
	}
	cache, err := loginCache(o.server)
	if err != nil {
		return nil, err
	}
	return cache.token, nil
}

// readSecretFile reads a token from a file.
func readSecretFile(name string, limit int) (token operation.Secret, err error) {
	file, err := os.Open(name)
	if err != nil {
		return token, usageError("", "read the token: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	token, err = readSecret(file, limit)
	if err != nil {
		return token, fmt.Errorf("%s: %w", shown(name), err)
	}
	return token, nil
}

// readSecret reads one token, with or without white space around it.
func readSecret(r io.Reader, limit int) (operation.Secret, error) {
	const space = 1 << 10 // around it
	text, err := io.ReadAll(io.LimitReader(r, int64(limit+space)))
	token := strings.TrimSpace(string(text))
	switch {
	case err != nil:
		return operation.Secret{}, fmt.Errorf("read the token: %w", err)
	case token == "":
		return operation.Secret{}, usageError("", "the token is empty")
	case len(token) > limit:
		return operation.Secret{}, usageError("", "the token is longer than %d bytes", limit)
	}
	return operation.NewSecret(token), nil
}
