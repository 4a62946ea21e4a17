package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

func newAlert(s streams) *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "alert",
		Short: "Try the ways by which people are told, and see what they were not told",
	})
	dead := group(&cobra.Command{
		Use:   "dead",
		Short: "See alerts that no sink took, and log entries that could not be read",
	})
	dead.AddCommand(newDeadList(s), newDeadRetry(s))
	cmd.AddCommand(newAlertTest(s), dead)
	return cmd
}

type alertTestOptions struct{ config, severity string }

func newAlertTest(s streams) *cobra.Command {
	var o alertTestOptions
	cmd := &cobra.Command{
		Use:   "test [flags] [SINK…]",
		Short: "Send a test alert to each sink and say what came of it",
		Long: `Send a test alert to each sink of the configuration, or to those that are named, and
say of each whether it took it. Nothing is queued, and no server needs to run.

Exit code: 0 if all took it, 1 if one did not.`,
		Example: "  mollyguard alert test --config mollyguard.yaml oncall",
		RunE:    func(cmd *cobra.Command, args []string) error { return alertTest(cmd.Context(), s, o, args) },
	}
	cmd.Flags().StringVar(&o.config, "config", "", "configuration `FILE`")
	cmd.Flags().StringVar(&o.severity, "severity", "low", "`SEVERITY` of the alert: low, medium, high or critical")
	return cmd
}

func alertTest(ctx context.Context, s streams, o alertTestOptions, names []string) error {
	severity := operation.Severity(o.severity)
	if !slices.Contains(severity.Values(), o.severity) {
		return usageError("", "--severity: %q is not one of %s", o.severity, strings.Join(severity.Values(), ", "))
	}
	c, err := loadConfig(o.config)
	if err != nil {
		return err
	}
	if err := checkSinkNames(c, names); err != nil {
		return err
	}
	failed := 0
	for _, o := range c.Alerts.Sinks {
		if len(names) > 0 && !slices.Contains(names, o.Name) {
			continue
		}
		if err := testSink(ctx, s, o, testAlert(c, severity, time.Now())); err != nil {
			failed++
			fmt.Fprintf(s.err, "mollyguard: %s: not sent: %s\n", o.Name, operation.Printable(err.Error()))
			continue
		}
		fmt.Fprintf(s.err, "mollyguard: %s: sent\n", o.Name)
	}
	if failed > 0 {
		return &exitError{code: exitUndecided, err: fmt.Errorf("%s did not take the test alert", several(failed, "sink"))}
	}
	return nil
}

// testSink opens one sink alone: what is wrong with the others is no reason not to try
// it.
func testSink(ctx context.Context, s streams, o config.AlertSink, a alert.Alert) (err error) {
	opened := &sinks{}
	defer func() { err = errors.Join(err, opened.Close()) }()
	to, err := opened.open(ctx, s, o, s.logger())
	if err != nil {
		return err
	}
	return try(ctx, to, a)
}

func checkSinkNames(c config.Configuration, names []string) error {
	var known []string
	for _, sink := range c.Alerts.Sinks {
		known = append(known, sink.Name)
	}
	if len(known) == 0 {
		return usageError("name the configuration with --config", "there are no sinks: alerts.sinks is empty")
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return usageError("", "no sink %s, there are %s", shown(name), strings.Join(known, ", "))
		}
	}
	return nil
}

func try(ctx context.Context, to alert.Sink, a alert.Alert) error {
	ctx, cancel := context.WithTimeout(ctx, alert.SendTimeout)
	defer cancel()
	return to.Send(ctx, a)
}

// testAlert is a new incident each time, so that no sink takes it for an old one.
func testAlert(c config.Configuration, severity operation.Severity, now time.Time) alert.Alert {
	now = now.UTC().Truncate(time.Millisecond)
	return alert.Alert{
		ID: fmt.Sprintf("test-%d", now.UnixMilli()), Revision: 1, Kind: alert.Test, Status: alert.Open, Severity: severity,
		Title: "Test alert of mollyguard in " + c.Cluster + ": nothing happened", Opened: now, Updated: now, Cluster: c.Cluster,
		Text: []string{"Somebody ran mollyguard alert test."}, Help: c.Help,
	}
}

type deadOptions struct {
	config, output string
}

func newDeadList(s streams) *cobra.Command {
	var o deadOptions
	cmd := &cobra.Command{
		Use:   "list [flags]",
		Short: "List them",
		Long: `List alerts that no sink took, and log entries that could not be read. While a server
runs it is asked, over a socket beside the ledger that only its user can open: in a
cluster, run this in its pod.`,
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error { return deadList(cmd.Context(), s, o) },
	}
	cmd.Flags().StringVar(&o.config, "config", "", "configuration `FILE`")
	cmd.Flags().StringVarP(&o.output, "output", "o", "table", "output `FORMAT`: table or json")
	return cmd
}

func deadList(ctx context.Context, s streams, o deadOptions) error {
	if o.output != "table" && o.output != "json" {
		return usageError("", "output format %q is not table or json", o.output)
	}
	c, err := configWithLedger(o.config)
	if err != nil {
		return err
	}
	var list []alert.DeadLetter
	err = atLedger(ctx, c, "/dead", nil, &list, func(d deadLetters) error {
		list, err = d.list(ctx)
		return err
	})
	if err != nil {
		return err
	}
	if o.output == "json" {
		if list == nil {
			list = []alert.DeadLetter{}
		}
		return json.NewEncoder(s.out).Encode(list)
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "ID\tDIED\tTRIED\tTITLE\tREASON")
	for _, l := range list {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\n", operation.Printable(l.ID), l.Died.UTC().Format(time.RFC3339), l.Attempts,
			operation.Printable(l.Title), operation.Printable(l.Reason))
	}
	return w.Flush()
}

func newDeadRetry(s streams) *cobra.Command {
	var o deadOptions
	all := false
	cmd := &cobra.Command{
		Use:   "retry [flags] ID…|--all",
		Short: "Try them again",
		Long: `Try alerts again that no sink took, under the ids that they had, and judge log entries
again that could not be read. An alert is sent as soon as its sink takes it: if it does
not, it is dead again, and in the list. What came of an entry is said here; its id may
be given as the alert shows it, or with entry/ before it, as the list does.

Exit code: 0, or 1 if one was not put back or an entry still cannot be read.`,
		RunE: func(cmd *cobra.Command, ids []string) error {
			if all == (len(ids) > 0) {
				return usageError("", "either ids, as mollyguard alert dead list shows them, or --all")
			}
			return deadRetry(cmd.Context(), s, o, ids)
		},
	}
	cmd.Flags().StringVar(&o.config, "config", "", "configuration `FILE`")
	cmd.Flags().BoolVar(&all, "all", false, "try all of them")
	return cmd
}

func deadRetry(ctx context.Context, s streams, o deadOptions, ids []string) error {
	c, err := configWithLedger(o.config)
	if err != nil {
		return err
	}
	if ids == nil {
		ids = []string{}
	}
	var done retried
	err = atLedger(ctx, c, "/dead/retry", ids, &done, func(d deadLetters) error {
		done, err = d.retry(ctx, ids)
		return err
	})
	if err != nil {
		return err
	}
	if done.Alerts > 0 || done.Read+len(done.Unread) == 0 {
		fmt.Fprintf(s.err, "mollyguard: %s put back\n", several(done.Alerts, "alert"))
	}
	if done.Read > 0 {
		fmt.Fprintf(s.err, "mollyguard: %s judged\n", severalEntries(done.Read))
	}
	if len(done.Unread) == 0 {
		return nil
	}
	for _, letter := range done.Unread {
		fmt.Fprintf(s.err, "mollyguard: %s: %s\n", operation.Printable(letter.ID), operation.Printable(letter.Reason))
	}
	return &exitError{
		code: exitUndecided, err: fmt.Errorf("%s could not be read, as before", severalEntries(len(done.Unread))),
		hint: "mend the table (audit.mappings), start the server again, and try again",
	}
}

func severalEntries(n int) string { return several(n, "log entry") }

func configWithLedger(path string) (config.Configuration, error) {
	c, err := loadConfig(path)
	if err == nil && c.Ledger.Path == "" {
		err = usageError("name the configuration with --config", "there is no ledger: ledger.path is empty")
	}
	return c, err
}

// atLedger asks the server that has the ledger, or works on the file if there is none:
// with a body it posts.
func atLedger(ctx context.Context, c config.Configuration, path string, body, answer any, alone func(d deadLetters) error) error {
	asked, err := askControl(ctx, c, path, body, answer)
	if asked || err != nil {
		return err
	}
	if _, err := os.Stat(c.Ledger.Path); err != nil { // to open it would make one, which may not be the server's then
		return fmt.Errorf("there is no ledger: %w", err)
	}
	book, err := ledger.Open(c.Ledger.Path, ledger.Options{})
	if err != nil {
		return err
	}
	return errors.Join(alone(deadLetters{ledger: book, wake: func() {}}), book.Close())
}

// askControl reports whether there is a server to ask.
func askControl(ctx context.Context, c config.Configuration, path string, body, answer any) (asked bool, err error) {
	method, content := http.MethodGet, io.Reader(nil)
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return false, err
		}
		method, content = http.MethodPost, bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://ledger"+path, content)
	if err != nil {
		return false, err
	}
	response, err := controlClient(c).Do(request)
	if err != nil {
		var refused *url.Error
		if errors.As(err, &refused) && nobodyThere(refused) {
			return false, nil
		}
		return true, fmt.Errorf("ask the server beside %s: %w", c.Ledger.Path, err)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxControlAnswer))
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return true, err
	}
	if response.StatusCode != http.StatusOK {
		return true, errors.New(strings.TrimSpace(string(text)))
	}
	return true, json.Unmarshal(text, answer)
}

// maxControlAnswer holds a hundred thousand dead letters.
const maxControlAnswer = 64 << 20
