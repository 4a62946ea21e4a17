// Package tfplan reads Terraform plans and maps what they would destroy or weaken to
// operations.
//
//	plan file (zip) ── OpenFile ──► File: digest, lineage, serial
//	plan JSON ──────── Open ──────► Document ── Changes, State ──► Mapper ──► operation.Operation
//
// A Document is read as a stream, twice: first for what must be known of the whole (is
// it complete, how much of the state goes, what lives in what goes), then change by
// change. Memory does not grow with the plan, but with what is asked of it at once.
//
// What a resource is, what makes it production's and what disarms it is data, a file a
// provider (see Rules), not code.
//
// The package never decides, never runs terraform and never writes: package receipt pins
// what was decided to the plan, package report tells it.
//
// The format is described at https://developer.hashicorp.com/terraform/internals/json-format.
package tfplan

import (
	"fmt"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/go-json-experiment/json/jsontext"
)

// Limits of what is read. Nothing here is decompressed or decoded without one.
const (
	// MaxJSON caps plan JSON: 100,000 resources take about 300 MB, and a gigabyte is
	// three times that.
	MaxJSON = 1 << 30
	// MaxFile caps a plan file: zipped, a plan is about a twentieth of its JSON.
	MaxFile = 256 << 20
	// MaxState caps a state, in a plan file or by itself: about what a gigabyte of plan
	// JSON has of it.
	MaxState = 512 << 20
	// MaxChange caps one entry of a list of changes: a resource with a megabyte of
	// user data, before and after, with room.
	MaxChange = 16 << 20
	// MaxDepth caps how deep JSON may nest. Real plans stay below 50.
	MaxDepth = 200
)

// BadPlanError says that a text is not a plan that can be judged: not a plan at all, one
// of an unknown format, broken, errored or incomplete. Nothing of it may be applied.
type BadPlanError struct {
	// What is wrong, in one sentence for people, without the file's name.
	What string
	// Hint says what to do, or is empty.
	Hint string
}

func (e *BadPlanError) Error() string { return e.What }

func badPlan(hint, format string, args ...any) error {
	return &BadPlanError{What: fmt.Sprintf(format, args...), Hint: hint}
}

// Head is what a plan's JSON says of the whole.
type Head struct {
	FormatVersion    string
	TerraformVersion string
	// Errored says that planning failed half-way; Complete is false if something was left
	// for a later plan (deferred, -target). Terraform before 1.8 says nothing of Complete,
	// which then counts as true.
	Errored, Complete bool
	// CompleteAssumed says that the plan says nothing of Complete.
	CompleteAssumed bool
	// Deferred is how many changes, and actions, were left for a later plan.
	Deferred int
	// Managed is how many managed resource instances the prior state holds, deposed ones
	// not counted; Changes how many entries resource_changes has; Destroys how many of
	// those delete, replace or forget, deposed objects not counted.
	Managed, Changes, Destroys int
	// Variables is the SHA-256 digest, in hexadecimal, of the variables' values by name in
	// canonical form (RFC 8785), or of an empty object. Values are not kept.
	Variables string
	// Providers are the constants of provider configurations that say what they act on,
	// by configuration key (such as google or module.a:google.eu) and argument (project,
	// region, account_id, config_context, …). What is computed is absent, and so are all
	// arguments that could be secret. Those of nested blocks, such as helm's kubernetes,
	// go by their own name.
	Providers map[string]map[string]string
	// Configurations are the keys of each provider's configurations, sorted, by the
	// provider's source address.
	Configurations map[string][]string
	// ProviderOf is the configuration key of each resource's provider by the resource's
	// address without indices. Those are left out whose provider has no other configuration
	// than the one that goes by its plain name, the last segment of its source address.
	ProviderOf map[string]string
	// Provisioned are the addresses, without indices, of the configured resources that have
	// provisioners: programs that run when they are created or destroyed.
	Provisioned map[string]bool
	// Externals is how many data sources external the apply reads: each runs a program.
	Externals int
}

// Share is how much of what is managed the plan takes away, in percent, rounded up: of
// nothing that is known, all.
func (h Head) Share() int {
	switch {
	case h.Managed > 0:
		return min((100*h.Destroys+h.Managed-1)/h.Managed, 100)
	case h.Destroys > 0:
		return 100
	}
	return 0
}

// ChangeKind says which list of the plan a change is in.
type ChangeKind string

// The kinds of change.
const (
	// Planned is what apply would do.
	Planned ChangeKind = "planned"
	// Drift is what was done outside Terraform since the last apply, and is over.
	Drift ChangeKind = "drift"
	// Deferred is what Terraform puts off to a later plan, with the reason.
	Deferred ChangeKind = "deferred"
	// Invoked is an action of a provider that apply would invoke (Terraform 1.14).
	Invoked ChangeKind = "invoked"
)

// Change is one entry of a list of changes. Its values are only good until the next one
// is read.
type Change struct {
	Kind ChangeKind
	// Address is absolute, with module and index; PreviousAddress is where a moved block
	// or a refactoring found it, if that is another.
	Address, PreviousAddress, Module string
	// Mode is managed or data.
	Mode tfjson.ResourceMode
	// Type is the resource's type, Name its name in the configuration.
	Type, Name string
	// Provider is the provider's source address, such as
	// registry.terraform.io/hashicorp/google.
	Provider string
	// Deposed is the key of a deposed object, or empty.
	Deposed string
	Actions tfjson.Actions
	// Reason is Terraform's action_reason, or reason of a deferral, or the event that
	// invokes an action, or empty.
	Reason string
	// Before and After are null where there is nothing; AfterUnknown, BeforeSensitive
	// and AfterSensitive mirror them with true at what they are about, or are true or
	// false as a whole, and false where the plan does not have them. All are JSON as it
	// stands in the plan. Of an action that is invoked, After is what it is told.
	Before, After, AfterUnknown, BeforeSensitive, AfterSensitive jsontext.Value
	// Importing is the id of what apply would import (or its identity, or "unknown"), or
	// empty.
	Importing string
	// Trigger is the address of the resource whose change invokes an action, or empty.
	Trigger string
}

// Destroys reports whether the change takes the object away: deletes it, replaces it in
// either order or forgets it.
func (c *Change) Destroys() bool {
	for _, action := range c.Actions {
		if action == tfjson.ActionDelete || action == tfjson.ActionForget {
			return true
		}
	}
	return false
}

// Resource is one resource instance of the prior state. Its values are only good until
// the next one is read.
type Resource struct {
	Address, Type, Name, Provider, Deposed string
	Mode                                   tfjson.ResourceMode
	Values, Sensitive                      jsontext.Value
}
