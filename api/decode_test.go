package api_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/mollyguard/mollyguard/api"
)

func TestBadInputIsRefusedWithTheField(t *testing.T) {
	const requests = "/v1/break-glass/requests"
	for _, tt := range []struct {
		name, path, body string
		status           int
		detail           string
	}{
		{"an unknown field", requests, `{"scope":{"surfaces":"x"},"reason":"r"}`, 400, "scope.surfaces: no such field"},
		{"an unknown field in a list", requests, `{"scope":{"targets":[{"ref":"a","nme":"b"}]}}`, 400, "scope.targets.0.nme: no such field"},
		{"a field in another case", requests, `{"Reason":"r"}`, 400, "Reason: no such field"},
		{"a field twice", requests, `{"reason":"a","reason":"b"}`, 400, "reason: there twice"},
		{"a duration in nanoseconds", requests, `{"duration":1800000000000}`, 400, "duration: JSON value must be string type"},
		{"a duration that is none", requests, `{"duration":"soon"}`, 400, `duration: "soon" is not a duration such as 30m or 1h30m`},
		{"a negative duration", requests, `{"duration":"-1h"}`, 400, `duration: "-1h" is not a duration such as 30m or 1h30m`},
		{"something behind the end", requests, `{} {}`, 400, "not JSON at byte 3: invalid character '{' after top-level value"},
		{"nothing", requests, ``, 400, "the body is empty or ends in the middle"},
		{"half of it", requests, `{"reason":"r`, 400, "the body is empty or ends in the middle"},
		{"no JSON", requests, `reason=r`, 400, "not JSON at byte 0: invalid character 'r' at start of value"},
		{"a list", requests, `[]`, 400, "the body: not a ["},
		{"too much", requests, `{"reason":"` + strings.Repeat("x", 128<<10) + `"}`, 413, "the body is larger than 128 KiB"},
		{"a verdict with more", requests + "/" + handle + "/approve", `{"reason":"r","force":true}`, 400, "force: no such field"},
		{"no token", "/v1/break-glass/tokens", `{}`, 400, "token: missing"},
		{"something that is no handle", requests + "/" + "..%2f..%2fetc" + "/approve", `{"reason":"r"}`, 404, "there is nothing under that name"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			got := s.do(t, "POST", tt.path, aliceToken, tt.body)
			p := problem(t, got)
			if p.Status != tt.status || p.Detail != tt.detail {
				t.Errorf("got %d %q, want %d %q", p.Status, p.Detail, tt.status, tt.detail)
			}
			if len(s.desk.asked) > 0 {
				t.Errorf("the desk was asked: %v", s.desk.asked)
			}
			validate(t, "POST", strings.Replace(tt.path, "..%2f..%2fetc", handle, 1), got)
		})
	}
}

func FuzzRequestBody(f *testing.F) {
	f.Add(proposal)
	f.Add(`{"scope":{"surface":"kubernetes","verbs":["delete"],"targets":[{"ref":"a","name":"b"}],"objects":1e1000}}`)
	f.Add(`{"duration":"1ns","not_before":"2026-11-21T04:00:00+25:00"}`)
	handler, err := api.NewHandler(api.HandlerOptions{Desk: &desk{view: view()}, Authenticator: anybody{}, Audience: "prod-eu"})
	if err != nil {
		f.Fatal(err)
	}
	n := 0
	f.Fuzz(func(t *testing.T, body string) {
		n++
		request := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/break-glass/requests", strings.NewReader(body))
		request.Header.Set("Authorization", fmt.Sprint("Bearer ", n))
		request.RemoteAddr = fmt.Sprintf("10.%d.%d.%d:1", n>>16&255, n>>8&255, n&255)
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, request)
		if !slices.Contains([]int{201, 400, 413}, recorder.Code) {
			t.Errorf("status %d:\n%s", recorder.Code, recorder.Body)
		}
		if !json.Valid(recorder.Body.Bytes()) {
			t.Errorf("not JSON: %s", recorder.Body)
		}
	})
}
