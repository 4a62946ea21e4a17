package deploy

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/auditlog/inventory"
	"github.com/mollyguard/mollyguard/auditlog/logging"
	"github.com/mollyguard/mollyguard/config"
)

const gcp = root + "/deploy/gcp"

// logsTime is when the entries of the tests were published.
var logsTime = time.Date(2026, 11, 21, 3, 12, 47, 0, time.UTC)

func readText(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func terraform(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob(gcp + "/terraform/*.tf")
	if err != nil || len(files) == 0 {
		t.Fatalf("no Terraform files: %v", err)
	}
	var all strings.Builder
	for _, file := range files {
		all.WriteString(readText(t, file))
	}
	return all.String()
}

func TestTheSinkLetsThroughWhatTheWatcherWouldReadItself(t *testing.T) {
	want := "(\n" + logging.DefaultFilter + "\n)\nOR log_id(\"" + config.Default().Audit.Heartbeat.Log + "\")\n"
	if diff := cmp.Diff(want, readText(t, gcp+"/filter.txt")); diff != "" {
		t.Errorf("logging.DefaultFilter with the heartbeat against filter.txt (-want +got):\n%s", diff)
	}
	const maxFilter = 20_000 // https://cloud.google.com/logging/quotas
	if len(want) > maxFilter {
		t.Errorf("the filter has %d characters", len(want))
	}
}

func TestBothWaysToSetUpUseTheSameFilterAndTypes(t *testing.T) {
	readme, module := readText(t, gcp+"/README.md"), terraform(t)
	for _, file := range []string{"filter.txt", "asset-types.txt"} {
		if !strings.Contains(readme, "deploy/gcp/"+file) {
			t.Errorf("the commands in the README do not use %s", file)
		}
		if !strings.Contains(module, `file("${path.module}/../`+file+`")`) {
			t.Errorf("the module does not read %s", file)
		}
	}
	if strings.Contains(readme, "log_id(") {
		t.Error("the README has a filter of its own")
	}
	types := strings.Fields(readText(t, gcp+"/asset-types.txt"))
	for _, name := range types {
		if !slices.Contains(inventory.DefaultAssetTypes(), name) {
			t.Errorf("the watcher does not keep assets of type %s", name)
		}
	}
	if len(types) == 0 {
		t.Error("no asset types")
	}
}

var roles = regexp.MustCompile(`roles/[A-Za-z.]+`)

func rolesIn(text string) []string {
	return slices.Compact(slices.Sorted(slices.Values(roles.FindAllString(text, -1))))
}

func TestTheModuleAndTheCommandsGiveTheRolesThatTheTableExplains(t *testing.T) {
	readme := readText(t, gcp+"/README.md")
	_, table, _ := strings.Cut(readme, "\n## Roles\n")
	table, other, found := strings.Cut(table, "\n### Without a log sink\n")
	if !found {
		t.Fatal("no table of roles")
	}
	other, _, _ = strings.Cut(other, "\n## ")
	want := rolesIn(table)
	if diff := cmp.Diff(want, rolesIn(terraform(t))); diff != "" {
		t.Errorf("the table against the module (-want +got):\n%s", diff)
	}
	_, commands, _ := strings.Cut(readme, "\n## With gcloud\n")
	_, commands, _ = strings.Cut(commands, "\n```sh\n")
	commands, _, _ = strings.Cut(commands, "\n```\n")
	if diff := cmp.Diff(want, rolesIn(commands)); diff != "" {
		t.Errorf("the table against the commands (-want +got):\n%s", diff)
	}
	if len(rolesIn(other)) == 0 {
		t.Error("it does not say what reading Cloud Logging itself needs")
	}
}

func TestTheCommandsAndTheModuleMakeTheSameNames(t *testing.T) {
	readme, module := readText(t, gcp+"/README.md"), terraform(t)
	names := regexp.MustCompile(`(?:name|account_id|feed_id)\s+= "(mollyguard[a-z-]*)"`)
	found := names.FindAllStringSubmatch(module, -1)
	if len(found) == 0 {
		t.Fatal("no names in the module")
	}
	for _, name := range found {
		if !regexp.MustCompile(`(?: create |subscriptions create )` + name[1] + `\b`).MatchString(readme) {
			t.Errorf("no command makes %s", name[1])
		}
	}
}

func TestTheCommandsAndTheModuleMakeTheSameSubscriptions(t *testing.T) {
	day := 24 * time.Hour
	seconds := func(text string) string { // as gcloud takes them, of what Terraform does
		if d, err := time.ParseDuration(text); err == nil && d%day == 0 {
			return fmt.Sprintf("%dd", d/day)
		}
		return text
	}
	readme, module := strings.ReplaceAll(readText(t, gcp+"/README.md"), "\\\n", ""), terraform(t)
	for _, name := range []string{"audit", "assets"} {
		_, block, found := strings.Cut(module, `resource "google_pubsub_subscription" "`+name+`" {`)
		block, _, _ = strings.Cut(block, "\n}\n")
		_, command, ok := strings.Cut(readme, "gcloud pubsub subscriptions create mollyguard-"+name+" ")
		command, _, _ = strings.Cut(command, "\n")
		if !found || !ok {
			t.Fatalf("no subscription %s in both", name)
		}
		got, want := map[string]string{}, map[string]string{}
		for setting, flag := range map[string]string{
			"ack_deadline_seconds": "ack-deadline", "message_retention_duration": "message-retention-duration",
			"minimum_backoff": "min-retry-delay", "maximum_backoff": "max-retry-delay",
		} {
			if value := regexp.MustCompile(`(?m)^\s+` + setting + `\s+= "?(\w+)"?$`).FindStringSubmatch(block); value != nil {
				want[flag] = seconds(value[1])
			}
			if value := regexp.MustCompile(`--` + flag + `=(\w+)`).FindStringSubmatch(command); value != nil {
				got[flag] = value[1]
			}
		}
		if diff := cmp.Diff(want, got); diff != "" || len(want) != 4 {
			t.Errorf("%s: the module against the command (-want +got):\n%s", name, diff)
		}
	}
}

func TestWhatTheModulePutsOutIsAConfiguration(t *testing.T) {
	text := readText(t, gcp+"/terraform/outputs.tf")
	_, text, _ = strings.Cut(text, "<<-EOT\n")
	text, _, found := strings.Cut(text, "  EOT")
	if !found {
		t.Fatal("no configuration among the outputs")
	}
	values := strings.NewReplacer(
		"${var.project}", "guard-1", "${var.scope}", "organizations/123456789012", "${local.heartbeat}", "guard-1",
		"${google_pubsub_subscription.audit.name}", "mollyguard-audit", "${google_pubsub_subscription.assets.name}", "mollyguard-assets",
		"${google_service_account.watcher.email}", "mollyguard-audit@guard-1.iam.gserviceaccount.com",
		`${trimprefix(local.writer, "serviceAccount:")}`, "service-org-123456789012@gcp-sa-logging.iam.gserviceaccount.com",
		"${google_project_service_identity.assets.email}", "service-1@gcp-sa-cloudasset.iam.gserviceaccount.com",
	)
	var lines []string
	for line := range strings.Lines(values.Replace(text)) {
		lines = append(lines, strings.TrimPrefix(line, "    "))
	}
	got := parse(t, header+strings.Join(lines, "")+"ledger: {path: /var/lib/mollyguard/ledger.db}\nalerts: {sinks: [{name: terminal, stdout: {}}]}\n").Audit
	want := config.Default().Audit
	want.Sources = []config.AuditSource{{PubSub: &config.PubSubSource{Project: "guard-1", Subscription: "mollyguard-audit"}}}
	want.Heartbeat.Parent = "projects/guard-1"
	want.Assets.Scopes = []string{"organizations/123456789012"}
	want.Assets.Feed = config.PubSubSource{Project: "guard-1", Subscription: "mollyguard-assets"}
	want.Own = []string{
		"mollyguard-audit@guard-1.iam.gserviceaccount.com", "service-org-123456789012@gcp-sa-logging.iam.gserviceaccount.com",
		"service-1@gcp-sa-cloudasset.iam.gserviceaccount.com",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// header is what a configuration file says it is.
const header = "apiVersion: " + config.APIVersion + "\nkind: " + config.Kind + "\n"

// fakeGcloud writes down what it is called with, and answers what commands ask for.
const fakeGcloud = `#!/bin/sh
for argument; do printf '%s\036' "$argument"; done >> "$CALLS"
printf '\035' >> "$CALLS"
case "$*" in
*writerIdentity*) echo serviceAccount:service-org-1@gcp-sa-logging.iam.gserviceaccount.com ;;
*projectNumber*) echo 42 ;;
esac
`

// TestTheCommandsOfTheREADMERun runs them in a shell, with another gcloud. What the real
// one makes of them is not shown.
func TestTheCommandsOfTheREADMERun(t *testing.T) {
	_, block, _ := strings.Cut(readText(t, gcp+"/README.md"), "\n## With gcloud\n")
	_, block, _ = strings.Cut(block, "\n```sh\n")
	block, _, found := strings.Cut(block, "\n```\n")
	if !found {
		t.Fatal("no commands")
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "gcloud"), []byte(fakeGcloud), 0o700); err != nil {
		t.Fatal(err)
	}
	calls := filepath.Join(folder, "calls")
	shell := exec.Command("sh", "-eu", "-c", block)
	shell.Dir = root
	shell.Env = append(os.Environ(), "PATH="+folder+":"+os.Getenv("PATH"), "CALLS="+calls)
	if said, err := shell.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	var all [][]string
	for call := range strings.SplitSeq(strings.TrimSuffix(readText(t, calls), "\x1d"), "\x1d") {
		all = append(all, strings.Split(strings.TrimSuffix(call, "\x1e"), "\x1e"))
	}
	argument := func(command, flag string) string {
		t.Helper()
		for _, call := range all {
			if strings.HasPrefix(strings.Join(call, " "), command) {
				for _, text := range call {
					if value, ok := strings.CutPrefix(text, flag+"="); ok {
						return value
					}
				}
			}
		}
		t.Errorf("no command begins with %s and has %s", command, flag)
		return ""
	}
	got := map[string]string{
		"filter":        argument("logging sinks create mollyguard-audit", "--log-filter"),
		"asset types":   argument("asset feeds create mollyguard", "--asset-types"),
		"writes audit":  argument("pubsub topics add-iam-policy-binding mollyguard-audit", "--member"),
		"writes assets": argument("pubsub topics add-iam-policy-binding mollyguard-assets", "--member"),
		"reads":         argument("pubsub subscriptions add-iam-policy-binding mollyguard-audit", "--member"),
	}
	want := map[string]string{
		"filter":        strings.TrimSuffix(readText(t, gcp+"/filter.txt"), "\n"),
		"asset types":   strings.Join(strings.Fields(readText(t, gcp+"/asset-types.txt")), ","),
		"writes audit":  "serviceAccount:service-org-1@gcp-sa-logging.iam.gserviceaccount.com",
		"writes assets": "serviceAccount:service-42@gcp-sa-cloudasset.iam.gserviceaccount.com",
		"reads":         "serviceAccount:mollyguard-audit@guard-1.iam.gserviceaccount.com",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
