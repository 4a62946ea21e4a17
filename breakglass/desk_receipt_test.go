package breakglass_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

// receipted is a desk that reads receipts: each says what read returns.
func receipted(t *testing.T, read func(p breakglass.Proposal) (*breakglass.PlanFacts, error)) *office {
	return newOffice(t, func(options *breakglass.DeskOptions) {
		options.Receipt = func(p breakglass.Proposal, now time.Time) (*breakglass.PlanFacts, error) {
			if !now.Equal(opening) {
				t.Errorf("the receipt is looked at as of %v", now)
			}
			return read(p)
		}
	})
}

func TestWhatAPlanDestroysIsNamedWhereItIsLittle(t *testing.T) {
	const refused = "scope.targets: name what the plan may destroy: up to 12 refused operations are approved by name"
	unsigned, signed := &breakglass.PlanFacts{Destroys: 2, Managed: 9}, &breakglass.PlanFacts{Destroys: 2, Managed: 9, Key: "the pipeline's"}
	for _, tt := range []struct {
		name  string
		scope breakglass.Scope
		facts *breakglass.PlanFacts
		want  string
	}{
		{"little that is named", planned(2, database("orders"), database("users")), nil, passed},
		{"little that is not named", planned(12), nil, refused},
		{"little that a receipt without a signature speaks of", planned(12), unsigned, refused},
		{"little that a signed receipt speaks of", planned(12), signed, passed},
		{"one operation that is not named", planned(1), nil, refused},
		{"the plan as a whole alone", whole(planned(1)), nil, passed},
		{"the plan as a whole, and something that is not named", whole(planned(2)), nil, refused},
		{"much", planned(13), nil, passed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := receipted(t, func(breakglass.Proposal) (*breakglass.PlanFacts, error) { return tt.facts, nil })
			view, err := o.Request(t.Context(), person(alice), breakglass.Proposal{Scope: tt.scope, Reason: "the old shop goes"})
			o.same("", tt.want, outcome(err))
			if tt.want == passed && view.Request.Plan != tt.facts && !cmp.Equal(view.Request.Plan, tt.facts) {
				t.Errorf("the request says of the plan %+v, want %+v", view.Request.Plan, tt.facts)
			}
		})
	}
}

func TestTheReceiptOfAPlanIsComparedWithWhatIsAskedFor(t *testing.T) {
	p := planProposal(2)
	p.Receipt, p.Approvals = []byte(`{"a":"receipt"}`), 2
	var got breakglass.Proposal
	o := receipted(t, func(p breakglass.Proposal) (*breakglass.PlanFacts, error) {
		got = p
		return nil, &breakglass.Refusal{Reason: "receipt: of another plan"}
	})
	_, err := o.Request(t.Context(), person(alice), p)
	o.same("", "receipt: of another plan", outcome(err))
	if diff := cmp.Diff(p, got); diff != "" {
		t.Errorf("looked at (-want +got):\n%s", diff)
	}
	last := o.notes.events[len(o.notes.events)-1]
	if last.Event != breakglass.EventRefused || last.Text != "receipt: of another plan" || last.Actor.Name != alice {
		t.Errorf("recorded: %+v", last)
	}
}

func TestOnlyAReceiptOfAPlanIsTaken(t *testing.T) {
	read := func(breakglass.Proposal) (*breakglass.PlanFacts, error) { return nil, errors.New("the keys are gone") }
	elsewhere, long := proposal(web), planProposal(1)
	elsewhere.Receipt, long.Receipt = []byte("{}"), []byte(strings.Repeat("x", breakglass.MaxReceipt+1))
	for _, tt := range []struct {
		name string
		p    breakglass.Proposal
		want string
	}{
		{"with a request for an object", elsewhere, "receipt: only a request for a Terraform plan has one"},
		{"one that is too long", long, "receipt: longer than 65536 bytes"},
		{"one that nobody can look at", planProposal(1), "undecided: the keys are gone"},
		{"none, for an object", proposal(web), passed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := receipted(t, read)
			_, err := o.Request(t.Context(), person(alice), tt.p)
			o.same("", tt.want, outcome(err))
		})
	}
}

func TestATokenNamesWhatAPlanDestroysByCanonicalNameAlone(t *testing.T) {
	o := newOffice(t, nil)
	p := planProposal(breakglass.MaxNamed)
	p.Reason, p.Scope.Whole, p.Scope.Objects = strings.Repeat("r", breakglass.MaxReason), true, breakglass.MaxNamed+1
	for i := range p.Scope.Targets[1:] { // as long as most are
		p.Scope.Targets[i+1] = database(strings.Repeat("x", 60) + string(rune('a'+i)))
	}
	_, token := o.token(p)
	got, err := o.keys.Verify(t.Context(), token, o.clock.now())
	o.must(err)
	want := p.Scope
	if diff := cmp.Diff(want, got.Scope); diff != "" {
		t.Errorf("scope (-asked for +in the token):\n%s", diff)
	}
}

func TestWhatAPlanTargetIsCalledIsInItsCanonicalName(t *testing.T) {
	for _, tt := range []struct{ ref, namespace, name string }{
		{"gcp://sqladmin.googleapis.com/projects/p/instances/orders", "", "orders"},
		{"k8s://prod-eu/apps/deployments/shop/web", "shop", "web"},
		{"k8s://prod-eu/core/namespaces/shop", "", "shop"},
		{`terraform://5f0c/module.a["x/y"].aws_db_instance.orders`, "", `module.a["x/y"].aws_db_instance.orders`},
		{"terraform://5f0c/", "", "5f0c"},
		{"aws://arn:aws:rds:eu-west-1:1:db:orders", "", "arn:aws:rds:eu-west-1:1:db:orders"},
		{"azure:///subscriptions/s/resourceGroups/g", "", "g"},
		{"orders", "", ""},
		{"gcp://x/", "", ""},
	} {
		want := operation.Reference{Ref: tt.ref, Namespace: tt.namespace, Name: tt.name}
		if diff := cmp.Diff(want, breakglass.PlanTarget(tt.ref)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.ref, diff)
		}
	}
}
