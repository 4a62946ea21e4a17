package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/tfplan/command"
)

func TestOwnFlagsEndWhereTerraformsCommandBegins(t *testing.T) {
	for _, tt := range []struct {
		name      string
		args      []string
		rest, own []string
		err       string
	}{
		{"none", []string{"apply", "--config", "x"}, []string{"apply", "--config", "x"}, nil, ""},
		{"a folder is Terraform's", []string{"-chdir=x", "apply"}, []string{"-chdir=x", "apply"}, nil, ""},
		{"its help is, too", []string{"-help"}, []string{"-help"}, nil, ""},
		{
			"with a value, with an equals sign and without any", []string{"--config", "c.yaml", "--partial", "--base=main", "plan", "--partial"},
			[]string{"plan", "--partial"}, []string{"--config", "c.yaml", "--partial", "--base=main"}, "",
		},
		{"a token's file is not repeated", []string{"--token-file", "t", "--config=c", "apply"}, []string{"apply"}, []string{"--config=c"}, ""},
		{"two dashes end them", []string{"--partial", "--", "--config"}, []string{"--config"}, []string{"--partial"}, ""},
		{"one that is not known", []string{"--auto-approve", "apply"}, nil, nil, "unknown flag: --auto-approve"},
		{"a value that is missing", []string{"--config"}, nil, nil, "flag needs an argument: --config"},
		{"neither true nor false", []string{"--partial=maybe", "apply"}, []string{"apply"}, []string{"--partial=maybe"}, `invalid argument "maybe" for "--partial" flag: strconv.ParseBool: parsing "maybe": invalid syntax`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd := newTerraform(streams{in: strings.NewReader(""), out: io.Discard, err: io.Discard})
			var o terraformOptions
			rest, _, err := o.take(cmd.Flags(), tt.args)
			if said := fmt.Sprint(err); err != nil && said != tt.err || err == nil && tt.err != "" {
				t.Fatalf("error %v, want %q", err, tt.err)
			}
			if diff := cmp.Diff(tt.rest, rest); diff != "" {
				t.Errorf("Terraform's (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.own, o.own); diff != "" && err == nil {
				t.Errorf("own (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOnlyYesIsYes(t *testing.T) {
	for _, tt := range []struct {
		answer string
		want   bool
	}{
		{"yes\n", true}, {"yes", true}, {" yes \n", true}, {"y\n", false}, {"Yes\n", false}, {"no\nyes\n", false}, {"\n", false}, {"", false},
		{strings.Repeat(" ", maxAnswer) + "yes\n", false},
	} {
		t.Run(fmt.Sprintf("%.10q", tt.answer), func(t *testing.T) {
			var talk bytes.Buffer
			w := &wrapped{invocation: &command.Invocation{Name: "apply"}}
			w.streams = streams{in: strings.NewReader(tt.answer), err: &talk}
			if err := w.approve(t.Context(), &judgedPlan{workspace: "default"}); (err == nil) != tt.want {
				t.Errorf("error %v", err)
			}
			if !strings.HasPrefix(talk.String(), "\nmollyguard: no destructive changes, workspace default\n\n") {
				t.Errorf("told %q", &talk)
			}
			if !strings.Contains(talk.String(), "Only 'yes' is taken for yes.") {
				t.Errorf("asked %q", &talk)
			}
		})
	}
}

func TestASignalIsNoAnswer(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	interrupted := errors.New("interrupt signal received")
	in, never := io.Pipe()
	defer func() { _ = never.Close() }() // a pipe's is nil
	w := &wrapped{invocation: &command.Invocation{Name: "apply"}}
	w.streams = streams{in: in, err: writerFunc(func(p []byte) (int, error) {
		cancel(interrupted) // while it is being asked
		return len(p), nil
	})}
	err := w.approve(ctx, &judgedPlan{})
	if want := "not applied: interrupt signal received"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestNothingBeginsOnceSomebodyHadUsStop(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("interrupt signal received"))
	err := (&wrapped{invocation: &command.Invocation{Name: "apply"}}).terraform(ctx, "apply")
	if want := "terraform apply was not run: interrupt signal received"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestNobodyIsAskedWhoHasAnswered(t *testing.T) {
	for _, i := range []command.Invocation{{Name: "apply", AutoApprove: true}, {Name: "apply", PlanFile: "tfplan"}} {
		w := &wrapped{invocation: &i}
		w.streams = streams{in: strings.NewReader(""), err: io.Discard}
		if err := w.canAsk(); err != nil {
			t.Error(err)
		}
		if err := w.approve(t.Context(), &judgedPlan{workspace: "default"}); err != nil {
			t.Error(err)
		}
	}
}

func TestInitHasNothingToMoveOnlyWhereThereIsNoState(t *testing.T) {
	for _, tt := range []struct {
		name, path string
		want       bool
	}{
		{"an empty folder", "", true},
		{"a backend that was set up", ".terraform/terraform.tfstate", false},
		{"a state in the folder", "terraform.tfstate", false},
		{"a state that is a link to nowhere", "link", false},
		{"other workspaces", "terraform.tfstate.d/prod/terraform.tfstate", false},
		{"modules alone", ".terraform/modules/modules.json", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("TF_DATA_DIR", "")
			w := &wrapped{invocation: &command.Invocation{Name: "init", Backend: command.Migrate}}
			w.planFlags.folder = t.TempDir()
			path := filepath.Join(w.planFlags.folder, tt.path)
			err := os.MkdirAll(filepath.Dir(path), 0o700)
			switch {
			case tt.path == "":
			case tt.path == "link" && err == nil:
				err = os.Symlink("nowhere", filepath.Join(w.planFlags.folder, "terraform.tfstate"))
			case err == nil:
				err = os.WriteFile(path, nil, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, err := w.nothingToMove(); got != tt.want || err != nil {
				t.Errorf("%v, %v, want %v", got, err, tt.want)
			}
		})
	}
}

func TestInitLooksForABackendWhereTerraformKeepsIt(t *testing.T) {
	for name, data := range map[string]string{"relative to the folder": "data", "absolute": filepath.Join(t.TempDir(), "data")} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TF_DATA_DIR", data)
			w := &wrapped{invocation: &command.Invocation{Name: "init", Backend: command.Migrate}}
			w.planFlags.folder = t.TempDir()
			folder := data
			if !filepath.IsAbs(data) {
				folder = filepath.Join(w.planFlags.folder, data)
			}
			if err := os.MkdirAll(folder, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(folder, "terraform.tfstate"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if got, err := w.nothingToMove(); got || err != nil {
				t.Errorf("%v, %v, want false", got, err)
			}
		})
	}
}

func TestWhatAStateHoldsIsCountedProductionFirst(t *testing.T) {
	kinds := map[string]*operation.Dependents{}
	for i := range 7 {
		count(kinds, operation.Target{Reference: operation.Reference{Kind: "Bucket"}, Address: fmt.Sprint("b", i)}, i >= 5)
	}
	for i := range 30 {
		count(kinds, operation.Target{Reference: operation.Reference{Kind: fmt.Sprint("kind", i)}, Address: "x"}, false)
	}
	if diff := cmp.Diff(operation.Dependents{Kind: "Bucket", Via: operation.Contained, Count: 7, Production: 2, Names: []string{"b5", "b6", "b0", "b1", "b2"}}, *kinds["Bucket"]); diff != "" {
		t.Errorf("buckets (-want +got):\n%s", diff)
	}
	if len(kinds) != maxHeldKinds+1 || kinds["resource"].Count != 11 {
		t.Errorf("%d kinds, the rest %+v", len(kinds), kinds["resource"])
	}
}
