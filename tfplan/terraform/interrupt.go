package terraform

import (
	"io"
	"os"
	"os/exec"
	"time"
)

// grace is how long it may take until it shows whether a signal went to the whole process
// group. The kernel hands it to all of them within microseconds; a loaded machine needs
// more to end a process.
const grace = 500 * time.Millisecond

// forwarder interrupts Terraform for signals that it did not get itself.
//
// A terminal sends a signal to all of a process group, and so do systems that end a whole
// job. Terraform is in ours, since it may have to read from the terminal. If it was told
// twice it would drop everything. A signal does not say whether others got it, too. So a
// witness stands by, which it ends if they did.
type forwarder struct {
	signals   <-chan os.Signal
	ended     <-chan struct{}
	interrupt func()
	witness   func() witness
	after     func(time.Duration) <-chan time.Time
}

// run goes on until Terraform has ended. w is the first witness.
func (f forwarder) run(w witness) {
	defer func() { w.dismiss() }()
	for {
		var signal os.Signal
		select {
		case <-f.ended:
			return
		case <-w.told: // and so are we, in a moment
		case signal = <-f.signals:
			select {
			case <-f.ended:
				return
			case <-w.told:
			case <-w.blind:
				if signal != os.Interrupt || !w.terminal {
					f.interrupt()
				}
				continue
			case <-f.after(grace):
				f.interrupt()
				continue
			}
		}
		w.dismiss()
		w = f.witness() // before the rest, so that there is no moment without
		if !f.rest() {
			return
		}
	}
}

// rest leaves out what else comes of a signal to the whole group: timeout(1) sends it to
// its program by itself, too. It is false if Terraform has ended.
func (f forwarder) rest() bool {
	enough := f.after(grace)
	for {
		select {
		case <-f.ended:
			return false
		case <-f.signals:
		case <-enough:
			return true
		}
	}
}

// witness is a process that does nothing but end when its process group is told to.
type witness struct {
	input io.Closer
	// told is closed when a signal has ended it, blind when it cannot tell.
	told, blind chan struct{}
	// terminal says what is taken for granted then: that an interrupt comes from a
	// terminal if there is one.
	terminal bool
}

// newWitness starts a cat that nobody feeds: it ends with this program, however that ends.
func newWitness(env []string) witness {
	w := witness{told: make(chan struct{}), blind: make(chan struct{}), terminal: hasTerminal()}
	cmd := exec.Command("cat")
	cmd.Env = environment(env, true)
	input, err := cmd.StdinPipe()
	if err != nil || cmd.Start() != nil {
		close(w.blind)
		return w
	}
	w.input = input
	go func() {
		_ = cmd.Wait() // its state says how it ended
		if cmd.ProcessState.ExitCode() < 0 {
			close(w.told)
		} else {
			close(w.blind)
		}
	}()
	return w
}

func (w witness) dismiss() {
	if w.input != nil {
		_ = w.input.Close() // it is closed already where the witness has ended
	}
}

func hasTerminal() bool {
	terminal, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	return err == nil && terminal.Close() == nil
}
