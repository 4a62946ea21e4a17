package auditlog

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/operation"
)

func FuzzStarted(f *testing.F) {
	seed, err := json.Marshal(started{
		Version: recordVersion, At: time.Unix(1, 0).UTC(), Incident: "20260101T0000Z-00", Orphan: true,
		Decision: operation.Decision{ID: "01M7XXXXXXXXXXXXXXXXXXXXXX", Violations: []operation.Violation{{Policy: "p", BreakGlass: operation.BreakGlass{Never: true}}}},
	})
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range [][]byte{seed, nil, []byte(`{"version":2}`), []byte(`{"version":1,"decision":{"changes":null}}`)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := decodeStarted(text)
		if err != nil {
			return
		}
		text, err = json.Marshal(s)
		if err != nil { // a date after the year 9999, say
			return
		}
		again, err := decodeStarted(text)
		if err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		twice, err := json.Marshal(again)
		if err != nil || !bytes.Equal(text, twice) {
			t.Errorf("%s became %s (%v)", text, twice, err)
		}
	})
}

func FuzzUndecoded(f *testing.F) {
	seed, err := json.Marshal(Undecoded{Version: recordVersion, At: time.Unix(1, 0).UTC(), Source: "s", Error: "e", Data: []byte("{\xff"), Length: 3})
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range [][]byte{seed, nil, []byte(`{"version":2}`), []byte(`{"version":1,"data":"!"}`), []byte(`{"version":1,"length":-1}`)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		u, err := decodeUndecoded(text)
		if err != nil {
			return
		}
		text, err = json.Marshal(u)
		if err != nil {
			return
		}
		again, err := decodeUndecoded(text)
		if diff := cmp.Diff(u, again); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	})
}
