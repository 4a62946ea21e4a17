package sink

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/operation"
)

const routingKey = "0123456789abcdef0123456789abcdef"

const pagerDutyYes = `{"status":"success","message":"Event processed","dedup_key":"x"}`

func newTestPagerDuty(t *testing.T, url string) alert.Sink {
	return must[*PagerDuty](t)(NewPagerDuty(PagerDutyOptions{RoutingKey: fixed(routingKey), URL: url + "/v2/enqueue", Connection: connection()}))
}

func TestPagerDutyGetsAnEvent(t *testing.T) {
	for _, s := range samples() {
		t.Run(s.name, func(t *testing.T) {
			server := serve(t, says(202, pagerDutyYes))
			if err := newTestPagerDuty(t, server.URL).Send(t.Context(), s.alert); err != nil {
				t.Fatal(err)
			}
			golden(t, "pagerduty/"+s.name+".txt", server.transcript(t))
		})
	}
}

func TestAnEventOfPagerDutyIsNeverTooLarge(t *testing.T) {
	a := burst(alert.MaxOperations)
	long := strings.Repeat("\x00€<", 100_000)
	a.Title, a.Text = long, []string{long, "b" + long}
	for i := range a.Operations {
		mark := fmt.Sprint(i) + long
		o := &a.Operations[i]
		o.Because, o.Messages, o.Changes, o.Grant, o.Link = []string{mark}, []string{mark}, []string{mark, mark, mark, mark}, mark, o.Link+mark
	}
	event := pagerDutyEventOf(a, routingKeySecret())
	body, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	if len(body) > 512_000 || len(event.Payload.Summary) > 1024 {
		t.Errorf("%d bytes, a summary of %d", len(body), len(event.Payload.Summary))
	}
}

func routingKeySecret() operation.Secret { return operation.NewSecret(routingKey) }
