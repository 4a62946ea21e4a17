package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/mollyguard/mollyguard/config"
)

// listening is one server at its port.
type listening struct {
	name     string
	listener net.Listener
	server   *http.Server
}

// runUntil serves and runs tasks until ctx ends or one of them fails. Then it
// calls stopping, lets the servers finish what is in flight, and stops the tasks.
func runUntil(ctx context.Context, servers []listening, tasks []func(context.Context) error, stopping func(context.Context)) error {
	// The background outlives ctx: requests in flight still need it.
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	group, background := errgroup.WithContext(background)
	for _, s := range servers {
		group.Go(func() error {
			if s.server.TLSConfig == nil {
				return ignoreClosed(s.server.Serve(s.listener))
			}
			return ignoreClosed(s.server.ServeTLS(s.listener, "", ""))
		})
	}
	for _, task := range tasks {
		group.Go(func() error { return task(background) })
	}
	group.Go(func() error {
		select {
		case <-ctx.Done():
		case <-background.Done(): // one of the others failed
		}
		stopping(background)
		// All at once, so that the longest drainTimeout is all it takes.
		var drained errgroup.Group
		for _, s := range servers {
			drained.Go(func() error { return shutdown(ctx, s.name, s.server) })
		}
		err := drained.Wait()
		stop()
		return err
	})
	return group.Wait()
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// shutdown finishes what is in flight, though ctx has ended.
func shutdown(ctx context.Context, name string, server *http.Server) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return fmt.Errorf("stop the %s server: %w", name, err)
	}
	return nil
}

// serving is what the servers of one process answer with.
type serving struct {
	c        config.Configuration
	env      *surroundings
	books    *books
	ports    *ports
	house    *house
	log      *slog.Logger
	registry *prometheus.Registry
}

// servers are all that listen. Ports that only some of them need are opened here.
func (s *serving) servers(ctx context.Context, ready *readiness) ([]listening, error) {
	servers := []listening{{"status", s.ports.status, statusServer(ready, s.registry, s.log)}}
	if s.ports.admission != nil {
		handlers := admissionHandlers(s.c, s.env, s.house.assembly, s.house.desk, s.log, s.registry)
		admission, err := admissionServer(handlers, s.env.certificates, s.c.Server.ClientCA, s.log)
		if err != nil {
			return nil, err
		}
		servers = append(servers, listening{"admission", s.ports.admission, admission})
	}
	people, err := s.house.desk.handler(s.c, s.env, s.house.assembly, s.books.recent, s.log, s.registry)
	if err != nil {
		return nil, err
	}
	if people != nil && s.env.certificates != nil {
		if s.ports.people, err = listen(ctx, "api.address", s.c.API.Address); err != nil {
			return nil, err
		}
		servers = append(servers, listening{"api", s.ports.people, apiServer(people, s.env.certificates, s.log)})
	}
	if s.ports.control, err = openControl(ctx, s.c); err != nil {
		return nil, err
	}
	if s.ports.control != nil {
		servers = append(servers, listening{"control", s.ports.control, controlServer(s.books.ledger, s.house, s.log)})
	}
	return servers, nil
}
