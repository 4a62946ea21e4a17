package main

import (
	"fmt"
	"io"
)

const (
	// bigPlan is from which size on it is told how far the reading of a plan is: 64 MiB are
	// the JSON of about 20,000 resources, and less is read in a second or two.
	bigPlan = 64 << 20
	// manyJudged is after how many decisions it is told how far the judging is.
	manyJudged = 10_000
	// Of a hundred: what a line is written for that stays, and one that is written over.
	percentsOfLine, percentsOfTerminal = 25, 1
)

// watchedReader tells on standard error how far a large file was read. Only the first time
// through counts.
type watchedReader struct {
	io.ReaderAt
	size     int64
	step     int64
	progress *progress
	said     int64
}

// watch is r, watched if it is large and somebody wants to know.
func watch(r io.ReaderAt, size int64, p *progress) io.ReaderAt {
	if p == nil || size < bigPlan {
		return r
	}
	step := int64(percentsOfLine)
	if p.terminal {
		step = percentsOfTerminal
	}
	return &watchedReader{ReaderAt: r, size: size, step: step, progress: p}
}

func (w *watchedReader) ReadAt(p []byte, at int64) (int, error) {
	n, err := w.ReaderAt.ReadAt(p, at)
	if percent := (at + int64(n)) * 100 / w.size; percent >= w.said+w.step {
		w.said = percent - percent%w.step
		w.progress.show(fmt.Sprintf("reading the plan: %d %%", w.said))
	}
	return n, err
}

// judged tells how many operations of a plan were judged.
func (p *progress) judged(n int) {
	if n%manyJudged == 0 {
		p.show(fmt.Sprintf("judging the plan: %d operations so far", n))
	}
}
