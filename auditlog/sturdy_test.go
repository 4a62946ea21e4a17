package auditlog_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

// fragile is a mapper that panics at a word.
type fragile struct{ auditlog.Mapper }

func (f fragile) Cares(data []byte) bool {
	if bytes.Contains(data, []byte("fragile-cares")) {
		panic("cares")
	}
	return f.Mapper.Cares(data)
}

func (f fragile) Map(data []byte) (auditlog.Reading, error) {
	if bytes.Contains(data, []byte("fragile")) {
		panic("map")
	}
	return f.Mapper.Map(data)
}

func TestAnEntryThatMakesTheReaderPanicIsKeptAndTheNextOneIsJudged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		o := w.options(&queue{entries: [][]byte{deletion("fragile"), deletion("fragile-cares"), deletion("main")}})
		o.Mapper = fragile{w.mapper}
		w.watchWith(o)
		if diff := cmp.Diff([]string{"violation alice@example.com delete main finished"}, only(w.told(), "violation")); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
		_, entries, err := auditlog.ListUndecoded(context.Background(), w.ledger)
		if err != nil {
			t.Fatal(err)
		}
		var reasons []string
		for _, e := range entries {
			reasons = append(reasons, e.Error)
		}
		if diff := cmp.Diff([]string{"the reader panicked: map", "the reader panicked: map"}, reasons); diff != "" {
			t.Errorf("kept (-want +got):\n%s", diff)
		}
	})
}

func only(told []string, word string) []string {
	var list []string
	for _, text := range told {
		if strings.HasPrefix(text, word) {
			list = append(list, text)
		}
	}
	return list
}

// heavy hands out large entries as fast as they are taken.
type heavy struct {
	size, count int
	handed      atomic.Int64
}

func (*heavy) Name() string { return "heavy" }

func (h *heavy) Run(ctx context.Context, _ string, hand auditlog.Hand, _ auditlog.Report) error {
	for range h.count {
		if err := hand(ctx, auditlog.Message{Data: append(bytes.Repeat([]byte(" "), h.size), deletion("main")...), Received: time.Now()}); err != nil {
			return nil
		}
		h.handed.Add(1)
	}
	return nil
}

func TestWhileNothingCanBeKeptNoMoreIsTakenThanFitsTheMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		source := &heavy{size: 512 << 10, count: 400}
		o := w.options(source)
		o.Book = stubborn{w.book}
		_, end := w.begin(o)
		time.Sleep(time.Minute)
		if n := source.handed.Load(); n < 64 || n > 128 {
			t.Errorf("%d entries of 512 KiB were taken, want as many as fit into 64 MiB", n)
		}
		end()
	})
}

// stubborn is a book that takes nothing.
type stubborn struct{ *alert.Book }

// TellDecision implements auditlog.Book.
func (stubborn) TellDecision(*ledger.Tx, operation.Decision) (string, error) {
	return "", errors.New("no room")
}
