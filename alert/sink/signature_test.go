package sink

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/operation"
)

func signing(t testing.TB, text string) SigningSecret {
	t.Helper()
	secret, err := ParseSigningSecret(operation.NewSecret(text))
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// The values are those of the reference implementations' tests
// (https://github.com/standard-webhooks/standard-webhooks/tree/main/libraries).
func TestASignatureIsAsStandardWebhooksSay(t *testing.T) {
	header := http.Header{}
	sign(header, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`), []SigningSecret{signing(t, signingSecret)})
	want := http.Header{
		"Webhook-Id":        {"msg_p5jXN8AQM9LWM0D4loKWxJek"},
		"Webhook-Timestamp": {"1614265330"},
		"Webhook-Signature": {"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
	}
	if diff := cmp.Diff(want, header); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOnlyWhatWasSignedVerifies(t *testing.T) {
	body := []byte(`{"a":1}`)
	known := []SigningSecret{signing(t, newerSecret), signing(t, signingSecret)}
	for _, tt := range []struct {
		name   string
		change func(h http.Header)
		body   string
		keys   []SigningSecret
		now    time.Time
		ok     bool
	}{
		{name: "as it was sent", ok: true},
		{name: "after four minutes", now: sent.Add(4 * time.Minute), ok: true},
		{name: "another signature first", change: func(h http.Header) {
			h.Set(HeaderSignature, "v2,xyz v1a,abc v1,AAAA "+h.Get(HeaderSignature))
		}, ok: true},
		{name: "another body", body: `{"a":2}`},
		{name: "another id", change: func(h http.Header) { h.Set(HeaderID, "b.1") }},
		{name: "another time", change: func(h http.Header) { h.Set(HeaderTimestamp, "1795230770") }},
		{name: "no number", change: func(h http.Header) { h.Set(HeaderTimestamp, "soon") }},
		{name: "no id", change: func(h http.Header) { h.Del(HeaderID) }},
		{name: "no signature", change: func(h http.Header) { h.Del(HeaderSignature) }},
		{name: "a signature of nothing", change: func(h http.Header) { h.Set(HeaderSignature, "v1,") }},
		{name: "after six minutes", now: sent.Add(6 * time.Minute)},
		{name: "six minutes early", now: sent.Add(-6 * time.Minute)},
		{name: "another secret", keys: known[:1]},
		{name: "no secret", keys: []SigningSecret{}},
		{name: "a secret of nothing", keys: []SigningSecret{{}}},
		{name: "behind too many others", change: func(h http.Header) {
			h.Set(HeaderSignature, strings.Repeat("v1,AAAA ", maxSignatures)+h.Get(HeaderSignature))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			header := http.Header{}
			sign(header, "a.1", sent, body, known[1:])
			if tt.change != nil {
				tt.change(header)
			}
			got, keys, at := body, known, sent
			if tt.body != "" {
				got = []byte(tt.body)
			}
			if tt.keys != nil {
				keys = tt.keys
			}
			if !tt.now.IsZero() {
				at = tt.now
			}
			if err := Verify(header, got, keys, at); (err == nil) != tt.ok {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestASecretThatIsTooWeakIsNotSignedWith(t *testing.T) {
	for _, text := range []string{"", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2hvcnQ=", "whsec_***", "whsec_" + strings.Repeat("AAAA", 30)} {
		if _, err := ParseSigningSecret(operation.NewSecret(text)); err == nil || len(text) > 6 && strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add("a.1", "1795230769", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", "{}")
	f.Fuzz(func(t *testing.T, id, timestamp, signature, body string) {
		header := http.Header{HeaderID: {id}, HeaderTimestamp: {timestamp}, HeaderSignature: {signature}}
		if Verify(header, []byte(body), []SigningSecret{signing(t, signingSecret)}, sent) == nil {
			t.Errorf("forged: %q %q %q %q", id, timestamp, signature, body)
		}
	})
}
