package main

import "syscall"

// ownersOnly has a socket made with the permissions that it is to have, so that there is
// no moment in which others can open it, whatever the umask: Linux gives its file those
// of the socket (unix_bind_bsd in net/unix/af_unix.c).
func ownersOnly(_, _ string, c syscall.RawConn) error {
	var err error
	if failed := c.Control(func(fd uintptr) { err = syscall.Fchmod(int(fd), 0o600) }); failed != nil {
		return failed
	}
	return err
}
