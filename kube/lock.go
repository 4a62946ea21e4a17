package kube

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// boundedLock is a lock of which no record lasts longer than leaseDuration. client-go
// believes what a Lease says of its own length: who may write it once could keep every
// replica from leading for 68 years (2³¹ s). Replicas of ours all write leaseDuration, so
// nobody else's word is shortened.
type boundedLock struct {
	resourcelock.Interface
	log *slog.Logger

	mu sync.Mutex
	// told is the record that was told of last.
	told string
}

// Get implements resourcelock.Interface.
func (b *boundedLock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	const most = int(leaseDuration / time.Second)
	record, raw, err := b.Interface.Get(ctx)
	if err != nil || record.LeaseDurationSeconds <= most {
		return record, raw, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.told != string(raw) {
		b.told = string(raw)
		b.log.Error("a lease is to last longer than mollyguard's do: somebody else wrote it",
			"lease", b.Describe(), "holder", record.HolderIdentity, "seconds", record.LeaseDurationSeconds)
	}
	shorter := *record
	shorter.LeaseDurationSeconds = most
	return &shorter, raw, nil
}
