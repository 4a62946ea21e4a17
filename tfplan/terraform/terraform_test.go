package terraform_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/tfplan/terraform"
)

// script is a terraform that does what a shell script says.
func script(t *testing.T, text string, env ...string) *terraform.Terraform {
	t.Helper()
	return scriptWith(t, text, terraform.Options{Env: env})
}

func scriptWith(t *testing.T, text string, o terraform.Options) *terraform.Terraform {
	t.Helper()
	path := filepath.Join(t.TempDir(), "terraform")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	o.Binary, o.Env = path, append(o.Env, "PATH="+os.Getenv("PATH"))
	tf, err := terraform.Find(o)
	if err != nil {
		t.Fatal(err)
	}
	return tf
}

func TestWhatReadsTakesNothingFromTheEnvironment(t *testing.T) {
	tf := script(t, `env | grep -E '^(TF_|MOLLYGUARD_|CHECKPOINT)' | sort; echo "$@"`,
		"TF_CLI_ARGS=-x", "TF_CLI_ARGS_show=-y", "TF_LOG=trace", "TF_WORKSPACE=prod", "MOLLYGUARD_TOKEN=secret")
	var out bytes.Buffer
	if err := tf.PullState(t.Context(), &out, 1<<10); err != nil {
		t.Fatal(err)
	}
	want := "CHECKPOINT_DISABLE=1\nTF_INPUT=0\nTF_IN_AUTOMATION=1\nTF_WORKSPACE=prod\nstate pull\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhatPeopleRunGetsAllButOurSecrets(t *testing.T) {
	tf := script(t, `env | grep -E '^(TF_|MOLLYGUARD_)' | sort; echo "$@"; cat; echo talk >&2; exit 7`,
		"TF_CLI_ARGS=-x", "MOLLYGUARD_TOKEN=secret", "MOLLYGUARD_API_TOKEN=secret")
	var out, talk bytes.Buffer
	exit, err := tf.Run(t.Context(), terraform.Streams{In: strings.NewReader("yes\n"), Out: &out, Err: &talk}, "apply", "x")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]any{7, "TF_CLI_ARGS=-x\napply x\nyes\n", "talk\n"}, []any{exit, out.String(), talk.String()}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAnErrorTellsWhatTerraformSaid(t *testing.T) {
	tf := script(t, `printf '╷\n│ \033[31mError:\033[0m Failed to load state\n│ \n╵\n' >&2; exit 1`)
	_, err := tf.Workspace(t.Context())
	want := "terraform workspace show: exit status 1\n  Error: Failed to load state"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestOutputIsCapped(t *testing.T) {
	tf := script(t, `head -c 3000000 /dev/zero; sleep 0`)
	err := tf.ShowState(t.Context(), &bytes.Buffer{}, 1<<20)
	if want := "terraform show -json -no-color: more than 1 MiB"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// slow is a terraform that says when it is there, and needs a while to end when it is
// interrupted.
const slow = `trap 'sleep 0.3; echo saved; exit 4' INT
echo ready >&2
while :; do sleep 0.02; done`

// readiness calls what it is made with at the first word.
type readiness func()

func (r readiness) Write(p []byte) (int, error) {
	r()
	return len(p), nil
}

func TestWhatPeopleRunIsWaitedForHoweverLongItTakesToEnd(t *testing.T) {
	tf := scriptWith(t, slow, terraform.Options{WaitDelay: time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	var out bytes.Buffer
	_, err := tf.Run(ctx, terraform.Streams{Out: &out, Err: readiness(cancel)}, "apply")
	if !errors.Is(err, context.Canceled) || out.String() != "saved\n" {
		t.Errorf("got %v and %q: the state was not saved", err, &out)
	}
}

func TestASignalInterruptsWhatPeopleRun(t *testing.T) {
	for _, sent := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(sent.String(), func(t *testing.T) {
			tf := scriptWith(t, slow, terraform.Options{})
			signals := make(chan os.Signal, 1)
			var out bytes.Buffer
			exit, err := tf.Run(t.Context(), terraform.Streams{Out: &out, Err: readiness(func() { signals <- sent }), Signals: signals}, "apply")
			if err != nil || exit != 4 || out.String() != "saved\n" {
				t.Errorf("got %d, %v and %q", exit, err, &out)
			}
		})
	}
}

func TestWhatReadsDoesNotHangForEver(t *testing.T) {
	tf := scriptWith(t, "trap '' INT; exec sleep 60", terraform.Options{ReadTime: 50 * time.Millisecond, WaitDelay: 50 * time.Millisecond})
	err := tf.PullState(t.Context(), &bytes.Buffer{}, 1)
	if want := "terraform state pull: no answer within 50ms"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestWorkspacesAreListed(t *testing.T) {
	names, err := script(t, `printf '  default\n* prod-eu\n  x\n\n\nThe active workspace is being overridden using the TF_WORKSPACE environment\nvariable.\n'; [ "$*" = "workspace list" ]`).Workspaces(t.Context())
	if diff := cmp.Diff([]string{"default", "prod-eu", "x"}, names); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestACommandEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	because := errors.New("enough")
	cancel(because)
	if err := script(t, "exec sleep 60").PullState(ctx, &bytes.Buffer{}, 1); !errors.Is(err, because) {
		t.Errorf("got %v", err)
	}
}

func TestTheVersionIsRead(t *testing.T) {
	version, err := script(t, `echo '{"terraform_version": "1.11.4", "platform": "linux_amd64"}'`).Version(t.Context())
	if err != nil || version != "1.11.4" {
		t.Errorf("got %q, %v", version, err)
	}
	if _, err := script(t, "echo Terraform v0.11").Version(t.Context()); err == nil {
		t.Error("a text was taken for a version")
	}
}

func TestWhereThereIsNoTerraformThatIsSaid(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := terraform.Find(terraform.Options{}); !errors.Is(err, terraform.ErrNone) {
		t.Errorf("got %v", err)
	}
	if _, err := terraform.Find(terraform.Options{Binary: "my-terraform"}); err == nil || errors.Is(err, terraform.ErrNone) {
		t.Errorf("got %v", err)
	}
}
