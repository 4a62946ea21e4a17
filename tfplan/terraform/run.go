package terraform

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// Streams are what a command that people see reads and writes, and how it is told to stop.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	// Signals are those that ask this program to stop, as signal.Notify sends them. Each
	// that Terraform did not get itself interrupts it; nil for none.
	Signals <-chan os.Signal
}

// Run runs a command as it is given, with arguments from the environment (TF_CLI_ARGS)
// and all, and returns its exit code. An error means that it could not be run.
//
// Terraform is never killed, since that would leave its state locked and behind: it is
// interrupted, and waited for however long it takes. The first interrupt has it end in
// good order, the second at once. Each of the signals is one, and so is the end of ctx.
func (t *Terraform) Run(ctx context.Context, s Streams, args ...string) (exit int, err error) {
	cmd := t.command(ctx, args)
	cmd.Env = environment(t.env, false)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s.In, s.Out, s.Err
	ended, forwarded := make(chan struct{}), make(chan struct{})
	f := forwarder{
		signals: s.Signals, ended: ended, after: time.After,
		witness: func() witness { return newWitness(t.env) },
		// Where it fails Terraform has ended, as Wait says.
		interrupt: func() { _ = cmd.Process.Signal(os.Interrupt) },
	}
	// It has to be there before Terraform can be told anything.
	first := f.witness()
	if err := cmd.Start(); err != nil {
		first.dismiss()
		return 0, fmt.Errorf("run %s: %w", t.binary, err)
	}
	go func() {
		defer close(forwarded)
		f.run(first)
	}()
	err = cmd.Wait()
	close(ended)
	<-forwarded
	if failed, ok := errors.AsType[*exec.ExitError](err); ok && ctx.Err() == nil {
		return failed.ExitCode(), nil
	}
	if err != nil {
		return 0, fmt.Errorf("run %s: %w", t.binary, errors.Join(err, context.Cause(ctx)))
	}
	return 0, nil
}
