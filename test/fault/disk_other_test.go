//go:build !linux

package fault

import "testing"

func testDiskFull(t *testing.T, _ *world) { t.Skip("there is no prlimit(2) here") }
