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
	// progress tells how far the reading is; nil for nobody.
	progress *progress
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
	// shown says that Terraform wrote the JSON, or the very same; notShown says why nobody
	// knows, where json was given.
	shown    bool
	notShown string
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
	first, err := p.take(ctx, s, o.path)
	if err != nil {
		return p, planError(o.path, err)
	}
	isFile, err := isPlanFile(first)
	switch {
	case err != nil:
	case isFile:
		err = o.openFile(ctx, s, p, first)
	case o.json != "":
		err = usageError("", "--plan-json is for a plan file, and %s is JSON already", shown(o.path))
	default:
		p.document, err = o.document(ctx, first)
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
		text, err := p.take(ctx, s, o.json)
		if err == nil {
			p.document, err = o.document(ctx, text)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", shown(o.json), err)
		}
		if err := p.file.Describes(ctx, p.document); err != nil {
			return err
		}
		return o.compare(ctx, p, file)
	}
	text, err := o.show(ctx, file)
	if err != nil {
		return err
	}
	p.files = append(p.files, text)
	p.shown = true
	if p.document, err = o.document(ctx, text); err != nil {
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
			hint: "where Terraform is: terraform show -json tfplan > tfplan.json; then: mollyguard plan check tfplan --plan-json tfplan.json",
		}
	}
	if err != nil {
		return nil, err
	}
	plan, err := scratchOf(file)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, plan.remove()) }()
	return temporary(func(w io.Writer) error { return tf.ShowPlan(ctx, w, plan.path, tfplan.MaxJSON) })
}

// scratchOf is a copy of a plan file that is open, for Terraform to read.
func scratchOf(file *os.File) (scratchFile, error) {
	return newScratch(func(w io.Writer) error {
		return copyCapped(w, io.NewSectionReader(file, 0, tfplan.MaxFile+1), tfplan.MaxFile)
	})
}

// planHint is for who gave no plan.
const planHint = "terraform plan -out=tfplan writes a plan file, terraform show -json tfplan its JSON"

// take opens a plan, or copies standard input to a file.
func (p *openPlan) take(ctx context.Context, s streams, path string) (*os.File, error) {
	file, err := takeFile(ctx, s, path, tfplan.MaxJSON, planHint)
	if err != nil {
		return nil, err
	}
	p.files = append(p.files, file)
	return file, nil
}

// takeFile opens a file that can be read from any place: a copy, of what is a pipe. Its
// errors leave the name to planError; hint says where such a file comes from.
func takeFile(ctx context.Context, s streams, path string, limit int64, hint string) (*os.File, error) {
	file, err := until(ctx, func() (*os.File, error) { return takeAny(s, path, limit) }, func(late *os.File) { _ = late.Close() })
	if err != nil && ctx.Err() != nil {
		return nil, err
	}
	if wrong, ok := errors.AsType[*os.PathError](err); ok {
		err = wrong.Err
	}
	if err != nil {
		return nil, &exitError{code: exitUndecided, err: err, hint: hint}
	}
	return file, nil
}

func takeAny(s streams, path string, limit int64) (*os.File, error) {
	if path == "-" {
		return copyOf(s.in, limit)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && info.IsDir() {
		err = errors.New("it is a folder")
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
	return planSource{}.document(ctx, file)
}

// document reads plan JSON.
func (o planSource) document(ctx context.Context, file *os.File) (*tfplan.Document, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	return tfplan.Open(ctx, watch(file, info.Size(), o.progress), info.Size())
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
