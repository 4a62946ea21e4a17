package main

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadinessHasALineForEachCheck(t *testing.T) {
	good := check{"policies", func() (string, error) { return "6 policies", nil }}
	quiet := check{"caches", func() (string, error) { return "", nil }}
	bad := check{"certificate", func() (string, error) { return "until tomorrow", errors.New("none yet") }}
	type answer struct {
		Code int
		Text string
	}
	for _, tt := range []struct {
		name     string
		checks   []check
		stopping bool
		want     answer
	}{
		{"all is well", []check{good, quiet}, false, answer{http.StatusOK, "[+]policies ok: 6 policies\n[+]caches ok\n"}},
		{"one is not ready", []check{good, bad, quiet}, false, answer{http.StatusServiceUnavailable, "[+]policies ok: 6 policies\n[-]certificate: none yet\n[+]caches ok\n"}},
		{"a server that stops is not ready", []check{good}, true, answer{http.StatusServiceUnavailable, "[-]stopping\n[+]policies ok: 6 policies\n"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &readiness{checks: tt.checks}
			if tt.stopping {
				r.stop()
			}
			recorder := httptest.NewRecorder()
			r.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/readyz", nil))
			if diff := cmp.Diff(tt.want, answer{recorder.Code, recorder.Body.String()}); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}
