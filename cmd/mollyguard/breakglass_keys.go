package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/kubernetes"

	"github.com/mollyguard/mollyguard/breakglass"
)

func newKeys(c console) *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "keys",
		Short: "List and rotate the keys that grants are signed with",
		Long: `List and rotate the keys that grants are signed with, where the configuration says
that they are: in a file, or in a Secret of the kubeconfig's cluster.`,
	})
	cmd.AddCommand(newKeysList(c), newKeysRotate(c))
	return cmd
}

// keysOptions say where the keys are.
type keysOptions struct {
	connectOptions
	config string
	output output
}

func (o *keysOptions) flags(cmd *cobra.Command) {
	o.clusterFlags(cmd)
	o.otherwise = "--config FILE if the keys are in a file"
	o.output.flag(cmd)
	cmd.Flags().StringVar(&o.config, "config", "", "the server's configuration `FILE` (default: built-in defaults)")
}

// open loads the keys. Where there are none it makes none: that is for a server.
func (o keysOptions) open(ctx context.Context, c console, overlap time.Duration) (*breakglass.Keyring, error) {
	configuration, err := loadConfig(o.config)
	if err != nil {
		return nil, err
	}
	var clients kubernetes.Interface
	if configuration.BreakGlass.Keys.File == "" {
		config, _, err := o.cluster(c.streams, place{})
		if err != nil {
			return nil, err
		}
		if clients, err = kubernetes.NewForConfig(config); err != nil {
			return nil, fmt.Errorf("make a client: %w", err)
		}
	}
	store, err := keyStore(configuration, clients)
	if err != nil {
		return nil, err
	}
	if _, _, err := store.Load(ctx); errors.Is(err, breakglass.ErrNotFound) {
		return nil, &exitError{code: exitUndecided, err: errors.New("there are no keys yet"), hint: "a server makes the first one when it starts"}
	} else if err != nil {
		return nil, deskError(err, "")
	}
	return breakglass.NewKeyring(ctx, breakglass.KeyringOptions{Issuer: configuration.BreakGlass.Issuer, Store: store, Overlap: overlap, Now: c.now})
}

func newKeysList(c console) *cobra.Command {
	var o keysOptions
	cmd := &cobra.Command{
		Use:   "list [flags]",
		Short: "List the keys that grants are signed with, oldest first",
		Args:  exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.output.check(); err != nil {
				return err
			}
			keys, err := o.open(cmd.Context(), c, 0)
			if err != nil {
				return err
			}
			return c.writeKeys(o.output, keys.List())
		},
	}
	o.flags(cmd)
	return cmd
}

func newKeysRotate(c console) *cobra.Command {
	var o keysOptions
	var overlap time.Duration
	var callSecret bool
	cmd := &cobra.Command{
		Use:   "rotate [flags]",
		Short: "Make a new key, which signs from now on, or renew the call secret",
		Long: `Make a new key, which signs from now on. What the one before signed stays good for
the overlap, which is longer than a grant can live. If that key was stolen, choose
an overlap of a second: all grants and tokens that it signed end then.

The call secret is renewed, too, which ends the path by which the API server calls
the webhook. The API server shows that path to users when a call fails, so renew it
now and then; --call-secret leaves the keys as they are. The one before is accepted
for an hour, whatever the overlap.

Running servers take all this up by themselves, within a minute, and the webhook
configuration has the new path after three.`,
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.output.check(); err != nil {
				return err
			}
			if overlap < time.Second {
				return usageError("", "--overlap: %v is below %v", overlap, time.Second)
			}
			if callSecret && cmd.Flags().Changed("overlap") {
				return usageError("the call secret that is replaced is always accepted for an hour", "--overlap and --call-secret do not go together")
			}
			keys, err := o.open(cmd.Context(), c, overlap)
			if err != nil {
				return err
			}
			if callSecret {
				until, err := keys.RotateCallSecret(cmd.Context())
				if err != nil {
					return deskError(err, "")
				}
				return c.writeRenewal(o.output, until)
			}
			if _, err := keys.Rotate(cmd.Context()); err != nil {
				return deskError(err, "")
			}
			return c.writeKeys(o.output, keys.List())
		},
	}
	o.flags(cmd)
	cmd.Flags().DurationVar(&overlap, "overlap", breakglass.DefaultOverlap, "`TIME` for which the old key's signatures stay good")
	cmd.Flags().BoolVar(&callSecret, "call-secret", false, "renew the call secret only, and no key")
	return cmd
}

// keyList is what machines read of the keys.
type keyList struct {
	Keys []breakglass.KeyInfo `json:"keys"`
}

func (c console) writeKeys(o output, keys []breakglass.KeyInfo) error {
	return o.write(c.streams, func(w io.Writer) error {
		t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
		fmt.Fprintln(t, "ID\tSTATE\tCREATED\tUNTIL")
		for _, key := range keys {
			until := "-"
			if !key.Until.IsZero() {
				until = c.at(key.Until)
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", key.ID, key.State, c.at(key.Created), until)
		}
		return t.Flush()
	}, keyList{keys})
}

// callSecretRenewal is what machines read of a renewed call secret.
type callSecretRenewal struct {
	// PreviousUntil is when the one before stops being accepted.
	PreviousUntil time.Time `json:"previous_until"`
}

func (c console) writeRenewal(o output, until time.Time) error {
	return o.write(c.streams, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "the call secret is renewed; the one before is accepted until %s\n", c.at(until))
		return err
	}, callSecretRenewal{until})
}
