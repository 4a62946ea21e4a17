package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/mollyguard/mollyguard/tfplan"
	"github.com/mollyguard/mollyguard/tfplan/terraform"
)

// planSource says where a plan is.
type planSource struct {
	// path is of a plan file or of plan JSON; "-" is standard input.
	path string
	// json is the JSON of a plan file, if somebody has it already.
	json string
	// folder is where Terraform works, binary which Terraform; empty for the usual.
	folder, binary string
}

// openPlan is a plan that can be read.
type openPlan struct {
	// name is what people call it.
	name string
	// json is the file with its JSON, if that was said.
	json     string
	document *tfplan.Document
	// file is nil if there is JSON only.
	file *tfplan.File
	// files are open as long as the plan is.
	files []*os.File
}

// digest is what the plan is known by: the plan file's if there is one.
func (p *openPlan) digest() string {
	if p.file != nil {
		return p.file.Digest
	}
	return p.document.Digest()
}

func (p *openPlan) close(err *error) {
	for _, file := range p.files {
		*err = errors.Join(*err, file.Close())
	}
}

// open finds the JSON of a plan, wherever it is, and reads it once.
func (o planSource) open(ctx context.Context, s streams) (p *openPlan, err error) {
	p = &openPlan{name: o.path}
	defer func() {
		if err != nil {
			p.close(&err)
		}
	}()
	first, err := p.take(s, o.path)
	if err != nil {
		return p, err
	}
	isFile, err := isPlanFile(first)
	switch {
	case err != nil:
	case isFile:
		err = o.openFile(ctx, s, p, first)
	case o.json != "":
		err = usageError("", "--json is for a plan file, and %s is JSON already", shown(o.path))
	default:
		p.document, err = openDocument(ctx, first)
	}
	if err != nil {
		return p, planError(o.path, err)
	}
	return p, nil
}

// openFile reads a plan file, and the JSON that was made of it or that Terraform makes
// now.
func (o planSource) openFile(ctx context.Context, s streams, p *openPlan, file *os.File) error {
	var err error
	if p.file, err = openPlanFile(ctx, file); err != nil {
		return err
	}
	if p.json = o.json; p.json != "" {
		text, err := p.take(s, o.json)
		if err != nil {
			return err
		}
		if p.document, err = openDocument(ctx, text); err != nil {
			return fmt.Errorf("%s: %w", shown(o.json), err)
		}
		return p.file.Describes(ctx, p.document)
	}
	text, err := o.show(ctx, file)
	if err != nil {
		return err
	}
	p.files = append(p.files, text)
	if p.document, err = openDocument(ctx, text); err != nil {
		return fmt.Errorf("what terraform show -json says of it: %w", err)
	}
	return p.file.Describes(ctx, p.document)
}

// show has Terraform write the JSON of a plan file that is open: what is read here is
// what was read before, whatever has become of its path.
func (o planSource) show(ctx context.Context, file *os.File) (text *os.File, err error) {
	tf, err := terraform.Find(terraform.Options{Binary: o.binary, Folder: o.folder})
	if errors.Is(err, terraform.ErrNone) {
		return nil, &exitError{
			code: exitUndecided, err: fmt.Errorf("%w, and the plan file does not say in JSON what it would do", err),
			hint: "where Terraform is: terraform show -json tfplan > tfplan.json; then: mollyguard plan check tfplan --json tfplan.json",
		}
	}
	if err != nil {
		return nil, err
	}
	plan, err := copyNamed(io.NewSectionReader(file, 0, tfplan.MaxFile+1), tfplan.MaxFile)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, plan.remove()) }()
	return temporary(func(w io.Writer) error { return tf.ShowPlan(ctx, w, plan.path, tfplan.MaxJSON) })
}

// take opens a file, or copies standard input to one.
func (p *openPlan) take(s streams, path string) (*os.File, error) {
	file, err := takeFile(s, path, tfplan.MaxJSON)
	if err != nil {
		return nil, err
	}
	p.files = append(p.files, file)
	return file, nil
}

// takeFile opens a file that can be read from any place: a copy, of what is a pipe.
func takeFile(s streams, path string, limit int64) (*os.File, error) {
	if path == "-" {
		return copyOf(s.in, limit)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, &exitError{code: exitUndecided, err: err}
	}
	info, err := file.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a folder", shown(path))
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if info.Mode().IsRegular() {
		return file, nil
	}
	copied, err := copyOf(file, limit)
	return copied, errors.Join(err, file.Close())
}

func copyOf(r io.Reader, limit int64) (*os.File, error) {
	return temporary(func(w io.Writer) error {
		n, err := io.Copy(w, io.LimitReader(r, limit+1))
		if err == nil && n > limit {
			err = fmt.Errorf("more than %d MiB", limit>>20)
		}
		return err
	})
}

// temporary is a file with what write writes, at its start. It has no name: plans hold secrets, and
// nothing of it is left behind, however the program ends.
func temporary(write func(io.Writer) error) (file *os.File, err error) {
	named, err := newScratch(write)
	if err != nil {
		return nil, err
	}
	if err := os.Remove(named.path); err != nil {
		return nil, errors.Join(fmt.Errorf("keep the plan for no longer than needed: %w", err), named.file.Close())
	}
	if _, err := named.file.Seek(0, io.SeekStart); err != nil {
		return nil, errors.Join(err, named.file.Close())
	}
	return named.file, nil
}

// scratchFile is a temporary file that another program can open.
type scratchFile struct {
	file *os.File
	path string
}

func (f scratchFile) remove() error { return errors.Join(f.file.Close(), os.Remove(f.path)) }

func copyNamed(r io.Reader, limit int64) (scratchFile, error) {
	return newScratch(func(w io.Writer) error {
		n, err := io.Copy(w, r)
		if err == nil && n > limit {
			err = fmt.Errorf("more than %d MiB", limit>>20)
		}
		return err
	})
}

// newScratch makes a file that only its user can read (os.CreateTemp: mode 0600).
func newScratch(write func(io.Writer) error) (f scratchFile, err error) {
	f.file, err = os.CreateTemp("", "mollyguard-plan-*")
	if err != nil {
		return f, fmt.Errorf("make a temporary file for the plan: %w", err)
	}
	f.path = f.file.Name()
	if err := write(f.file); err != nil {
		return f, errors.Join(err, f.remove())
	}
	return f, nil
}

func isPlanFile(file *os.File) (bool, error) {
	first := make([]byte, 8)
	n, err := file.ReadAt(first, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	return tfplan.IsFile(first[:n]), nil
}

func openPlanFile(ctx context.Context, file *os.File) (*tfplan.File, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	return tfplan.OpenFile(ctx, file, info.Size())
}

func openDocument(ctx context.Context, file *os.File) (*tfplan.Document, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	return tfplan.Open(ctx, file, info.Size())
}

// planError is an error about a plan, for people: the file's name first, and what to do
// last.
func planError(name string, err error) error {
	exit := &exitError{code: exitUndecided}
	if known, ok := errors.AsType[*exitError](err); ok {
		exit.code, exit.hint = known.code, known.hint
	}
	if bad, ok := errors.AsType[*tfplan.BadPlanError](err); ok {
		exit.hint = bad.Hint
	}
	if name == "-" {
		name = "standard input"
	}
	exit.err = fmt.Errorf("%s: %w", shown(name), err)
	return exit
}
