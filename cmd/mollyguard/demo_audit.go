package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/alert/sink"
	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/operation"
)

// demoAuditConfig has the demo's server watch an audit log, which is a file, and tell
// what it sees on standard output.
func demoAuditConfig(c *config.Configuration, folder string) error {
	path := filepath.Join(folder, "audit.json")
	c.Production.Projects = []string{"prod-.*"}
	c.Audit.Sources = []config.AuditSource{{File: &config.FileSource{Path: path}}}
	c.Alerts.Sinks = []config.AlertSink{{Name: "demo", Stdout: &config.Stdout{Format: string(sink.FormatJSON)}}}
	return os.WriteFile(path, nil, 0o600)
}

// told is what a server tells on standard output.
type told struct {
	lock sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (t *told) Write(p []byte) (int, error) {
	t.lock.Lock()
	defer t.lock.Unlock()
	return t.text.Write(p)
}

// about returns the newest alert about something, if there is one.
func (t *told) about(name string) (found alert.Alert, ok bool, err error) {
	t.lock.Lock()
	defer t.lock.Unlock()
	for line := range strings.Lines(t.text.String()) {
		var a alert.Alert
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			return found, false, fmt.Errorf("read an alert: %w", err)
		}
		if len(a.Operations) > 0 && a.Operations[0].Target.Name == name {
			found, ok = a, true
		}
	}
	return found, ok, nil
}

// demoAudit tells the third part: where there is no webhook.
type demoAudit struct {
	demoDesk
	log  string
	told *told
}

const demoCloudTarget = "gcp://container.googleapis.com/projects/prod-1/locations/europe-west1/clusters/"

func (d demoAudit) tell(ctx context.Context) error {
	const wrong, meant = "payments", "checkout-old"
	d.scene(13, "A cluster is deleted in the cloud console: no webhook is asked. The audit log gives it away.",
		"(alice@example.com presses DELETE on cluster "+wrong+" in another tab)")
	if err := d.happens(ctx, wrong); err != nil {
		return err
	}
	d.scene(14, "This one is meant. Alice asks first.",
		"mollyguard break-glass request delete "+demoCloudTarget+meant+" --reason 'moved to prod-us' --server https://mollyguard.example.com")
	alice, err := d.client(demoAlice)
	if err != nil {
		return err
	}
	asked, err := alice.Request(ctx, operation.Actor{}, breakglass.Proposal{Reason: "moved to prod-us", Scope: breakglass.Scope{
		Surface: operation.GCP, Audience: "prod-eu", Verbs: []operation.Verb{operation.Delete}, Objects: 1,
		Targets: []operation.Reference{{Ref: demoCloudTarget + meant, Kind: "Cluster", Name: meant}},
	}})
	if err != nil {
		return err
	}
	d.state(asked)
	d.scene(15, "Bob looks at it, and approves.", "mollyguard break-glass approve "+asked.ID()+" --server https://mollyguard.example.com")
	bob, err := d.client(demoBob)
	if err != nil {
		return err
	}
	approved, err := bob.Judge(ctx, operation.Actor{}, asked.ID(), breakglass.Approve, "")
	if err != nil {
		return err
	}
	d.state(approved)
	d.scene(16, "People are told all the same, and can go back to sleep.", "(alice@example.com presses DELETE on cluster "+meant+")")
	return d.happens(ctx, meant)
}

// happens writes what Google would into the log, and prints what people are told.
func (d demoAudit) happens(ctx context.Context, name string) error {
	template, err := recordings.ReadFile("demo/console-delete-cluster.json")
	if err != nil {
		return err
	}
	now := time.Now().UTC().Format(time.RFC3339Nano)
	entry := strings.NewReplacer("INSERT", "demo-"+name, "TIME", now, "NAME", name, "\n", "").Replace(string(template)) + "\n"
	file, err := os.OpenFile(d.log, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteString(entry)
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	for {
		a, ok, err := d.told.about(name)
		if err != nil {
			return err
		}
		if ok {
			_, err := fmt.Fprint(d.out, sink.Text(a))
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("nobody was told of the deletion of %s: %w", name, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}
