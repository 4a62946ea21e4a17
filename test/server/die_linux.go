package server

import (
	"os/exec"
	"syscall"
)

// DieWithParent keeps a killed test from leaving its server behind.
func DieWithParent(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
