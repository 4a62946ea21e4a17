package tfplan

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
)

// maxRules caps a file of rules: ten times the largest that is embedded.
const maxRules = 1 << 20

//go:embed rules
var embedded embed.FS

// EmbeddedRules returns the rules that the program comes with, a file a provider family,
// common.yaml first: what it says is overlaid by the others.
func EmbeddedRules() ([]Rules, error) {
	names, err := fs.Glob(embedded, "rules/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("list embedded rules: %w", err)
	}
	const first = "rules/common.yaml"
	slices.SortFunc(names, func(a, b string) int {
		switch {
		case a == first:
			return -1
		case b == first:
			return 1
		case a < b:
			return -1
		}
		return 1
	})
	var list []Rules
	var problems []error
	for _, name := range names {
		data, err := embedded.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read embedded rules %s: %w", name, err)
		}
		r, err := ReadRules(path.Base(name), data)
		list, problems = append(list, r), append(problems, err)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("embedded rules: %w", err)
	}
	return list, nil
}

// ReadRules reads a file of rules strictly. name is what errors call it. All that is wrong
// is reported at once, as name:line: text, one a line.
func ReadRules(name string, data []byte) (Rules, error) {
	f := &rulesFile{name: name, lines: map[string]int{}}
	var r Rules
	if root := f.root(data); root != nil {
		f.fill(root, &r)
		f.checkRules(&r)
	}
	if err := f.err(); err != nil {
		return Rules{}, err
	}
	return r, nil
}
