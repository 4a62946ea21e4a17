package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/alert/sink"
	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/auditlog/inventory"
	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/ledger"
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
line, or Kubernetes audit events (audit.k8s.io/v1), in any order: gcloud prints the
newest first. An empty list is no mistake, an empty file is.

Labels come from --assets; without, none are known, and unknown counts as production
unless production.never says otherwise. No grant is considered, and nothing is sent or
kept.

Exit code: 0 nothing would have been alerted, 3 something would, 1 an entry could not
be read or judged.`,
		Example: `  gcloud logging read "$(cat deploy/gcp/filter.txt)" --project=PROJECT --freshness=30d --format=json |
    mollyguard audit replay --config mollyguard.yaml -
  mollyguard audit replay --assets <(gcloud asset search-all-resources --scope=projects/PROJECT --format=json) -o json entries.json`,
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
	if err := canRead(files); err != nil {
		return err
	}
	book, remove, err := scratchLedger()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, book.Close(), remove()) }()
	tally := newTally(s.out, o.output)
	r, err := newReplaying(ctx, s, c, o, book, tally, files)
	if err != nil {
		return err
	}
	if err := r.run(ctx); err != nil {
		return err
	}
	return r.report(ctx, s, o)
}

// maxReplayLedger is how much of a disk a replay may take: ten million judged entries.
const maxReplayLedger = 8 << 30

// scratchLedger makes a ledger that is thrown away. Its file has no name any more when
// it is there, so that nothing is left of it whatever ends the program; where an open
// file cannot be removed, remove does it.
func scratchLedger() (book *ledger.Ledger, remove func() error, err error) {
	folder, err := os.MkdirTemp("", "mollyguard-replay-")
	if err != nil {
		return nil, nil, &exitError{
			code: exitUndecided, err: fmt.Errorf("make a folder for what is read: %w", err),
			hint: "set TMPDIR to a folder that can be written",
		}
	}
	remove = func() error { return os.RemoveAll(folder) }
	book, err = ledger.Open(filepath.Join(folder, "ledger.db"), ledger.Options{Temporary: true, MaxBytes: maxReplayLedger})
	if err != nil {
		return nil, nil, errors.Join(err, remove())
	}
	if remove() == nil {
		remove = func() error { return nil }
	}
	return book, remove, nil
}

// replaying is a watcher that reads files.
type replaying struct {
	watcher *auditlog.Watcher
	book    *alert.Book
	ledger  *ledger.Ledger
	tally   *tally
}

// lookInterval is how often a replay looks whether it gets on.
const lookInterval = 100 * time.Millisecond

// run reads all there is. What a server would wait for, such as room on a disk, ends it.
func (r *replaying) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		ticker := time.NewTicker(lookInterval)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				if err := r.watcher.Ready(); err != nil {
					cancel(fmt.Errorf("what was read cannot be kept: %w", err))
				}
				if err := r.tally.broken(); err != nil {
					cancel(err)
				}
			}
		}
	}()
	if err := r.watcher.Run(ctx); err != nil {
		return err
	}
	return cmp.Or(context.Cause(ctx), r.tally.broken())
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
	r := &replaying{ledger: book, tally: tally}
	if r.book, err = newBook(c, a.engine, false); err != nil {
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
		Sources: []auditlog.Source{oneAfterTheOther{sources, files, tally, isEnd(mapper)}}, Mapper: tally.counting(mapper), Judging: judging,
		Decider: a.guard, Recorder: tallyEnds{tally}, Book: r.book, Ledger: book,
		// However long it takes, nothing of it is old.
		Now: func() time.Time { return time.Unix(0, 0) },
	})
	return r, err
}

// report prints what people would have been told.
func (r *replaying) report(ctx context.Context, s streams, o replayOptions) error {
	t := r.tally
	alerts, err := r.alerts(ctx)
	if err != nil {
		return err
	}
	if t.entries == 0 && t.blank {
		return errors.New("no log entry in there, not even an empty list: see what the command that writes it says")
	}
	if o.output == "text" {
		w := bufio.NewWriter(s.out)
		for _, a := range alerts {
			fmt.Fprintf(w, "%s\n", sink.Text(a))
		}
		fmt.Fprintf(w, "%s, %d judged: %s would have been alerted, in %s\n",
			several(t.entries, "entry"), t.judged, several(t.alerts, "operation"), several(len(alerts), "incident"))
		printCounts(w, "by policy", t.policies)
		printCounts(w, "by actor", t.actors)
		if err := w.Flush(); err != nil {
			return err
		}
	}
	return t.err()
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
