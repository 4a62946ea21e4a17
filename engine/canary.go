package engine

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/mollyguard/mollyguard/operation"
)

// canary is an input whose judgement is known. Canaries are judged before a set of
// policies is used, and each policy must fire in one of them: a rule that is
// broken in the right way does not fail but keeps silent, in its own tests too if
// they share its mistake. A canary cannot, its fields are those of the types.
type canary struct {
	Name   string
	Expect string // expectDeny or expectAllow
	// Policies are those that are judged, by name; empty means all of them.
	Policies []string
	// Approvals is how many of them the policies must ask for, at least.
	Approvals int
	// Input is of the contract's type, and is judged as it stands. If it has a
	// config, that is used in place of the configuration's, so that a canary can
	// hold whatever is configured.
	Input reflect.Value
}

const (
	expectDeny  = "deny"
	expectAllow = "allow"
)

func (s *Set) runCanaries(ctx context.Context, files []file) error {
	var problems []string
	seen := map[string]int{}
	fired := map[string]bool{}
	for _, f := range files {
		c, err := s.contract.decodeCanary(f.data)
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v", f.name, err))
			continue
		}
		if len(c.Policies) == 0 || c.Expect == expectDeny {
			seen[c.Expect]++
		}
		violations, err := s.judge(ctx, c)
		if err == nil {
			err = s.contract.asExpected(c, violations)
		}
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: canary %q %v", f.name, c.Name, err))
		}
		for _, v := range violations {
			fired[v.Policy] = true
		}
	}
	if len(problems) == 0 && (seen[expectDeny] == 0 || seen[expectAllow] == 0) {
		problems = append(problems, fmt.Sprintf("too few canaries: policies need a canary_*.json that expects %q (%d found) and one that expects %q (%d found)",
			expectDeny, seen[expectDeny], expectAllow, seen[expectAllow]))
	}
	if len(problems) == 0 {
		orApprovals := ""
		if s.contract.Refuses != nil {
			orApprovals = ", or some approvals,"
		}
		for _, p := range s.policies {
			if !fired[p.Name] {
				problems = append(problems, fmt.Sprintf("%s: policy %q fires in no canary, so it may never fire: add a canary_*.json that expects %q%s because of it", p.File, p.Name, expectDeny, orApprovals))
			}
		}
	}
	if len(problems) > 0 {
		return errors.New(strings.Join(problems, "\n"))
	}
	return nil
}

// judge returns what the policies that a canary is about say.
func (s *Set) judge(ctx context.Context, c canary) ([]operation.Violation, error) {
	for _, name := range c.Policies {
		if !slices.ContainsFunc(s.policies, func(p Policy) bool { return p.Name == name }) {
			return nil, fmt.Errorf("is about policy %q, which does not exist", name)
		}
	}
	encode := s.encode
	if config := configIn(c.Input); config != nil {
		var err error
		if encode, err = encoder(s.contract.Input, s.reads, config); err != nil {
			return nil, err
		}
	}
	violations, err := s.evaluate(ctx, encode(c.Input), timeIn(c.Input))
	if err != nil {
		return nil, fmt.Errorf("could not be judged: %w", err)
	}
	return slices.DeleteFunc(violations, func(v operation.Violation) bool {
		return len(c.Policies) > 0 && !slices.Contains(c.Policies, v.Policy)
	}), nil
}

func (c Contract) asExpected(canary canary, violations []operation.Violation) error {
	approvals := 0
	refused := ""
	for _, v := range violations {
		approvals = max(approvals, v.BreakGlass.Approvals)
		if refused == "" && c.refuses(v) {
			refused = fmt.Sprintf("policy %q says: %s", v.Policy, v.Message)
		}
	}
	switch {
	case canary.Expect == expectDeny && refused == "":
		return errors.New("must be denied, but no policy fires: a condition is false, or undefined like a label that the operation does not have (object.get helps)")
	case canary.Expect == expectAllow && refused != "":
		return errors.New("must be allowed, but " + refused)
	case approvals < canary.Approvals:
		return fmt.Errorf("must take %d approvals, but the policies ask for %d", canary.Approvals, approvals)
	}
	return nil
}

func (c Contract) decodeCanary(data []byte) (canary, error) {
	decoded := canary{Input: reflect.New(c.Input).Elem()}
	members := map[string]json.RawMessage{}
	if err := decodeStrictly(data, &members); err != nil {
		return canary{}, fmt.Errorf("read canary: %w", err)
	}
	known := map[string]any{
		"name": &decoded.Name, "expect": &decoded.Expect, "policies": &decoded.Policies, "approvals": &decoded.Approvals,
		c.Canary: decoded.Input.Addr().Interface(),
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if known[name] == nil {
			return canary{}, fmt.Errorf("read canary: unknown field %q", name)
		}
		if err := decodeStrictly(members[name], known[name]); err != nil {
			return canary{}, fmt.Errorf("read canary: %w", err)
		}
	}
	if decoded.Name == "" {
		return canary{}, errors.New("read canary: name is missing")
	}
	if err := checkValues(decoded.Input, c.Canary); err != nil {
		return canary{}, fmt.Errorf("read canary: %w", err)
	}
	if decoded.Expect != expectDeny && decoded.Expect != expectAllow {
		return canary{}, fmt.Errorf("read canary: expect is %q, not %q or %q", decoded.Expect, expectDeny, expectAllow)
	}
	return decoded, nil
}

func decodeStrictly(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if decoder.More() {
		return errors.New("more than one JSON value")
	}
	return nil
}

// checkValues returns an error for an enumerated field with a value that it never
// has: such a canary would prove nothing.
func checkValues(v reflect.Value, at string) error {
	if list, ok := v.Interface().(interface{ Values() []string }); ok && v.Kind() == reflect.String {
		if text := v.String(); text != "" && !slices.Contains(list.Values(), text) {
			return fmt.Errorf("%s is never %q: it is one of %s", at, text, strings.Join(list.Values(), ", "))
		}
		return nil
	}
	switch v.Kind() {
	case reflect.Struct:
		var errs []error
		for _, field := range reflect.VisibleFields(v.Type()) {
			if operation.Visible(field) {
				errs = append(errs, checkValues(v.FieldByIndex(field.Index), at+"."+operation.JSONName(field)))
			}
		}
		return cmp.Or(errs...)
	case reflect.Pointer:
		if !v.IsNil() {
			return checkValues(v.Elem(), at)
		}
	case reflect.Slice:
		for i := range v.Len() {
			if err := checkValues(v.Index(i), fmt.Sprintf("%s[%d]", at, i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// configIn returns the field config of an input, or nil.
func configIn(input reflect.Value) map[string]any {
	config, _ := member(input, configField).(map[string]any)
	return config
}

// timeIn returns the field time of an input, or the zero time.
func timeIn(input reflect.Value) time.Time {
	at, _ := member(input, "time").(time.Time)
	return at
}

func member(input reflect.Value, name string) any {
	for _, field := range reflect.VisibleFields(input.Type()) {
		if operation.Visible(field) && operation.JSONName(field) == name {
			return input.FieldByIndex(field.Index).Interface()
		}
	}
	return nil
}
