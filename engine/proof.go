package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/tester"

	"github.com/mollyguard/mollyguard/operation"
)

// testTimeout is for one test; the embedded ones take under a millisecond each.
const testTimeout = 5 * time.Second

// runTests runs the policies' own tests and says how many passed. The error
// lists those that did not.
func runTests(ctx context.Context, compiler *ast.Compiler, modules, tests map[string]*ast.Module) (int, error) {
	if len(tests) == 0 {
		return 0, nil
	}
	all := maps.Clone(modules)
	maps.Copy(all, tests)
	results, err := tester.NewRunner().
		SetCompiler(compiler).
		SetModules(all).
		SetTimeout(testTimeout).
		RaiseBuiltinErrors(true).
		RunTests(ctx, nil)
	if err != nil {
		var compileErrors ast.Errors
		if errors.As(err, &compileErrors) {
			return 0, describe(compileErrors)
		}
		return 0, fmt.Errorf("run policy tests: %w", err)
	}
	passed := 0
	var failures []string
	for result := range results {
		at := fmt.Sprintf("%s:%d: %s", result.Location.File, result.Location.Row, result.Name)
		switch {
		case result.Error != nil:
			failures = append(failures, fmt.Sprintf("%s: %v", at, result.Error))
		case result.Fail:
			failures = append(failures, at+" failed")
		default:
			passed++
		}
	}
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("run policy tests: %w", err)
	}
	if len(failures) > 0 {
		slices.Sort(failures)
		return 0, errors.New(strings.Join(failures, "\n"))
	}
	return passed, nil
}

// canary is an operation whose judgement is known. Canaries are judged before a
// set of policies is used, and each policy must fire in one of them: a rule that
// is broken in the right way does not fail but keeps silent, in its own tests too
// if they share its mistake. A canary cannot, its fields are those of the types.
type canary struct {
	Name   string `json:"name"`
	Expect string `json:"expect"` // expectDeny or expectAllow
	// Operation is judged as it stands, Production included.
	Operation operation.Operation `json:"operation"`
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
		c, err := decodeCanary(f.data)
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v", f.name, err))
			continue
		}
		seen[c.Expect]++
		violations, err := s.Evaluate(ctx, &c.Operation, nil)
		if c.Expect == expectDeny {
			for _, v := range violations {
				fired[v.Policy] = true
			}
		}
		switch {
		case err != nil:
			problems = append(problems, fmt.Sprintf("%s: canary %q: %v", f.name, c.Name, err))
		case c.Expect == expectDeny && len(violations) == 0:
			problems = append(problems, fmt.Sprintf("%s: canary %q must be denied, but no policy fires: a condition is false, or undefined like a label that the operation does not have (object.get helps)", f.name, c.Name))
		case c.Expect == expectAllow && len(violations) > 0:
			problems = append(problems, fmt.Sprintf("%s: canary %q must be allowed, but policy %q says: %s", f.name, c.Name, violations[0].Policy, violations[0].Message))
		}
	}
	if len(problems) == 0 && (seen[expectDeny] == 0 || seen[expectAllow] == 0) {
		problems = append(problems, fmt.Sprintf("too few canaries: policies need a canary_*.json that expects %q (%d found) and one that expects %q (%d found)",
			expectDeny, seen[expectDeny], expectAllow, seen[expectAllow]))
	}
	if len(problems) == 0 {
		for _, p := range s.policies {
			if !fired[p.Name] {
				problems = append(problems, fmt.Sprintf("%s: policy %q fires in no canary, so it may never fire: add a canary_*.json that expects %q because of it", p.File, p.Name, expectDeny))
			}
		}
	}
	if len(problems) > 0 {
		return errors.New(strings.Join(problems, "\n"))
	}
	return nil
}

func decodeCanary(data []byte) (canary, error) {
	var c canary
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c); err != nil {
		return canary{}, fmt.Errorf("read canary: %w", err)
	}
	if decoder.More() {
		return canary{}, errors.New("read canary: more than one JSON value")
	}
	if c.Name == "" {
		return canary{}, errors.New("read canary: name is missing")
	}
	if verb := c.Operation.Verb; verb != "" && !slices.Contains(verb.Values(), string(verb)) {
		return canary{}, fmt.Errorf("read canary: operation.verb is never %q: it is one of %s", verb, strings.Join(verb.Values(), ", "))
	}
	if c.Expect != expectDeny && c.Expect != expectAllow {
		return canary{}, fmt.Errorf("read canary: expect is %q, not %q or %q", c.Expect, expectDeny, expectAllow)
	}
	return c, nil
}
