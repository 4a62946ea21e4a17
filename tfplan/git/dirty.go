package git

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// loaded are the files that Terraform and OpenTofu read by themselves.
var loaded = []string{".tf", ".tf.json", ".tofu", ".tofu.json", ".auto.tfvars", ".auto.tfvars.json", "/terraform.tfvars", "/terraform.tfvars.json"}

// Dirty returns the files of the whole work tree that make it another than the commit's,
// sorted: all that are tracked and differ, and those that are not tracked if Terraform
// reads files of that name by itself. Plan files and receipts beside the configuration thus
// do not count, and neither does what is ignored: a .tfvars with secrets is pinned by the
// digest of the variables.
func (r *Repository) Dirty(ctx context.Context) ([]string, error) {
	status, err := r.run(ctx, "status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=no", "--ignore-submodules=none")
	if err != nil {
		return nil, fmt.Errorf("ask what is not committed: %w", err)
	}
	var dirty []string
	for entry := range strings.SplitSeq(status, "\x00") {
		if len(entry) > len("XY ") {
			dirty = append(dirty, entry[len("XY "):])
		}
	}
	others, err := r.others(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask what is not tracked: %w", err)
	}
	dirty = append(dirty, others...)
	slices.Sort(dirty)
	return slices.Compact(dirty), nil
}

// others returns the files that are neither tracked nor ignored and that Terraform reads
// by itself, but not the copies of modules that it keeps.
func (r *Repository) others(ctx context.Context) ([]string, error) {
	args := []string{"ls-files", "-z", "--others", "--exclude-standard", "--full-name", "--"}
	for _, end := range loaded {
		if name, whole := strings.CutPrefix(end, "/"); whole {
			args = append(args, ":(top,glob)**/"+name)
		} else {
			args = append(args, ":(top,glob)**/*"+end)
		}
	}
	out, err := r.run(ctx, append(args, ":(top,glob,exclude)**/.terraform/**")...)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(strings.Split(out, "\x00"), func(name string) bool { return name == "" }), nil
}
