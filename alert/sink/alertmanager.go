package sink

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/operation"
)

const (
	// alertmanagerPath is of the API v2
	// (https://prometheus.io/docs/alerting/latest/alerts_api/).
	alertmanagerPath = "/api/v2/alerts"
	// alertmanagerTimeout bounds one member, so that one that hangs does not make each
	// alert wait for all of alert.SendTimeout.
	alertmanagerTimeout = 5 * time.Second
	// maxAlertmanagers is how many members a cluster has at most; three are common.
	maxAlertmanagers = 16
	// defaultHold is over a long weekend.
	defaultHold = 4 * 24 * time.Hour
)

// AlertmanagerOptions say how to reach the members of an Alertmanager cluster.
type AlertmanagerOptions struct {
	// URLs are of each member, such as http://alertmanager-0.alertmanager:9093, with the
	// path it is served under. None is to be a load balancer: members do not pass alerts on.
	URLs []string
	// Username and Password are for basic authentication, BearerToken instead of them.
	// With any of them the URLs must be https.
	Username, Password, BearerToken Credential
	// Hold is how long an alert about something done stays active; 0 is four days.
	Hold       time.Duration
	Connection Connection
}

// Alertmanager posts alerts to every member of a cluster, as Prometheus does, and is
// content if one has taken them: that one notifies. Others that have not are logged.
//
// Alertmanager takes an alert as resolved after its endsAt. Mollyguard does not repeat
// itself every minute like Prometheus, so endsAt is Hold from now for what was done, and
// a year for what keeps Mollyguard from seeing, which is resolved when it is over. An
// Alertmanager that restarts has forgotten its alerts; those it was told of are in its
// notifications. Send is for one goroutine at a time.
type Alertmanager struct {
	urls                  []string
	user, password, token Credential
	hold                  time.Duration
	post                  *poster
}

// NewAlertmanager checks the options; it does not connect.
func NewAlertmanager(o AlertmanagerOptions) (*Alertmanager, error) {
	basic := o.Username != nil || o.Password != nil
	switch {
	case len(o.URLs) == 0 || len(o.URLs) > maxAlertmanagers:
		return nil, fmt.Errorf("Alertmanager: %d URLs, 1 to %d are allowed", len(o.URLs), maxAlertmanagers)
	case basic && (o.Username == nil || o.Password == nil):
		return nil, errors.New("Alertmanager: basic authentication needs user name and password")
	case basic && o.BearerToken != nil:
		return nil, errors.New("Alertmanager: either user name and password, or a bearer token")
	}
	s := &Alertmanager{user: o.Username, password: o.Password, token: o.BearerToken, hold: o.Hold}
	if s.hold <= 0 {
		s.hold = defaultHold
	}
	for _, to := range o.URLs {
		if _, err := parseURL(to, basic || o.BearerToken != nil); err != nil {
			return nil, fmt.Errorf("Alertmanager: %w", err)
		}
		s.urls = append(s.urls, strings.TrimSuffix(to, "/")+alertmanagerPath)
	}
	post, err := newPoster(o.Connection)
	if err != nil {
		return nil, fmt.Errorf("Alertmanager: %w", err)
	}
	s.post = post
	return s, nil
}

// Send implements alert.Sink.
func (s *Alertmanager) Send(ctx context.Context, a alert.Alert) error {
	body, err := json.Marshal(s.alertsOf(a))
	if err != nil {
		return fmt.Errorf("Alertmanager: %w", err)
	}
	header, secrets, err := s.credentials()
	if err != nil {
		return fmt.Errorf("Alertmanager: %w", err)
	}
	problems := make([]error, len(s.urls))
	var members errgroup.Group
	for i, to := range s.urls {
		members.Go(func() error {
			problems[i] = s.sendTo(ctx, message{to: operation.NewSecret(to), header: header, body: body, secrets: secrets})
			return nil
		})
	}
	_ = members.Wait() // the problems are collected
	return s.verdict(ctx, problems)
}

func (s *Alertmanager) sendTo(ctx context.Context, m message) error {
	ctx, cancel := context.WithTimeout(ctx, alertmanagerTimeout)
	defer cancel()
	got, err := s.post.post(ctx, m)
	if err != nil {
		return err
	}
	// It answers 200 with no body.
	if empty := got.whole && len(strings.TrimSpace(string(got.body))) == 0; !empty || got.code != http.StatusOK {
		return got.notBelieved("Alertmanager")
	}
	return nil
}

// verdict is nil if one member took it. All must refuse it for it to be refused.
func (s *Alertmanager) verdict(ctx context.Context, problems []error) error {
	taken, rejected := 0, 0
	var later *alert.Later
	for _, err := range problems {
		if err == nil {
			taken++
		}
		if _, ok := errors.AsType[*alert.Rejected](err); ok {
			rejected++
		}
		if l, ok := errors.AsType[*alert.Later](err); ok && (later == nil || l.After < later.After) {
			later = l
		}
	}
	all := errors.Join(problems...)
	switch {
	case taken > 0:
		if all != nil {
			s.post.log.Warn("some members of Alertmanager have not taken an alert", slog.Int("taken", taken), slog.String("error", oneLine(all)))
		}
		return nil
	case rejected == len(problems):
		return &alert.Rejected{Reason: "Alertmanager: " + oneLine(all)}
	case later != nil && len(problems) == 1:
		return &alert.Later{Reason: "Alertmanager: " + oneLine(all), After: later.After}
	case ctx.Err() != nil:
		return fmt.Errorf("Alertmanager: %s: %w", oneLine(all), ctx.Err())
	default: // not to be unwrapped: what one member says is not what all say
		return fmt.Errorf("Alertmanager: %s", oneLine(all))
	}
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

func (s *Alertmanager) credentials() (http.Header, []operation.Secret, error) {
	switch {
	case s.token != nil:
		token, err := s.token()
		return http.Header{"Authorization": {"Bearer " + token.Reveal()}}, []operation.Secret{token}, err
	case s.user != nil:
		user, err := s.user()
		if err != nil {
			return nil, nil, err
		}
		password, err := s.password()
		pair := operation.NewSecret(user.Reveal() + ":" + password.Reveal())
		basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(pair.Reveal()))
		return http.Header{"Authorization": {basic}}, []operation.Secret{pair, password}, err
	default:
		return nil, nil, nil
	}
}
