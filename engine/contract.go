package engine

import (
	"fmt"
	"reflect"
	"time"

	"github.com/mollyguard/mollyguard/operation"
)

// Contract is what policies are asked, and where they live. What they answer is
// the same in all contracts: a set of violations.
type Contract struct {
	// Package is the Rego package of the policies, such as mollyguard.
	Package string
	// Input is the struct type of the document that policies see as input, with the
	// tags that operation.Schema reads. Its field config, a map[string]any, is
	// Options.Config whatever the value says.
	Input reflect.Type
	// Canary is what a canary file calls the input that it holds.
	Canary string
	// Config is where the configuration file has what policies read as
	// input.config.
	Config string
	// Refuses says which violations are a no; the others only ask for approvals.
	// Nil means that every one is.
	Refuses func(operation.Violation) bool
	// Subsystem goes into the names of metrics, which else collide when a process
	// has an Engine for each of several contracts.
	Subsystem string
}

// Operations is the contract of the policies that judge operations. Their input
// is operation.Input.
func Operations() Contract {
	return Contract{Package: "mollyguard", Input: reflect.TypeFor[operation.Input](), Canary: "operation", Config: "policies.config"}
}

// Issuing is the contract of issuing policy, which judges who may be granted
// what. The type of its input is breakglass.Question, which is passed since this
// package does without what that one imports. A violation that can be lifted is
// no refusal here: it says how many people have to approve.
func Issuing(input reflect.Type) Contract {
	return Contract{
		Package: "mollyguard.issuance", Input: input, Canary: "question", Config: "breakGlass.policies.config",
		Refuses:   func(v operation.Violation) bool { return v.BreakGlass.Never },
		Subsystem: "issuing",
	}
}

// entryRule is the one rule that is evaluated: a set of violations.
const entryRule = "violation"

func (c Contract) entryPoint() string { return "data." + c.Package + "." + entryRule }

func (c Contract) refuses(v operation.Violation) bool { return c.Refuses == nil || c.Refuses(v) }

// check finds what no policy could be asked with.
func (c Contract) check() error {
	if c.Package == "" || c.Input == nil || c.Input.Kind() != reflect.Struct || c.Canary == "" || c.Config == "" {
		return fmt.Errorf("contract of package %q: Package, Input (a struct), Canary and Config are required", c.Package)
	}
	return encodable(c.Input, "input")
}

// encodable returns an error if a policy would see something else than the schema
// says: operation.Schema and encoderOf know the same few kinds.
func encodable(t reflect.Type, at string) error {
	if t == reflect.TypeFor[time.Time]() {
		return nil
	}
	switch t.Kind() {
	case reflect.Struct:
		for _, field := range reflect.VisibleFields(t) {
			if !operation.Visible(field) {
				continue
			}
			if err := encodable(field.Type, at+"."+operation.JSONName(field)); err != nil {
				return err
			}
		}
		return nil
	case reflect.Pointer:
		return encodable(t.Elem(), at)
	case reflect.Slice:
		return encodable(t.Elem(), at+"[]")
	case reflect.Map:
		if t.Key().Kind() == reflect.String && t.Elem().Kind() == reflect.String || at == "input."+configField && t == reflect.TypeFor[map[string]any]() {
			return nil
		}
	case reflect.Bool, reflect.Int, reflect.String:
		return nil
	}
	return fmt.Errorf("%s: policies cannot be shown a %v", at, t)
}

// configField is the member of every input that is the configuration's.
const configField = "config"
