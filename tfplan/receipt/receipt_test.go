package receipt

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mollyguard/mollyguard/operation"
)

var (
	// made is when the receipts of these tests are made.
	made    = time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)
	digests = []string{strings.Repeat("a", 64), strings.Repeat("b", 64), strings.Repeat("c", 64)}
	commits = []string{strings.Repeat("1", 40), strings.Repeat("2", 40), strings.Repeat("3", 40)}
)

// example is a receipt that says something everywhere, good for four hours.
func example(t *testing.T) Receipt {
	t.Helper()
	r, err := New(Receipt{
		Plan:      Plan{Digest: digests[0], Form: File, JSONDigest: digests[1], Values: Shown},
		Judge:     Judge{Digest: digests[2], Version: "v1.2.3"},
		State:     State{Known: true, Lineage: "5f0c", Serial: 8},
		Terraform: Terraform{Version: "1.14.0", Workspace: "prod", Variables: digests[0], Configuration: digests[1], Lock: digests[2]},
		Git:       &Git{Commit: commits[1], Base: commits[0], Branch: "main", Folder: "infra"},
		Applier:   Applier{Name: "octo/infra", Kind: operation.Service, Facts: map[string]string{"ci": "GitHub Actions", "ci actor": "bob"}},
		Decision: Decision{
			Outcome: operation.OutcomeAllow, Lifted: 2, Whole: true, Destroys: 4, Managed: 9, Verbs: []operation.Verb{operation.Replace}, Approvals: 2,
			Targets: []operation.Reference{{Ref: "gcp://container.googleapis.com/projects/p/locations/l/clusters/c", Kind: "Cluster", Name: "c"}}, IDs: []string{"01J"},
		},
		Grants: []string{"bg-k7m4-q9tx"},
		Notes:  []string{"the tree was clean"},
	}, made.Add(123456), 4*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func encoded(t *testing.T, r Receipt) string {
	t.Helper()
	text, err := Encode(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestWhatIsEncodedIsDecodedAgain(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(r *Receipt)
	}{
		{"one that says something everywhere", func(*Receipt) {}},
		{"one with next to nothing", func(r *Receipt) {
			*r = Receipt{
				APIVersion: APIVersion, Kind: Kind, Made: made, Expires: made.Add(time.Hour), Plan: Plan{Digest: digests[0], Form: JSON, Values: Given},
				Applier: Applier{Name: "alice@laptop", Kind: operation.Human}, Decision: Decision{Outcome: operation.OutcomeUndecided},
			}
		}},
		{"the greatest serial", func(r *Receipt) { r.State.Serial = 1<<53 - 1 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := example(t)
			tt.change(&want)
			text := encoded(t, want)
			got, err := Decode(strings.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("receipt (-want +got):\n%s", diff)
			}
			if again := encoded(t, got); again != text {
				t.Errorf("encoded again it is another text:\n%s", cmp.Diff(text, again))
			}
		})
	}
}

func TestNewKeepsToWhatAReceiptHolds(t *testing.T) {
	r := example(t)
	r.Signature, r.Notes = "x..y", []string{"two\nlines " + strings.Repeat("x", maxText)}
	r.Decision.Targets = make([]operation.Reference, maxList+1)
	got, err := New(r, made, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if got.Signature != "" || len(got.Decision.Targets) != maxList || len(got.Notes[0]) > maxText || strings.Contains(got.Notes[0], "\n") || !got.Expires.Equal(made.Add(time.Minute)) {
		t.Errorf("got %+v", got)
	}
	if len(r.Decision.Targets) != maxList+1 || !strings.HasPrefix(r.Notes[0], "two\n") {
		t.Error("what was given was changed")
	}
}

func TestWhatIsNoReceiptIsRefused(t *testing.T) {
	good := encoded(t, example(t))
	edit := func(old, replacement string) string {
		t.Helper()
		if strings.Count(good, old) != 1 {
			t.Fatalf("%q is there %d times", old, strings.Count(good, old))
		}
		return strings.Replace(good, old, replacement, 1)
	}
	targets := regexp.MustCompile(`(?s)"targets": \[.*?\]`).FindString(good)
	const elsewhere = ", not a receipt: the receipt is what plan check wrote"
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", "", "it is empty: was the receipt written?"},
		{"white space", " \n", "it is empty: was the receipt written?"},
		{"a plan file", "PK\x03\x04" + strings.Repeat("x", MaxSize), "it is a plan file" + elsewhere},
		{"a plan's JSON", `{"format_version":"1.2","terraform_version":"1.14.0"}`, "it is a plan's JSON" + elsewhere},
		{"a big plan's JSON", `{"format_version":"1.2","x":"` + strings.Repeat("x", MaxSize), "it is a plan's JSON" + elsewhere},
		{"a state", "{\n  \"version\": 4,\n  \"terraform_version\": \"1.14.0\"}", "it is a Terraform state" + elsewhere},
		{"more than any receipt", `{"apiVersion":"` + strings.Repeat("x", MaxSize), "it has more than 1048576 bytes, which no receipt has"},
		{"no JSON", "receipt", "it is not a receipt: it is not one JSON object, from byte 0 on"},
		{"half of one", good[:200], "it is not a receipt: it is not one JSON object, from byte 200 on"},
		{"a list", "[]", "it is not a receipt: the whole is not of its form"},
		{"null", "null", `apiVersion is "", this program knows mollyguard.dev/v1alpha1; kind is "", not PlanReceipt; made is no time; expires is not after made; plan.form is "", neither file nor json; plan.values is "", neither shown nor given; plan.digest is empty; applier.name is empty; applier.kind is "", none of ["human" "service" "controller" "agent"]; decision.outcome is "", none of ["deny" "warn" "alert" "allow" "undecided"]`},
		{"two of them", good + good, "it is not a receipt: it is not one JSON object, from byte "},
		{"another version", edit(APIVersion, "mollyguard.dev/v2"), `apiVersion is "mollyguard.dev/v2", this program knows mollyguard.dev/v1alpha1`},
		{"another kind", edit(`"PlanReceipt"`, `"Config"`), `kind is "Config", not PlanReceipt`},
		{"a member that is not known", edit(`"serial": 8`, `"serial": 8, "trusted": true`), "it is not a receipt that this program knows: state.trusted is not known"},
		{"a member in capitals", edit(`"serial"`, `"Serial"`), "it is not a receipt that this program knows: state.Serial is not known"},
		{"a member twice", edit(`"serial": 8`, `"serial": 8, "serial": 9`), "it is not a receipt: state.serial is there twice"},
		{"a member left out", edit(`"branch": "main",`, ""), "it is not a whole receipt: git.branch is missing"},
		{"a member twice in a list", edit(`"uid": ""`, `"kind": "Cluster"`), "it is not a receipt: decision.targets.0.kind is there twice"},
		{"a member left out of a list", edit(`"namespace": "",`, ""), "it is not a whole receipt: decision.targets[0].namespace is missing"},
		{"null for a list", edit("\"grants\": [\n    \"bg-k7m4-q9tx\"\n  ]", `"grants": null`), "it is not a whole receipt: grants is missing"},
		{"null for a value", edit(`"dirty": false`, `"dirty": null`), "it is not a whole receipt: git.dirty is missing"},
		{"a text for a number", edit(`"serial": 8`, `"serial": "8"`), "it is not a receipt: state.serial is not of its form"},
		{"a number that is negative", edit(`"serial": 8`, `"serial": -8`), "it is not a receipt: state.serial is not of its form"},
		{"a number that the canonical form rounds", edit(`"serial": 8`, `"serial": 9007199254740993`), "state.serial is above 9007199254740991"},
		{"a time that is none", edit(`"made": "2026-11-21T03:00:00Z"`, `"made": "today"`), "it is not a receipt: made is not of its form"},
		{"an end before its beginning", edit(`"expires": "2026-11-21T07:00:00Z"`, `"expires": "2026-11-21T03:00:00Z"`), "expires is not after made"},
		{"a digest in capitals", edit(`"digest": "`+digests[0], `"digest": "`+strings.ToUpper(digests[0])), `plan.digest is "` + strings.Repeat("A", 64) + `", not 64 hexadecimal digits in lower case`},
		{"no digest", edit(`"digest": "`+digests[0], `"digest": "`), "plan.digest is empty"},
		{"a form that is not known", edit(`"form": "file"`, `"form": "zip"`), `plan.form is "zip", neither file nor json`},
		{"digests of JSON that differ", edit(`"form": "file"`, `"form": "json"`), "plan.json_digest is another than plan.digest, which is of the JSON, too"},
		{"a state that is not known and yet told", edit(`"known": true`, `"known": false`), "state is not known and has a lineage or a serial"},
		{"an option for a commit", edit(commits[1], "--all"), `git.commit is "--all", not a commit's whole hash`},
		{"a base without a branch", edit(`"branch": "main"`, `"branch": ""`), "git.base and git.branch are there together or not at all"},
		{"an outcome that is not known", edit(`"outcome": "allow"`, `"outcome": "Allow"`), `decision.outcome is "Allow", none of ["deny" "warn" "alert" "allow" "undecided"]`},
		{"an outcome that its numbers belie", edit(`"denied": 0`, `"denied": 3`), "decision.denied is 3 and decision.outcome allow"},
		{"a refusal without the ids of its decisions", edit("\"ids\": [\n      \"01J\"\n    ]", `"ids": []`), "decision.ids is empty and 2 operations refused or lifted"},
		{"something lifted that nobody names", edit(targets, `"targets": []`), "decision.targets is empty and 1 operation refused or lifted"},
		{"something lifted by no grant", edit("\"grants\": [\n    \"bg-k7m4-q9tx\"\n  ]", `"grants": []`), "grants is empty and decision.lifted is 2"},
		{"a plan that is refused as a whole and not at all", edit(`"lifted": 2`, `"lifted": 0`), "decision.whole is set and nothing is refused or lifted"},
		{"more removed than can be counted", edit(`"destroys": 4`, `"destroys": -4`), "decision.destroys is -4"},
		{"a text that moves the cursor", edit(`"prod"`, `"\u001b[2J"`), `terraform has a text with characters that cannot be printed: "\x1b[2J"`},
		{"a long text", edit(`"prod"`, `"`+strings.Repeat("x", maxText+1)+`"`), "terraform has a text of more than 2048 bytes"},
		{"a long list", edit(`"bg-k7m4-q9tx"`, strings.Repeat(`"x",`, maxList)+`"x"`), "grants has 65 entries, at most 64"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Decode(strings.NewReader(tt.text))
			if err == nil {
				t.Fatalf("it is taken: %+v", got)
			}
			if !strings.HasPrefix(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") || len(err.Error()) > len(tt.want)+10 {
				t.Errorf("got  %s\nwant %s", err, tt.want)
			}
		})
	}
}

func TestWhatNoReceiptHoldsIsNotEncoded(t *testing.T) {
	r := example(t)
	r.Applier.Name = ""
	if _, err := Encode(r); err == nil || err.Error() != "encode the receipt: applier.name is empty" {
		t.Errorf("error: %v", err)
	}
}

func FuzzDecodedReceiptsAreWholeAndStable(f *testing.F) {
	f.Add([]byte(`{"format_version":"1.2"}`))
	f.Add([]byte("PK\x03\x04"))
	f.Add([]byte(`{"apiVersion":"mollyguard.dev/v1alpha1","kind":"PlanReceipt","made":"2026-11-21T03:00:00Z","expires":"2026-11-21T07:00:00Z",` +
		`"plan":{"digest":"` + digests[0] + `","form":"json","json_digest":"","values":"given"},"judge":{"digest":"","version":""},"state":{"known":false,"lineage":"","serial":0},` +
		`"terraform":{"version":"","workspace":"","variables":"","configuration":"","lock":""},"git":null,"applier":{"name":"a","kind":"human","facts":{}},` +
		`"decision":{"outcome":"allow","denied":0,"lifted":0,"whole":false,"destroys":0,"managed":0,"verbs":[],"approvals":0,"never":false,"targets":[],"ids":[]},"grants":[],"notes":[],"signature":""}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := Decode(bytes.NewReader(text))
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("the error is not one line: %q", err)
			}
			return
		}
		again, err := Encode(r)
		if err != nil {
			t.Fatalf("what was decoded is not encoded: %v", err)
		}
		other, err := Decode(bytes.NewReader(again))
		if err != nil {
			t.Fatalf("what was encoded is not decoded: %v", err)
		}
		if diff := cmp.Diff(r, other, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("receipt (-first +again):\n%s", diff)
		}
		if _, err := r.payload(); err != nil {
			t.Errorf("it cannot be signed: %v", err)
		}
		if len(Check(r, Now{})) == 0 {
			t.Error("it verifies although nothing is known")
		}
	})
}
