package main

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// zeros is a file of any size.
type zeros struct{}

func (zeros) ReadAt(p []byte, _ int64) (int, error) { return len(p), nil }

// bigPlanFile destroys a lot, and is large enough that it takes its time.
func bigPlanFile(t *testing.T) string {
	t.Helper()
	changes := make([]object, manyJudged)
	note := strings.Repeat("-", bigPlan/manyJudged)
	for i := range changes {
		changes[i] = changeOf("octo", "octo_thing", "t"+strconv.Itoa(i), []string{"delete"}, object{"before": object{"note": note}, "before_sensitive": object{}})
	}
	return planOf(t, 0, nil, changes...)
}

func TestPlanProgressIsTold(t *testing.T) {
	// What is said of a plan of some size that is read twice, and of decisions on it.
	tell := func(terminal bool, size int64, decisions int) string {
		c, _, talk := testConsole()
		c.terminal = terminal
		p := &progress{console: c}
		r := watch(zeros{}, size, p)
		for range 2 {
			chunk := make([]byte, size/8)
			for at := int64(0); at < size; at += size / 8 {
				if _, err := r.ReadAt(chunk, at); err != nil {
					t.Fatal(err)
				}
			}
		}
		for n := range decisions {
			p.judged(n + 1)
		}
		p.end()
		return talk.String()
	}
	for _, tt := range []struct {
		name      string
		terminal  bool
		size      int64
		decisions int
		want      string
	}{
		{"of a small plan, nothing", false, bigPlan - 1, manyJudged - 1, ""},
		{"in a log, some lines", false, bigPlan, 2*manyJudged + 1, "mollyguard: reading the plan: 25 %\nmollyguard: reading the plan: 50 %\n" +
			"mollyguard: reading the plan: 75 %\nmollyguard: reading the plan: 100 %\n" +
			"mollyguard: judging the plan: 10000 operations so far\nmollyguard: judging the plan: 20000 operations so far\n"},
		{"on a terminal, one line that is gone at the end", true, bigPlan, 0, eraseLine + strings.Join([]string{
			"mollyguard: reading the plan: 12 %", "mollyguard: reading the plan: 25 %", "mollyguard: reading the plan: 37 %", "mollyguard: reading the plan: 50 %",
			"mollyguard: reading the plan: 62 %", "mollyguard: reading the plan: 75 %", "mollyguard: reading the plan: 87 %", "mollyguard: reading the plan: 100 %",
		}, eraseLine) + eraseLine},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tell(tt.terminal, tt.size, tt.decisions)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	c, _, talk := testConsole()
	err := checkOptions{planFlags: planFlags{folder: t.TempDir(), workspace: "test"}, outputs: []string{"table"}}.check(t.Context(), c, bigPlanFile(t))
	want := "mollyguard: reading the plan: 25 %\nmollyguard: reading the plan: 50 %\nmollyguard: reading the plan: 75 %\nmollyguard: reading the plan: 100 %\n" +
		"mollyguard: judging the plan: 10000 operations so far\n"
	if diff := cmp.Diff(want, talk.String()); exitOf(err) != exitDenied || diff != "" {
		t.Errorf("of a big plan, in check: %v (-want +got):\n%s", err, diff)
	}
	if r := watch(zeros{}, bigPlan, nil); r != (zeros{}) {
		t.Error("it is watched, and nobody wants to know")
	}
}
