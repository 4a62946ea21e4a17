package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// errStopped is why the tests' contexts end.
var errStopped = errors.New("somebody stopped it")

func TestPlanPipesThatNobodyWritesToKeepNobodyWaiting(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skipf("no pipes can be made here: %v", err)
	}
	for name, read := range map[string]func(ctx context.Context) error{
		"the plan or the state": func(ctx context.Context) error {
			_, err := takeFile(ctx, streams{}, pipe, 1, planHint)
			return err
		},
		"the configuration": func(ctx context.Context) error {
			_, err := loadConfigUntil(ctx, pipe)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, stop := context.WithCancelCause(t.Context())
			answers := make(chan error, 1)
			go func() { answers <- read(ctx) }()
			stop(errStopped)
			if err := <-answers; !errors.Is(err, errStopped) {
				t.Errorf("error: %v", err)
			}
			// Whoever opens it late lets the reader go.
			late, err := os.OpenFile(pipe, os.O_RDWR, 0)
			if err == nil {
				err = late.Close()
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestPlanWhatIsMadeTooLateIsDropped(t *testing.T) {
	ctx, stop := context.WithCancelCause(t.Context())
	begun, goOn, dropped := make(chan struct{}), make(chan struct{}), make(chan int, 1)
	go func() {
		<-begun
		stop(errStopped)
	}()
	_, err := until(ctx, func() (int, error) {
		close(begun)
		<-goOn
		return 7, nil
	}, func(n int) { dropped <- n })
	if !errors.Is(err, errStopped) {
		t.Errorf("error: %v", err)
	}
	close(goOn)
	select {
	case n := <-dropped:
		if n != 7 {
			t.Errorf("dropped %d", n)
		}
	case <-time.After(time.Minute):
		t.Error("nothing was dropped")
	}
}
