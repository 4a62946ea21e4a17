package ledger

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

func TestARecordThatIsNotOneOfOursIsAnError(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"nothing":              {``, "read a record: unexpected end of JSON input"},
		"no object":            {`[]`, "read a record: json: cannot unmarshal array into Go value of type struct { Version int \"json:\\\"version\\\"\" }"},
		"no version":           {`{"request":{}}`, "read a record: it is of version 0, not 1"},
		"a newer version":      {`{"version":2,"lease":{}}`, "read a record: it is of version 2, not 1"},
		"a field that is new":  {`{"version":1,"grant":{"only_on":"monday"}}`, `read a record: json: unknown field "only_on"`},
		"a thing that is new":  {`{"version":1,"lease":{}}`, `read a record: json: unknown field "lease"`},
		"nothing in it":        {`{"version":1}`, "read a record: it holds 0 things, not one"},
		"two things in it":     {`{"version":1,"request":{},"use":{}}`, "read a record: it holds 2 things, not one"},
		"something after it":   {`{"version":1,"use":{}} {}`, "read a record: invalid character '{' after top-level value"},
		"a time that is none":  {`{"version":1,"use":{"at":"noon"}}`, `read a record: parsing time "noon" as "2006-01-02T15:04:05Z07:00": cannot parse "noon" as "2006"`},
		"a number that is not": {`{"version":1,"use":{"slot":1e99}}`, "read a record: json: cannot unmarshal number 1e99 into Go struct field Use.use.slot of type int"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := decodeRecord([]byte(tt.text)); err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// FuzzRecord reads what may be in a file. What can be read is the same after it
// was written and read again; that all of it is read at all is for storetest.
func FuzzRecord(f *testing.F) {
	now := time.Date(2026, 11, 21, 3, 12, 47, 0, time.UTC)
	for _, r := range []record{
		{Request: &breakglass.Request{ID: "bg-k7m4-q9tx", Created: now, Duration: time.Hour}},
		{Verdict: &breakglass.Verdict{Request: "bg-k7m4-q9tx", Kind: breakglass.Approve, At: now}},
		{Grant: newGrantRecord(breakglass.Grant{ID: "bg-k7m4-q9tx", Seal: "seal", Token: operation.NewSecret("a.b.c")})},
		{Use: &breakglass.Use{Grant: "bg-k7m4-q9tx", Slot: 1, State: breakglass.Reserved}},
		{Standing: &breakglass.Standing{State: breakglass.Active, Until: now}},
		{Entry: &entryRecord{"break-glass", "01KA", json.RawMessage(`{"a":[1,null]}`)}},
	} {
		text, err := r.encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(`{"version":2}`))
	f.Add([]byte(`{"version":1,"request":{},"use":{}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := decodeRecord(text)
		if err != nil {
			return
		}
		written, err := r.encode()
		if err != nil { // it was smaller with fewer escapes
			return
		}
		again, err := decodeRecord(written)
		if err != nil {
			t.Fatalf("%v\n%s", err, written)
		}
		rewritten, err := again.encode()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(written), string(rewritten)); diff != "" {
			t.Errorf("(-written +written again):\n%s", diff)
		}
	})
}
