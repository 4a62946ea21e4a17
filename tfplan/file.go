package tfplan

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Limits of the zip that a plan file is.
const (
	// maxEntries caps the files in a plan file. Each file of the configuration is one, of
	// every module: a thousand modules of ten files.
	maxEntries = 10000
	// maxUnpacked caps what all that is read of them unpacks to: two states and the plan
	// itself, each as long as a state may be.
	maxUnpacked = 3 * MaxState
	// maxConfig caps one file of the configuration or the lock file.
	maxConfig = 16 << 20
)

// File is what pins a plan file, the zip that terraform plan -out writes.
type File struct {
	// Digest is the SHA-256 of the whole file. It and the other digests are hexadecimal.
	Digest string
	// Lineage and Serial are of the state that the plan was made from. HasState says that
	// it has them: a plan for a new workspace does not.
	Lineage  string
	Serial   uint64
	HasState bool
	// TerraformVersion is that of the program that planned.
	TerraformVersion string
	// Configuration digests the names and contents of all files of the configuration, of
	// all modules; Lock the dependency lock file. Empty where the file has none.
	Configuration, Lock string
	// Workspace is the one that the plan was made in, empty if the file does not say.
	Workspace string

	// format is the version of the file's format, and program that of the program that
	// wrote it. changes is nil for a format that is not known.
	format  uint64
	program string
	changes *changeSet
}

// OpenFile reads a plan file of size bytes. What is no plan file, or one whose parts do
// not unpack within their limits, is a *BadPlanError. Of the planned changes only which
// objects they are about and what they do is read: their values show -json tells.
func OpenFile(ctx context.Context, r io.ReaderAt, size int64) (*File, error) {
	if size > MaxFile {
		return nil, badPlan("", "the plan file is longer than %s", bytesText(MaxFile))
	}
	start := make([]byte, max(0, min(size, chunk)))
	if n, err := r.ReadAt(start, 0); n < len(start) {
		return nil, fmt.Errorf("read the plan file: %w", err)
	}
	if err := foreignFile(start); err != nil {
		return nil, err
	}
	digest, entries, err := digestFile(ctx, io.NewSectionReader(r, 0, size))
	if err != nil {
		return nil, fmt.Errorf("read the plan file: %w", err)
	}
	if entries > maxEntries {
		return nil, badPlan("", "the plan file has more than %d entries: Terraform writes no such file", maxEntries)
	}
	archive, err := zip.NewReader(r, size)
	if err != nil {
		return nil, badPlan("plan anew", "the plan file is cut off or broken: %v", err)
	}
	file := &File{Digest: digest}
	u := &unpacking{ctx: ctx, file: file, left: maxUnpacked, seen: map[string]bool{}, configuration: map[string]string{}}
	for _, entry := range archive.File {
		if err := u.entry(entry); err != nil {
			return nil, err
		}
	}
	if !u.seen["tfplan"] {
		return nil, badPlan(showHint, "this zip is no plan file: it has no entry tfplan")
	}
	file.Configuration, file.TerraformVersion = digestNames(u.configuration), file.program
	return file, nil
}

// foreignFile says what a file is that begins like this and is no plan file, or nil.
func foreignFile(start []byte) error {
	text := bytes.TrimSpace(start)
	switch {
	case IsFile(start):
		return nil
	case len(text) == 0:
		return badPlan("plan anew with -out", "the plan file is empty")
	case text[0] == '{' && bytes.Contains(text, []byte(`"encrypted_data"`)):
		return badPlan("run tofu show -json with the encryption's configuration and check its output",
			"this plan file is encrypted by OpenTofu: it cannot be read here")
	case text[0] == '{' && bytes.Contains(text, []byte(`"remote_plan_format"`)):
		return badPlan("take the run's JSON output from its API: /api/v2/plans/PLAN/json-output",
			"this only says where HCP Terraform keeps a plan, it is not the plan")
	case text[0] == '{':
		return badPlan("terraform plan -out=tfplan writes it", "this is JSON, not a plan file")
	case bytes.HasPrefix(text, []byte("tfplan")):
		return badPlan("plan with Terraform 1.0 or newer, or OpenTofu", "this is a plan file of a Terraform before 0.12")
	}
	return badPlan("terraform plan -out=tfplan writes it", "this is no plan file: it is not a zip")
}

// digestFile reads a file to its end. Besides the digest it returns how often the mark
// of a zip's directory entry is in it, which is at least how many entries it has: the
// directory of a hostile file would take a gigabyte of memory before it could be counted.
func digestFile(ctx context.Context, r io.Reader) (string, int, error) {
	mark := []byte("PK\x01\x02")
	sum, marks := sha256.New(), 0
	buffer := make([]byte, chunk)
	held := 0
	for {
		if ctx.Err() != nil {
			return "", 0, context.Cause(ctx)
		}
		n, err := fill(r, buffer[held:])
		if err == io.EOF {
			return hex.EncodeToString(sum.Sum(nil)), marks, nil
		}
		if err != nil {
			return "", 0, err
		}
		_, _ = sum.Write(buffer[held : held+n]) // a hash never fails
		text := buffer[:held+n]
		marks += bytes.Count(text, mark)
		// A mark may lie across two chunks; what is held is too short to have a whole one.
		held = copy(buffer, text[max(0, len(text)-len(mark)+1):])
	}
}

// unpacking reads the entries of a plan file.
type unpacking struct {
	ctx  context.Context
	file *File
	// left is how much may be unpacked yet.
	left int64
	seen map[string]bool
	// configuration is the digest of each of its files by name.
	configuration map[string]string
}

func (u *unpacking) entry(entry *zip.File) error {
	if u.seen[entry.Name] {
		return badPlan("", "the plan file has the entry %.100q twice", entry.Name)
	}
	u.seen[entry.Name] = true
	switch {
	case entry.Name == "tfplan":
		return u.read(entry, MaxState, u.file.readPlan)
	case entry.Name == "tfstate-prev":
		_, err := u.digest(entry, MaxState)
		return err
	case entry.Name == "tfstate":
		return u.state(entry)
	case entry.Name == ".terraform.lock.hcl":
		digest, err := u.digest(entry, maxConfig)
		u.file.Lock = digest
		return err
	case strings.HasPrefix(entry.Name, "tfconfig/") && !strings.HasSuffix(entry.Name, "/"):
		digest, err := u.digest(entry, maxConfig)
		u.configuration[entry.Name] = digest
		return err
	}
	return nil
}

func (u *unpacking) state(entry *zip.File) error {
	var head StateHead
	err := u.read(entry, MaxState, func(r io.Reader) (err error) {
		head, err = ReadState(u.ctx, r)
		return err
	})
	u.file.Lineage, u.file.Serial = head.Lineage, head.Serial
	u.file.HasState = head.Lineage != ""
	return err
}

func (u *unpacking) digest(entry *zip.File, most int64) (string, error) {
	sum := sha256.New()
	err := u.read(entry, most, func(r io.Reader) error {
		_, err := io.Copy(sum, r)
		return err
	})
	return hex.EncodeToString(sum.Sum(nil)), err
}

// read unpacks an entry to its end, whatever size its header claims, and checks its sum.
func (u *unpacking) read(entry *zip.File, most int64, fn func(io.Reader) error) error {
	content, err := entry.Open()
	if err != nil {
		return badPlan("plan anew", "entry %.100q of the plan file is broken: %v", entry.Name, err)
	}
	defer content.Close()
	capped := &cappedReader{ctx: u.ctx, r: content, left: min(most, u.left)}
	err = fn(capped)
	u.left -= capped.read
	bad, isBad := err.(*BadPlanError)
	switch {
	case u.ctx.Err() != nil:
		return fmt.Errorf("read the plan file: %w", context.Cause(u.ctx))
	case capped.over && most <= u.left+capped.read:
		return badPlan("", "entry %.100q of the plan file unpacks to more than %s", entry.Name, bytesText(most))
	case capped.over:
		return badPlan("", "the plan file unpacks to more than %s", bytesText(maxUnpacked))
	case isBad && capped.err == nil:
		return badPlan(bad.Hint, "entry %.100q of the plan file: %s", entry.Name, bad.What)
	case err != nil:
		return badPlan("plan anew", "entry %.100q of the plan file is broken: %v", entry.Name, err)
	}
	return nil
}

// cappedReader reads what is packed, but no more than it may.
type cappedReader struct {
	ctx        context.Context
	r          io.Reader
	left, read int64
	// over says that there was more, err what else was wrong.
	over bool
	err  error
}

func (c *cappedReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, context.Cause(c.ctx)
	}
	if int64(len(p)) > c.left+1 {
		p = p[:c.left+1]
	}
	n, err := c.r.Read(p)
	c.read += int64(n)
	if int64(n) > c.left {
		c.over = true
		return 0, io.ErrShortBuffer
	}
	c.left -= int64(n)
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}

// digestNames digests files by their names in order and the digests of their contents.
func digestNames(files map[string]string) string {
	if len(files) == 0 {
		return ""
	}
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	sum := sha256.New()
	for _, name := range names {
		fmt.Fprintf(sum, "%s\x00%s\n", name, files[name])
	}
	return hex.EncodeToString(sum.Sum(nil))
}
