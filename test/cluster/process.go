package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// process is a program that runs until it is killed.
type process struct {
	name    string
	logFile string
	cmd     *exec.Cmd
	done    chan struct{} // closed when it has ended
	err     error         // how it ended; to be read once done is closed
	// replaced says that it was ended to be started again; the cluster's mu guards it.
	replaced bool
}

// startProcess runs path with its output in logFile and calls ended when it
// ends, whatever the reason.
func startProcess(path string, args, env []string, logFile string, ended func(*process)) (*process, error) {
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	p := &process{
		name:    filepath.Base(path),
		logFile: logFile,
		cmd:     exec.Command(path, args...),
		done:    make(chan struct{}),
	}
	p.cmd.Env = env
	p.cmd.Dir = filepath.Dir(logFile)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = processAttributes()

	started := make(chan error, 1)
	go func() {
		// The kernel ties the child to the thread that forked it (see
		// processAttributes), so that thread must live as long as the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer log.Close()

		if err := p.cmd.Start(); err != nil {
			started <- err
			return
		}
		started <- nil
		p.err = p.cmd.Wait()
		if p.err == nil {
			p.err = errors.New("exit status 0")
		}
		close(p.done)
		ended(p)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	return p, nil
}

// kill ends the process. One that has ended already is no error.
func (p *process) kill() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill %s: %w", p.name, err)
	}
	return nil
}

// flags turns sets of flags, of which later ones win, into sorted arguments.
func flags(sets ...map[string]string) []string {
	all := map[string]string{}
	for _, set := range sets {
		for name, value := range set {
			all[name] = value
		}
	}
	var args []string
	for name, value := range all {
		args = append(args, "--"+name+"="+value)
	}
	slices.Sort(args)
	return args
}

// featureGates is the flag that sets gates, or nothing.
func featureGates(gates map[string]bool) map[string]string {
	if len(gates) == 0 {
		return nil
	}
	var values []string
	for name, on := range gates {
		values = append(values, fmt.Sprintf("%s=%t", name, on))
	}
	slices.Sort(values)
	return map[string]string{"feature-gates": strings.Join(values, ",")}
}

// tailSize is how much of a log tail shows: some twenty lines of klog.
const tailSize = 4 << 10

// tail returns the end of a log for an error message, or nothing.
func tail(logFile string) string {
	f, err := os.Open(logFile)
	if err != nil {
		return ""
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	start := max(0, info.Size()-tailSize)
	buf := make([]byte, info.Size()-start)
	n, _ := f.ReadAt(buf, start)
	buf = buf[:n]
	if start > 0 { // from the first whole line on
		_, buf, _ = bytes.Cut(buf, []byte("\n"))
	}
	if len(bytes.TrimSpace(buf)) == 0 {
		return ""
	}
	return fmt.Sprintf("\nthe end of %s:\n%s", filepath.Base(logFile), bytes.TrimRight(buf, "\n"))
}
