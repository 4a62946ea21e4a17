package main

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/tfplan/receipt"
)

// receiptPair is a key that signs receipts, made of one letter.
func receiptPair(t *testing.T, seed string) receipt.Key {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed([]byte(strings.Repeat(seed, ed25519.SeedSize))))
	if err != nil {
		t.Fatal(err)
	}
	key, err := receipt.ReadKey(operation.NewSecret(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// signedWith completes a receipt and signs it.
func signedWith(t *testing.T, r receipt.Receipt, key receipt.Key) receipt.Receipt {
	t.Helper()
	r, err := receipt.New(r, atTheDesk, time.Hour)
	if err == nil {
		r, err = r.Sign(key)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// fileOf is the file of a receipt as it is.
func fileOf(t *testing.T, r receipt.Receipt) string {
	t.Helper()
	text, err := receipt.Encode(r)
	if err != nil {
		t.Fatal(err)
	}
	return fileWith(t, "receipt.json", string(text))
}

// strict is a desk that believes one key.
func strict(t *testing.T, key receipt.Key) deskServer {
	t.Helper()
	return startDeskWith(t, func() time.Time { return atTheDesk }, func(o *breakglass.DeskOptions) { o.Receipt = receiptDesk{key.Public()}.look })
}

func TestASignedReceiptVouchesForWhatTheApproverReads(t *testing.T) {
	key := receiptPair(t, "a")
	server := strict(t, key)
	long := refusedPlan()
	for i := range long.Decision.Targets { // too long for a token: there is no room to name it
		long.Decision.Targets[i].Ref += strings.Repeat("x", maxPlanTargetBytes)
	}
	for _, tt := range []struct {
		name string
		r    receipt.Receipt
		want []string
	}{
		{"little", refusedPlan(), []string{"targets    " + ordersDB + "\n", "removes    4 of 9 resources (45 %)\n"}},
		{"little with long names", long, []string{"targets    all 2 operations that are refused: ", "\n           among them " + long.Decision.Targets[0].Ref + "\n"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, _, err := server.as(t, server.alice, "request", "--plan", fileOf(t, signedWith(t, tt.r, key)), "--reason", "moved")
			if err != nil {
				t.Fatal(err)
			}
			_, talk, err := server.as(t, server.bob, "approve", aHandle.FindString(out))
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range append(tt.want, "receipt    signed with key "+key.ID()+", and this is what it says\n") {
				if !strings.Contains(talk, want) {
					t.Errorf("who approves does not read %q:\n%s", want, talk)
				}
			}
			if strings.Contains(talk, "scratch-orders") || strings.Contains(talk, "TestFixture") {
				t.Errorf("who approves reads a name that is in no canonical name:\n%s", talk)
			}
		})
	}
}

func TestADeskThatBelievesAKeyTakesNoOtherReceipt(t *testing.T) {
	key := receiptPair(t, "a")
	server := strict(t, key)
	edited := func(edit func(r *receipt.Receipt)) receipt.Receipt {
		r := signedWith(t, refusedPlan(), key)
		edit(&r)
		return r
	}
	unsigned, err := receipt.New(refusedPlan(), atTheDesk, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	const changed = " was changed after it was signed, or key KEY did not sign it: do not apply: find out who wrote the receipt, then plan and check again"
	for _, tt := range []struct {
		name string
		r    receipt.Receipt
		want string
	}{
		{"not signed", unsigned, "receipt: the receipt is not signed: give plan check the signing key: terraform.receipts.key in its configuration, or MOLLYGUARD_RECEIPT_KEY"},
		{"another name", edited(func(r *receipt.Receipt) { r.Decision.Targets[0].Name = "scratch" }), "receipt: the receipt" + changed},
		{"fewer targets", edited(func(r *receipt.Receipt) { r.Decision.Targets = r.Decision.Targets[:1] }), "receipt: the receipt" + changed},
		{"many more operations", edited(func(r *receipt.Receipt) { r.Decision.Denied = 200 }), "receipt: the receipt" + changed},
		{"less of the state", edited(func(r *receipt.Receipt) { r.Decision.Managed = 900 }), "receipt: the receipt" + changed},
		{"fewer approvals", edited(func(r *receipt.Receipt) { r.Decision.Approvals = 0 }), "receipt: the receipt" + changed},
		{"of somebody else", signedWith(t, refusedPlan(), receiptPair(t, "b")),
			"receipt: the receipt is signed with key " + receiptPair(t, "b").ID() + ", which is not among those to believe (KEY): make sure that plan check and plan verify use the same pair of keys, and that the receipt is this pipeline's"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := server.as(t, server.alice, "request", "--plan", fileOf(t, tt.r), "--reason", "moved")
			if exitOf(err) != exitDenied {
				t.Fatalf("exit code %d, %v", exitOf(err), err)
			}
			if diff := cmp.Diff(tt.want, strings.ReplaceAll(err.Error(), key.ID(), "KEY")); diff != "" {
				t.Errorf("refusal (-want +got):\n%s", diff)
			}
		})
	}
}

func TestARequestSaysWhatItsReceiptSays(t *testing.T) {
	key := receiptPair(t, "a")
	r := signedWith(t, refusedPlan(), key)
	whole := refusedPlan()
	whole.Decision.Whole, whole.Decision.Denied = true, 3
	never := refusedPlan()
	never.Decision.Never = true
	undecided := refusedPlan()
	undecided.Decision.Outcome = operation.OutcomeUndecided
	for _, tt := range []struct {
		name  string
		r     receipt.Receipt
		ask   func(p *breakglass.Proposal)
		later time.Duration
		want  string
	}{
		{"as it is", r, func(*breakglass.Proposal) {}, 0, ""},
		{"with more approvals", r, func(p *breakglass.Proposal) { p.Approvals++ }, 0, ""},
		{"another plan", r, func(p *breakglass.Proposal) { p.Scope.Targets[0] = operation.PlanReference(strings.Repeat("0", 64)) }, 0,
			"receipt: it is of the plan plan://sha256:" + planDigest + ", the request of plan://sha256:" + strings.Repeat("0", 64)},
		{"without names", r, func(p *breakglass.Proposal) { p.Scope.Targets = p.Scope.Targets[:1] }, 0,
			"receipt: the request does not say the same: targets"},
		{"with more verbs", r, func(p *breakglass.Proposal) { p.Scope.Verbs = append(p.Scope.Verbs, operation.Forget) }, 0,
			"receipt: the request does not say the same: verbs"},
		{"with more operations", r, func(p *breakglass.Proposal) { p.Scope.Objects = 200 }, 0,
			"receipt: the request does not say the same: number of refused operations"},
		{"with the plan as a whole", r, func(p *breakglass.Proposal) { p.Scope.Whole = true }, 0,
			"receipt: the request does not say the same: plan as a whole"},
		{"without the plan as a whole", signedWith(t, whole, key), func(p *breakglass.Proposal) { p.Scope.Whole = false }, 0,
			"receipt: the request does not say the same: plan as a whole"},
		{"with fewer approvals", r, func(p *breakglass.Proposal) { p.Approvals = 0 }, 0,
			"receipt: the request does not say the same: number of approvals"},
		{"without the receipt", r, func(p *breakglass.Proposal) { p.Receipt = nil }, 0,
			"receipt: missing: leave for a plan is asked for with the signed receipt of its check"},
		{"with something else", r, func(p *breakglass.Proposal) { p.Receipt = []byte("null") }, 0, "receipt: apiVersion is"},
		{"too late", r, func(*breakglass.Proposal) {}, time.Hour, "receipt: it was good until 2026-11-21T04:00:00Z: plan and check again"},
		{"of a plan that nothing opens", signedWith(t, never, key), func(*breakglass.Proposal) {}, 0, "receipt: a policy refuses the plan that lets nobody through"},
		{"of a plan that was not judged", signedWith(t, undecided, key), func(*breakglass.Proposal) {}, 0,
			"receipt: the plan was not refused, or could not be judged: there is nothing to ask for"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text, err := compactReceipt(tt.r)
			if err != nil {
				t.Fatal(err)
			}
			p := breakglass.Proposal{Scope: planScope(tt.r, "prod-eu"), Approvals: tt.r.Decision.Approvals, Receipt: text}
			tt.ask(&p)
			facts, err := receiptDesk{key.Public()}.look(p, atTheDesk.Add(tt.later))
			if tt.want == "" {
				if diff := cmp.Diff(&breakglass.PlanFacts{Destroys: 4, Managed: 9, Key: key.ID()}, facts); err != nil || diff != "" {
					t.Errorf("%v (-want +got):\n%s", err, diff)
				}
				return
			}
			refusal, ok := err.(*breakglass.Refusal)
			if !ok || !strings.HasPrefix(refusal.Reason, tt.want) || facts != nil {
				t.Errorf("got %v, %+v, want %s", err, facts, tt.want)
			}
		})
	}
}

func TestWhatHasNoNamesIsRefusedWithoutASignature(t *testing.T) {
	server := startDesk(t)
	long := refusedPlan()
	for i := range long.Decision.Targets {
		long.Decision.Targets[i].Ref += strings.Repeat("x", maxPlanTargetBytes)
	}
	_, _, err := server.as(t, server.alice, "request", "--plan", written(t, long), "--reason", "moved")
	const want = "targets: name what the plan may destroy: up to 12 refused operations are approved by name"
	if exitOf(err) != exitDenied || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestAServerReadsTheKeysOfReceiptsAtItsStart(t *testing.T) {
	key := receiptPair(t, "a")
	public := ed25519.NewKeyFromSeed([]byte(strings.Repeat("a", ed25519.SeedSize))).Public()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	good, bad := filepath.Join(t.TempDir(), "public.pem"), fileWith(t, "bad.pem", "none")
	if err := os.WriteFile(good, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	c := config.Default()
	c.Terraform.Receipts.PublicKeys = []string{good}
	keys, err := publicReceiptKeys(c)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{key.ID()}, keys.IDs()); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	c.Terraform.Receipts.PublicKeys = []string{good, bad}
	if _, err := publicReceiptKeys(c); err == nil || !strings.HasPrefix(err.Error(), "terraform.receipts.publicKeys[1]: "+bad+": ") {
		t.Errorf("error: %v", err)
	}
}

func TestAReceiptThatDoesNotSayWhatWasLiftedIsNone(t *testing.T) {
	for _, tt := range []struct {
		name, list, want string
	}{
		{"no decision is named", "ids", "decision.ids is empty and 1 operation refused or lifted"},
		{"no grant is named", "grants", "grants is empty and decision.lifted is 1"},
		{"no target is named", "targets", "decision.targets is empty and 1 operation refused or lifted"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := approvedPlan(t)
			text, err := os.ReadFile(s.receipt)
			if err != nil {
				t.Fatal(err)
			}
			emptied := regexp.MustCompile(`(?s)"`+tt.list+`": \[.*?\]`).ReplaceAllString(string(text), `"`+tt.list+`": []`)
			s.receipt = fileWith(t, "receipt.json", emptied)
			c, out, _ := s.console()
			o := verifyOptions{planFlags: planFlags{config: s.config, tokenFile: s.token}, plan: s.plan, receipt: s.receipt, output: "table"}
			want := "--receipt: " + s.receipt + ": " + tt.want
			if err := o.verify(t.Context(), c); exitOf(err) != exitUndecided || err.Error() != want || out.Len() > 0 {
				t.Errorf("got %v, want %s\n%s", err, want, out)
			}
		})
	}
}

func TestOfAllWhoVerifyWithOneTokenAtOnceOneApplies(t *testing.T) {
	s := approvedPlan(t)
	codes := make([]int, 3)
	var group sync.WaitGroup
	for i := range codes {
		group.Go(func() { codes[i], _ = s.verify(t) })
	}
	group.Wait()
	slices.Sort(codes)
	if diff := cmp.Diff([]int{exitAllowed, exitDenied, exitDenied}, codes); diff != "" {
		t.Errorf("exit codes (-want +got):\n%s", diff)
	}
}

func TestEachAttemptToApplyIsAnother(t *testing.T) {
	r := refusedPlan()
	one, other := attemptID(r), attemptID(r)
	if one == other || !strings.HasPrefix(one, aDecision+"/") || len(one) > breakglass.MaxTicket {
		t.Errorf("%s, %s", one, other)
	}
}
