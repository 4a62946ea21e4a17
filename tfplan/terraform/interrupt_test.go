package terraform

import (
	"os"
	"syscall"
	"testing"
	"time"
)

// stage plays what happens around a forwarder, step by step: a send goes through only once
// it waits for it.
type stage struct {
	t           *testing.T
	signals     chan os.Signal
	waits       chan chan time.Time
	witnesses   chan witness
	interrupted chan struct{}
	ended, done chan struct{}
}

func newStage(t *testing.T, terminal bool) *stage {
	s := &stage{
		t: t, signals: make(chan os.Signal), waits: make(chan chan time.Time), witnesses: make(chan witness),
		interrupted: make(chan struct{}, 10), ended: make(chan struct{}), done: make(chan struct{}),
	}
	go func() {
		defer close(s.done)
		f := forwarder{
			signals: s.signals, ended: s.ended, interrupt: func() { s.interrupted <- struct{}{} },
			witness: func() witness {
				w := witness{told: make(chan struct{}), blind: make(chan struct{}), terminal: terminal}
				s.witnesses <- w
				return w
			},
			after: func(time.Duration) <-chan time.Time {
				wait := make(chan time.Time)
				s.waits <- wait
				return wait
			},
		}
		f.run(f.witness())
	}()
	return s
}

// end ends Terraform, and says how often it was interrupted.
func (s *stage) end(want int) {
	s.t.Helper()
	close(s.ended)
	<-s.done
	if got := len(s.interrupted); got != want {
		s.t.Errorf("Terraform was interrupted %d times, want %d", got, want)
	}
}

func TestASignalForThisProgramAloneGoesOn(t *testing.T) {
	s := newStage(t, true)
	<-s.witnesses
	for range 2 {
		s.signals <- syscall.SIGINT
		<-s.waits <- time.Time{}
	}
	s.signals <- syscall.SIGTERM
	<-s.waits <- time.Time{}
	s.signals <- syscall.SIGTERM // it is taken when the others are through
	<-s.waits
	s.end(3)
}

func TestASignalForTheWholeGroupDoesNotGoOn(t *testing.T) {
	s := newStage(t, true)
	first := <-s.witnesses
	s.signals <- syscall.SIGINT
	<-s.waits
	close(first.told)
	second := <-s.witnesses
	rest := <-s.waits
	s.signals <- syscall.SIGINT // timeout(1) sends it twice
	rest <- time.Time{}

	// The witness may end before we are told.
	close(second.told)
	<-s.witnesses
	rest = <-s.waits
	s.signals <- syscall.SIGTERM
	rest <- time.Time{}

	// What comes later and for us alone does go on.
	s.signals <- syscall.SIGINT
	<-s.waits <- time.Time{}
	s.signals <- syscall.SIGINT
	<-s.waits
	s.end(1)
}

func TestWithoutAWitnessAnInterruptIsTheTerminalsIfThereIsOne(t *testing.T) {
	for _, tt := range []struct {
		name     string
		terminal bool
		want     int
	}{{"a terminal", true, 1}, {"none", false, 2}} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStage(t, tt.terminal)
			close((<-s.witnesses).blind)
			for _, signal := range []os.Signal{syscall.SIGINT, syscall.SIGTERM} {
				s.signals <- signal
				<-s.waits // and nothing comes of it
			}
			for range tt.want {
				<-s.interrupted
			}
			s.end(0)
		})
	}
}

func TestTheWitnessEndsOnlyWithASignal(t *testing.T) {
	w := newWitness(os.Environ())
	w.dismiss()
	<-w.blind
	t.Setenv("PATH", "")
	<-newWitness(nil).blind
}
