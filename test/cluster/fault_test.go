package cluster

import (
	"syscall"
	"testing"
)

func TestAProgramThatDoesNotRunIsNamed(t *testing.T) {
	const want = "etcd does not run"
	if err := (&Cluster{}).Signal(Etcd, syscall.SIGSTOP); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
