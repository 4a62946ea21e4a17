package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/alert/sink"
	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/operation"
)

// sinks are where people are told, by name, and what is to be closed after them.
type sinks struct {
	byName map[string]alert.Sink
	closer []io.Closer
}

// openSinks makes the sinks of a configuration. The error has a line for each that
// cannot be made.
func openSinks(ctx context.Context, s streams, c config.Configuration, log *slog.Logger) (*sinks, error) {
	opened := &sinks{byName: map[string]alert.Sink{}}
	var errs []error
	for _, o := range c.Alerts.Sinks {
		one, err := opened.open(ctx, s, o, log)
		if err != nil {
			errs = append(errs, fmt.Errorf("alerts.sinks: %s: %w", o.Name, err))
			continue
		}
		opened.byName[o.Name] = one
	}
	if err := errors.Join(errs...); err != nil {
		return nil, errors.Join(err, opened.Close())
	}
	return opened, nil
}

func (s *sinks) open(ctx context.Context, streams streams, o config.AlertSink, log *slog.Logger) (alert.Sink, error) {
	connection := sink.Connection{Version: version(), Log: log}
	switch {
	case o.PagerDuty != nil:
		return sink.NewPagerDuty(sink.PagerDutyOptions{RoutingKey: sink.FromFile(o.PagerDuty.RoutingKeyFile), URL: o.PagerDuty.URL, Connection: connection})
	case o.Slack != nil:
		return sink.NewSlack(sink.SlackOptions{
			Webhook: credential(o.Slack.WebhookURLFile), Token: credential(o.Slack.TokenFile), Channel: o.Slack.Channel, URL: o.Slack.URL, Connection: connection,
		})
	case o.Alertmanager != nil:
		connection.CAFile = o.Alertmanager.CA
		options := sink.AlertmanagerOptions{
			URLs: o.Alertmanager.URLs, Password: credential(o.Alertmanager.PasswordFile), BearerToken: credential(o.Alertmanager.BearerTokenFile), Connection: connection,
		}
		if o.Alertmanager.Username != "" {
			options.Username = sink.Fixed(operation.NewSecret(o.Alertmanager.Username))
		}
		return sink.NewAlertmanager(options)
	case o.HTTP != nil:
		connection.CAFile = o.HTTP.CA
		var secrets []sink.Credential
		for _, path := range o.HTTP.SecretFiles {
			secrets = append(secrets, sink.FromFile(path))
		}
		return sink.NewCloudEvents(sink.CloudEventsOptions{URL: o.HTTP.URL, Secrets: secrets, Connection: connection})
	case o.Shoutrrr != nil:
		return sink.NewShoutrrr(sink.ShoutrrrOptions{URL: sink.FromFile(o.Shoutrrr.URLFile)})
	case o.CloudLogging != nil:
		opened, err := newCloudLogging(ctx, *o.CloudLogging)
		if err == nil {
			s.closer = append(s.closer, opened)
		}
		return opened, err
	default: // the configuration has been validated
		return sink.NewWriter(sink.WriterOptions{To: streams.out, Format: sink.Format(o.Stdout.Format)})
	}
}

func newCloudLogging(ctx context.Context, o config.CloudLogging) (*sink.CloudLogging, error) {
	return sink.NewCloudLogging(ctx, sink.CloudLoggingOptions{
		Parent: o.Parent, AlertLog: o.Log, DecisionLog: o.Log, Endpoint: o.Endpoint, Client: googleClient(o.Endpoint),
	})
}

// credential is nil for a file that is not named.
func credential(path string) sink.Credential {
	if path == "" {
		return nil
	}
	return sink.FromFile(path)
}

// Close closes those that hold connections.
func (s *sinks) Close() error {
	var errs []error
	for _, closer := range s.closer {
		errs = append(errs, closer.Close())
	}
	return errors.Join(errs...)
}
