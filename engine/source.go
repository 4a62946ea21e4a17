package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Caps on what is read from policy folders. A ConfigMap holds 1 MiB at most, so a
// folder that is mounted from one cannot come near them; 16 such folders, of 60
// files each, reach them.
const (
	maxFileSize  = 1 << 20
	maxFiles     = 1000
	maxTotalSize = 16 << 20
)

// Source is a folder of policies: *.rego, their *_test.rego, and canary_*.json.
// Sub-folders are read, except those whose name starts with a dot: a mounted
// ConfigMap keeps its versions in such folders (..data) and links to them.
type Source struct {
	// Name is what errors call the folder: its path, or "embedded".
	Name string
	FS   fs.FS
}

// file is one file of a Source; name is the Source's name and the path in it.
type file struct {
	name string
	data []byte
}

// fileSet is what all sources together hold, sorted by name.
type fileSet struct {
	rego, canaries []file
	digest         string
}

func readSources(sources []Source) (fileSet, error) {
	var set fileSet
	var total int
	for _, source := range sources {
		files, err := source.read()
		if err != nil {
			return fileSet{}, err
		}
		if !slices.ContainsFunc(files, file.isPolicy) {
			return fileSet{}, fmt.Errorf("%s: no policy in here: expected at least one .rego file", source.Name)
		}
		for _, f := range files {
			total += len(f.data)
			if f.isRego() {
				set.rego = append(set.rego, f)
			} else {
				set.canaries = append(set.canaries, f)
			}
		}
		if len(set.rego)+len(set.canaries) > maxFiles || total > maxTotalSize {
			return fileSet{}, fmt.Errorf("%s: more than %d files or %d MiB of policies in all", source.Name, maxFiles, maxTotalSize>>20)
		}
	}
	set.digest = digest(append(slices.Clone(set.rego), set.canaries...))
	return set, nil
}

func (s Source) read() ([]file, error) {
	var files []file
	err := s.walk(".", 0, func(name string) error {
		f := file{name: path.Join(s.Name, name)}
		if !f.isRego() && !f.isCanary() {
			if lower := strings.ToLower(path.Base(name)); strings.Contains(lower, ".rego") || strings.HasPrefix(lower, "canary") || strings.HasPrefix(lower, "data.") {
				return fmt.Errorf("%s: not read: a policy's name ends in .rego, a canary's is canary_*.json, and data stands in policies.config", name)
			}
			return nil
		}
		if len(files) >= maxFiles {
			return fmt.Errorf("more than %d policy files", maxFiles)
		}
		var err error
		f.data, err = readCapped(s.FS, name)
		files = append(files, f)
		return err
	})
	if err != nil {
		// A PathError repeats the path below the folder; the folder is what
		// configuration names.
		var pathError *fs.PathError
		if errors.As(err, &pathError) {
			err = fmt.Errorf("%s: %w", pathError.Path, pathError.Err)
		}
		return nil, fmt.Errorf("read policies from %s: %w", s.Name, err)
	}
	return files, nil
}

// maxDepth is how deep sub-folders may be; a link may lead back up.
const maxDepth = 8

// walk calls fn for the files of a folder and its sub-folders, through links too:
// a mounted ConfigMap is made of them.
func (s Source) walk(folder string, depth int, fn func(name string) error) error {
	entries, err := fs.ReadDir(s.FS, folder)
	if err != nil {
		return err
	}
	if depth > maxDepth {
		return fmt.Errorf("%s: more than %d folders deep", folder, maxDepth)
	}
	for _, entry := range entries {
		name := path.Join(folder, entry.Name())
		if strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		info, err := fs.Stat(s.FS, name)
		if err != nil {
			return err
		}
		if info.IsDir() {
			err = s.walk(name, depth+1, fn)
		} else {
			err = fn(name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func readCapped(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, err
	}
	if len(data) > maxFileSize {
		return nil, fmt.Errorf("%s: larger than %d KiB", name, maxFileSize>>10)
	}
	return data, nil
}

func (f file) isRego() bool { return strings.HasSuffix(f.name, ".rego") }

func (f file) isTest() bool { return strings.HasSuffix(f.name, "_test.rego") }

func (f file) isPolicy() bool { return f.isRego() && !f.isTest() }

func (f file) isCanary() bool {
	base := path.Base(f.name)
	return strings.HasPrefix(base, "canary_") && strings.HasSuffix(base, ".json")
}

// digest tells one state of all files from another.
func digest(files []file) string {
	hash := sha256.New()
	for _, f := range files {
		fmt.Fprintf(hash, "%q %d\n", f.name, len(f.data))
		hash.Write(f.data)
	}
	return hex.EncodeToString(hash.Sum(nil))[:12]
}
