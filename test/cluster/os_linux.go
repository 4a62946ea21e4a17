package cluster

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// processAttributes puts a program into a process group of its own, so that an
// interrupt from the terminal reaches it through Stop and not before, and has
// the kernel kill it when the thread that started it ends: nothing is left when
// a test is killed or times out.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// reservedPort is a TCP port of 127.0.0.1 that nobody else can get, by bind or
// for an outgoing connection, until it is released. A program that sets
// SO_REUSEPORT, as kube-apiserver does with --permit-port-sharing, can listen on
// it. The usual way, which is to find a free port and close it again, fails now
// and then when packages are tested in parallel.
type reservedPort struct {
	number int
	fd     int
}

func reservePort() (*reservedPort, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	p := &reservedPort{fd: fd}
	if p.number, err = bindLoopback(fd); err != nil {
		_ = p.release()
		return nil, err
	}
	return p, nil
}

// bindLoopback binds fd without listening: connections go to whoever listens.
func bindLoopback(fd int) (port int, err error) {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
		return 0, err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return 0, err
	}
	address, err := unix.Getsockname(fd)
	if err != nil {
		return 0, err
	}
	return address.(*unix.SockaddrInet4).Port, nil
}

func (p *reservedPort) release() error { return unix.Close(p.fd) }
