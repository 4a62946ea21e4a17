package cluster

import "testing"

// RequireVariable is the environment variable that makes tests which need a
// control plane fail instead of being skipped when there is none. `make test`
// sets it to 1.
const RequireVariable = "MOLLYGUARD_REQUIRE_CONTROLPLANE"

// ForTest starts a control plane that is stopped when the test ends, and fails
// the test if one of its programs ended before. A start takes seconds: share one
// among subtests.
//
// Without the programs the test is skipped, or fails if RequireVariable is 1.
func ForTest(t testing.TB, opts Options) *Cluster {
	t.Helper()
	requireAssets(t, opts)
	c, err := Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Err(); err != nil {
			t.Error(err)
		}
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	return c
}
