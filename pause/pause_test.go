package pause_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/mollyguard/mollyguard/pause"
)

func TestAPauseEndsWithItsTimeOrWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		if err := pause.For(t.Context(), time.Hour); err != nil || time.Since(start) != time.Hour {
			t.Errorf("%v after %v, want nil after an hour", err, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start = time.Now()
		if err := pause.For(ctx, time.Hour); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Minute {
			t.Errorf("%v after %v, want the context's error after a minute", err, time.Since(start))
		}
	})
}

func TestPausesGrowUpToALimitAndAreScattered(t *testing.T) {
	zeroes, ones := bytes.Repeat([]byte{0}, 8), bytes.Repeat([]byte{0xff}, 8)
	for _, tt := range []struct {
		name     string
		failures int
		least    float64
		entropy  []byte
		want     time.Duration
	}{
		{"the shortest after the first failure", 1, 0, zeroes, 1},
		{"the shortest of those that wait half at least", 1, 0.5, zeroes, 500*time.Millisecond + 1},
		{"after the first failure, without entropy", 1, 0, nil, time.Second},
		{"after the second", 2, 0, nil, 2 * time.Second},
		{"after the sixth", 6, 0, nil, 32 * time.Second},
		{"after the seventh, at the limit", 7, 0, nil, time.Minute},
		{"after very many", 1 << 40, 0, nil, time.Minute},
		{"after none", 0, 0, nil, time.Second},
		{"all of it is waited at least", 3, 1, ones, 4 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := pause.Backoff{First: time.Second, Longest: time.Minute, Least: tt.least, Entropy: bytes.NewReader(tt.entropy)}
			if got := b.After(tt.failures); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

func TestAPauseIsNeverOutOfItsBounds(t *testing.T) {
	b := pause.Backoff{First: time.Second, Longest: time.Minute, Least: 0.5, Entropy: iotest.DataErrReader(bytes.NewReader(bytes.Repeat([]byte("mollyguard"), 1000)))}
	for i := range 1000 {
		if d := b.After(i); d < 500*time.Millisecond || d > time.Minute {
			t.Fatalf("%v after %d failures", d, i)
		}
	}
}
