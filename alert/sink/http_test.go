package sink

import (
	"strings"
	"testing"
)

func TestAYesThatDoesNotEndIsNotBelieved(t *testing.T) {
	for _, s := range overHTTP {
		want := "again"
		if s.name == "CloudEvents" { // where the status says it all
			want = "delivered"
		}
		server := serve(t, says(s.code, s.yes+strings.Repeat(" ", maxAnswer+1)))
		if err := s.make(t, server.URL).Send(t.Context(), violation()); outcome(err) != want {
			t.Errorf("%s: %v", s.name, err)
		}
	}
}
