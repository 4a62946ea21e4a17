package main

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/mollyguard/mollyguard/identity"
	"github.com/mollyguard/mollyguard/operation"
)

func newUsers(s streams) *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "users",
		Short: "Make entries for the users file of a server",
	})
	cmd.AddCommand(newUsersNew(s))
	return cmd
}

// usersFile is a users file as identity.Users reads it.
type usersFile struct {
	APIVersion string      `yaml:"apiVersion"`
	Kind       string      `yaml:"kind"`
	Users      []userEntry `yaml:"users"`
}

// userEntry is an entry of the users file.
type userEntry struct {
	Name   string   `yaml:"name"`
	Kind   string   `yaml:"kind"`
	Groups []string `yaml:"groups,omitempty,flow"`
	Token  string   `yaml:"token"`
}

func newUsersNew(s streams) *cobra.Command {
	entry := userEntry{}
	cmd := &cobra.Command{
		Use:   "new [flags] NAME",
		Short: "Make a token for a user of the users file",
		Long: `Make a token for a user of the users file. The token is printed once, to standard
output; a users file with the entry, which holds only its hash, to standard error:

  apiVersion: config.mollyguard.dev/v1alpha1
  kind: Users
  users:
  - name: alice@example.com
    kind: human
    groups: [sre]
    token: sha256:…

To a file that has users already, add what stands below users.`,
		Example: `  (umask 077; mollyguard break-glass users new alice@example.com --group sre > alice.token)`,
		Args:    exactly(1, "a name"),
		RunE: func(_ *cobra.Command, args []string) error {
			entry.Name = args[0]
			kinds := []string{string(operation.Human), string(operation.Service), string(operation.Agent)}
			if !slices.Contains(kinds, entry.Kind) {
				return usageError("", "--kind: %s is not one of %v", shown(entry.Kind), kinds)
			}
			if entry.Name == "" || slices.ContainsFunc([]byte(entry.Name), func(b byte) bool { return b <= ' ' || b > '~' }) {
				return usageError("", "the name %+q is empty or has characters beside plain ASCII, which could be taken for another's", entry.Name)
			}
			token, hash, err := identity.NewUserToken(rand.Reader)
			if err != nil {
				return err
			}
			entry.Token = hash
			var b bytes.Buffer
			encoder := yaml.NewEncoder(&b)
			encoder.SetIndent(2)
			encoder.CompactSeqIndent()
			file := usersFile{APIVersion: "config.mollyguard.dev/v1alpha1", Kind: "Users", Users: []userEntry{entry}}
			if err := encoder.Encode(file); err != nil {
				return err
			}
			fmt.Fprintf(s.err, "# The users file (api.users) with this user; if there is one already, add what stands below users:\n%s", b.Bytes())
			_, err = fmt.Fprintln(s.out, token.Reveal())
			return err
		},
	}
	cmd.Flags().StringVar(&entry.Kind, "kind", string(operation.Human), "`KIND` of user: human, service or agent")
	cmd.Flags().StringArrayVar(&entry.Groups, "group", nil, "`NAME` of a group that the user is in; may be given several times")
	return cmd
}
