// Package pause waits: for a time, and between attempts.
package pause

import (
	"context"
	"encoding/binary"
	"io"
	"sync"
	"time"
)

// For waits for d, and returns the error of ctx if that ends first.
func For(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Backoff says how long to wait between attempts: up to twice as long each time, with
// jitter, so that those who failed together do not come again together
// (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/). It may be
// used concurrently, and is not copied once it was used.
type Backoff struct {
	// First is the longest pause after the first failure, Longest after many.
	First, Longest time.Duration
	// Least is what is waited at least, as a part of the longest: 0 to 1.
	Least float64
	// Entropy scatters the pauses; crypto/rand.Reader, except in tests. If it fails the
	// pause is the longest, which is as polite.
	Entropy io.Reader

	lock sync.Mutex // held for Entropy
}

// After is the pause after a number of failures in a row, 1 or more.
func (b *Backoff) After(failures int) time.Duration {
	longest := min(b.First, b.Longest)
	for ; failures > 1 && longest < b.Longest; failures-- {
		longest = min(2*longest, b.Longest)
	}
	least := time.Duration(b.Least * float64(longest))
	if longest <= least {
		return longest
	}
	b.lock.Lock()
	defer b.lock.Unlock()
	var random [8]byte
	if _, err := io.ReadFull(b.Entropy, random[:]); err != nil {
		return longest
	}
	return least + time.Duration(binary.BigEndian.Uint64(random[:])%uint64(longest-least)) + 1
}
