package storetest

import (
	"strings"
	"time"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

func (s *suite) allFieldsComeBack() {
	const subject = "system:serviceaccount:shop:deployer"
	own := breakglass.Case{
		Request: s.request(1, subject),
		Verdicts: []breakglass.Verdict{
			s.verdict(1, breakglass.Approve, "bob@example.com"), s.verdict(1, breakglass.Deny, "carol@example.com"),
			s.verdict(1, breakglass.Revoke, "dave@example.com"),
		},
		Grant: s.grant(1, subject), Uses: []breakglass.Use{s.use(1, 0), s.use(1, 1)},
	}
	imported := breakglass.Case{Grant: s.imported(2, subject), Uses: []breakglass.Use{s.use(2, 0)}}
	pending := breakglass.Case{Request: s.request(3, subject)}
	s.keep(own, imported, pending)
	s.same(own)
	s.same(imported)
	s.same(pending)
	for _, store := range s.stores {
		for what, list := range map[string]func() ([]breakglass.Case, error){
			"CasesOf": func() ([]breakglass.Case, error) { return store.CasesOf(s.Context(), subject) },
			"Cases":   func() ([]breakglass.Case, error) { return store.Cases(s.Context(), 10) },
		} {
			cases, err := list()
			s.must(err)
			got := map[string]breakglass.Case{}
			for _, c := range cases {
				got[idOf(c)] = c
			}
			if len(cases) != 3 || len(got) != 3 {
				s.Fatalf("%s: got %v", what, idsOf(cases))
			}
			for _, want := range []breakglass.Case{own, imported, pending} {
				s.equal(want, got[idOf(want)])
			}
		}
	}
}

func (s *suite) emptyFieldsComeBack() {
	r := s.request(1, "alice@example.com")
	r.Requester.Via, r.Requester.UID, r.Requester.Groups, r.Requester.Credential = "", "", nil, ""
	r.Ticket, r.Decision, r.NotBefore = "", "", time.Time{}
	r.Scope.Targets[0] = operation.Reference{Ref: operation.KubernetesRef("prod-eu", "", "namespaces", "", "shop"), Kind: "Namespace", Name: "shop"}
	v := s.verdict(1, breakglass.Approve, "bob@example.com")
	v.By.Groups, v.By.Credential, v.Reason = nil, "", ""
	g := s.grant(1, "alice@example.com")
	g.Credential, g.Ticket = "", ""
	u := s.use(1, 0)
	u.Decision, u.Target.UID = "", ""
	c := breakglass.Case{Request: r, Verdicts: []breakglass.Verdict{v}, Grant: g, Uses: []breakglass.Use{u}}
	s.keep(c)
	s.same(c)
}

// oddNames are names that a path, a label, a key or a case-insensitive table
// would mix up or cut short; each is its own.
var oddNames = []string{
	"alice@example.com", "Alice@example.com", "alice@example.com ", "alice@example.com/approve", "alice",
	"system:serviceaccount:shop:deployer", "https://issuer.example.com/realms/a#b?c=d%2fe", "../../etc/passwd", "a/b", "a:b", "a", "b",
	"zoë", "zoe\u0308", "аlice@example.com" /* with a Cyrillic а */, "日本語", "🔥", "\u202etxt.exe", "line\nbreak", "nul\x00byte", "nul",
	strings.Repeat("x", breakglass.MaxName), strings.Repeat("x", breakglass.MaxName-1) + "y", strings.Repeat("é", breakglass.MaxName/2),
}

func (s *suite) oddNames() {
	var cases []breakglass.Case
	all := breakglass.Case{Request: s.request(0, "somebody")}
	for i, name := range oddNames {
		cases = append(cases, breakglass.Case{Request: s.request(1+i, name), Grant: s.grant(1+i, name)})
		all.Verdicts = append(all.Verdicts, s.verdict(0, breakglass.Approve, name))
	}
	s.keep(all)
	s.keep(cases...)
	s.same(all)
	for i, name := range oddNames {
		got, err := s.store().CasesOf(s.Context(), name)
		s.must(err)
		if len(got) != 1 {
			s.Errorf("cases of %q: got %v", name, idsOf(got))
			continue
		}
		s.equal(cases[i], got[0])
	}
}
