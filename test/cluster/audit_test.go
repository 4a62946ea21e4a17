package cluster

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAuditLogIsReadAsItGrows(t *testing.T) {
	log := auditLog{path: filepath.Join(t.TempDir(), "audit.log")}
	write := func(text string) {
		t.Helper()
		f, err := os.OpenFile(log.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	verbs := func() []string {
		t.Helper()
		events, err := log.read()
		if err != nil {
			t.Fatal(err)
		}
		var verbs []string
		for _, e := range events {
			verbs = append(verbs, e.Verb)
		}
		return verbs
	}

	for _, step := range []struct {
		name, append string
		want         []string
	}{
		{name: "no file yet"},
		{name: "a line and a half", append: `{"verb":"get"}` + "\n" + `{"verb":"del`, want: []string{"get"}},
		{name: "the other half", append: `ete"}` + "\n", want: []string{"get", "delete"}},
		{name: "nothing new", want: []string{"get", "delete"}},
	} {
		if step.append != "" {
			write(step.append)
		}
		if diff := cmp.Diff(step.want, verbs()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
	}

	write("not JSON\n")
	if _, err := log.read(); err == nil {
		t.Error("a line that is not JSON: got no error")
	}
}
