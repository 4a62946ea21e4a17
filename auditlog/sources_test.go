package auditlog_test

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/mollyguard/mollyguard/auditlog"
)

// tape is a source that goes on where it was, as a file does.
type tape struct {
	entries [][]byte
	// before is called before an entry is handed out, if it is not nil.
	before func(i int)
	// stays says that it does not end with its last entry.
	stays bool

	lock sync.Mutex
	// began are the positions that it was started at.
	began []string
	// acked are the entries that were acknowledged.
	acked []int
	// acks is called with each, if it is not nil.
	acks func(i int)
}

// Name implements auditlog.Source.
func (*tape) Name() string { return "tape" }

// Run implements auditlog.Source.
func (s *tape) Run(ctx context.Context, position string, hand auditlog.Hand, _ auditlog.Report) error {
	s.began = append(s.began, position)
	first, _ := strconv.Atoi(position)
	for i := first; i < len(s.entries); i++ {
		if s.before != nil {
			s.before(i)
		}
		err := hand(ctx, auditlog.Message{
			Data: s.entries[i], Received: time.Now(), Position: strconv.Itoa(i + 1), Ack: func() { s.ack(i) },
		})
		if err != nil {
			return nil
		}
	}
	if s.stays {
		<-ctx.Done()
	}
	return nil
}

func (s *tape) ack(i int) {
	if s.acks != nil {
		s.acks(i)
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	s.acked = append(s.acked, i)
}

// redelivery is how long a queue waits before it hands out again what came back, as
// the subscription's retry policy says.
const redelivery = 10 * time.Second

// queue is a source that keeps count of what was acknowledged, as Pub/Sub does. It ends
// when all is.
type queue struct {
	name    string // "queue" if empty
	entries [][]byte

	lock    sync.Mutex
	waiting []int
	open    int
	wake    chan struct{}
	// acked are the entries that were acknowledged, nacked how often others came back.
	acked  []int
	nacked int
	acks   func(i int)
}

// Name implements auditlog.Source.
func (s *queue) Name() string {
	if s.name == "" {
		return "queue"
	}
	return s.name
}

// Run implements auditlog.Source. What was handed out before and not acknowledged comes
// again.
func (s *queue) Run(ctx context.Context, _ string, hand auditlog.Hand, _ auditlog.Report) error {
	s.lock.Lock()
	s.wake = make(chan struct{}, 1)
	s.waiting = nil
	done := map[int]bool{}
	for _, i := range s.acked {
		done[i] = true
	}
	for i := range s.entries {
		if !done[i] {
			s.waiting = append(s.waiting, i)
		}
	}
	s.open = len(s.waiting)
	wake := s.wake
	s.lock.Unlock()
	for {
		s.lock.Lock()
		open, i := s.open, -1
		if len(s.waiting) > 0 {
			i, s.waiting = s.waiting[0], s.waiting[1:]
		}
		s.lock.Unlock()
		if open == 0 {
			return nil
		}
		if i >= 0 {
			if err := hand(ctx, s.message(ctx, i)); err != nil {
				return nil
			}
			continue
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return nil
		}
	}
}

func (s *queue) message(ctx context.Context, i int) auditlog.Message {
	return auditlog.Message{
		Data: s.entries[i], Received: time.Now(), Redelivers: true,
		Ack: func() {
			if ctx.Err() != nil { // whoever has died acknowledges nothing
				return
			}
			if s.acks != nil {
				s.acks(i)
			}
			s.settled(func() { s.acked = append(s.acked, i); s.open-- })
		},
		Nack: func() {
			s.settled(func() { s.nacked++ })
			time.AfterFunc(redelivery, func() {
				if ctx.Err() == nil {
					s.settled(func() { s.waiting = append(s.waiting, i) })
				}
			})
		},
	}
}

func (s *queue) settled(do func()) {
	s.lock.Lock()
	defer s.lock.Unlock()
	do()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// add adds an entry while it runs.
func (s *queue) add(entry []byte) {
	s.settled(func() {
		s.entries = append(s.entries, entry)
		s.waiting = append(s.waiting, len(s.entries)-1)
		s.open++
	})
}

// script is a source that does what a test says.
type script struct {
	name string
	run  func(ctx context.Context, hand auditlog.Hand, report auditlog.Report) error
}

// Name implements auditlog.Source.
func (s script) Name() string { return s.name }

// Run implements auditlog.Source.
func (s script) Run(ctx context.Context, _ string, hand auditlog.Hand, report auditlog.Report) error {
	return s.run(ctx, hand, report)
}
