package main

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

// plainHandles makes handles equal.
func plainHandles(text string) string { return aHandle.ReplaceAllString(text, "bg-xxxx-xxxx") }

// weighing is a cluster whose server is quick: requests are pending, approvals
// enough, and tokens good.
func weighing(f *fakeCluster) {
	standing := func(state, message string) map[string]any {
		return map[string]any{
			"state": state, "message": message, "approvalsNeeded": int64(1), "left": int64(1), "until": atTheDesk.Add(time.Hour).Format(time.RFC3339),
		}
	}
	f.admit = func(o *unstructured.Unstructured) *metav1.Status {
		switch o.GetKind() {
		case "BreakGlassRequest":
			o.Object["status"] = standing("Pending", "0 of 1 approvals")
		case "Grant":
			o.Object["status"] = standing("Active", "approved by bob@example.com, 1 of 1 left")
		case "BreakGlassVerdict":
			spec := o.Object["spec"].(map[string]any)
			f.lock.Lock()
			defer f.lock.Unlock()
			request := f.objects["/apis/mollyguard.dev/v1alpha1/breakglassrequests/"+spec["request"].(string)]
			if request == nil {
				return &metav1.Status{Code: http.StatusNotFound, Reason: metav1.StatusReasonNotFound, Message: "there is neither request nor grant of that handle"}
			}
			states := map[string]string{"Approve": "Active", "Deny": "Denied", "Revoke": "Revoked"}
			request.Object["status"] = standing(states[spec["verdict"].(string)], "said so")
		}
		return nil
	}
}

func TestARequestIsAnObjectInTheUsersName(t *testing.T) {
	f := shopCluster(t)
	weighing(f)
	c, out, talk := testConsole()
	err := deskRun(t, c, "request", "--kubeconfig", f.kubeconfig(t), "--for", "kubectl delete pods -l app=web", "--reason", " they are stuck ", "--ticket", "OPS-1", "--not-before", "2026-11-21 05:00")
	if err != nil {
		t.Fatal(err)
	}
	handle := aHandle.FindString(out.String())
	text, err := json.Marshal(f.objects["/apis/mollyguard.dev/v1alpha1/breakglassrequests/"+handle].Object["spec"])
	if err != nil {
		t.Fatal(err)
	}
	want := `{"duration":"30m0s","notBefore":"2026-11-21T04:00:00Z","objects":2,"reason":"they are stuck",` +
		`"requester":{"credential":"X509SHA256=ab","groups":["sre","system:authenticated"],"kind":"human","name":"alice@example.com","uid":"u1","via":"mollyguard/` + version() + `"},` +
		`"subject":"alice@example.com","targets":[{"kind":"Pod","name":"web-1","namespace":"shop","resource":"pods","uid":"uid-of-web-1"},` +
		`{"kind":"Pod","name":"web-2","namespace":"shop","resource":"pods","uid":"uid-of-web-2"}],"ticket":"OPS-1","verbs":["delete"]}`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
	wantOut := `HANDLE         STATE     REQUESTER           WHAT                               CLUSTER   UNTIL    AGE
bg-xxxx-xxxx   pending   alice@example.com   delete Pod shop/web-1 and 1 more   -         in 1 h   3m
`
	if diff := cmp.Diff(wantOut, plainHandles(out.String())); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
	wantTalk := `mollyguard: bg-xxxx-xxxx asks for delete Pod shop/web-1 and 1 more
mollyguard: somebody who may approve has to: mollyguard approve bg-xxxx-xxxx
`
	if diff := cmp.Diff(wantTalk, plainHandles(talk.String())); diff != "" {
		t.Errorf("talk (-want +got):\n%s", diff)
	}
}

// requested makes Alice's request for the namespace shop, and returns its handle.
func requested(t *testing.T, f *fakeCluster, args ...string) string {
	t.Helper()
	c, out, _ := testConsole()
	args = append([]string{"request", "--kubeconfig", f.kubeconfig(t), "--reason", "why", "delete", "k8s://prod-eu/core/namespaces/shop"}, args...)
	if err := deskRun(t, c, args...); err != nil {
		t.Fatal(err)
	}
	return aHandle.FindString(out.String())
}

func TestWhoApprovesReadsFirstWhatItIsAbout(t *testing.T) {
	f := shopCluster(t)
	weighing(f)
	handle := requested(t, f, "--subject", "system:serviceaccount:ops:cleaner")
	f.user.Username = bob().Name
	c, out, talk := testConsole()
	if err := deskRun(t, c, "approve", handle, "--kubeconfig", f.kubeconfig(t), "--reason", "ok"); err != nil {
		t.Fatal(err)
	}
	wantTalk := `requester  alice@example.com
for        system:serviceaccount:ops:cleaner
verb       delete
targets    Namespace shop
objects    1
cluster    prod-eu
reason     why
how long   30 min
asked      2026-11-21 03:57:00 CET (3 min ago)
mollyguard: approved: system:serviceaccount:ops:cleaner can do it until 05:00 CET, once
`
	if diff := cmp.Diff(wantTalk, talk.String()); diff != "" {
		t.Errorf("talk (-want +got):\n%s", diff)
	}
	if !strings.Contains(out.String(), handle+"   active ") {
		t.Errorf("output:\n%s", out)
	}
	again, _, _ := testConsole() // what was said before is no error
	if err := deskRun(t, again, "approve", handle, "--kubeconfig", f.kubeconfig(t)); err != nil {
		t.Error(err)
	}
}

func TestDenyingAndRevokingEndACase(t *testing.T) {
	f := shopCluster(t)
	weighing(f)
	for verb, state := range map[string]string{"deny": "denied", "revoke": "revoked"} {
		handle := requested(t, f)
		c, out, talk := testConsole()
		if err := deskRun(t, c, verb, handle, "--kubeconfig", f.kubeconfig(t)); err != nil {
			t.Fatal(err)
		}
		if wantTalk := "mollyguard: " + state + ": nobody can do anything with " + handle + " any more\n"; !strings.Contains(out.String(), handle+"   "+state) || talk.String() != wantTalk {
			t.Errorf("%s: output:\n%s\ntalk:\n%s", verb, out, talk)
		}
	}
	c, out, talk := testConsole()
	if err := deskRun(t, c, "list", "--kubeconfig", f.kubeconfig(t)); err != nil || out.Len() > 0 || talk.String() != "mollyguard: there is nothing\n" {
		t.Errorf("what has ended is listed: %v\n%s%s", err, out, talk)
	}
	if err := deskRun(t, c, "list", "--all", "--kubeconfig", f.kubeconfig(t)); err != nil || strings.Count(out.String(), "\n") != 3 {
		t.Errorf("not all are listed: %v\n%s", err, out)
	}
}

func TestARefusalOfTheWebhookIsShownBare(t *testing.T) {
	f := shopCluster(t)
	f.admit = func(*unstructured.Unstructured) *metav1.Status {
		return &metav1.Status{Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden, Message: "ticket: a production delete needs one"}
	}
	c, out, _ := testConsole()
	err := deskRun(t, c, "request", "--kubeconfig", f.kubeconfig(t), "--reason", "why", "delete", "ns", "shop")
	if exitOf(err) != exitDenied || err.Error() != "ticket: a production delete needs one" || out.Len() > 0 {
		t.Errorf("got exit code %d, %v\n%s", exitOf(err), err, out)
	}
}

func TestWithoutAServerACaseIsShownAsItIs(t *testing.T) {
	f := shopCluster(t)
	handle := requested(t, f) // nobody weighs it
	c, out, _ := testConsole()
	if err := deskRun(t, c, "show", handle, "--kubeconfig", f.kubeconfig(t)); err != nil {
		t.Fatal(err)
	}
	want := `handle     bg-xxxx-xxxx
state      -
why        the server has not looked at it yet
requester  alice@example.com
verb       delete
targets    Namespace shop
objects    1
cluster    prod-eu
reason     why
how long   30 min
asked      2026-11-21 03:57:00 CET (3 min ago)
`
	if diff := cmp.Diff(want, plainHandles(out.String())); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
	c, out, _ = testConsole()
	if err := deskRun(t, c, "show", "-o", "json", handle, "--kubeconfig", f.kubeconfig(t)); err != nil {
		t.Fatal(err)
	}
	var shown struct {
		ID      string `json:"id"`
		Request struct {
			Duration string `json:"duration"`
		} `json:"request"`
	}
	if err := json.Unmarshal(out.Bytes(), &shown); err != nil || shown.ID != handle || shown.Request.Duration != "30m" {
		t.Errorf("as JSON: %v\n%s", err, out)
	}
}

func TestWhatIsNotThereIsSaid(t *testing.T) {
	f := shopCluster(t)
	weighing(f)
	for _, args := range [][]string{{"show"}, {"show", "--wait"}, {"approve"}, {"deny"}, {"revoke"}} {
		c, _, _ := testConsole()
		err := deskRun(t, c, append(args, "bg-0000-0000", "--kubeconfig", f.kubeconfig(t))...)
		if exitOf(err) != exitUndecided || err.Error() != "there is nothing under bg-0000-0000" {
			t.Errorf("%v: got exit code %d, %v", args, exitOf(err), err)
		}
	}
}

func TestATokenFromElsewhereIsWrittenDownAsItSays(t *testing.T) {
	store, err := breakglass.NewFileKeyStore(filepath.Join(t.TempDir(), "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := breakglass.NewKeyring(t.Context(), breakglass.KeyringOptions{Issuer: "mollyguard/hub", Store: store, Entropy: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	g := breakglass.Grant{
		ID: "bg-k7m4-q9tx", Issuer: "mollyguard/hub", Subject: alice().Name, Scope: pendingView().Request.Scope, Reason: "why",
		Approvers: []string{bob().Name}, ApprovalsDigest: strings.Repeat("ab", 32), NotBefore: atTheDesk, Expires: atTheDesk.Add(time.Hour),
	}
	token, err := keys.Sign(t.Context(), g)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token.Reveal()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const warning = "mollyguard: warning: shells remember what is on the command line: pipe the token in, and say \"-\"\n"
	for _, tt := range []struct {
		name  string
		args  []string
		stdin string
		talk  string
	}{
		{"from standard input", []string{"use", "-"}, token.Reveal() + "\n", ""},
		{"from a file", []string{"use", "--token-file", file}, "", ""},
		{"on the command line", []string{"use", token.Reveal()}, "", warning},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := shopCluster(t)
			weighing(f)
			c, out, talk := testConsole()
			c.in = strings.NewReader(tt.stdin)
			if err := deskRun(t, c, append(tt.args, "--kubeconfig", f.kubeconfig(t))...); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(out.String(), "bg-k7m4-q9tx   active   alice@example.com   delete Namespace shop and 1 more   prod-eu") {
				t.Errorf("output:\n%s", out)
			}
			if diff := cmp.Diff(tt.talk, talk.String()); diff != "" {
				t.Errorf("talk (-want +got):\n%s", diff)
			}
			if strings.Contains(out.String()+talk.String(), token.Reveal()) {
				t.Error("the token is shown")
			}
			kept := f.objects["/apis/mollyguard.dev/v1alpha1/grants/bg-k7m4-q9tx"].Object["spec"].(map[string]any)
			if kept["token"] != token.Reveal() || kept["issuer"] != "mollyguard/hub" {
				t.Errorf("kept is %v", kept)
			}
		})
	}
}

func TestATokenThatIsNoneIsRefusedWithoutBeingShown(t *testing.T) {
	f := shopCluster(t)
	for _, tt := range []struct {
		name  string
		args  []string
		stdin string
		code  int
		want  string
	}{
		{"no token", []string{"use", "secret-text"}, "", exitDenied, "the token is not good: it is not of the form"},
		{"nothing", []string{"use", "-"}, "\n", exitUsage, "the token is empty"},
		{"too long", []string{"use", "-"}, strings.Repeat("a", breakglass.MaxToken+1), exitUsage, "longer than 4096 bytes"},
		{"two", []string{"use", "secret-text", "secret-text"}, "", exitUsage, "takes one token"},
		{"both", []string{"use", "secret-text", "--token-file", "f"}, "", exitUsage, "takes one token"},
		{"no file", []string{"use", "--token-file", "nowhere"}, "", exitUsage, "no such file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, _, talk := testConsole()
			c.in = strings.NewReader(tt.stdin)
			err := deskRun(t, c, append(tt.args, "--kubeconfig", f.kubeconfig(t))...)
			if exitOf(err) != tt.code || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got exit code %d, %v; want %d and %q", exitOf(err), err, tt.code, tt.want)
			}
			if strings.Contains(err.Error()+talk.String(), "secret-text") {
				t.Errorf("the token is shown: %v\n%s", err, talk)
			}
		})
	}
}

func TestMoreObjectsThanTargetsAreRefused(t *testing.T) {
	f := shopCluster(t)
	weighing(f)
	c, _, _ := testConsole()
	err := deskRun(t, c, "request", "--kubeconfig", f.kubeconfig(t), "--reason", "why", "--objects", "2", "delete", "ns", "shop")
	if exitOf(err) != exitUsage || !strings.HasPrefix(err.Error(), "--objects: 2 is more than there are targets, which is 1") {
		t.Errorf("got %v", err)
	}
	if err := deskRun(t, c, "request", "--kubeconfig", f.kubeconfig(t), "--reason", "why", "--objects", "2", "delete", "pod", "not-there-yet"); err != nil {
		t.Errorf("of a name without an object there may be several, one after the other: %v", err)
	}
}

func TestScalingWhatHasNoScaleIsWarnedOf(t *testing.T) {
	f := shopCluster(t)
	weighing(f)
	f.put("/api/v1/namespaces/shop/configmaps/settings", "ConfigMap", nil)
	for target, warned := range map[string]bool{"cm/settings": true, "deploy/web": false} {
		c, _, talk := testConsole()
		if err := deskRun(t, c, "request", "--kubeconfig", f.kubeconfig(t), "--context", "prod", "--reason", "why", "scale-to-zero", target); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(talk.String(), "warning: a ConfigMap cannot be scaled: "); got != warned || !strings.HasSuffix(talk.String(), " --context prod\n") {
			t.Errorf("%s: talk:\n%s", target, talk)
		}
	}
}

func TestServiceAccountsAskAsWhatTheyAre(t *testing.T) {
	f := shopCluster(t)
	f.user.Username = "system:serviceaccount:ops:cleaner"
	c, _, _ := testConsole()
	desk, err := connectOptions{kubeconfig: f.kubeconfig(t)}.connect(c, place{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := desk.remoteDesk.(*clusterDesk).whoAmI(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := operation.Actor{
		Identity: operation.Identity{Name: f.user.Username, Kind: operation.Service, Via: "mollyguard/" + version()},
		UID:      "u1", Groups: []string{"sre", "system:authenticated"}, Credential: "X509SHA256=ab",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("actor (-want +got):\n%s", diff)
	}
}
