package engine

import (
	"testing"

	"github.com/mollyguard/mollyguard/policies"
)

// FuzzCanary reads any text as a canary: what is accepted says what it expects,
// and can be judged.
func FuzzCanary(f *testing.F) {
	f.Add([]byte(`{"name":"x","expect":"deny","operation":{"verb":"delete","production":{"is":true}}}`))
	f.Add([]byte(`{"name":"x","expect":"allow","operation":{"time":"2026-11-21T03:12:47Z","dependents":[{"kind":"Pod","count":1}]}}{}`))
	f.Add([]byte(`{"name":"x","expect":"deny","policies":["p"],"approvals":2,"operation":{"actor":{"kind":"human"},"grant":{"id":"g"},"config":{"a":[1,null]}}}`))
	set, err := Compile(f.Context(), []Source{{Name: "embedded", FS: policies.Embedded()}}, Options{Schema: policies.Schema()})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := set.contract.decodeCanary(data)
		if err != nil {
			return
		}
		if c.Expect != expectDeny && c.Expect != expectAllow {
			t.Errorf("expects %q", c.Expect)
		}
		c.Policies = nil // may name what is not there
		if _, err := set.judge(t.Context(), c); err != nil {
			t.Errorf("%s: %v", data, err)
		}
	})
}
