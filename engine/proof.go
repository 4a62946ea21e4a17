package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/tester"
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
