//go:build unix

package file

import (
	"io/fs"
	"syscall"
)

// inodeOf tells a file from others that exist.
func inodeOf(info fs.FileInfo) uint64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Ino
	}
	return 0
}
