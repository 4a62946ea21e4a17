package main

import (
	"context"
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/mollyguard/mollyguard/auditlog"
)

func newAuditEntry(s streams) *cobra.Command {
	path := ""
	cmd := &cobra.Command{
		Use:   "entry [flags] DECISION",
		Short: "Print the log entry that people were told of",
		Long: `Print the log entry, in JSON, that a decision was made on and that people were told of.
It is kept for 30 days. While a server runs it is asked, over a socket beside the ledger
that only its user can open: in a cluster, run this in its pod.`,
		Args: exactly(1, "the id of a decision"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !isDecision(args[0]) {
				return usageError("an alert has the ids of its decisions", "%s is not the id of a decision", shown(args[0]))
			}
			return auditEntry(cmd.Context(), s, path, args[0])
		},
	}
	cmd.Flags().StringVar(&path, "config", "", "configuration `FILE`")
	return cmd
}

func auditEntry(ctx context.Context, s streams, path, id string) error {
	c, err := configWithLedger(path)
	if err != nil {
		return err
	}
	var entry json.RawMessage
	err = atLedger(ctx, c, "/entries/"+id, nil, &entry, func(d deadLetters) error {
		entry, err = auditlog.EntryOf(ctx, d.ledger, id)
		return err
	})
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(s.out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(entry)
}
