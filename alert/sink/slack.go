package sink

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/operation"
)

// slackURL is where Slack's methods are (https://docs.slack.dev/apis/web-api/).
const slackURL = "https://slack.com/api"

// SlackOptions say how to reach a channel: by an incoming webhook, or as a bot with
// the scope chat:write, which can change what it said.
type SlackOptions struct {
	// Webhook is the URL of an incoming webhook, all of which is secret. It is that or
	// Token and Channel.
	Webhook Credential
	// Token is a bot's.
	Token Credential
	// Channel is the id or name of a channel that the bot is a member of.
	Channel string
	// URL is empty for Slack's own API.
	URL        string
	Connection Connection
}

// Slack writes into a channel. A bot changes its message as the alert changes, and says
// in its thread and in the channel if it got worse: an edit notifies nobody. A webhook
// cannot change anything, and adds a short message.
//
// What was said is remembered for the last 1000 alerts, and not across restarts. Of an
// alert that is not remembered, all is said, whatever its revision: it may be the first
// that this channel sees of it. Send is for one goroutine at a time.
type Slack struct {
	webhook, token Credential
	channel, url   string
	post           *poster
	told           *told
}

// NewSlack checks the options; it does not connect.
func NewSlack(o SlackOptions) (*Slack, error) {
	bot := o.Token != nil && o.Channel != ""
	switch {
	case (o.Token != nil) != (o.Channel != ""):
		return nil, errors.New("Slack: a bot needs its token and a channel")
	case bot == (o.Webhook != nil):
		return nil, errors.New("Slack: either a webhook URL, or a bot's token and a channel")
	}
	api := strings.TrimSuffix(cmp.Or(o.URL, slackURL), "/")
	if _, err := parseURL(api, true); err != nil {
		return nil, fmt.Errorf("Slack: %w", err)
	}
	post, err := newPoster(o.Connection)
	if err != nil {
		return nil, fmt.Errorf("Slack: %w", err)
	}
	return &Slack{o.Webhook, o.Token, o.Channel, api, post, newTold()}, nil
}

// Send implements alert.Sink.
func (s *Slack) Send(ctx context.Context, a alert.Alert) error {
	send := s.sendAsBot
	if s.webhook != nil {
		send = s.sendByWebhook
	}
	if err := send(ctx, a); err != nil {
		return fromSink("Slack", err)
	}
	return nil
}

func (s *Slack) sendByWebhook(ctx context.Context, a alert.Alert) error {
	to, err := s.webhook()
	if err != nil {
		return err
	}
	said := wholeMessage(a)
	if _, ok := s.told.get(a.ID); ok {
		said = shortMessage(a)
	}
	body, err := json.Marshal(said)
	if err != nil {
		return err
	}
	// The URL is a credential as well as an address, so it goes over https only.
	got, err := s.post.post(ctx, message{to: to, body: body, secrets: []operation.Secret{to}})
	if err != nil {
		return err
	}
	switch word := strings.TrimSpace(string(got.body)); {
	case got.whole && word == "ok":
		s.told.put(a.ID, place{severity: a.Severity})
		return nil
	case slackRefuses(word):
		return &alert.Rejected{Reason: fmt.Sprintf("%s answered %d: %s", got.host, got.code, word)}
	default:
		return got.notBelieved("a Slack webhook")
	}
}

func (s *Slack) sendAsBot(ctx context.Context, a alert.Alert) error {
	at, ok := s.told.get(a.ID)
	if !ok {
		return s.begin(ctx, a)
	}
	said := wholeMessage(a)
	said.Channel, said.TS = at.channel, at.ts
	_, err := s.call(ctx, "chat.update", said)
	if problem, ok := errors.AsType[*slackError](err); ok && problem.gone() {
		return s.begin(ctx, a)
	}
	if err != nil {
		return asSinkError(err)
	}
	if a.Severity.Rank() > at.severity.Rank() {
		worse := shortMessage(a)
		worse.Channel, worse.ThreadTS, worse.Broadcast = at.channel, at.ts, true
		if _, err := s.call(ctx, "chat.postMessage", worse); err != nil {
			return asSinkError(err)
		}
	}
	at.severity = a.Severity
	s.told.put(a.ID, at)
	return nil
}

// begin says all in a message of its own.
func (s *Slack) begin(ctx context.Context, a alert.Alert) error {
	said := wholeMessage(a)
	said.Channel = s.channel
	got, err := s.call(ctx, "chat.postMessage", said)
	if err != nil {
		return asSinkError(err)
	}
	if got.Channel != "" && got.TS != "" { // else it cannot be changed, but it is said
		s.told.put(a.ID, place{got.Channel, got.TS, a.Severity})
	}
	return nil
}

// slackAnswer is what every method answers, with 200 if it went wrong as well.
type slackAnswer struct {
	OK      *bool  `json:"ok"`
	Error   string `json:"error"`
	Channel string `json:"channel"`
	TS      string `json:"ts"`
}

func (s *Slack) call(ctx context.Context, method string, said slackMessage) (slackAnswer, error) {
	token, err := s.token()
	if err != nil {
		return slackAnswer{}, err
	}
	body, err := json.Marshal(said)
	if err != nil {
		return slackAnswer{}, err
	}
	got, err := s.post.post(ctx, message{
		to:      operation.NewSecret(s.url + "/" + method),
		header:  http.Header{"Authorization": {"Bearer " + token.Reveal()}, "Content-Type": {"application/json; charset=utf-8"}},
		body:    body,
		secrets: []operation.Secret{token},
	})
	if err != nil {
		return slackAnswer{}, err
	}
	var answer slackAnswer
	switch {
	case !got.decode(&answer) || answer.OK == nil:
		return slackAnswer{}, got.notBelieved("Slack")
	case !*answer.OK:
		return slackAnswer{}, &slackError{method: method, code: got.scrub.clean(cmp.Or(answer.Error, "no reason given"))}
	}
	return answer, nil
}
