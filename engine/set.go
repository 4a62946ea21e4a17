package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/util"

	"github.com/mollyguard/mollyguard/operation"
)

// Options says how policies are compiled. Schema is required.
type Options struct {
	// Contract is what the policies are asked. The zero value is Operations().
	Contract Contract
	// Schema is the JSON Schema of the contract's input: what operation.Schema says
	// of its type.
	Schema []byte
	// Config is what policies see as input.config.
	Config map[string]any
}

// Set is one compiled, tested and proven set of policies. It is immutable and
// may be used concurrently.
type Set struct {
	contract Contract
	query    rego.PreparedEvalQuery
	encode   valueEncoder
	reads    *fieldSet
	policies []Policy
	digest   string
	tests    int
	canaries int
}

// Policy describes one policy, from the METADATA above its rule.
type Policy struct {
	Name        string             `json:"name"`
	Title       string             `json:"title"`
	Description string             `json:"description"`
	Severity    operation.Severity `json:"severity"`
	Runbook     string             `json:"runbook"`
	File        string             `json:"file"`
}

// Compile reads, compiles, checks and tests the policies of all sources as one
// set, and runs its canaries. It returns no Set unless everything passed:
//
//   - every file parses as Rego v1 and compiles in strict mode against the
//     schema, without built-ins that reach the network or the environment;
//   - every rule can be reached: the package is the contract's, and a rule is
//     either violation or a helper whose name starts with an underscore;
//   - no constant that a policy compares an enumerated field with is misspelt,
//     and no undefined data or config value is read;
//   - every test passes, every canary is judged as it expects, and there is at
//     least one canary of each kind.
//
// An error lists all problems of the first stage that failed, one a line, each
// with file and line.
func Compile(ctx context.Context, sources []Source, opts Options) (*Set, error) {
	files, err := readSources(sources)
	if err != nil {
		return nil, err
	}
	return compileFiles(ctx, files, opts)
}

func compileFiles(ctx context.Context, files fileSet, opts Options) (*Set, error) {
	contract := opts.contract()
	if err := contract.check(); err != nil {
		return nil, err
	}
	modules, tests, err := parse(files.rego)
	if err != nil {
		return nil, err
	}
	if err := contract.checkModules(modules, tests); err != nil {
		return nil, err
	}
	if err := checkConstants(modules, opts.Schema); err != nil {
		return nil, err
	}
	var schema any
	if err := util.UnmarshalJSON(opts.Schema, &schema); err != nil {
		return nil, fmt.Errorf("read the input schema: %w", err)
	}
	newCompiler := compilers(schema)
	compiler := newCompiler()
	if compiler.Compile(modules); compiler.Failed() {
		return nil, describe(compiler.Errors)
	}
	if err := checkOptional(modules, schema); err != nil {
		return nil, err
	}
	if err := contract.checkReferences(compiler, opts.Config); err != nil {
		return nil, err
	}
	policies, err := contract.policiesOf(modules)
	if err != nil {
		return nil, err
	}
	reads := readsOf(compiler.Modules)
	encode, err := encoder(contract.Input, reads, opts.Config)
	if err != nil {
		return nil, err
	}
	query, err := rego.New(rego.Query(contract.entryPoint()), rego.Compiler(compiler), rego.StrictBuiltinErrors(true),
		rego.GenerateJSON(func(term *ast.Term, _ *rego.EvalContext) (any, error) { return term, nil }),
	).PrepareForEval(ctx)
	if err != nil {
		return nil, fmt.Errorf("prepare policies: %w", err)
	}
	set := &Set{
		contract: contract, query: query, encode: encode, reads: reads,
		policies: policies, digest: files.digest, canaries: len(files.canaries),
	}
	if set.tests, err = runTests(ctx, newCompiler(), modules, tests); err != nil {
		return nil, err
	}
	if err := set.runCanaries(ctx, files.canaries); err != nil {
		return nil, err
	}
	return set, nil
}

func (o Options) contract() Contract {
	if o.Contract.Package == "" && o.Contract.Input == nil {
		return Operations()
	}
	return o.Contract
}

// compilers returns a constructor of compilers, since one compiles only once.
func compilers(schema any) func() *ast.Compiler {
	return func() *ast.Compiler {
		schemas := ast.NewSchemaSet()
		schemas.Put(ast.SchemaRootRef, schema)
		return ast.NewCompiler().
			WithStrict(true).
			WithSchemas(schemas).
			WithUseTypeCheckAnnotations(true).
			WithCapabilities(capabilities())
	}
}

// refusedBuiltins reach the network, show the process's environment (OPA_RUNTIME
// holds environment variables), or make a judgement depend on more than its input:
// the time of an operation is input.time.
var refusedBuiltins = []string{
	ast.HTTPSend.Name, ast.NetLookupIPAddr.Name, ast.OPARuntime.Name,
	ast.NowNanos.Name, ast.RandIntn.Name, ast.UUIDRFC4122.Name,
}

// capabilities are OPA's own, less what is refused.
func capabilities() *ast.Capabilities {
	c := ast.CapabilitiesForThisVersion()
	c.AllowNet = []string{} // no remote schemas either
	c.Builtins = slices.DeleteFunc(c.Builtins, func(b *ast.Builtin) bool { return slices.Contains(refusedBuiltins, b.Name) })
	return c
}

func parse(files []file) (modules, tests map[string]*ast.Module, err error) {
	modules, tests = map[string]*ast.Module{}, map[string]*ast.Module{}
	options := ast.ParserOptions{ProcessAnnotation: true, RegoVersion: ast.RegoV1, Capabilities: capabilities()}
	var problems ast.Errors
	for _, f := range files {
		module, err := ast.ParseModuleWithOpts(f.name, string(f.data), options)
		var parseErrors ast.Errors
		switch {
		case errors.As(err, &parseErrors):
			problems = append(problems, parseErrors...)
		case err != nil:
			problems = append(problems, problem(ast.NewLocation(nil, f.name, 1, 1), "%v", err))
		case module == nil:
			problems = append(problems, problem(ast.NewLocation(nil, f.name, 1, 1), "empty file: expected a policy"))
		case f.isTest():
			tests[f.name] = module
		default:
			modules[f.name] = module
		}
	}
	return modules, tests, describe(problems)
}

// Evaluate is EvaluateInput for an operation, if the contract is Operations.
// grant is the grant found for the operation, or nil.
func (s *Set) Evaluate(ctx context.Context, op *operation.Operation, grant *operation.Grant) ([]operation.Violation, error) {
	return s.EvaluateInput(ctx, &operation.Input{Operation: *op, Grant: grant}, op.Time)
}

// EvaluateInput returns what the policies say against an input: sorted, without
// Enforcement, which is not theirs to say. The input is of the contract's type or
// a pointer to it; at is the time of it. An error means that they could not be
// evaluated, or that one gave a malformed violation; then no violation is
// returned.
func (s *Set) EvaluateInput(ctx context.Context, input any, at time.Time) ([]operation.Violation, error) {
	value := reflect.Indirect(reflect.ValueOf(input))
	if !value.IsValid() || value.Type() != s.contract.Input {
		return nil, fmt.Errorf("evaluate policies: package %s judges a %v, not a %T", s.contract.Package, s.contract.Input, input)
	}
	return s.evaluate(ctx, s.encode(value), at)
}

func (s *Set) evaluate(ctx context.Context, input *ast.Term, at time.Time) ([]operation.Violation, error) {
	if err := ctx.Err(); err != nil { // a quick evaluation would not notice
		return nil, fmt.Errorf("evaluate policies: %w", err)
	}
	// A cancel of our own saves the goroutine that OPA starts for each evaluation
	// to wait for ctx.
	cancel := topdown.NewCancel()
	defer context.AfterFunc(ctx, cancel.Cancel)()
	results, err := s.query.Eval(ctx, rego.EvalParsedInput(input.Value), rego.EvalTime(at),
		rego.EvalExternalCancel(cancel), rego.EvalMetrics(metrics.NoOp()))
	if err != nil {
		return nil, fmt.Errorf("evaluate policies: %w", err)
	}
	if len(results) != 1 || len(results[0].Expressions) != 1 {
		return nil, errors.New("evaluate policies: the violation set is undefined")
	}
	term, ok := results[0].Expressions[0].Value.(*ast.Term)
	if !ok {
		return nil, fmt.Errorf("evaluate policies: unexpected result %T", results[0].Expressions[0].Value)
	}
	set, ok := term.Value.(ast.Set)
	if !ok {
		return nil, fmt.Errorf("evaluate policies: violation is not a set: %v", term)
	}
	if set.Len() == 0 {
		return nil, nil
	}
	violations := make([]operation.Violation, 0, set.Len())
	for _, element := range set.Slice() {
		v, err := violationOf(element)
		if err != nil {
			return nil, fmt.Errorf("evaluate policies: %w in %v", err, element)
		}
		violations = append(violations, v)
	}
	slices.SortFunc(violations, func(a, b operation.Violation) int {
		return strings.Compare(a.Policy+"\x00"+a.Message, b.Policy+"\x00"+b.Message)
	})
	return violations, nil
}

// Policies lists the policies of the set by name.
func (s *Set) Policies() []Policy { return slices.Clone(s.policies) }

// Digest tells one set from another; it changes with any byte of any file.
func (s *Set) Digest() string { return s.digest }

// Tests says how many tests passed.
func (s *Set) Tests() int { return s.tests }

// Canaries says how many canaries were judged as they expect.
func (s *Set) Canaries() int { return s.canaries }

// Reads reports whether a policy can see the field of the input at a path, such
// as "target", "annotations". What is not read need not be decoded.
func (s *Set) Reads(path ...string) bool { return s.reads.has(path) }

func violationOf(term *ast.Term) (operation.Violation, error) {
	object, ok := term.Value.(ast.Object)
	if !ok {
		return operation.Violation{}, errors.New("not an object")
	}
	violation := operation.Violation{BreakGlass: operation.BreakGlass{Approvals: 1}}
	err := object.Iter(func(key, value *ast.Term) error {
		name, ok := key.Value.(ast.String)
		if !ok {
			return errors.New("key is not a string")
		}
		if name == "break_glass" {
			var err error
			violation.BreakGlass, err = breakGlassOf(value)
			return err
		}
		text, ok := value.Value.(ast.String)
		if !ok {
			return fmt.Errorf("%s is not a string", name)
		}
		switch name {
		case "policy":
			violation.Policy = string(text)
		case "severity":
			violation.Severity = operation.Severity(text)
		case "message":
			violation.Message = string(text)
		default:
			return fmt.Errorf("unknown key %q", string(name))
		}
		return nil
	})
	switch {
	case err != nil:
		return operation.Violation{}, err
	case violation.Policy == "":
		return operation.Violation{}, errors.New("no policy")
	case violation.Message == "":
		return operation.Violation{}, errors.New("no message")
	case !slices.Contains(violation.Severity.Values(), string(violation.Severity)):
		return operation.Violation{}, fmt.Errorf("severity is not one of %v", violation.Severity.Values())
	}
	return violation, nil
}

func breakGlassOf(term *ast.Term) (operation.BreakGlass, error) {
	if term.Equal(ast.StringTerm("never")) {
		return operation.BreakGlass{Never: true}, nil
	}
	if object, ok := term.Value.(ast.Object); ok && object.Len() == 1 {
		if number, ok := valueAt(object, "approvals").(ast.Number); ok {
			if n, ok := number.Int(); ok && n >= 1 {
				return operation.BreakGlass{Approvals: n}, nil
			}
		}
	}
	return operation.BreakGlass{}, errors.New(`break_glass is neither "never" nor {"approvals": N} with N of at least 1`)
}

func valueAt(object ast.Object, key string) ast.Value {
	if term := object.Get(ast.StringTerm(key)); term != nil {
		return term.Value
	}
	return nil
}

// policiesOf collects what the METADATA of violation rules says. checkModules
// has made sure that names are constants.
func (c Contract) policiesOf(modules map[string]*ast.Module) ([]Policy, error) {
	byName := map[string]Policy{}
	var problems ast.Errors
	for _, fileName := range slices.Sorted(maps.Keys(modules)) {
		module := modules[fileName]
		for _, rule := range module.Rules {
			if ruleName(rule) != entryRule {
				continue
			}
			policy := Policy{Name: constantPolicy(rule), File: fileName}
			for _, annotation := range rule.Annotations {
				policy.Title = annotation.Title
				policy.Description = strings.TrimSpace(annotation.Description)
				severity, _ := annotation.Custom["severity"].(string)
				policy.Severity = operation.Severity(severity)
				policy.Runbook, _ = annotation.Custom["runbook"].(string)
				if name, ok := annotation.Custom["policy"].(string); ok && name != policy.Name {
					problems = append(problems, problem(rule.Location, "METADATA calls the policy %q, the rule %q", name, policy.Name))
				}
			}
			previous, again := byName[policy.Name]
			if again && previous.File != policy.File {
				problems = append(problems, problem(rule.Location, "policy %q is defined in %s already: one policy, one file", policy.Name, previous.File))
			}
			if !again || reflect.DeepEqual(previous, Policy{Name: policy.Name, File: policy.File}) {
				byName[policy.Name] = policy
			}
		}
	}
	if err := describe(problems); err != nil {
		return nil, err
	}
	if len(byName) == 0 {
		return nil, fmt.Errorf("no policy adds to %s", c.entryPoint())
	}
	return slices.SortedFunc(maps.Values(byName), func(a, b Policy) int { return strings.Compare(a.Name, b.Name) }), nil
}
