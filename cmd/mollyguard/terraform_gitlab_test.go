package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// stubCurl answers from files that are named by the page that is asked for, and notes what it
// is called with. It fails without the token, as GitLab does.
const stubCurl = `#!/usr/bin/env bash
method=GET; to=/dev/stdout; head=; data=
while [ $# -gt 0 ]; do
  case $1 in
    --request) method=$2; shift ;;
    --output) to=$2; shift ;;
    --max-time) shift ;;
    --data) data=${2#@}; shift ;;
    --header) case $2 in @*) head=$(cat "${2#@}") ;; esac; shift ;;
    --*) ;;
    *) url=$1 ;;
  esac
  shift
done
echo "$method ${url#https://gitlab.example.com/api/v4}" >> "$STUBS/calls"
if [ "$head" != "PRIVATE-TOKEN: secret" ] || [ -n "$STUB_FAILS" ]; then echo "curl: (22) 403" >&2; exit 22; fi
case "$method $url" in
  "GET "*/user) echo '{"id": 5, "username": "project_1_bot"}' ;;
  "GET "*) cat "$STUBS/page${url##*page=}" ;;
  *) cp "$data" "$STUBS/body"; echo '{"id": 1}' > "$to" ;;
esac
`

func TestGitLabHasOneNoteThatIsUpdated(t *testing.T) {
	needPrograms(t, "sh", "bash", "jq")
	var file gitlabJobs
	readYAML(t, "docs/ci/gitlab.yml", &file)
	const (
		notes  = "/projects/1/merge_requests/7/notes"
		user   = "GET /user\n"
		page   = "GET " + notes + "?sort=asc&order_by=created_at&per_page=100&page="
		marker = "<!-- mollyguard:plan:infra:1 -->"
		body   = marker + "\n\nbody of $(touch pwned)\n"
	)
	note := func(id, author int, text string) string {
		return fmt.Sprintf(`{"id": %d, "author": {"id": %d}, "body": "%s\n\nold"}`, id, author, text)
	}
	many := make([]string, 100)
	for i := range many {
		many[i] = note(100+i, 9, "a comment")
	}
	full := "[" + strings.Join(many, ",") + "]"
	for _, tt := range []struct {
		name, page1, page2 string
		env                []string
		calls, log         string
	}{
		{"the first note", "[" + note(21, 5, "another of its own") + "]", "", nil, user + page + "1\nPOST " + notes + "\n", ""},
		{
			"the note is updated, and nobody's who only copied its first line", "[" + note(21, 9, marker) + "," + note(33, 5, marker) + "]", "", nil,
			user + page + "1\nPUT " + notes + "/33\n", "",
		},
		{"on whichever page it is", full, "[" + note(33, 5, marker) + "]", nil, user + page + "1\n" + page + "2\nPUT " + notes + "/33\n", ""},
		{"GitLab takes none", "[]", "", []string{"STUB_FAILS=yes"}, user, "mollyguard: the merge request has no note of this plan"},
		{"no merge request", "[]", "", []string{"CI_MERGE_REQUEST_IID="}, "", ""},
		{"no token", "[]", "", []string{"MOLLYGUARD_GITLAB_TOKEN="}, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			folder, stubs := t.TempDir(), t.TempDir()
			writeFiles(t, folder, map[string]string{"mollyguard.md": body})
			writeFiles(t, stubs, map[string]string{"curl": stubCurl, "page1": tt.page1, "page2": tt.page2})
			cmd := exec.Command("sh", "-ec", strings.Join(file.Check.After, "\n"))
			cmd.Dir = folder
			cmd.Env = append([]string{
				"PATH=" + stubs + ":" + os.Getenv("PATH"), "STUBS=" + stubs, "TMPDIR=" + stubs, "CI_PROJECT_DIR=" + folder, "CI_PROJECT_ID=1",
				"CI_API_V4_URL=https://gitlab.example.com/api/v4", "CI_MERGE_REQUEST_IID=7", "MOLLYGUARD_GITLAB_TOKEN=secret",
			}, tt.env...)
			out, err := cmd.CombinedOutput()
			if code := exitCodeOf(t, err); code != 0 || !strings.Contains(string(out), tt.log) || strings.Contains(string(out), "secret") {
				t.Errorf("exit code %d, want 0 and a log with %q, without the token:\n%s", code, tt.log, out)
			}
			if diff := cmp.Diff(tt.calls, readIfThere(t, filepath.Join(stubs, "calls"))); diff != "" {
				t.Errorf("calls of curl (-want +got):\n%s", diff)
			}
			if strings.Contains(tt.calls, "\nP") { // POST or PUT
				var sent struct{ Body string }
				if err := json.Unmarshal([]byte(readIfThere(t, filepath.Join(stubs, "body"))), &sent); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(body, sent.Body); diff != "" {
					t.Errorf("note (-want +got):\n%s", diff)
				}
			}
			if diff := cmp.Diff([]string{"mollyguard.md"}, entries(t, folder)); diff != "" {
				t.Errorf("what is in the job's folder (-want +got):\n%s", diff)
			}
			for _, name := range entries(t, stubs) {
				if strings.HasPrefix(name, "tmp.") {
					t.Errorf("the token was left behind, in %s", name)
				}
			}
		})
	}
}
