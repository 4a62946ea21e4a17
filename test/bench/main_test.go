package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestMain lets the test's program be the reference servers, as bench's is.
func TestMain(m *testing.M) {
	if slices.Contains(os.Args[1:], "-serve") {
		main()
	}
	os.Exit(m.Run())
}

func TestAShortRunPrintsEveryRow(t *testing.T) {
	if testing.Short() {
		t.Skip("builds mollyguard and takes seconds")
	}
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"-duration", "50ms", "-rounds", "1"}, &stdout, &stderr); code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	for _, review := range []string{smallDenied, largeDenied, smallAllowed} {
		for _, concurrency := range concurrencies {
			row := fmt.Sprintf("%-22s %7d ", review, concurrency)
			if n := strings.Count(stdout.String(), row); n != 2 { // CPU and latency
				t.Errorf("%d rows begin with %q, want 2", n, row)
			}
		}
	}
	for _, text := range []string{"CPU ≤ no-op", "CPU ≤ 0.6 × bare", "p99 ≤ 1.5 × no-op", "resident memory"} {
		if !strings.Contains(stdout.String(), text) {
			t.Errorf("%q is missing", text)
		}
	}
	if t.Failed() {
		t.Log(stdout.String())
	}
}

func TestReviewsAreOfTheSizeThatTheirNameSays(t *testing.T) {
	all, err := reviews(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		size := smallReview
		if r.name == largeDenied {
			size = largeReview
		}
		if n := len(r.body); n < size*9/10 || n > size*11/10 {
			t.Errorf("%s: %d bytes, want about %d", r.name, n, size)
		}
	}
}
