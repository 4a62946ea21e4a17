package mapping

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/mollyguard/mollyguard/operation"
)

//go:embed table/*.yaml
var embedded embed.FS

// ignored is the verb of a row that says that nothing is destroyed.
const ignored = "ignore"

// kubernetesService is the serviceName of what GKE logs of the Kubernetes API. Its
// kinds are Kubernetes' own, so its rows name none.
const kubernetesService = "k8s.io"

// Table says what methods do. It is not changed after Load, and may be used
// concurrently.
type Table struct{ services map[string]*service }

type service struct {
	name  string
	kinds map[string]*kind
	rows  []*row
	index index
}

// row is one item of a table's rows.
type row struct {
	file     string
	line     int
	methods  []pattern
	kindName string
	kind     *kind
	verb     operation.Verb
	ignore   bool
	when     []condition
	change   change
	labels   *pathOf
	own      bool
	// node is where the kind is named, until that is looked up.
	doc  *document
	node *yaml.Node
}

// pathOf is a path that may be missing.
type pathOf = struct{ path }

// Row is one row of the table, for people and for tests.
type Row struct {
	// File and Line say where it stands.
	File string
	Line int
	// Service is protoPayload.serviceName, Methods are patterns for its methods.
	Service string
	Methods []string
	// Kind is the kind of the target, empty where Kubernetes says it.
	Kind string
	// Verb is what the methods do; empty for what is ignored.
	Verb operation.Verb
	// Conditional reports that a row has conditions, Own that it is about what
	// Mollyguard sees with.
	Conditional, Own bool
}

// Load reads the embedded table with further files in front, by name. An error lists
// all that is wrong with them, each with its file and line.
func Load(files map[string][]byte) (*Table, error) {
	own, err := readEmbedded()
	if err != nil {
		return nil, err
	}
	return load(files, own)
}

// load reads sets of files, of which the earlier say what the later do not.
func load(sets ...map[string][]byte) (*Table, error) {
	l := loader{services: map[string]*service{}}
	for _, files := range sets {
		for _, name := range slices.Sorted(maps.Keys(files)) {
			l.add(name, files[name])
		}
	}
	return l.table()
}

func readEmbedded() (map[string][]byte, error) {
	files := map[string][]byte{}
	names, err := fs.Glob(embedded, "table/*.yaml")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if files[strings.TrimPrefix(name, "table/")], err = embedded.ReadFile(name); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// Rows lists all rows, by service, in the order in which they are tried.
func (t *Table) Rows() []Row {
	var list []Row
	for _, name := range slices.Sorted(maps.Keys(t.services)) {
		for _, r := range t.services[name].rows {
			shown := Row{
				File: r.file, Line: r.line, Service: name, Kind: r.kindName, Verb: r.verb,
				Conditional: len(r.when) > 0, Own: r.own,
			}
			for _, p := range r.methods {
				shown.Methods = append(shown.Methods, p.text)
			}
			list = append(list, shown)
		}
	}
	return list
}

// rows returns the rows of a method in the order in which they are tried.
func (t *Table) rows(serviceName, method string) []*row {
	s := t.services[serviceName]
	if s == nil {
		return nil
	}
	return s.index.find(method)
}

// loader gathers files.
type loader struct {
	services map[string]*service
	docs     []*document
}

// table looks up what rows name, and compiles.
func (l *loader) table() (*Table, error) {
	for _, s := range l.services {
		for _, r := range s.rows {
			l.resolve(s, r)
		}
		s.index = newIndex(s.rows)
	}
	var problems []error
	for _, d := range l.docs {
		if err := d.err(); err != nil {
			problems = append(problems, err)
		}
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("read the table of methods: %w", errors.Join(problems...))
	}
	return &Table{services: l.services}, nil
}

func (l *loader) resolve(s *service, r *row) {
	if r.kindName == "" {
		return
	}
	if r.kind = s.kinds[r.kindName]; r.kind == nil {
		r.doc.wrong(r.node, "kind %q: %s has no such kind", r.kindName, s.name)
	}
}
