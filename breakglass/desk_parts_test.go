package breakglass_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

func TestAHandleCanBeReadOutOnThePhone(t *testing.T) {
	entropy := rand.NewChaCha8([32]byte{1})
	letters := map[rune]bool{}
	for range 1000 {
		handle, err := breakglass.NewHandle(entropy)
		if err != nil {
			t.Fatal(err)
		}
		if !breakglass.IsHandle(handle) || len(handle) != len("bg-k7m4-q9tx") {
			t.Fatalf("%q is none", handle)
		}
		for _, letter := range strings.ReplaceAll(handle[3:], "-", "") {
			letters[letter] = true
		}
	}
	if len(letters) != 32 {
		t.Errorf("%d letters are in use, not 32", len(letters))
	}
	for _, letter := range "ilou" {
		if letters[letter] {
			t.Errorf("%c is in use, which is taken for another", letter)
		}
	}
}

func TestEveryRandomByteIsALetter(t *testing.T) {
	handle, err := breakglass.NewHandle(bytes.NewReader([]byte{0, 31, 32, 255, 10, 18, 20, 27}))
	if want := "bg-0z0z-ajmv"; err != nil || handle != want {
		t.Errorf("got %s, %v, want %s", handle, err, want)
	}
}

func TestWithoutEntropyThereIsNoHandle(t *testing.T) {
	for name, entropy := range map[string]io.Reader{
		"none":       strings.NewReader(""),
		"too little": strings.NewReader("1234567"),
		"an error":   iotest.ErrReader(errDown),
	} {
		if handle, err := breakglass.NewHandle(entropy); err == nil || handle != "" {
			t.Errorf("%s: got %q, %v", name, handle, err)
		}
	}
	if _, err := breakglass.NewHandle(iotest.ErrReader(errDown)); !errors.Is(err, errDown) {
		t.Errorf("got %v", err)
	}
}

func TestWhatIsAHandle(t *testing.T) {
	for text, want := range map[string]bool{
		"bg-k7m4-q9tx":   true,
		"bg-0000-zzzz":   true,
		"BG-K7M4-Q9TX":   false,
		"bg-k7m4-q9t":    false,
		"bg-k7m4-q9txx":  false,
		"bg-k7m4-q9ti":   false,
		"bg-k7m4-q9to":   false,
		"bg-k7m4_q9tx":   false,
		"bg-k7m4-q9tx\n": false,
		" bg-k7m4-q9tx":  false,
		"":               false,
	} {
		if got := breakglass.IsHandle(text); got != want {
			t.Errorf("%q: got %v", text, got)
		}
	}
}

func TestAScopeSaysWhyItDoesNotCover(t *testing.T) {
	api := deployment("api", "")
	scope := breakglass.Scope{
		Surface: operation.Kubernetes, Audience: "prod-eu", Verbs: []operation.Verb{operation.Delete, operation.Evict},
		Targets: []operation.Reference{web, api}, Objects: 1,
	}
	for _, tt := range []struct {
		name   string
		change func(op *operation.Operation)
		want   string
	}{
		{"it does", func(*operation.Operation) {}, ""},
		{"it does, whatever the kind is called", func(op *operation.Operation) { op.Target.Kind = "deployment" }, ""},
		{"it does, whoever acts", func(op *operation.Operation) { op.Actor = person(carol) }, ""},
		{"another surface", func(op *operation.Operation) { op.Surface = operation.Terraform }, "it is for another object"},
		{"another verb", func(op *operation.Operation) { op.Verb = operation.Empty }, "it is for delete, evict, not for empty"},
		{"another object", func(op *operation.Operation) { op.Target.Reference = deployment("db", "u-1") }, "it is for another object"},
		{"no name", func(op *operation.Operation) { op.Target.Name = "" }, "it is for another object"},
		{"another uid", func(op *operation.Operation) { op.Target.UID = "u-2" }, "it is for the Deployment of that name with uid u-1; this one has uid u-2"},
		{"any uid of what had none", func(op *operation.Operation) { op.Target.Reference = deployment("api", "u-9") }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			op := deletion(web)
			tt.change(op)
			got := ""
			if err := scope.Covers(op); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestNobodyIsTwoPeople(t *testing.T) {
	for _, tt := range []struct {
		name       string
		identities [][]string
		want       string
	}{
		{"nobody has two names", nil, ""},
		{"several names each", [][]string{{"bob", "bob.admin"}, {"carol", "carol.admin", "c"}}, ""},
		{"a name twice for one person", [][]string{{"bob", "bob", "BOB"}}, ""},
		{"a second name for two people", [][]string{{"bob", "admin"}, {"carol", "admin"}}, `"admin" is listed for two people`},
		{"in other case", [][]string{{"bob", "admin"}, {"carol", "Admin"}}, `"Admin" is listed for two people`},
		{"composed in another way", [][]string{{"bob", "zo\u00eb"}, {"carol", "zoe\u0308"}}, "\"zoe\u0308\" is listed for two people"},
		{"a first name that is another's second", [][]string{{"bob", "carol"}, {"carol", "c"}}, `"carol" is listed for two people`},
		{"a second name that is another's first", [][]string{{"carol", "c"}, {"bob", "carol"}}, `"carol" is listed for two people`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := breakglass.NewPeople(tt.identities)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestTheDigestOfApprovalsStaysTheSame(t *testing.T) {
	approvals := []breakglass.Verdict{
		{Request: "bg-k7m4-q9tx", Kind: breakglass.Approve, By: person(bob), At: opening, Reason: "seen it", Door: breakglass.DoorAPI},
		{Request: "bg-k7m4-q9tx", Kind: breakglass.Approve, By: person(carol), At: opening.Add(time.Minute), Door: breakglass.DoorKubernetes},
	}
	digest := func(approvals ...breakglass.Verdict) string {
		text, err := breakglass.DigestOf(approvals)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	// Auditors compare it with what a token says, years later.
	if got, want := digest(approvals...), "43d4e982583d121ec1bf80d171491e3be57dffc864fadc8364a57b4c61a7d495"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if digest() != "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" {
		t.Error("of no approvals it is not the SHA-256 of nothing")
	}
	changed := approvals[0]
	changed.Reason = "not seen it"
	for name, other := range map[string]string{
		"in another order": digest(approvals[1], approvals[0]), "with one": digest(approvals[0]), "with another reason": digest(changed, approvals[1]),
	} {
		if other == digest(approvals...) {
			t.Errorf("it is the same %s", name)
		}
	}
}
