package storetest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

// handle is the i-th handle.
func handle(i int) string { return fmt.Sprintf("bg-test-%04d", i) }

func actor(name string) operation.Actor {
	return operation.Actor{
		Identity: operation.Identity{Name: name, Kind: operation.Human, Via: "kubectl/v1.36"},
		UID:      "7f0c2c52", Groups: []string{"system:authenticated", "on-call/é"}, Credential: "JTI=3b1e",
	}
}

func target(name string) operation.Reference {
	return operation.Reference{
		Ref:  operation.KubernetesRef("prod-eu", "apps", "deployments", "shop", name),
		Kind: "Deployment", Namespace: "shop", Name: name, UID: "1c6c…:/<&>\u2028",
	}
}

// request is one with every field filled in.
func (s *suite) request(i int, subject string) *breakglass.Request {
	s.Helper()
	r := &breakglass.Request{
		ID: handle(i), Created: s.base, Requester: actor("alice@example.com"), Subject: subject,
		Scope: breakglass.Scope{
			Surface: operation.Kubernetes, Audience: "prod-eu", Verbs: []operation.Verb{operation.Delete, operation.Evict},
			Targets: []operation.Reference{target("web"), target("web.2")}, Objects: 2,
		},
		Reason: "the rollout hangs\nand \"nobody\" <can> wait\t🔥", Ticket: "INC-4711", Duration: 30 * time.Minute,
		NotBefore: s.base.Add(time.Minute), Decision: "01KAK0Z5T2N3W0QF1T3Q6V7X8Y", Approvals: 2,
	}
	s.must(r.Check())
	s.full(*r)
	return r
}

func (s *suite) verdict(i int, kind breakglass.VerdictKind, name string) breakglass.Verdict {
	s.Helper()
	v := breakglass.Verdict{
		Request: handle(i), Kind: kind, By: actor(name), At: s.base.Add(5 * time.Minute),
		Reason: "seen it: “go”", Door: breakglass.DoorAPI,
	}
	s.must(v.Check())
	s.full(v)
	return v
}

// grant is one of this store's desk, with every field filled in but the token.
func (s *suite) grant(i int, subject string) *breakglass.Grant {
	s.Helper()
	g := breakglass.Grant{
		ID: handle(i), Issuer: "prod-eu", Subject: subject, Credential: "X509SHA256=9f86d081",
		Scope: s.request(i, subject).Scope, Reason: "the rollout hangs", Ticket: "INC-4711",
		Approvers: []string{"bob@example.com", "carol@example.com"}, ApprovalsDigest: strings.Repeat("0a", 32),
		NotBefore: s.base.Add(5 * time.Minute), Expires: s.base.Add(35 * time.Minute), Seal: "eyJ.seal-_.x",
	}
	filled := g
	filled.Token = operation.NewSecret("x") // which only imported ones have
	s.full(filled)
	return &g
}

// imported is a grant that came as a token.
func (s *suite) imported(i int, subject string) *breakglass.Grant {
	s.Helper()
	g := s.grant(i, subject)
	g.Issuer, g.Seal = "https://mollyguard.example.com/", ""
	// 4 KiB is the longest token that is looked at.
	g.Token = operation.NewSecret("eyJ" + strings.Repeat("_-Zz", 1023) + "Q")
	return g
}

func (s *suite) use(i, slot int) breakglass.Use {
	s.Helper()
	u := breakglass.Use{
		Grant: handle(i), Slot: slot, Target: target("web"), Verb: operation.Evict, Actor: "alice@example.com",
		At: s.base.Add(10 * time.Minute), State: breakglass.Reserved, Decision: "01KAK0Z5T2N3W0QF1T3Q6V7X8Z",
	}
	filled := u
	filled.Slot++ // the first is 0
	s.full(filled)
	return u
}

// ofPlans are the fields that only grants for Terraform plans have, which not every store
// keeps: who does, proves it.
func ofPlans() []string { return []string{"Request.Scope.Whole", "Request.Plan", "Grant.Scope.Whole"} }

// full ends the test if a record has an empty field: one that was added to the
// type since would not be proven to come back.
func (s *suite) full(record any) {
	s.Helper()
	var empty []string
	var walk func(path string, v reflect.Value)
	walk = func(path string, v reflect.Value) {
		switch {
		case slices.Contains(ofPlans(), path):
		case v.IsZero():
			empty = append(empty, path)
		case v.Type().PkgPath() != "time" && v.Kind() == reflect.Struct:
			for i := range v.NumField() {
				if v.Type().Field(i).IsExported() {
					walk(path+"."+v.Type().Field(i).Name, v.Field(i))
				}
			}
		case v.Kind() == reflect.Slice:
			for i := range v.Len() {
				walk(fmt.Sprintf("%s[%d]", path, i), v.Index(i))
			}
		}
	}
	walk(reflect.TypeOf(record).Name(), reflect.ValueOf(record))
	if len(empty) > 0 {
		s.Fatalf("the test's record leaves out %v", empty)
	}
}
