package alert

import (
	"encoding/binary"
	"io"
	"sync"
	"time"
)

const (
	// firstPause and maxPause are the ceilings of the pauses after the first failure
	// and after many: one second is what a restart takes, and five minutes after its
	// end nobody waits for the news of an outage.
	firstPause = time.Second
	maxPause   = 5 * time.Minute
	// maxLater bounds what a sink may ask for.
	maxLater = time.Hour
	// patience is for how long an alert is tried.
	patience = 24 * time.Hour
)

// jitter scatters pauses over all of their length, so that those who failed together
// do not come again together
// (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
type jitter struct {
	lock    sync.Mutex
	entropy io.Reader
}

// pause is how long to wait after a number of failures, 1 or more.
func (j *jitter) pause(failures int) time.Duration {
	ceiling := maxPause
	if shift := failures - 1; shift < 9 { // 2^9 seconds are more than maxPause
		ceiling = min(firstPause<<max(shift, 0), maxPause)
	}
	j.lock.Lock()
	defer j.lock.Unlock()
	var random [8]byte
	if _, err := io.ReadFull(j.entropy, random[:]); err != nil {
		return ceiling // which is as polite, if not as well scattered
	}
	return time.Duration(binary.BigEndian.Uint64(random[:])%uint64(ceiling)) + 1
}
