package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/alert/sink"
	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/auditlog/file"
	"github.com/mollyguard/mollyguard/auditlog/inventory"
	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/webhook"
)

type replayOptions struct{ config, assets, output string }

func newAuditReplay(s streams) *cobra.Command {
	var o replayOptions
	cmd := &cobra.Command{
		Use:   "replay [flags] FILE…|-",
		Short: "Judge past log entries and print what would have been alerted",
		Long: `Judge past log entries and print what would have been alerted, grouped as people would
have been told, with counts by policy and actor.

A FILE holds log entries as gcloud logging read --format=json prints them, one per
line, or Kubernetes audit events (audit.k8s.io/v1). Labels come from --assets; without,
none are known, and unknown counts as production unless production.never says
otherwise. No grant is considered, and nothing is sent or kept.

Exit code: 0 nothing would have been alerted, 3 something would, 1 an entry could not
be read or judged.`,
		Example: `  gcloud logging read 'log_id("cloudaudit.googleapis.com/activity")' --project PROJECT --freshness 30d --format json |
    mollyguard audit replay --config mollyguard.yaml -
  mollyguard audit replay --assets <(gcloud asset search-all-resources --scope projects/PROJECT --format json) -o json entries.json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError("usage: "+cmd.UseLine(), "name at least one file with log entries, or - for standard input")
			}
			return replay(cmd.Context(), s, o, args)
		},
	}
	cmd.Flags().StringVar(&o.config, "config", "", "configuration `FILE` (default: built-in defaults)")
	cmd.Flags().StringVar(&o.assets, "assets", "", "`FILE` with resources as gcloud asset search-all-resources --format=json prints them, to know labels from")
	cmd.Flags().StringVarP(&o.output, "output", "o", "text", "output `FORMAT`: text, or json for one decision record per entry")
	return cmd
}

// replay runs the watcher on files, with a ledger that is thrown away: what it prints
// is what people would have been told.
func replay(ctx context.Context, s streams, o replayOptions, files []string) (err error) {
	if o.output != "text" && o.output != "json" {
		return usageError("", "output format %q is not text or json", o.output)
	}
	c, err := loadConfig(o.config)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "mollyguard-replay-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	book, err := ledger.Open(filepath.Join(folder, "ledger.db"), ledger.Options{Temporary: true, MaxBytes: maxReplayLedger})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, book.Close()) }()
	tally := newTally(s.out, o.output)
	r, err := newReplaying(ctx, s, c, o, book, tally, files)
	if err != nil {
		return err
	}
	if err := r.watcher.Run(ctx); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return r.report(ctx, s, o, tally)
}

// maxReplayLedger is how much of a disk a replay may take: ten million judged entries.
const maxReplayLedger = 8 << 30

// replaying is a watcher that reads files.
type replaying struct {
	watcher *auditlog.Watcher
	book    *alert.Book
	ledger  *ledger.Ledger
}

func newReplaying(ctx context.Context, s streams, c config.Configuration, o replayOptions, book *ledger.Ledger, tally *tally, files []string) (*replaying, error) {
	lookup, err := webhook.NewFileLookup(nil)
	if err != nil {
		return nil, err
	}
	a, err := assemble(ctx, c, parts{lookup: lookup, recorder: tally})
	if err != nil {
		return nil, err
	}
	c.Alerts = config.Alerts{Sinks: []config.AlertSink{{Name: "replay"}}} // nobody sends
	r := &replaying{ledger: book}
	if r.book, err = newBook(c, a.engine); err != nil {
		return nil, err
	}
	mapper, err := newMapper(c, a)
	if err != nil {
		return nil, err
	}
	selectors, err := parseSelectors(c.Production.Selectors)
	if err != nil {
		return nil, err
	}
	judging := auditlog.Judging{Marks: marksOf(selectors)}
	if o.assets != "" {
		if judging.Inventory, err = inventory.FromFile(o.assets); err != nil {
			return nil, err
		}
	}
	sources, err := replaySources(s, files)
	if err != nil {
		return nil, err
	}
	r.watcher, err = auditlog.New(auditlog.Options{
		Sources: []auditlog.Source{oneAfterTheOther{sources}}, Mapper: tally.counting(mapper), Judging: judging,
		Decider: a.guard, Recorder: tallyEnds{tally}, Book: r.book, Ledger: book,
	})
	return r, err
}

func replaySources(s streams, files []string) ([]auditlog.Source, error) {
	var sources []auditlog.Source
	for _, path := range files {
		o := file.Options{Path: path}
		if path == "-" {
			o = file.Options{Reader: s.in}
		}
		source, err := file.New(o)
		if err != nil {
			return nil, err
		}
		sources = append(sources, source)
	}
	return sources, nil
}

// oneAfterTheOther reads sources in their order: the end of an operation may be in the
// file after that of its start.
type oneAfterTheOther struct{ sources []auditlog.Source }

// Name implements auditlog.Source.
func (oneAfterTheOther) Name() string { return "replay" }

// Run implements auditlog.Source.
func (o oneAfterTheOther) Run(ctx context.Context, _ string, hand auditlog.Hand, report auditlog.Report) error {
	for _, source := range o.sources {
		if err := source.Run(ctx, "", hand, report); err != nil {
			return err
		}
	}
	return nil
}

// tally counts what a replay sees. It is a Recorder of decisions.
type tally struct {
	json *json.Encoder // nil for text

	lock sync.Mutex
	// alerts are operations, entries and judged what there is in the files.
	entries, judged, alerts, undecided int
	policies, actors                   map[string]int
	unread                             int
	firstUnread                        error
}

func newTally(w io.Writer, format string) *tally {
	t := &tally{policies: map[string]int{}, actors: map[string]int{}}
	if format == "json" {
		t.json = json.NewEncoder(w)
	}
	return t
}

// tallyEnds is the Recorder of ends of operations, which were counted when they
// started.
type tallyEnds struct{ *tally }

// Record prints a decision if that is wanted.
func (t tallyEnds) Record(_ context.Context, d operation.Decision) error {
	t.lock.Lock()
	defer t.lock.Unlock()
	return t.print(d)
}

func (t *tally) print(d operation.Decision) error {
	t.judged++
	if t.json != nil {
		return t.json.Encode(d)
	}
	return nil
}

// Record counts a decision, and prints it if that is wanted.
func (t *tally) Record(_ context.Context, d operation.Decision) error {
	t.lock.Lock()
	defer t.lock.Unlock()
	switch d.Outcome {
	case operation.OutcomeAlert:
		t.alerts++
		t.actors[cmp.Or(d.Actor.Name, "(not in the entry)")]++
		for _, v := range d.Violations {
			if v.Enforcement == operation.EnforceAlert {
				t.policies[v.Policy]++
			}
		}
	case operation.OutcomeUndecided:
		t.undecided++
	}
	return t.print(d)
}

// counting is a mapper that counts what it is given.
func (t *tally) counting(m auditlog.Mapper) auditlog.Mapper { return countingMapper{m, t} }

type countingMapper struct {
	auditlog.Mapper
	tally *tally
}

// Cares implements auditlog.Mapper.
func (m countingMapper) Cares(data []byte) bool {
	m.tally.lock.Lock()
	m.tally.entries++
	m.tally.lock.Unlock()
	return m.Mapper.Cares(data)
}

// Map implements auditlog.Mapper.
func (m countingMapper) Map(data []byte) (auditlog.Reading, error) {
	r, err := m.Mapper.Map(data)
	if err != nil {
		m.tally.lock.Lock()
		m.tally.unread++
		m.tally.firstUnread = cmp.Or(m.tally.firstUnread, err)
		m.tally.lock.Unlock()
	}
	return r, err
}

// report prints what people would have been told.
func (r *replaying) report(ctx context.Context, s streams, o replayOptions, t *tally) error {
	alerts, err := r.alerts(ctx)
	if err != nil {
		return err
	}
	if t.entries == 0 {
		return errors.New("no log entry in there: an empty list")
	}
	if o.output == "text" {
		for _, a := range alerts {
			fmt.Fprintf(s.out, "%s\n", sink.Text(a))
		}
		fmt.Fprintf(s.out, "%d entries, %d judged: %d operations would have been alerted, in %d incidents\n", t.entries, t.judged, t.alerts, len(alerts))
		printCounts(s.out, "by policy", t.policies)
		printCounts(s.out, "by actor", t.actors)
	}
	switch {
	case t.unread > 0:
		return &exitError{code: exitUndecided, err: fmt.Errorf("%d entries could not be read, the first because: %w", t.unread, t.firstUnread)}
	case t.undecided > 0:
		return &exitError{code: exitUndecided, err: fmt.Errorf("%d operations could not be judged", t.undecided)}
	case t.alerts > 0:
		return &exitError{code: exitDenied}
	}
	return nil
}

// alerts are all incidents, oldest first.
func (r *replaying) alerts(ctx context.Context) ([]alert.Alert, error) {
	var alerts []alert.Alert
	err := r.ledger.View(ctx, func(tx *ledger.Tx) error {
		var ids []string
		tx.Scan(ledger.TableIncidents, "", "", func(key string, _ []byte) bool {
			if !strings.Contains(key, "/") { // below an incident's id is what belongs to it
				ids = append(ids, key)
			}
			return true
		})
		for _, id := range ids {
			a, ok, err := r.book.Alert(tx, id)
			if err != nil {
				return err
			}
			if ok && a.Kind != alert.Blind { // what cannot be read is told at the end
				alerts = append(alerts, a)
			}
		}
		return nil
	})
	slices.SortStableFunc(alerts, func(a, b alert.Alert) int { return a.Opened.Compare(b.Opened) })
	return alerts, err
}

// printCounts prints the most frequent first.
func printCounts(w io.Writer, title string, counts map[string]int) {
	if len(counts) == 0 {
		return
	}
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(counts[b]-counts[a], strings.Compare(a, b))
	})
	fmt.Fprintf(w, "\n%s\n", title)
	for _, name := range names {
		fmt.Fprintf(w, "  %6d  %s\n", counts[name], operation.Printable(name))
	}
}
