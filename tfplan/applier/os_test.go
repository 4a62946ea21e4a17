package applier

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFilesAreReadUpToALimit(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := os.WriteFile(path, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, path string
		limit      int
		want       string
		wantErr    string
	}{
		{"one that fits", path, 5, "12345", ""},
		{"one that is longer", path, 4, "", path + " has more than 4 bytes"},
		{"a folder", dir, 5, "", dir + " is not a regular file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := readFile(tt.path, tt.limit)
			text := ""
			if err != nil {
				text = err.Error()
			}
			if string(got) != tt.want || text != tt.wantErr {
				t.Errorf("%q, %q", got, text)
			}
		})
	}
}

func TestThisProcessHasAnApplier(t *testing.T) {
	user, err := currentUser()
	if err != nil || !strings.Contains(user, "@") {
		t.Errorf("%q, %v", user, err)
	}
}
