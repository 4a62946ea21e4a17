package breakglass_test

import (
	"testing"
	"time"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

const ownNamespaceRef = "k8s://prod-eu/core/namespaces/mollyguard"

// upgrade asks to change Mollyguard itself, for an hour.
func upgrade() breakglass.Proposal {
	p := proposal(operation.Reference{Ref: ownNamespaceRef, Kind: "Namespace", Name: "mollyguard", UID: "u-ns"})
	p.Scope.Verbs = []operation.Verb{operation.Unprotect, operation.Delete}
	return p
}

// ofOwn is something that alice does to an object of Mollyguard's own.
func ofOwn(verb operation.Verb, ref, namespace, name string) *operation.Operation {
	op := deletion(operation.Reference{Ref: ref, Kind: "X", Namespace: namespace, Name: name, UID: "u-" + name})
	op.Verb, op.Target.Own, op.Target.Within = verb, true, ownNamespaceRef
	return op
}

func TestAGrantForOurNamespaceIsOneUpgrade(t *testing.T) {
	o := newOffice(t, nil)
	id := o.granted(upgrade())
	steps := []*operation.Operation{
		ofOwn(operation.Unprotect, "k8s://prod-eu/apps/deployments/mollyguard/mollyguard", "mollyguard", "mollyguard"),
		ofOwn(operation.Unprotect, "k8s://prod-eu/rbac.authorization.k8s.io/clusterroles/mollyguard", "", "mollyguard"),
		ofOwn(operation.Delete, "k8s://prod-eu/core/services/mollyguard/old", "mollyguard", "old"),
		ofOwn(operation.Unprotect, "k8s://prod-eu/apps/deployments/mollyguard/mollyguard", "mollyguard", "mollyguard"),
	}
	for i, op := range steps {
		o.same(id, passed, o.try(op))
		o.clock.add(10 * time.Minute) // far beyond a repeat
		if i == 0 {
			o.must(o.Sweep(t.Context()))
		}
	}
	view, err := o.View(t.Context(), id)
	o.must(err)
	if len(view.Uses) != 1 || view.Uses[0].Target.Ref != ownNamespaceRef || view.Uses[0].Verb != operation.Unprotect {
		t.Errorf("uses: %+v", view.Uses)
	}
	o.clock.add(time.Hour)
	if got := o.try(steps[0]); got == passed {
		t.Error("it goes on when its time is over")
	}
}

func TestAGrantForOurNamespaceOpensWhatIsOursAndNothingElse(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(op *operation.Operation)
		want   string
	}{
		{"what is ours", func(*operation.Operation) {}, passed},
		{"what is in the namespace and not ours", func(op *operation.Operation) { op.Target.Own, op.Target.Within = false, "" }, "no grant"},
		{"what is another's", func(op *operation.Operation) { op.Target.Within = "k8s://prod-eu/core/namespaces/mollyguard-2" }, "no grant"},
		{"another verb", func(op *operation.Operation) { op.Verb = operation.ScaleToZero }, "ID: it is for unprotect, delete, not for scale-to-zero"},
		{"another verb beside", func(op *operation.Operation) { op.Also = []operation.Verb{operation.ScaleToZero} }, "ID: it is for unprotect, delete, not for scale-to-zero"},
		{"somebody else", func(op *operation.Operation) { op.Actor = person(carol) }, "no grant"},
		{"a target without a name", func(op *operation.Operation) { op.Target.Name = "" }, "no grant"},
		{"another surface", func(op *operation.Operation) { op.Surface = operation.GCP }, "no grant"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t, nil)
			id := o.granted(upgrade())
			op := ofOwn(operation.Unprotect, "k8s://prod-eu/core/configmaps/mollyguard/c", "mollyguard", "c")
			tt.change(op)
			o.same(id, tt.want, o.try(op))
		})
	}
}

func TestAGrantForOneObjectOfOursIsForThatOne(t *testing.T) {
	o := newOffice(t, nil)
	op := ofOwn(operation.Delete, "k8s://prod-eu/core/services/mollyguard/old", "mollyguard", "old")
	id := o.granted(proposal(op.Target.Reference))
	o.same(id, "no grant", o.try(ofOwn(operation.Delete, "k8s://prod-eu/core/services/mollyguard/new", "mollyguard", "new")))
	o.same(id, passed, o.try(op))
	view, err := o.View(t.Context(), id)
	o.must(err)
	if len(view.Uses) != 1 || view.Uses[0].Target != op.Target.Reference || view.Uses[0].Verb != operation.Delete {
		t.Errorf("uses: %+v", view.Uses)
	}
}
