package sink

import (
	"net/http"
	"testing"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/operation"
)

// Keys of 24 bytes.
const (
	signingSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	newerSecret   = "whsec_bmV3ZXItc2VjcmV0LW9mLTMyLWJ5dGVzLWhlcmUh"
)

func newTestCloudEvents(t *testing.T, url string) alert.Sink {
	return must[*CloudEvents](t)(NewCloudEvents(CloudEventsOptions{
		URL: url + "/hook?key=secret-in-query", Secrets: []Credential{fixed(signingSecret), fixed(newerSecret)},
		Connection: connection(),
	}))
}

func TestAReceiverGetsACloudEvent(t *testing.T) {
	for _, s := range samples() {
		t.Run(s.name, func(t *testing.T) {
			server := serve(t, says(204, ""))
			if err := newTestCloudEvents(t, server.URL).Send(t.Context(), s.alert); err != nil {
				t.Fatal(err)
			}
			golden(t, "cloudevents/"+s.name+".txt", server.transcript(t))
			for _, text := range []string{signingSecret, newerSecret} {
				header, body := server.requests[0].Header, []byte(server.bodies[0])
				if err := Verify(header, body, []SigningSecret{signing(t, text)}, sent); err != nil {
					t.Errorf("verify what was sent: %v", err)
				}
			}
		})
	}
}

func TestAReceiverThatSaysOKAsHTMLIsBelieved(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		says(200, "ok")(w, r)
	})
	if err := newTestCloudEvents(t, server.URL).Send(t.Context(), violation()); err != nil {
		t.Error(err)
	}
}

func TestASecretIsReadAgainForEachEvent(t *testing.T) {
	server := serve(t, says(200, ""))
	current := signingSecret
	read := func() (operation.Secret, error) { return fixed(current)() }
	sink := must[*CloudEvents](t)(NewCloudEvents(CloudEventsOptions{URL: server.URL, Secrets: []Credential{read}, Connection: connection()}))
	for _, current = range []string{signingSecret, newerSecret} {
		if err := sink.Send(t.Context(), violation()); err != nil {
			t.Fatal(err)
		}
	}
	for i, text := range []string{signingSecret, newerSecret} {
		if err := Verify(server.requests[i].Header, []byte(server.bodies[i]), []SigningSecret{signing(t, text)}, sent); err != nil {
			t.Error(err)
		}
	}
}

func TestEventsAreNotSentUnsigned(t *testing.T) {
	for _, o := range []CloudEventsOptions{
		{URL: "https://a.example"},
		{URL: "https://a.example", Secrets: make([]Credential, maxSigningSecrets+1)},
		{URL: "a.example", Secrets: []Credential{fixed(signingSecret)}},
	} {
		if _, err := NewCloudEvents(o); err == nil {
			t.Errorf("no error for %+v", o)
		}
	}
	server := serve(t, says(200, ""))
	sink := must[*CloudEvents](t)(NewCloudEvents(CloudEventsOptions{URL: server.URL, Secrets: []Credential{fixed("whsec_c2hvcnQ=")}, Connection: connection()}))
	if err := sink.Send(t.Context(), violation()); err == nil || server.count() != 0 {
		t.Errorf("sent %d times: %v", server.count(), err)
	}
}
