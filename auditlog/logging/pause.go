package logging

import (
	"context"
	"encoding/binary"
	"io"
	"time"
)

// pause waits before an attempt: twice as long each time, less up to a half, so that
// replicas do not come back together.
func (s *Source) pause(ctx context.Context, attempt int) error {
	d := s.MaxPause
	if attempt < 16 {
		d = min(s.MinPause<<attempt, s.MaxPause)
	}
	var random [8]byte
	// Without randomness it waits the whole time.
	_, _ = io.ReadFull(s.Rand, random[:])
	if half := uint64(d / 2); half > 0 {
		d -= time.Duration(binary.NativeEndian.Uint64(random[:]) % half)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
