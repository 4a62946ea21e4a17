package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/tfplan/receipt"
)

var (
	planDigest = strings.Repeat("ab12cd34", 8)
	ordersDB   = "gcp://sqladmin.googleapis.com/projects/prod-shop/instances/orders"
	usersDB    = "gcp://sqladmin.googleapis.com/projects/prod-shop/instances/users"
)

// refusedPlan is a receipt of a plan that deletes two production databases.
func refusedPlan() receipt.Receipt {
	return receipt.Receipt{
		Plan:    receipt.Plan{Digest: planDigest, Form: receipt.File, JSONDigest: strings.Repeat("0", 64)},
		Applier: receipt.Applier{Name: "ci", Kind: operation.Service, Facts: map[string]string{}},
		Decision: receipt.Decision{
			Outcome: operation.OutcomeDeny, Denied: 2, Verbs: []operation.Verb{operation.Delete}, Approvals: 1,
			Targets: []operation.Reference{
				{Ref: ordersDB, Kind: "TestFixture", Name: "scratch-orders"}, {Ref: usersDB, Kind: "DatabaseInstance", Name: "users"},
			},
			Destroys: 4, Managed: 9,
			IDs: []string{aDecision},
		},
		Grants: []string{},
	}
}

// written is the file of a receipt, made when the tests look.
func written(t *testing.T, r receipt.Receipt) string {
	t.Helper()
	r, err := receipt.New(r, atTheDesk, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	text, err := receipt.Encode(r)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "receipt.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestLeaveForAPlanIsAskedForWithItsReceipt(t *testing.T) {
	many := refusedPlan()
	many.Decision.Denied, many.Decision.Approvals = 300, 2
	whole := refusedPlan()
	alone := refusedPlan()
	alone.Decision.Denied, alone.Decision.Whole, alone.Decision.Targets = 1, true, []operation.Reference{}
	unknown := refusedPlan()
	unknown.Decision.Managed = 0
	again := refusedPlan() // it was checked with a token that opens one of the two
	again.Decision.Denied, again.Decision.Lifted, again.Grants = 1, 1, []string{"bg-0000-0000"}
	whole.Decision.Whole = true
	whole.Decision.Denied, whole.Decision.Verbs = 3, []operation.Verb{operation.Delete, operation.Replace}
	whole.Decision.Targets = append([]operation.Reference{operation.PlanReference(planDigest)}, whole.Decision.Targets[:2]...)
	const removed = "\nremoves    4 of 9 resources (45 %)"
	for _, tt := range []struct {
		name    string
		receipt receipt.Receipt
		asked   string
		shown   string
	}{
		{
			"naming what it destroys", refusedPlan(),
			"plan sha256:ab12cd34ab12: delete " + ordersDB + ", " + usersDB,
			`verb       delete
targets    ` + ordersDB + `
           ` + usersDB + removed,
		},
		{
			"with what another grant opens", again,
			"plan sha256:ab12cd34ab12: delete " + ordersDB + ", " + usersDB,
			`verb       delete
targets    ` + ordersDB + `
           ` + usersDB + removed,
		},
		{
			"of which it is not known how much of the state it is", unknown,
			"plan sha256:ab12cd34ab12: delete " + ordersDB + ", " + usersDB,
			`verb       delete
targets    ` + ordersDB + `
           ` + usersDB,
		},
		{
			"as a whole", alone,
			"plan sha256:ab12cd34ab12: delete of the plan as a whole",
			`verb       delete
targets    nothing that is refused by itself
           the plan as a whole: a policy refuses how much it removes, or how it was made` + removed,
		},
		{
			"and not the plan itself twice", whole,
			"plan sha256:ab12cd34ab12: delete,replace " + ordersDB + ", " + usersDB + ", and the plan as a whole",
			`verb       delete,replace
targets    ` + ordersDB + `
           ` + usersDB + `
           the plan as a whole: a policy refuses how much it removes, or how it was made` + removed,
		},
		{
			"counting it where it is too much to name", many,
			"plan sha256:ab12cd34ab12: delete of all 300 operations that are refused",
			`verb       delete
targets    all 300 operations that are refused: the receipt, and what plan check told, say which
           among them ` + ordersDB + `
           among them ` + usersDB + removed,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := startDesk(t)
			out, talk, err := server.as(t, server.alice, "request", "--plan", written(t, tt.receipt), "--reason", "moved")
			if err != nil {
				t.Fatal(err)
			}
			if first, _, _ := strings.Cut(plainHandles(talk), "\n"); first != "mollyguard: bg-xxxx-xxxx asks for "+tt.asked {
				t.Errorf("said %s", talk)
			}
			out, _, err = server.as(t, server.bob, "show", aHandle.FindString(out))
			if err != nil {
				t.Fatal(err)
			}
			want := fmt.Sprintf(`handle     bg-xxxx-xxxx
state      pending
why        0 of %[1]d approvals
until      2026-11-21 05:00:00 CET (in 1 h)
approvals  0 of %[1]d
requester  alice@example.com
plan       sha256:%[2]s
           this one as it was checked, applied once; one that is made again is another
%[3]s
receipt    not signed: all but the digest is what the requester says; compare it with what plan check told
cluster    prod-eu
reason     moved
how long   30 min
asked      2026-11-21 04:00:00 CET (now)
decision   %[4]s
`, tt.receipt.Decision.Approvals, planDigest, tt.shown, aDecision)
			if diff := cmp.Diff(want, plainHandles(out)); diff != "" {
				t.Errorf("show (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAPlanIsApprovedAndUsedOnce(t *testing.T) {
	server := startDesk(t)
	out, _, err := server.as(t, server.alice, "request", "--plan", written(t, refusedPlan()), "--reason", "moved")
	if err != nil {
		t.Fatal(err)
	}
	handle := aHandle.FindString(out)
	_, talk, err := server.as(t, server.bob, "approve", handle)
	if err != nil || !strings.Contains(talk, "mollyguard: approved: alice@example.com can do it until 04:30 CET, once\n") {
		t.Fatalf("approve: %v %s", err, talk)
	}
	out, talk, err = server.as(t, server.alice, "show", "--wait", handle)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out, "issued by mollyguard/prod-eu, to apply the plan once\n") || !strings.Contains(out, "approved by bob@example.com, 1 of 1 left") {
		t.Errorf("show: %s %s", out, talk)
	}
	token, _, err := server.as(t, server.alice, "token", handle)
	if err != nil {
		t.Fatal(err)
	}
	client, err := connectOptions{server: server.URL, ca: server.ca, tokenFile: server.bob}.client()
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.UsePlan(t.Context(), operation.Actor{}, operation.NewSecret(strings.TrimSpace(token)), operation.PlanReference(planDigest), aDecision)
	if err != nil {
		t.Fatal(err)
	}
	out, _, err = server.as(t, server.alice, "show", handle)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"state      used\n", "used already at 2026-11-21 04:00:00 CET for " + aDecision,
		"uses       applied by bob@example.com, 2026-11-21 04:00:00 CET (now), by decision " + aDecision + "\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("show lacks %q:\n%s", want, out)
		}
	}
	out, _, err = server.as(t, server.alice, "list", "--all")
	if err != nil || !strings.Contains(out, "plan sha256:ab12cd34ab12: delete "+ordersDB+" and 1 more") {
		t.Errorf("list: %v %s", err, out)
	}
}

func TestWithSomeReceiptsThereIsNothingToAskFor(t *testing.T) {
	changed := func(change func(*receipt.Receipt)) string {
		r := refusedPlan()
		change(&r)
		return written(t, r)
	}
	expired := refusedPlan()
	expired, err := receipt.New(expired, atTheDesk.Add(-2*time.Hour), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	text, err := receipt.Encode(expired)
	if err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(t.TempDir(), "old.json")
	if err := os.WriteFile(old, text, 0o600); err != nil {
		t.Fatal(err)
	}
	good := written(t, refusedPlan())
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"one of a plan that may be applied", []string{"--plan", changed(func(r *receipt.Receipt) {
			r.Decision.Outcome, r.Decision.Denied = operation.OutcomeAllow, 0
		})}, "2: --plan: nothing of the plan is refused: there is nothing to ask for"},
		{"one that nothing lifts", []string{"--plan", changed(func(r *receipt.Receipt) { r.Decision.Never = true })}, "3: --plan: a policy refuses the plan that lets nobody through"},
		{"one of a plan that could not be judged", []string{"--plan", changed(func(r *receipt.Receipt) { r.Decision.Outcome = operation.OutcomeUndecided })},
			"2: --plan: the plan could not be judged as a whole, which no grant makes up for"},
		{"an old one", []string{"--plan", old}, "2: --plan: the receipt was good until 2026-11-21 03:00:00 CET (1 h ago): nothing can be applied with it"},
		{"none", []string{"--plan", "nowhere.json"}, "2: --plan: nowhere.json: no such file or directory"},
		{"a folder", []string{"--plan", "/"}, "2: --plan: /: not a regular file"},
		{"something else", []string{"--plan", "-"}, "2: --plan: -: it is empty: was the receipt written?"},
		{"one, and targets", []string{"--plan", good, "delete", "ns/shop"}, "2: --plan says what is asked for: leave VERB TARGET out"},
		{"one, and a command", []string{"--plan", good, "--for", "kubectl delete ns shop"}, "2: --plan says what is asked for: leave --for out"},
		{"one, and a number", []string{"--plan", good, "--objects", "2"}, "2: --plan says what is asked for: leave --objects out"},
		{"no reason", []string{"--plan", good, "--reason", ""}, "2: the reason is missing: whoever approves reads it"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, _, _ := testConsole()
			err := deskRun(t, c, append([]string{"request", "--reason", "moved", "--server", "https://127.0.0.1:1"}, tt.args...)...)
			exit := &exitError{}
			if !errors.As(err, &exit) || fmt.Sprintf("%d: %v", exit.code, err) != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestAClusterKeepsNoGrantsForPlans(t *testing.T) {
	err := fromPlan(t.Context(), connection{}, refusedPlan(), nil)
	if err == nil || err.Error() != "grants for Terraform plans are with a server that has a ledger, not in a cluster" {
		t.Errorf("got %v", err)
	}
}
