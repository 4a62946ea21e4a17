package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/mollyguard/mollyguard/api"
	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/identity"
	"github.com/mollyguard/mollyguard/operation"
)

// The people of the second half of the story.
const (
	demoAlice = "alice@example.com"
	demoBob   = "bob@example.com"
)

// demoDeskConfig adds break glass to the demo's configuration: a ledger, keys, and
// a file of users. It returns the users' tokens.
func demoDeskConfig(c *config.Configuration, folder string) (map[string]operation.Secret, error) {
	c.Ledger.Path = filepath.Join(folder, "ledger.db")
	c.BreakGlass.Keys.File = filepath.Join(folder, "keys.json")
	c.BreakGlass.Rights.Requesters.Users = []string{".*"}
	c.BreakGlass.Rights.Approvers.Groups = []string{"sre"}
	c.API.Address = "127.0.0.1:0"
	c.API.Users = filepath.Join(folder, "users.yaml")

	tokens := map[string]operation.Secret{}
	var users bytes.Buffer
	users.WriteString("apiVersion: config.mollyguard.dev/v1alpha1\nkind: Users\nusers:\n")
	for _, name := range []string{demoAlice, demoBob} {
		token, hash, err := identity.NewUserToken(rand.Reader)
		if err != nil {
			return nil, err
		}
		tokens[name] = token
		fmt.Fprintf(&users, "- name: %s\n  kind: human\n  groups: [sre]\n  token: %s\n", name, hash)
	}
	return tokens, os.WriteFile(c.API.Users, users.Bytes(), 0o600)
}

// demoDesk tells the second half: it is meant this time.
type demoDesk struct {
	out    io.Writer
	at     addresses
	caPath string
	tokens map[string]operation.Secret
}

const demoTarget = "k8s://prod-eu/apps/deployments/shop/checkout"

func (d demoDesk) tell(ctx context.Context) error {
	caller, err := demoClient(d.caPath)
	if err != nil {
		return err
	}
	review := func(edit func([]byte) []byte) error {
		response, err := sendReview(ctx, caller, d.at, "delete-production.json", edit)
		if err == nil {
			fmt.Fprint(d.out, responseText(response))
		}
		return err
	}
	same := func(body []byte) []byte { return body }

	d.scene(8, "This time it is meant. Alice asks, with the command that the refusal has for her.",
		"kubectl mollyguard request delete "+demoTarget+" --reason 'checkout has moved to prod-us'")
	desk, err := d.client(demoAlice)
	if err != nil {
		return err
	}
	asked, err := desk.Request(ctx, operation.Actor{}, breakglass.Proposal{
		Reason: "checkout has moved to prod-us",
		Scope: breakglass.Scope{
			Surface: operation.Kubernetes, Audience: "prod-eu", Verbs: []operation.Verb{operation.Delete}, Objects: 1,
			Targets: []operation.Reference{{
				Ref: demoTarget, Kind: "Deployment", Namespace: "shop", Name: "checkout", UID: "2a50d2bc-ea78-490c-b40b-bcf27c77f023",
			}},
		},
	})
	if err != nil {
		return err
	}
	handle := asked.ID()
	d.state(asked)

	d.scene(9, "Nobody approves their own request.", "kubectl mollyguard approve "+handle)
	var refusal *breakglass.Refusal
	if _, err := desk.Judge(ctx, operation.Actor{}, handle, breakglass.Approve, ""); !errors.As(err, &refusal) {
		return fmt.Errorf("alice approved her own request, or could not be told that she may not: %w", err)
	}
	fmt.Fprintf(d.out, "mollyguard: error: %s\n", refusal.Reason)

	d.scene(10, "Bob looks at it, and approves.", "kubectl mollyguard approve "+handle)
	if desk, err = d.client(demoBob); err != nil {
		return err
	}
	approved, err := desk.Judge(ctx, operation.Actor{}, handle, breakglass.Approve, "")
	if err != nil {
		return err
	}
	d.state(approved)

	d.scene(11, "The same command as at the beginning. There is nothing to present.", scenes[0].typed)
	if err := review(same); err != nil {
		return err
	}
	d.scene(12, "It opened one thing, once: made anew under the same name it is another.", scenes[0].typed)
	return review(func(body []byte) []byte {
		return bytes.ReplaceAll(body, []byte("2a50d2bc-ea78-490c-b40b-bcf27c77f023"), []byte("3f0e7f0a-5d0e-4b8e-9a53-0d4a3b2c1f10"))
	})
}

func (d demoDesk) scene(number int, told, typed string) {
	printScene(d.out, number, told, typed)
}

func (d demoDesk) state(v breakglass.View) {
	fmt.Fprintf(d.out, "%s %s: %s\n", v.ID(), v.Standing.State, v.Standing.Why)
}

func (d demoDesk) client(user string) (*api.Client, error) {
	caller, err := demoClient(d.caPath)
	if err != nil {
		return nil, err
	}
	return api.NewClient(api.ClientOptions{
		URL: "https://" + d.at.people.String(), HTTPClient: caller,
		Token: func(context.Context) (operation.Secret, error) { return d.tokens[user], nil },
	})
}
