package main

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAReplayTellsTheSameWhateverTheOrderOfTheEntries(t *testing.T) {
	var entries []string
	for _, name := range []string{"cluster_deletion_started", "nodepool_deletion_started", "cluster_deletion_finished", "nodepool_deletion_finished"} {
		data, err := os.ReadFile("../../auditlog/mapping/testdata/gcp/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, string(data))
	}
	told := func(entries []string) string {
		var out, talk bytes.Buffer
		code := run(t.Context(), []string{"mollyguard", "audit", "replay", "-"}, strings.NewReader("["+strings.Join(entries, ",")+"]"), &out, &talk)
		if code != exitDenied || talk.Len() > 0 {
			t.Errorf("exit %d: %s", code, talk.String())
		}
		return out.String()
	}
	oldestFirst := told(entries)
	if !strings.Contains(oldestFirst, "2 operations would have been alerted, in 2 incidents") {
		t.Errorf("told:\n%s", oldestFirst)
	}
	slices.Reverse(entries)
	if diff := cmp.Diff(oldestFirst, told(entries)); diff != "" {
		t.Errorf("newest first (-oldest first +newest first):\n%s", diff)
	}
}
