//go:build !linux

package server

import "os/exec"

// DieWithParent does nothing where there is no such signal.
func DieWithParent(*exec.Cmd) {}
