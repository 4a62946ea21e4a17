package git

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Fetched returns when something was last fetched into the repository, as git keeps it: when
// FETCH_HEAD was last written (https://git-scm.com/docs/git-fetch). It is zero where nothing
// was fetched since the repository was cloned.
func (r *Repository) Fetched(ctx context.Context) (time.Time, error) {
	path, err := r.run(ctx, "rev-parse", "--git-path", "FETCH_HEAD")
	if err != nil {
		return time.Time{}, err
	}
	if path = strings.TrimSuffix(path, "\n"); !filepath.IsAbs(path) {
		path = filepath.Join(r.Root, path)
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), nil
}
