//go:build !linux

package cluster

import (
	"net"
	"syscall"
)

// processAttributes has nothing to set: a program that is killed here leaves its
// control plane running, since only Linux ties a child to its parent.
func processAttributes() *syscall.SysProcAttr { return nil }

// reservedPort is a TCP port of 127.0.0.1 that was free when it was looked for.
type reservedPort struct {
	number int
}

func reservePort() (*reservedPort, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer l.Close()
	return &reservedPort{number: l.Addr().(*net.TCPAddr).Port}, nil
}

func (p *reservedPort) release() error { return nil }
