package fault

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"golang.org/x/sys/unix"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// testDiskFull lets no file of the replicas grow any more, as a full disk does. What can't
// be recorded is not let through, if it is production; all else is.
func testDiskFull(t *testing.T, w *world) {
	var restores []func()
	for i, replica := range w.replicas {
		info, err := os.Stat(filepath.Join(w.opts[i].Dir, "decisions.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		restores = append(restores, limitFiles(t, replica.Process().Pid, uint64(info.Size())))
	}
	w.passBy(t)
	w.judged(t)
	check(t, func() error { return w.refused(t, []attempt{warned}, byUnrecorded) })
	for _, restore := range restores {
		restore()
	}
	check(t, func() error { return w.done(t, []attempt{warned}) })
}

// byUnrecorded is the refusal of what would have gone through.
var byUnrecorded = regexp.MustCompile(`denied the request: [^\n]* refused, because mollyguard could not decide: record the decision: .* file too large`)

// warned is about production, and goes through with a warning. Nothing comes of it.
var warned = attempt{name: "isolate production", do: func(ctx context.Context, a actor) error {
	_, err := a.clients.NetworkingV1().NetworkPolicies("live").Create(ctx, &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "wall"},
		Spec:       networkingv1.NetworkPolicySpec{PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}, PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}},
	}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	return err
}}

// limitFiles sets the largest size of files of a process (RLIMIT_FSIZE), and returns what
// sets it back.
func limitFiles(t *testing.T, pid int, size uint64) func() {
	t.Helper()
	var before unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: size, Max: unix.RLIM_INFINITY}, &before); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := unix.Prlimit(pid, unix.RLIMIT_FSIZE, &before, nil); err != nil {
			t.Error(err)
		}
	}
}
