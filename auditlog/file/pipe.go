package file

import (
	"io"
	"os"
)

// pipe reads what has a path and no places in it to go to: a FIFO, a terminal, what a
// shell makes of <(…). It is opened at the first Read, as that may wait for whoever
// writes, and closed when there is no more.
type pipe struct {
	path string
	file *os.File
	err  error
}

var _ io.Reader = (*pipe)(nil)

func (p *pipe) Read(data []byte) (n int, err error) {
	if p.err != nil {
		return 0, p.err
	}
	if p.file == nil {
		if p.file, p.err = os.Open(p.path); p.err != nil {
			return 0, p.err
		}
	}
	n, p.err = p.file.Read(data)
	if p.err != nil {
		_ = p.file.Close() // it was only read
	}
	return n, p.err
}
