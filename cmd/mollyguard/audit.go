package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

func newAudit(s streams) *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "audit",
		Short: "Watch the cloud's audit log, or judge what is in an old one",
	})
	cmd.AddCommand(newAuditWatch(s), newAuditReplay(s), newAuditEntry(s))
	return cmd
}

func newAuditWatch(s streams) *cobra.Command {
	var o serveOptions
	cmd := &cobra.Command{
		Use:   "watch [flags]",
		Short: "Watch Google Cloud's audit log and tell people what happens to production",
		Long: `Watch Google Cloud's audit log: what happens to production is judged by the same
policies as at the webhook, and people are told by the sinks of the configuration.
audit.sources says what is read.

It is the server without the admission webhook. mollyguard serve with the same
configuration does both.`,
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.noCluster && o.kubeconfig != "" {
				return usageError("leave one of them out", "--no-cluster and --kubeconfig contradict each other")
			}
			c, err := loadConfig(o.config)
			if err != nil {
				return err
			}
			if len(c.Audit.Sources) == 0 {
				return usageError("name the configuration with --config", "there is nothing to watch: audit.sources is empty")
			}
			o.auditOnly = true
			return serve(cmd.Context(), s, c, o)
		},
	}
	cmd.Flags().StringVar(&o.config, "config", "", "configuration `FILE`")
	cmd.Flags().StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig `FILE`, for grants that are kept in a cluster")
	cmd.Flags().BoolVar(&o.noCluster, "no-cluster", false, "run without a cluster, also inside a pod")
	repairFlag(cmd, &o)
	return cmd
}

// repairLedger says what a repair saved, and what it could not.
func repairLedger(s streams, path string) error {
	report, err := ledger.Repair(path, time.Now())
	if err != nil {
		return err
	}
	if report.Damage == nil {
		fmt.Fprintf(s.err, "mollyguard: %s is not damaged\n", path)
		return nil
	}
	fmt.Fprintf(s.err, "mollyguard: %s was damaged, and is kept as %s: %s\n", path, report.Aside, operation.Printable(report.Damage.Error()))
	for _, part := range report.Parts {
		if part.Kept > 0 || len(part.Lost) > 0 {
			fmt.Fprintf(s.err, "mollyguard: %s: %d records saved\n", part.Name, part.Kept)
		}
		for _, lost := range part.Lost {
			fmt.Fprintf(s.err, "mollyguard: %s: lost: %s\n", part.Name, operation.Printable(lost))
		}
	}
	return nil
}
