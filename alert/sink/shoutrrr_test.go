package sink

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// genericURL leads shoutrrr's generic service to a server of ours.
func genericURL(url string) string {
	return "generic://" + strings.TrimPrefix(url, "http://") + "/hook/secret-path-0123?disabletls=yes&@X-Token=secret-token-0123"
}

func newTestShoutrrr(t *testing.T, url string) *Shoutrrr {
	return must[*Shoutrrr](t)(NewShoutrrr(ShoutrrrOptions{URL: fixed(genericURL(url))}))
}

func TestShoutrrrTellsTheText(t *testing.T) {
	for _, s := range samples() {
		t.Run(s.name, func(t *testing.T) {
			server := serve(t, says(200, "ok"))
			if err := newTestShoutrrr(t, server.URL).Send(t.Context(), s.alert); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{text(s.alert, maxShoutrrrText)}, server.bodies); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got := server.requests[0].Header.Get("X-Token"); got != "secret-token-0123" {
				t.Errorf("token %q", got)
			}
		})
	}
}

func TestNoSecretOfShoutrrrIsInAnError(t *testing.T) {
	echo := "secret-path-0123 secret-token-0123"
	for name, answer := range map[string]http.HandlerFunc{
		"400": says(400, echo),
		"500": says(500, echo),
		"cut": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"login": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:9/secret-path-0123", http.StatusFound)
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := newTestShoutrrr(t, serve(t, answer).URL).Send(t.Context(), violation())
			checkNoSecret(t, err, []string{"secret-path-0123", "secret-token-0123"})
		})
	}
	for _, url := range []string{
		"slack://hook:T0123456A-B0123456B-abcdefghijklmnopqrstuvwx@webhook?unknown=abcdefghijklmnopqrstuvwx",
		"telegram://123456:abcdefghijklmnopqrstuvwx@nowhere/abcdefghijklmnopqrstuvwx",
		"pushover://shoutrrr:abcdefghijklmnopqrstuvwx@/?x=%zz",
		"generic://%zz/abcdefghijklmnopqrstuvwx",
	} {
		sink := must[*Shoutrrr](t)(NewShoutrrr(ShoutrrrOptions{URL: fixed(url)}))
		// None of these gets as far as a call.
		checkNoSecret(t, sink.Send(t.Context(), violation()), []string{"abcdefghijklmnopqrstuvwx"})
	}
}

func TestAnUnknownServiceIsAnErrorThatDoesNotShowTheURL(t *testing.T) {
	for _, url := range []string{"", "hunter22", "hunter22://x", "https://hunter22", "telegram:hunter22"} {
		_, err := NewShoutrrr(ShoutrrrOptions{URL: fixed(url)})
		if err == nil || strings.Contains(err.Error(), "hunter22") {
			t.Errorf("%q: %v", url, err)
		}
	}
	if _, err := NewShoutrrr(ShoutrrrOptions{}); err == nil {
		t.Error("no error without a URL")
	}
}

func TestAServiceThatHangsIsNotCalledForEver(t *testing.T) {
	release := make(chan struct{})
	called := make(chan struct{}, 2*maxHanging)
	server := serve(t, func(http.ResponseWriter, *http.Request) {
		called <- struct{}{}
		<-release
	})
	sink := newTestShoutrrr(t, server.URL)
	for range maxHanging {
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-called; cancel() }()
		if err := sink.Send(ctx, violation()); !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
	}
	if err := sink.Send(t.Context(), violation()); !errors.Is(err, errLeash) {
		t.Errorf("got %v", err)
	}
	if server.count() != maxHanging {
		t.Errorf("called %d times", server.count())
	}
	close(release)
	for range maxHanging { // each of them ends: the leash is free again
		sink.leash.running <- struct{}{}
	}
}

func TestAPanicOfALibraryIsAnError(t *testing.T) {
	err := newLeash(1).run(t.Context(), func() error { panic("nil map") })
	if diff := cmp.Diff("panic: nil map", err.Error()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
