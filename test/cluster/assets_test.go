package cluster

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestAssets(t *testing.T) {
	complete, incomplete := t.TempDir(), t.TempDir()
	for _, name := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kubectl"} {
		if err := os.WriteFile(filepath.Join(complete, name), nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(incomplete, "etcd"), nil, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(incomplete, "kubectl"), nil, 0o600); err != nil { // not executable
		t.Fatal(err)
	}

	t.Setenv(AssetsVariable, complete)
	if got, err := Assets(""); got != complete || err != nil {
		t.Errorf("from the environment: got %q, %v; want %q", got, err, complete)
	}
	if _, err := Assets(incomplete); err == nil || !strings.Contains(err.Error(), "lacks kube-apiserver, kube-controller-manager, kubectl: run `make controlplane`") {
		t.Errorf("an incomplete directory: got %v", err)
	}
	t.Setenv(AssetsVariable, "")
	if _, err := Assets(""); err == nil || !strings.HasPrefix(err.Error(), "KUBEBUILDER_ASSETS is not set: run `make controlplane`") {
		t.Errorf("not set: got %v", err)
	}
}

func TestWithoutAssetsATestIsSkippedUnlessTheyAreRequired(t *testing.T) {
	t.Setenv(AssetsVariable, "")
	for require, want := range map[string]string{"": "skipped", "0": "skipped", "1": "failed"} {
		t.Setenv(RequireVariable, require)
		recorder := &recorder{TB: t}
		done := make(chan struct{})
		go func() { // Skipf and Fatalf end their goroutine
			defer close(done)
			ForTest(recorder, Options{})
		}()
		<-done
		if recorder.outcome != want {
			t.Errorf("%s=%s: the test is %s, want %s", RequireVariable, require, recorder.outcome, want)
		}
	}
}

// recorder notes how ForTest ends a test.
type recorder struct {
	testing.TB
	outcome string
}

func (r *recorder) Helper() {}

func (r *recorder) Skipf(string, ...any) {
	r.outcome = "skipped"
	runtime.Goexit()
}

func (r *recorder) Fatalf(string, ...any) {
	r.outcome = "failed"
	runtime.Goexit()
}
