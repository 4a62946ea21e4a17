package sink

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/alert"
)

const password = "correct-horse-battery"

func newTestAlertmanager(t *testing.T, urls ...string) alert.Sink {
	return must[*Alertmanager](t)(NewAlertmanager(AlertmanagerOptions{
		URLs: urls, Username: fixed("mollyguard"), Password: fixed(password), Connection: connection(),
	}))
}

func TestAlertmanagerGetsAlerts(t *testing.T) {
	for _, s := range samples() {
		t.Run(s.name, func(t *testing.T) {
			server := serve(t, says(200, ""))
			if err := newTestAlertmanager(t, server.URL+"/").Send(t.Context(), s.alert); err != nil {
				t.Fatal(err)
			}
			golden(t, "alertmanager/"+s.name+".txt", server.transcript(t))
		})
	}
}

// label is what Prometheus allows (https://prometheus.io/docs/concepts/data_model/).
var label = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

func TestAlertsAreWhatAlertmanagerTakes(t *testing.T) {
	sink := must[*Alertmanager](t)(NewAlertmanager(AlertmanagerOptions{URLs: []string{"http://x.example"}, Connection: connection()}))
	strange := finished()
	strange.Updated = strange.Opened.Add(-time.Hour)
	strange.Status = alert.Resolved
	future := violation()
	future.Opened = sent.Add(1000 * 24 * time.Hour)
	all := samples()
	for _, s := range append(all, sample{"backwards", strange}, sample{"future", future}) {
		seen := map[string]bool{}
		for _, posted := range sink.alertsOf(s.alert) {
			if posted.EndsAt.Before(posted.StartsAt) {
				t.Errorf("%s ends before it starts", s.name)
			}
			for name, value := range posted.Labels {
				if !label.MatchString(name) || value == "" {
					t.Errorf("%s: label %q=%q", s.name, name, value)
				}
			}
			key, err := json.Marshal(posted.Labels)
			if err != nil || seen[string(key)] || posted.Labels["alertname"] == "" {
				t.Errorf("%s: labels %s twice, or without a name: %v", s.name, key, err)
			}
			seen[string(key)] = true
		}
	}
}

func TestBlindnessStaysUntilItIsOver(t *testing.T) {
	sink := must[*Alertmanager](t)(NewAlertmanager(AlertmanagerOptions{URLs: []string{"http://x.example"}, Hold: time.Hour, Connection: connection()}))
	got := map[string]time.Time{
		"violation": sink.alertsOf(violation())[0].EndsAt,
		"blind":     sink.alertsOf(blind())[0].EndsAt,
		"resolved":  sink.alertsOf(resolved())[0].EndsAt,
	}
	want := map[string]time.Time{"violation": sent.Add(time.Hour), "blind": sent.Add(blindHold), "resolved": resolved().Updated}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOneMemberThatTookItIsEnough(t *testing.T) {
	good, bad := serve(t, says(200, "")), serve(t, says(500, "no "+password))
	var log bytes.Buffer
	c := connection()
	c.Log = slog.New(slog.NewTextHandler(&log, nil))
	sink := must[*Alertmanager](t)(NewAlertmanager(AlertmanagerOptions{
		URLs: []string{bad.URL, good.URL}, Username: fixed("mollyguard"), Password: fixed(password), Connection: c,
	}))
	if err := sink.Send(t.Context(), violation()); err != nil {
		t.Fatal(err)
	}
	if good.count() != 1 || bad.count() != 1 {
		t.Errorf("sent %d and %d times", good.count(), bad.count())
	}
	if said := log.String(); !strings.Contains(said, "500") || strings.Contains(said, password) {
		t.Errorf("logged %q", said)
	}
}

func TestMembersThatDoNotTakeIt(t *testing.T) {
	refuses, fails := serve(t, says(400, "bad")), serve(t, says(503, ""))
	busy := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	for _, tt := range []struct {
		name            string
		urls            []string
		rejected, later bool
	}{
		{"all refuse", []string{refuses.URL, refuses.URL}, true, false},
		{"one refuses, one fails", []string{refuses.URL, fails.URL}, false, false},
		{"the only one is busy", []string{busy.URL}, false, true},
		{"one is busy, one fails", []string{busy.URL, fails.URL}, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := newTestAlertmanager(t, tt.urls...).Send(t.Context(), violation())
			_, rejected := errors.AsType[*alert.Rejected](err)
			_, later := errors.AsType[*alert.Later](err)
			if err == nil || rejected != tt.rejected || tt.later && !later || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v (rejected %v, later %v)", err, rejected, later)
			}
		})
	}
}

func TestAnAlertmanagerNeedsWhatItSays(t *testing.T) {
	one := []string{"https://a.example"}
	for _, o := range []AlertmanagerOptions{
		{},
		{URLs: []string{"a.example:9093"}},
		{URLs: []string{"https://user:pw@a.example"}},
		{URLs: one, Username: fixed("x")},
		{URLs: one, Username: fixed("x"), Password: fixed("x"), BearerToken: fixed("x")},
		{URLs: []string{"http://a.example"}, BearerToken: fixed("x")},
		{URLs: make([]string, maxAlertmanagers+1)},
	} {
		if _, err := NewAlertmanager(o); err == nil {
			t.Errorf("no error for %+v", o)
		}
	}
}
