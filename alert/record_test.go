package alert

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/operation"
)

func TestARecordThatIsNotOneOfOursIsAnError(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":             ``,
		"no object":           `[]`,
		"no version":          `{"queued":{"revision":1,"since":"2026-11-21T03:12:47Z"}}`,
		"a newer version":     `{"version":2,"lease":{}}`,
		"a field that is new": `{"version":1,"current":{"incident":"a","other":"b"}}`,
		"nothing in it":       `{"version":1}`,
		"two things in it":    `{"version":1,"current":{"incident":"a"},"queued":{"revision":1,"since":"2026-11-21T03:12:47Z"}}`,
		"something after it":  `{"version":1,"current":{"incident":"a"}} {}`,
		"a field twice":       `{"version":1,"current":{"incident":"a","incident":"b"}}`,
		"a time that is none": `{"version":1,"queued":{"revision":1,"since":"noon"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			if r, err := decodeRecord([]byte(text)); err == nil {
				t.Errorf("read as %+v", r)
			}
		})
	}
	if _, err := decodeRecord([]byte(`{"version":2,"lease":{}}`)); err == nil || err.Error() != "read a record: it is of version 2, not 1" {
		t.Errorf("got %v", err)
	}
	if _, err := decodeQueued([]byte(`{"version":1,"current":{"incident":"a"}}`)); err != errMisplaced {
		t.Errorf("got %v", err)
	}
}

func someRecords() []record {
	at := time.Date(2026, 11, 21, 3, 12, 47, 0, time.UTC)
	f := feature{Verb: operation.Delete, Kind: "Cluster", State: stateDone, Severity: operation.Critical, Production: true}
	return []record{
		{Incident: &incident{
			ID: "20261121T0312Z-00", Revision: 2, Kind: Violation, Status: Open, Severity: operation.Critical, Opened: at, Updated: at,
			Tally: []tally{{f, 3}}, Listed: 3, Mixed: mixed{Via: true}, Sinks: map[string]delivery{"a": {}, "b": {Revision: 1, At: at}},
		}},
		{Operation: &Operation{Decision: "01A", Time: at, Verb: operation.Delete, Dependents: []operation.Dependents{{Kind: "Node", Count: 1}}}},
		{Told: &told{Feature: f, Time: at, Key: "00/1/2"}},
		{Current: &current{"20261121T0312Z-00"}},
		{Queued: &queued{Revision: 1, Since: at, NotBefore: at, Attempts: 2, Failing: at, Error: "500"}},
		{Dead: &dead{Title: "t", Reason: "r", Since: at, Died: at, Entry: &deadEntry{"k", "d", []byte(`{"a":[1,null]}`)}}},
	}
}

func TestARecordReadsBackAsItWasWritten(t *testing.T) {
	for _, want := range someRecords() {
		text, err := want.encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeRecord(text)
		if err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		want.Version = recordVersion
		if want.Operation != nil {
			want.Operation.Dependents[0].Names = []string{}
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(tally{})); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func FuzzRecord(f *testing.F) {
	for _, r := range someRecords() {
		text, err := r.encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := decodeRecord(text)
		if err != nil {
			return
		}
		written, err := r.encode()
		if err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		again, err := decodeRecord(written)
		if err != nil {
			t.Fatalf("%v: %s", err, written)
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

func FuzzClip(f *testing.F) {
	f.Add("é\xff漢字", 5)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		limit = 3 + max(limit, 0)%64
		if got := clip(text, limit); len(got) > limit || line(got) != clip(line(got), maxTitle) {
			t.Errorf("%q has %d bytes, of %d", got, len(got), limit)
		}
	})
}
