package sink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/alert"
)

// overHTTP are the sinks that use a poster, and what their service says if it has an
// alert.
var overHTTP = []struct {
	name string
	make func(t *testing.T, url string) alert.Sink
	code int
	yes  string
}{
	{"PagerDuty", newTestPagerDuty, 202, pagerDutyYes},
	{"Slack webhook", newTestWebhook, 200, "ok"},
	{"Slack bot", newTestBot, 200, posted},
	{"Alertmanager", func(t *testing.T, url string) alert.Sink { return newTestAlertmanager(t, url) }, 200, ""},
	{"CloudEvents", newTestCloudEvents, 200, ""},
}

// secrets are all that the sinks under test have.
var secrets = []string{
	routingKey, webhookPath, "abcdefghijklmnopqrstuvwx", botToken, password, "bW9sbHlndWFyZDpjb3JyZWN0LWhvcnNlLWJhdHRlcnk=",
	"secret-in-query", signingSecret, newerSecret, "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
}

// outcome is what a Deliverer makes of an error.
func outcome(err error) string {
	var later *alert.Later
	var rejected *alert.Rejected
	switch {
	case err == nil:
		return "delivered"
	case errors.As(err, &later):
		return "after " + later.After.String()
	case errors.As(err, &rejected):
		return "rejected"
	default:
		return "again"
	}
}

const portal = "<!DOCTYPE html><html><body>Welcome to the hotel's Wi-Fi</body></html>"

// aborted stops in the middle of an answer.
func aborted(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(body)+10))
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
		panic(http.ErrAbortHandler)
	}
}

func retryAfterHeader(code int, value string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", value)
		w.WriteHeader(code)
	}
}

func TestWhatTheOtherSideSaysIsUnderstood(t *testing.T) {
	for _, s := range overHTTP {
		for _, tt := range []struct {
			name   string
			answer http.HandlerFunc
			want   string
		}{
			{"yes", says(s.code, s.yes), "delivered"},
			{"400", says(400, "bad"), "rejected"},
			{"401", says(401, "who?"), "again"},
			{"403", says(403, "no"), "rejected"},
			{"404", says(404, "no_service"), "rejected"},
			{"407", says(407, ""), "again"},
			{"408", says(408, ""), "again"},
			{"410", says(410, "channel_is_archived"), "rejected"},
			{"413", says(413, ""), "rejected"},
			{"425", says(425, ""), "again"},
			{"429", says(429, ""), "again"},
			{"429, in seconds", retryAfterHeader(429, "30"), "after 30s"},
			{"429, at a time", retryAfterHeader(429, sent.Add(time.Minute).Format(http.TimeFormat)), "after 1m0s"},
			{"429, at no time", retryAfterHeader(429, "soon"), "again"},
			{"429, in years", retryAfterHeader(429, "99999999999999999999"), "after 24h0m0s"},
			{"503, in seconds", retryAfterHeader(503, "5"), "after 5s"},
			{"400 does not wait", retryAfterHeader(400, "5"), "rejected"},
			{"500", says(500, "oops"), "again"},
			{"502", says(502, portal), "again"},
			{"a captive portal", says(200, portal), "again"},
			{"302", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) }, "again"},
			{"a huge answer", says(s.code, portal+strings.Repeat("x", 10<<20)), "again"},
			{"an answer that breaks off", aborted(s.code, s.yes), "again"},
			{"a connection that breaks off", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "again"},
		} {
			t.Run(s.name+"/"+tt.name, func(t *testing.T) {
				server := serve(t, tt.answer)
				server.Config.ErrorLog = nil
				err := s.make(t, server.URL).Send(t.Context(), violation())
				if got := outcome(err); got != tt.want {
					t.Errorf("%s, want %s: %v", got, tt.want, err)
				}
			})
		}
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	for _, s := range overHTTP {
		for _, code := range []int{301, 302, 303, 307, 308} {
			t.Run(fmt.Sprint(s.name, " ", code), func(t *testing.T) {
				elsewhere := serve(t, says(s.code, s.yes))
				server := serve(t, func(w http.ResponseWriter, r *http.Request) {
					http.Redirect(w, r, elsewhere.URL+"/?"+routingKey, code)
				})
				err := s.make(t, server.URL).Send(t.Context(), violation())
				if outcome(err) != "again" || elsewhere.count() != 0 {
					t.Errorf("%d requests elsewhere: %v", elsewhere.count(), err)
				}
			})
		}
	}
}

func TestWhoHangsIsNotWaitedFor(t *testing.T) {
	for _, s := range overHTTP {
		t.Run(s.name, func(t *testing.T) {
			release := make(chan struct{})
			ctx, cancel := context.WithCancel(t.Context())
			server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(s.code)
				_, _ = io.WriteString(w, s.yes)
				_ = http.NewResponseController(w).Flush()
				cancel()
				<-release
			})
			defer close(release)
			if err := s.make(t, server.URL).Send(ctx, violation()); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestNoSecretIsInAnError(t *testing.T) {
	echo := strings.Join(secrets, " ") + " https://hooks.slack.example" + webhookPath + "?token=" + botToken
	answers := map[string]http.HandlerFunc{
		"400":      says(400, echo),
		"500":      says(500, strings.ToUpper(echo)),
		"200":      says(200, "<html>"+echo),
		"not JSON": says(202, echo),
		"429": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "3")
			says(429, echo)(w, r)
		},
		"slack": says(200, `{"ok":false,"error":"`+botToken+`"}`),
		"redirect": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "https://"+routingKey+"/"+botToken+webhookPath)
			w.WriteHeader(302)
		},
		"cut":   func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"break": aborted(200, echo),
	}
	for _, s := range overHTTP {
		for name, answer := range answers {
			if s.name == "CloudEvents" && (name == "not JSON" || name == "slack") {
				continue // which is a yes there
			}
			t.Run(s.name+"/"+name, func(t *testing.T) {
				server := serve(t, answer)
				checkNoSecret(t, s.make(t, server.URL).Send(t.Context(), violation()), mineOf(s.name))
			})
		}
		t.Run(s.name+"/nobody is there", func(t *testing.T) {
			server := httptest.NewServer(nil)
			server.Close()
			checkNoSecret(t, s.make(t, server.URL).Send(t.Context(), violation()), mineOf(s.name))
		})
		t.Run(s.name+"/no time", func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			checkNoSecret(t, s.make(t, "http://127.0.0.1:9").Send(ctx, violation()), mineOf(s.name))
		})
	}
}

// mineOf are the secrets that a sink knows, and can be expected to keep.
func mineOf(name string) []string {
	switch name {
	case "PagerDuty":
		return []string{routingKey}
	case "Slack webhook":
		return []string{webhookPath, "T0123456", "abcdefghijklmnopqrstuvwx"}
	case "Slack bot":
		return []string{botToken, "abcdefghijklmnop"}
	case "Alertmanager":
		return []string{password, "bW9sbHlndWFyZDpjb3JyZWN0LWhvcnNlLWJhdHRlcnk="}
	default:
		return []string{"secret-in-query", signingSecret, newerSecret}
	}
}

func checkNoSecret(t *testing.T, err error, secrets []string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		text := strings.ToLower(fmt.Sprintf("%v %+v %#v", e, e, e))
		for _, secret := range secrets {
			if strings.Contains(text, strings.ToLower(secret)) {
				t.Errorf("%q is in %s", secret, text)
			}
		}
		if strings.Contains(e.Error(), "\n") || len(e.Error()) > 3*maxQuoted {
			t.Errorf("not one line: %q", e.Error())
		}
	}
}

func TestASecretThatCannotBeReadStopsNothingElse(t *testing.T) {
	missing := FromFile("/nonexistent/secret")
	server := serve(t, says(200, ""))
	for name, sink := range map[string]alert.Sink{
		"PagerDuty":    must[*PagerDuty](t)(NewPagerDuty(PagerDutyOptions{RoutingKey: missing, URL: server.URL})),
		"webhook":      must[*Slack](t)(NewSlack(SlackOptions{Webhook: missing})),
		"bot":          must[*Slack](t)(NewSlack(SlackOptions{Token: missing, Channel: "x", URL: server.URL})),
		"Alertmanager": must[*Alertmanager](t)(NewAlertmanager(AlertmanagerOptions{URLs: []string{server.URL}, BearerToken: missing})),
		"password":     must[*Alertmanager](t)(NewAlertmanager(AlertmanagerOptions{URLs: []string{server.URL}, Username: fixed("x"), Password: missing})),
		"CloudEvents":  must[*CloudEvents](t)(NewCloudEvents(CloudEventsOptions{URL: server.URL, Secrets: []Credential{missing}})),
	} {
		err := sink.Send(t.Context(), violation())
		if outcome(err) != "again" || !strings.Contains(err.Error(), `read secret "/nonexistent/secret": no such file or directory`) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if server.count() != 0 {
		t.Errorf("%d requests without a secret", server.count())
	}
}

func TestASecretIsSentOverHTTPSOnly(t *testing.T) {
	for _, sink := range []alert.Sink{
		must[*Slack](t)(NewSlack(SlackOptions{Webhook: fixed("http://hooks.slack.example" + webhookPath)})),
	} {
		err := sink.Send(t.Context(), violation())
		if diff := cmp.Diff("Slack: http://hooks.slack.example: a secret is sent over https only", fmt.Sprint(err)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	if _, err := NewPagerDuty(PagerDutyOptions{RoutingKey: fixed(routingKey), URL: "http://events.example"}); err == nil {
		t.Error("PagerDuty took http")
	}
}

func TestRetryAfterIsReadAsTheRFCSays(t *testing.T) {
	type result struct {
		After time.Duration
		OK    bool
	}
	for text, want := range map[string]result{
		"":                                 {},
		"-5":                               {},
		"1.5":                              {},
		" 120 ":                            {2 * time.Minute, true},
		"0":                                {0, true},
		"4294967296":                       {maxLater, true},
		"Sat, 21 Nov 2026 03:13:49 GMT":    {time.Minute, true},
		"Sat, 21 Nov 2020 03:13:49 GMT":    {0, true},
		"Saturday, 21-Nov-26 03:13:49 GMT": {time.Minute, true},
	} {
		after, ok := retryAfter(text, sent)
		if got := (result{after, ok}); got != want {
			t.Errorf("retryAfter(%q) = %v, want %v", text, got, want)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("120")
	f.Add("Sat, 21 Nov 2026 03:13:49 GMT")
	f.Fuzz(func(t *testing.T, text string) {
		if after, _ := retryAfter(text, sent); after < 0 || after > maxLater {
			t.Errorf("retryAfter(%q) = %v", text, after)
		}
	})
}
