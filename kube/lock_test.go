package kube

import (
	"bytes"
	"context"
	"log/slog"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// heldLock is a lock that somebody wrote.
type heldLock struct {
	resourcelock.Interface
	record resourcelock.LeaderElectionRecord
	raw    string
}

func (h *heldLock) Get(context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	return &h.record, []byte(h.raw), nil
}

func (h *heldLock) Describe() string { return "guards/mollyguard" }

func TestNobodyHoldsALeaseForLongerThanWeWould(t *testing.T) {
	var log bytes.Buffer
	held := &heldLock{}
	lock := &boundedLock{Interface: held, log: slog.New(slog.NewTextHandler(&log, nil))}
	for _, tt := range []struct {
		name       string
		says, want int
		told       int
	}{
		{"a replica of ours", 15, 15, 0},
		{"one that gives it up", 1, 1, 0},
		{"for ever", math.MaxInt32, 15, 1},
		{"for ever, seen again", math.MaxInt32, 15, 0},
		{"a second too long", 16, 15, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log.Reset()
			held.record = resourcelock.LeaderElectionRecord{HolderIdentity: "mallory", LeaseDurationSeconds: tt.says}
			held.raw = "raw " + strings.Repeat("i", tt.says%97)
			got, raw, err := lock.Get(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&resourcelock.LeaderElectionRecord{HolderIdentity: "mallory", LeaseDurationSeconds: tt.want}, got); diff != "" {
				t.Errorf("record (-want +got):\n%s", diff)
			}
			if string(raw) != held.raw {
				t.Errorf("the text that changes are seen by is %q, want %q", raw, held.raw)
			}
			if lines := strings.Count(log.String(), "somebody else wrote it"); lines != tt.told {
				t.Errorf("told %d times, want %d: %s", lines, tt.told, &log)
			}
		})
	}
}
