package engine

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/util"

	"github.com/mollyguard/mollyguard/operation"
)

// problem is an error at a place in a policy file.
func problem(at *ast.Location, format string, args ...any) *ast.Error {
	return ast.NewError(ast.CompileErr, at, format, args...)
}

// describe turns OPA's errors into one error with a line each: where, what. It
// returns nil if there are none.
func describe(problems ast.Errors) error {
	if len(problems) == 0 {
		return nil
	}
	var lines []string
	for _, p := range problems {
		line := p.Message
		if p.Location != nil {
			line = fmt.Sprintf("%s:%d: %s", p.Location.File, p.Location.Row, p.Message)
		}
		if detail, ok := p.Details.(*ast.RefErrInvalidDetail); ok {
			line += ": " + unknownField(detail)
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return errors.New(strings.Join(slices.Compact(lines), "\n"))
}

// unknownField says which part of a reference the schema does not have.
func unknownField(detail *ast.RefErrInvalidDetail) string {
	text := fmt.Sprintf("no field %s", detail.Ref)
	if detail.Pos < len(detail.Ref) {
		text = fmt.Sprintf("%s has no field %s", detail.Ref[:detail.Pos], detail.Ref[detail.Pos])
	}
	var have []string
	for _, value := range detail.OneOf {
		if name, ok := value.(ast.String); ok {
			have = append(have, string(name))
		}
	}
	if len(have) > 0 {
		slices.Sort(have)
		text += ", it has " + strings.Join(have, ", ")
	}
	return text
}

// checkModules finds rules that nothing would ever evaluate, and policies
// without a constant name.
func (c Contract) checkModules(modules, tests map[string]*ast.Module) error {
	var problems ast.Errors
	for _, module := range modules {
		if name := strings.TrimPrefix(module.Package.Path.String(), "data."); name != c.Package {
			problems = append(problems, problem(module.Package.Location, "package %s is never evaluated: a policy's package is %s", name, c.Package))
			continue
		}
		for _, rule := range module.Rules {
			name := ruleName(rule)
			switch {
			case strings.HasPrefix(name, "_"):
			case name != entryRule:
				problems = append(problems, problem(rule.Location, "rule %s is never evaluated: a policy adds to %s, a helper's name starts with an underscore", name, entryRule))
			case rule.Head.RuleKind() != ast.MultiValue:
				problems = append(problems, problem(rule.Location, "%s is a set: write %s contains {…} if {…}", entryRule, entryRule))
			case constantPolicy(rule) == "":
				problems = append(problems, problem(rule.Location, `the violation needs a constant name: {"policy": "my-policy", …}`))
			case rule.Default || rule.Else != nil:
				problems = append(problems, problem(rule.Location, "%s has no default and no else", entryRule))
			default:
				problems = append(problems, checkHead(rule)...)
			}
		}
		problems = append(problems, checkHonesty(module)...)
	}
	for _, module := range tests {
		for _, rule := range module.Rules {
			if name := ruleName(rule); !strings.HasPrefix(name, "test_") && !strings.HasPrefix(name, "_") {
				problems = append(problems, problem(rule.Location, "rule %s is never run: a test's name starts with test_, a helper's with an underscore", name))
			}
		}
		ast.WalkExprs(module, func(expr *ast.Expr) bool {
			for _, with := range expr.With {
				if ref, ok := with.Target.Value.(ast.Ref); ok && strings.HasPrefix(ref.String(), "data."+c.Package) {
					problems = append(problems, problem(with.Location, "%s is replaced: a test of something else proves nothing", ref))
				}
			}
			return false
		})
	}
	return describe(problems)
}

// checkHead looks at what is constant in a violation: a misspelt key or value
// would only show when the policy fires.
func checkHead(rule *ast.Rule) ast.Errors {
	object, ok := rule.Head.Key.Value.(ast.Object)
	if !ok {
		return nil
	}
	var problems ast.Errors
	present := map[string]bool{}
	object.Foreach(func(key, value *ast.Term) {
		name, _ := key.Value.(ast.String)
		present[string(name)] = true
		switch name {
		case "policy", "message":
		case "severity":
			if text, ok := value.Value.(ast.String); ok && !slices.Contains(operation.Low.Values(), string(text)) {
				problems = append(problems, problem(rule.Location, "severity %q is not one of %s", string(text), strings.Join(operation.Low.Values(), ", ")))
			}
		case "break_glass":
			if _, err := breakGlassOf(value); err != nil && value.IsGround() {
				problems = append(problems, problem(rule.Location, "%v", err))
			}
		default:
			problems = append(problems, problem(rule.Location, "a violation has no %s: it has policy, severity, message, break_glass", key))
		}
	})
	for _, name := range []string{"severity", "message"} {
		if !present[name] {
			problems = append(problems, problem(rule.Location, "the violation has no %s", name))
		}
	}
	for _, annotation := range rule.Annotations {
		said, ok := annotation.Custom["severity"].(string)
		if text, constant := valueAt(object, "severity").(ast.String); ok && constant && said != string(text) {
			problems = append(problems, problem(rule.Location, "METADATA says severity %q, the rule %q", said, string(text)))
		}
	}
	return problems
}

// checkHonesty refuses what would blind the other checks: a policy that replaces
// its input, and annotations that replace the schema.
func checkHonesty(module *ast.Module) ast.Errors {
	var problems ast.Errors
	ast.WalkExprs(module, func(expr *ast.Expr) bool {
		for _, with := range expr.With {
			problems = append(problems, problem(with.Location, "with %s is for tests: a policy judges the input as it is", with.Target))
		}
		return false
	})
	for _, annotation := range module.Annotations {
		if len(annotation.Schemas) > 0 {
			problems = append(problems, problem(annotation.Location, "METADATA sets schemas: the schema of the input is not to be replaced"))
		}
	}
	return problems
}

func ruleName(rule *ast.Rule) string { return rule.Head.Ref()[0].Value.String() }

// constantPolicy is the policy name in the head of a violation rule, or "" if
// the head is no object or the name no constant.
func constantPolicy(rule *ast.Rule) string {
	if rule.Head.Key == nil {
		return ""
	}
	object, ok := rule.Head.Key.Value.(ast.Object)
	if !ok {
		return ""
	}
	name, _ := valueAt(object, "policy").(ast.String)
	return string(name)
}

// checkConstants finds enumerated fields that are compared with a constant that
// is none of their values: a misspelt verb would be a policy that never fires.
// It looks at modules as they were parsed, since the compiler moves operands
// into variables of its own.
func checkConstants(modules map[string]*ast.Module, schema []byte) error {
	enums, err := enumsOf(schema)
	if err != nil {
		return err
	}
	var problems ast.Errors
	for _, module := range modules {
		ast.NewGenericVisitor(func(x any) bool {
			switch x := x.(type) {
			case *ast.Expr:
				if x.IsCall() {
					problems = append(problems, misspelt(x.Location, x.Operator(), x.Operands(), enums)...)
				}
			case *ast.Term:
				if call, ok := x.Value.(ast.Call); ok {
					if operator, ok := call[0].Value.(ast.Ref); ok {
						problems = append(problems, misspelt(x.Location, operator, call[1:], enums)...)
					}
				}
			}
			return false
		}).Walk(module)
	}
	return describe(problems)
}

func misspelt(at *ast.Location, operator ast.Ref, operands []*ast.Term, enums map[string][]string) ast.Errors {
	switch operator.String() {
	case ast.Equality.Name, ast.Equal.Name, ast.NotEqual.Name, ast.Member.Name:
	default:
		return nil
	}
	if len(operands) != 2 {
		return nil
	}
	left, right := operands[0], operands[1]
	if _, ok := enums[fieldName(left)]; !ok {
		left, right = right, left
	}
	values, ok := enums[fieldName(left)]
	if !ok {
		return nil
	}
	var problems ast.Errors
	ast.WalkTerms(right, func(term *ast.Term) bool {
		switch value := term.Value.(type) {
		case ast.String:
			if !slices.Contains(values, string(value)) {
				problems = append(problems, problem(at, "%s is never %q: it is one of %s", left, string(value), strings.Join(values, ", ")))
			}
		case ast.Ref, ast.Call:
			return true // constants in there are not what is compared
		}
		return false
	})
	return problems
}

// checkOptional finds fields that do not exist below one that may be null. To the
// compiler, what may be null is anything, and anything has any field. So it is
// asked again, with a schema in which nothing is null; of what it says then, only
// unknown fields count, since comparing with null is right.
func checkOptional(modules map[string]*ast.Module, schema any) error {
	compiler := compilers(withoutNull(schema))()
	compiler.Compile(modules)
	return describe(slices.DeleteFunc(compiler.Errors, func(err *ast.Error) bool {
		_, ok := err.Details.(*ast.RefErrInvalidDetail)
		return !ok
	}))
}

// withoutNull returns a copy of a schema in which what was null or something is
// that something.
func withoutNull(schema any) any {
	switch schema := schema.(type) {
	case map[string]any:
		bare := map[string]any{}
		for key, value := range schema {
			bare[key] = withoutNull(value)
		}
		if either, ok := bare["anyOf"].([]any); ok && len(either) == 2 {
			if null, ok := either[0].(map[string]any); ok && null["type"] == "null" {
				return either[1]
			}
		}
		return bare
	case []any:
		bare := make([]any, len(schema))
		for i, value := range schema {
			bare[i] = withoutNull(value)
		}
		return bare
	}
	return schema
}

// checkReferences finds references to data or configuration that does not
// exist, which the compiler lets pass as undefined.
func (c Contract) checkReferences(compiler *ast.Compiler, config map[string]any) error {
	var problems ast.Errors
	for _, module := range compiler.Modules {
		ast.WalkRefs(module, func(ref ast.Ref) bool {
			switch {
			case ref.HasPrefix(ast.DefaultRootRef) && len(ref) > 1 && !definedData(compiler, ref):
				problems = append(problems, problem(ref[0].Location, "%s does not exist: values for policies stand in %s and are read as input.config", ref, c.Config))
			case ref.HasPrefix(configRef) && len(ref) > len(configRef):
				if missing := missingIn(config, constantPath(ref[len(configRef):])); missing != "" {
					problems = append(problems, problem(ref[0].Location,
						"input.config.%[1]s is not set: set %[3]s.%[1]s in the configuration file, or read it with object.get(input.config, %[2]q, DEFAULT)",
						missing, missing[strings.LastIndexByte(missing, '.')+1:], c.Config))
				}
			}
			return false
		})
	}
	return describe(problems)
}

// missingIn returns as much of a path as does not exist in a configuration, or ""
// if all of it does.
func missingIn(config map[string]any, path []string) string {
	for i, key := range path {
		value, ok := config[key]
		if !ok {
			return strings.Join(path[:i+1], ".")
		}
		if config, ok = value.(map[string]any); !ok {
			return ""
		}
	}
	return ""
}

var configRef = ast.InputRootRef.Append(ast.StringTerm(configField))

func definedData(compiler *ast.Compiler, ref ast.Ref) bool {
	prefix := ref.ConstantPrefix()
	return len(compiler.GetRulesForVirtualDocument(prefix)) > 0 || len(compiler.GetRulesWithPrefix(prefix)) > 0
}

// anyElement stands for the elements of a list in the name of a field.
const anyElement = "[_]"

// fieldName is what enumsOf calls the field that a term refers to, or "" if it
// refers to none.
func fieldName(term *ast.Term) string {
	ref, ok := term.Value.(ast.Ref)
	if !ok || !ref.HasPrefix(ast.InputRootRef) {
		return ""
	}
	var name strings.Builder
	name.WriteString("input")
	for _, part := range ref[1:] {
		if text, ok := part.Value.(ast.String); ok {
			name.WriteString("." + string(text))
		} else {
			name.WriteString(anyElement)
		}
	}
	return name.String()
}

// enumsOf maps a field such as input.actor.kind to the values that the schema
// allows there. A list of such values is compared with the same constants as its
// elements are.
func enumsOf(schema []byte) (map[string][]string, error) {
	var root map[string]any
	if err := util.UnmarshalJSON(schema, &root); err != nil {
		return nil, fmt.Errorf("read the input schema: %w", err)
	}
	enums := map[string][]string{}
	var walk func(field string, schema map[string]any)
	walk = func(field string, schema map[string]any) {
		if list, ok := schema["enum"].([]any); ok {
			for _, value := range list {
				enums[field] = append(enums[field], fmt.Sprint(value))
			}
		}
		properties, _ := schema["properties"].(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(properties)) {
			if property, ok := properties[name].(map[string]any); ok {
				walk(field+"."+name, property)
			}
		}
		if items, ok := schema["items"].(map[string]any); ok {
			walk(field+anyElement, items)
			if values, ok := enums[field+anyElement]; ok {
				enums[field] = values
			}
		}
		either, _ := schema["anyOf"].([]any) // null, or what a pointer points to
		for _, one := range either {
			if one, ok := one.(map[string]any); ok {
				walk(field, one)
			}
		}
	}
	walk("input", root)
	return enums, nil
}
