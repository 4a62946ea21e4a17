package fault

import (
	"os"
	"syscall"
	"testing"
)

// TestWhatTakesMinutesToShow has faults that last longer than anybody waits (make fault).
// After a restart, an API server may take half a minute to learn that there is a kind Floor:
// it asks itself for kinds that often (k8s.io/apiserver pkg/server/options, AdmissionOptions).
// Until then it deletes no namespace and no definition.
func TestWhatTakesMinutesToShow(t *testing.T) {
	if os.Getenv("MOLLYGUARD_LONG") != "1" {
		t.Skip("it takes minutes: make fault")
	}
	run(t, shortTimeout, []fault{
		{"the API server restarts, and has to learn of the floor's kind", testAPIServerRestarts},
		{"one hangs for good", testOneHangsForGood},
		{"their way to the API server is cut for long", testLinkLost},
	})
}

// testOneHangsForGood waits until the API server has found out by itself: its HTTP/2
// client asks whether a silent connection lives after 30 s, and gives it up 15 s later
// (k8s.io/apimachinery pkg/util/net, HTTP2_READ_IDLE_TIMEOUT_SECONDS and
// HTTP2_PING_TIMEOUT_SECONDS). Here a new connection goes to the same replica if it takes
// it, as that of a Service would until its probe fails, so the proxy is told.
func testOneHangsForGood(t *testing.T, w *world) {
	w.lead(0)
	w.judged(t)
	w.signal(t, syscall.SIGSTOP, 0)
	w.hook.lead(w.replicas[1].Admission())
	w.unanswered(t)
	w.judged(t)
	w.signal(t, syscall.SIGCONT, 0)
}

// testLinkLost outlasts the minute for which replicas believe what they knew. Then they
// don't know what depends on anything, and unknown counts as production: what would go on
// without an answer gets one, and is refused. Nothing depends on a pod.
func testLinkLost(t *testing.T, w *world) {
	w.link.cut()
	eventually(t, "the replicas to doubt what they knew", func() error { return w.refused(t, closed, byDoubt) })
	goesOn := []attempt{isolation, atOnce}
	var doubted []attempt
	for _, a := range open {
		if a.pod {
			goesOn = append(goesOn, a)
		} else {
			doubted = append(doubted, a)
		}
	}
	check(t,
		func() error { return w.refused(t, destructive, byAnything) },
		func() error { return w.refused(t, doubted, byDoubt) },
		func() error { return w.done(t, goesOn) })
	w.passBy(t)
	w.link.mend()
}
