package sink

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/operation"
)

const (
	webhookPath = "/services/T0123456/B0123456/abcdefghijklmnopqrstuvwx"
	botToken    = "xoxb-123456789012-abcdefghijklmnop"
	posted      = `{"ok":true,"channel":"C0123456","ts":"1732158767.000100"}`
)

func newTestWebhook(t *testing.T, url string) alert.Sink {
	return must[*Slack](t)(NewSlack(SlackOptions{Webhook: fixed(url + webhookPath), Connection: connection()}))
}

func newTestBot(t *testing.T, url string) alert.Sink {
	return must[*Slack](t)(NewSlack(SlackOptions{Token: fixed(botToken), Channel: "#production", URL: url, Connection: connection()}))
}

func TestASlackWebhookGetsAMessage(t *testing.T) {
	for _, s := range samples() {
		t.Run(s.name, func(t *testing.T) {
			server := serve(t, says(200, "ok"))
			if err := newTestWebhook(t, server.URL).Send(t.Context(), s.alert); err != nil {
				t.Fatal(err)
			}
			golden(t, "slack/"+s.name+".txt", server.transcript(t))
		})
	}
}

func TestALaterRevisionByWebhookIsShort(t *testing.T) {
	server := serve(t, says(200, "ok"))
	sink := newTestWebhook(t, server.URL)
	later := burst(14)
	later.Revision = 2
	for _, a := range []alert.Alert{burst(1), later} {
		if err := sink.Send(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "slack/short.txt", server.transcript(t))
}

func TestABotChangesWhatItSaid(t *testing.T) {
	server := serve(t, says(200, posted))
	sink := newTestBot(t, server.URL)
	for _, a := range []alert.Alert{violation(), finished()} {
		if err := sink.Send(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "slack/bot.txt", server.transcript(t))
}

func paths(s *service) []string {
	s.lock.Lock()
	defer s.lock.Unlock()
	var all []string
	for _, r := range s.requests {
		all = append(all, r.URL.Path)
	}
	return all
}

func TestABotSaysInTheChannelThatItGotWorse(t *testing.T) {
	server := serve(t, says(200, posted))
	sink := newTestBot(t, server.URL)
	first, worse, same := notice(), notice(), notice()
	worse.Revision, worse.Severity = 2, operation.Critical
	same.Revision, same.Severity = 3, operation.Critical
	for _, a := range []alert.Alert{first, worse, same} {
		if err := sink.Send(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"/chat.postMessage", "/chat.update", "/chat.postMessage", "/chat.update"}, paths(server)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var third slackMessage
	if err := json.Unmarshal([]byte(server.bodies[2]), &third); err != nil {
		t.Fatal(err)
	}
	if third.ThreadTS != "1732158767.000100" || !third.Broadcast || third.Channel != "C0123456" {
		t.Errorf("not in the thread and the channel: %+v", third)
	}
}

func TestABotSaysAllAgainWhereItsMessageIsGone(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/chat.update" {
			_, _ = io.WriteString(w, `{"ok":false,"error":"message_not_found"}`)
			return
		}
		_, _ = io.WriteString(w, posted)
	})
	sink := newTestBot(t, server.URL)
	for _, a := range []alert.Alert{violation(), finished()} {
		if err := sink.Send(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"/chat.postMessage", "/chat.update", "/chat.postMessage"}, paths(server)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhatSlackSaysWith200IsRead(t *testing.T) {
	for _, tt := range []struct {
		body          string
		bot, rejected bool
	}{
		{`{"ok":false,"error":"channel_not_found"}`, true, true},
		{`{"ok":false,"error":"is_archived"}`, true, true},
		{`{"ok":false,"error":"not_in_channel"}`, true, true},
		{`{"ok":false,"error":"invalid_auth"}`, true, false},
		{`{"ok":false,"error":"fatal_error"}`, true, false},
		{`{"ok":false}`, true, false},
		{`{}`, true, false},
		{`ok`, true, false},
		{`invalid_payload`, false, true},
		{`channel_is_archived`, false, true},
		{`{"ok":true}`, false, false},
		{`ok, not`, false, false},
		{``, false, false},
	} {
		t.Run(fmt.Sprintf("%s bot=%v", tt.body, tt.bot), func(t *testing.T) {
			server := serve(t, says(200, tt.body))
			sink := newTestWebhook(t, server.URL)
			if tt.bot {
				sink = newTestBot(t, server.URL)
			}
			err := sink.Send(t.Context(), violation())
			if err == nil {
				t.Fatal("believed")
			}
			if _, ok := errors.AsType[*alert.Rejected](err); ok != tt.rejected {
				t.Errorf("rejected: %v, want %v: %v", ok, tt.rejected, err)
			}
		})
	}
}

func TestSlackForgetsTheOldest(t *testing.T) {
	memory := newTold()
	for i := range maxTold + 10 {
		memory.put(fmt.Sprint(i), place{ts: fmt.Sprint(i)})
		memory.put(fmt.Sprint(i), place{ts: fmt.Sprint(i)})
	}
	_, oldest := memory.get("9")
	_, kept := memory.get("10")
	if got := []any{oldest, kept, len(memory.places), len(memory.order)}; !cmp.Equal(got, []any{false, true, maxTold, maxTold}) {
		t.Errorf("got %v", got)
	}
}

func TestASlackNeedsAWebhookOrABot(t *testing.T) {
	for _, o := range []SlackOptions{
		{},
		{Token: fixed("x")},
		{Channel: "x"},
		{Webhook: fixed("x"), Token: fixed("x"), Channel: "x"},
		{Webhook: fixed("x"), Channel: "x"},
		{Token: fixed("x"), Channel: "x", URL: "http://slack.example"},
	} {
		if _, err := NewSlack(o); err == nil {
			t.Errorf("no error for %+v", o)
		}
	}
}

func FuzzASlackMessageKeepsToTheLimits(f *testing.F) {
	f.Add("a", "`<!channel>`", 3)
	f.Add(strings.Repeat("&", 600), strings.Repeat("<", 600), 20)
	f.Fuzz(func(t *testing.T, title, text string, count int) {
		a := burst(min(max(count, 1), 30))
		a.Title, a.Text, a.ID, a.Cluster, a.Help = title, []string{text, title}, text, title, text
		a.Runbook = "https://x.example/?" + text
		for i := range a.Operations {
			o := &a.Operations[i]
			o.Messages, o.Changes, o.Because = []string{text + fmt.Sprint(i)}, []string{title, text}, []string{fmt.Sprint(i) + text}
		}
		for _, said := range []slackMessage{wholeMessage(a), shortMessage(a)} {
			if len(said.Blocks) > 50 || strings.Contains(said.Text, "<") {
				t.Errorf("%d blocks, text %q", len(said.Blocks), said.Text)
			}
			for _, block := range said.Blocks {
				texts := block.Elements
				if block.Text != nil {
					texts = append(texts, *block.Text)
				}
				for _, text := range texts {
					checkSlackText(t, block.Type, text)
				}
			}
		}
	})
}

func checkSlackText(t *testing.T, block string, text slackText) {
	t.Helper()
	limit := 3000
	if block == "header" {
		limit = 150
	}
	if n := utf8.RuneCountInString(text.Text); n == 0 || n > limit {
		t.Errorf("%s of %d characters", block, n)
	}
	if text.Type != "mrkdwn" {
		return
	}
	for _, part := range strings.Split(text.Text, "<")[1:] {
		if !strings.HasPrefix(part, "https://") {
			t.Errorf("a mention or link was smuggled in: %q", text.Text)
		}
	}
	if strings.Count(text.Text, "`")%2 != 0 {
		t.Errorf("code is left: %q", text.Text)
	}
}
