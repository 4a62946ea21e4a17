package watch_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/operation"
)

// desk is a watcher that keeps cases, with what people need to ask it.
type desk struct {
	*world
	address string
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	w := &desk{world: newWorld(t)}
	w.address = w.free()
	var users strings.Builder
	users.WriteString("apiVersion: config.mollyguard.dev/v1alpha1\nkind: Users\nusers:\n")
	for _, name := range []string{alice, bob, "mallory@example.com"} {
		token, entry, code := w.mollyguard("break-glass", "users", "new", name)
		if code != 0 {
			t.Fatal(entry)
		}
		w.write(name+".token", token)
		at := strings.Index(entry, "sha256:")
		if at < 0 {
			t.Fatalf("no hash in %s", entry)
		}
		fmt.Fprintf(&users, "- {name: %s, kind: human, token: %q}\n", name, strings.TrimSpace(entry[at:]))
	}
	w.write("users.yaml", users.String())
	w.configure(w.subscribe(), "", fmt.Sprintf(`
certificates: {directory: %[1]s/certificates, ips: [127.0.0.1]}
breakGlass:
  store: ledger
  keys: {file: %[1]s/keys.json}
  rights: {requesters: {users: [.*]}, approvers: {users: [.*]}, revokers: {users: [.*]}}
api:
  address: %[2]q
  kubernetes: {enabled: false}
  users: %[1]s/users.yaml
`, w.folder, w.address))
	return w
}

// as runs a command at the desk as somebody.
func (w *desk) as(who string, args ...string) string {
	w.Helper()
	return w.must(append(append([]string{"break-glass"}, args...), "--server", "https://"+w.address,
		"--ca", filepath.Join(w.folder, "certificates", "ca.crt"), "--api-token-file", filepath.Join(w.folder, who+".token"))...)
}

// granted asks for the deletion of one of some things as Alice, has Bob approve it, and
// returns the handle.
func (w *desk) granted(refs ...string) (handle string) {
	w.Helper()
	var asked struct {
		ID string `json:"id"`
	}
	request := append([]string{"request", "delete", "--objects", "1", "--reason", "the shop has moved to another region", "-o", "json"}, refs...)
	if err := json.Unmarshal([]byte(w.as(alice, request...)), &asked); err != nil || asked.ID == "" {
		w.Fatalf("request: %v", err)
	}
	w.as(bob, "approve", asked.ID)
	return asked.ID
}

func TestAGrantTurnsTheAlertIntoANoticeOnce(t *testing.T) {
	t.Parallel()
	w := newDesk(t)
	w.ready(w.start())
	const disks = "projects/prod-1/zones/europe-west1-b/disks/"
	ref := func(name string) string { return gcpRef + gce + "/" + disks + name }

	handle := w.granted(ref("old"), ref("older"))
	w.publish(entry(1, now(), alice, gce, deleteDisk, disks+"old", nil))
	a, o := w.alertOn(ref("old"))
	if a.Kind != alert.Notice || o.Grant != handle || !strings.HasSuffix(a.Title, "under grant "+handle) {
		t.Errorf("with grant %s people are told a %s with grant %q: %s", handle, a.Kind, o.Grant, a.Title)
	}
	for _, a := range w.receiver.all() {
		if a.Kind == alert.Violation {
			t.Errorf("told as a violation: %s", a.Title)
		}
	}

	w.publish(entry(2, now(), alice, gce, deleteDisk, disks+"older", nil))
	again := w.violationOn(ref("older"))
	if again.Grant != "" || !mentions(again.GrantRefused, handle+": used up") {
		t.Errorf("the second time the grant is %q, and refused are %q", again.Grant, again.GrantRefused)
	}

	theirs := w.granted(ref("new"))
	const mallory = "mallory@example.com"
	reason := "approved, see " + theirs
	w.publish(with(entry(3, now(), mallory, gce, deleteDisk, disks+"new", nil), reason, "requestMetadata", "requestAttributes", "reason"))
	stolen := w.violationOn(ref("new"))
	if stolen.Grant != "" || !mentions(stolen.GrantRefused, theirs) {
		t.Errorf("with the handle of somebody else the grant is %q, and refused are %q", stolen.Grant, stolen.GrantRefused)
	}
	if a, _, _ := w.on(ref("new")); a.Origin.Reason != reason {
		t.Errorf("the reason that was given is %q", a.Origin.Reason)
	}

	// What Mallory did has not used it up.
	w.publish(with(entry(4, now(), alice, gce, deleteDisk, disks+"new", nil), theirs, "requestMetadata", "requestAttributes", "reason"))
	w.until("told of grant "+theirs, func() bool {
		newest, _ := w.receiver.alerts()
		for _, a := range newest {
			if a.Kind == alert.Notice && slices.ContainsFunc(a.Operations, func(o alert.Operation) bool { return o.Grant == theirs }) {
				return true
			}
		}
		return false
	})
}

func TestARefusedDeletionUsesNoGrantUp(t *testing.T) {
	t.Parallel()
	w := newDesk(t)
	p := w.ready(w.start())
	const path = "projects/prod-1/zones/europe-west1-b/disks/busy"
	const ref = gcpRef + gce + "/" + path
	handle := w.granted(ref)
	w.publish(entry(1, now(), alice, gce, deleteDisk, path, map[string]any{"code": 9, "message": "in use"}))
	if a, o := w.alertOn(ref); a.Kind != alert.Attempt || o.Phase != operation.Failed || o.Grant != handle {
		t.Errorf("told as a %s with grant %q: %s (%s)", a.Kind, o.Grant, a.Title, o.Phase)
	}
	p.kill() // what is granted is in the ledger
	w.ready(w.start())
	w.publish(entry(2, now(), alice, gce, deleteDisk, path, nil))
	w.until("told under the grant", func() bool {
		newest, _ := w.receiver.alerts()
		for _, a := range newest {
			if a.Kind == alert.Notice && a.Operations[0].Grant == handle {
				return true
			}
		}
		return false
	})
}

// violationOn waits until people are told of a violation, and returns what they are
// told of the target.
func (w *world) violationOn(ref string) (found alert.Operation) {
	w.Helper()
	w.until("told of a violation on "+ref, func() bool {
		newest, _ := w.receiver.alerts()
		for _, a := range newest {
			for _, o := range a.Operations {
				if a.Kind == alert.Violation && o.Target.Ref == ref {
					found = o
					return true
				}
			}
		}
		return false
	})
	return found
}

func mentions(list []string, word string) bool {
	return slices.ContainsFunc(list, func(text string) bool { return strings.Contains(text, word) })
}
