package main

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/mollyguard/mollyguard/config"
)

// ports are where a server listens. admission is nil where nothing is admitted, people
// where nobody may ask, control without a ledger.
type ports struct{ admission, status, people, control net.Listener }

func openPorts(ctx context.Context, c config.Configuration, o serveOptions) (*ports, error) {
	var p ports
	var err error
	if !o.auditOnly {
		if p.admission, err = listen(ctx, "server.address", c.Server.Address); err != nil {
			return nil, err
		}
	}
	if p.status, err = listen(ctx, "server.statusAddress", c.Server.StatusAddress); err != nil {
		p.close(&err)
		return nil, err
	}
	return &p, nil
}

func (p *ports) close(err *error) {
	for _, listener := range []net.Listener{p.admission, p.status, p.people, p.control} {
		if listener != nil {
			closing(err, listener)
		}
	}
}

func addressOf(listener net.Listener) string {
	if listener == nil {
		return ""
	}
	return listener.Addr().String()
}

func (p *ports) addresses() addresses {
	a := addresses{status: p.status.Addr()}
	if p.admission != nil {
		a.admission = p.admission.Addr()
	}
	if p.people != nil {
		a.people = p.people.Addr()
	}
	return a
}

func listen(ctx context.Context, field, address string) (net.Listener, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, &exitError{code: exitUndecided, err: fmt.Errorf("%s: %w", field, err),
			hint: "another program may use the port: set " + field + " in the configuration"}
	}
	return listener, nil
}

// closing closes a listener that no server has closed.
func closing(err *error, listener net.Listener) {
	if closeErr := listener.Close(); closeErr != nil && !errors.Is(closeErr, net.ErrClosed) {
		*err = errors.Join(*err, closeErr)
	}
}
