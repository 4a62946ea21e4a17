package mapping

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

func TestGooglesSamplesAreReadAsTheGoldenFilesSay(t *testing.T) {
	files, err := filepath.Glob("testdata/gcp/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	m := testMapper(t, Options{})
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			reading, err := m.Map(data)
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.MarshalIndent(reading, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden := strings.TrimSuffix(file, ".json") + ".golden"
			if *update {
				if err := os.WriteFile(golden, append(got, '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)+"\n"); diff != "" {
				t.Errorf("reading (-want +got):\n%s", diff)
			}
		})
	}
}

// testMapper reads the two tables that are this package's own, and those of the options.
func testMapper(t testing.TB, opts Options) *Mapper {
	t.Helper()
	files := map[string][]byte{}
	for _, name := range []string{"container.yaml", "k8s.yaml"} {
		data, err := embedded.ReadFile("table/" + name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = data
	}
	table, err := load(opts.Files, files)
	if err != nil {
		t.Fatal(err)
	}
	m, err := newMapper(opts, table)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
