package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// processAttributes has the kernel kill a server when this program ends, however
// it ends.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// cpuTime is what all threads of a process, ended ones as well, have used of the
// processors, in user and in system mode. It is exact to the nanosecond, unlike
// /proc/PID/stat, which counts in ticks of 10 ms.
func cpuTime(pid int) (time.Duration, error) {
	var used unix.Timespec
	clock := int32(^pid<<3 | 2) // clock_getcpuclockid(3): CPUCLOCK_SCHED of the process
	if err := unix.ClockGettime(clock, &used); err != nil {
		return 0, fmt.Errorf("read the CPU time of process %d: %w", pid, err)
	}
	return time.Duration(used.Nano()), nil
}

// residentBytes is what a process holds in memory.
func residentBytes(pid int) (int64, error) { return memory(pid, "VmRSS:") }

// peakBytes is the most that a process held in memory.
func peakBytes(pid int) (int64, error) { return memory(pid, "VmHWM:") }

// mappedBytes is what of that are pages of files, which the kernel takes back when it
// needs them: the program, and the ledger.
func mappedBytes(pid int) (int64, error) { return memory(pid, "RssFile:") }

// memory reads a field of /proc/PID/status.
func memory(pid int, field string) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := bytes.Cut(status, []byte(field))
	fields := bytes.Fields(rest)
	if len(fields) == 0 {
		return 0, fmt.Errorf("no %s of process %d", field, pid)
	}
	kib, err := strconv.ParseInt(string(fields[0]), 10, 64)
	return kib << 10, err
}
