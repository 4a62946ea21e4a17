package command

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mollyguard/mollyguard/operation"
)

func line(t *testing.T, text string) []string {
	t.Helper()
	args, err := split(text)
	if err != nil {
		t.Fatalf("split %s: %v", text, err)
	}
	return args
}

func from(env map[string]string) func(string) string {
	return func(name string) string { return env[name] }
}

func TestCommandLinesAreRead(t *testing.T) {
	hazards := func(list ...operation.Hazard) []operation.Hazard { return list }
	for _, tt := range []struct {
		name, line string
		env        map[string]string
		want       Invocation
	}{
		{"a plan", "plan -out x --out=y", nil, Invocation{Name: "plan", Work: Harmless, Args: []string{"-out", "x", "--out=y"}, PlanOut: []string{"x", "y"}}},
		{"no command at all", "", nil, Invocation{Work: Harmless}},
		{"another folder", "-chdir=a/b fmt", nil, Invocation{Chdir: "a/b", Name: "fmt", Work: Harmless}},
		{"a command of two words", "state list module.a", nil, Invocation{Name: "state list", Work: Harmless, Args: []string{"module.a"}}},
		{"the old name of a workspace's command", "env new x", nil, Invocation{Name: "workspace new", Work: Harmless, Args: []string{"x"}}},
		{"a command that only says which there are", "state", nil, Invocation{Name: "state", Work: Harmless}},
		{"providers by itself", "providers -test-directory=x", nil, Invocation{Name: "providers", Work: Harmless, Args: []string{"-test-directory=x"}}},
		{"help", "destroy -auto-approve --help", nil, Invocation{Name: "destroy", Work: Harmless, Args: []string{"-help"}}},
		{"the version, whatever else", "destroy -auto-approve -version", nil, Invocation{Name: "version", Work: Harmless}},
		{"after two dashes there is no help", "state rm -- -help", nil, Invocation{}}, // an error, see below
		{
			"apply", "apply", nil,
			Invocation{Name: "apply", Work: Applies},
		},
		{
			"apply with all that a plan takes", "apply -var a=b --var-file=x.tfvars -target module.a -replace=a.b -destroy -refresh=false -parallelism 3 -lock=f -auto-approve", nil,
			Invocation{
				Name: "apply", Work: Applies, AutoApprove: true,
				Args: []string{
					"-var", "a=b", "--var-file=x.tfvars", "-target", "module.a", "-replace=a.b", "-destroy", "-refresh=false",
					"-parallelism", "3", "-lock=f", "-auto-approve",
				},
				PlanOptions: []string{
					"-var", "a=b", "--var-file=x.tfvars", "-target", "module.a", "-replace=a.b", "-destroy", "-refresh=false",
					"-parallelism", "3", "-lock=f",
				},
				ApplyOptions: []string{"-parallelism", "3", "-lock=f", "-auto-approve"},
				Hazards:      hazards(operation.Targeted, operation.NoRefresh, operation.NoLock),
			},
		},
		{
			"the last of two counts", "apply -lock=false -lock=true -auto-approve -auto-approve=false -input=0", nil,
			Invocation{
				Name: "apply", Work: Applies, NoInput: true, Args: []string{"-lock=false", "-lock=true", "-auto-approve", "-auto-approve=false", "-input=0"},
				PlanOptions:  []string{"-lock=false", "-lock=true", "-input=0"},
				ApplyOptions: []string{"-lock=false", "-lock=true", "-auto-approve", "-auto-approve=false", "-input=0"},
				Hazards:      hazards(),
			},
		},
		{
			"an option that is not known", "apply -new=1", nil,
			Invocation{Name: "apply", Work: Applies, Args: []string{"-new=1"}, PlanOptions: []string{"-new=1"}, ApplyOptions: []string{"-new=1"}},
		},
		{
			"a plan file, and variables that it does not hold", "apply -no-color -var x=1 tfplan", nil,
			Invocation{
				Name: "apply", Work: Applies, PlanFile: "tfplan", Args: []string{"-no-color", "-var", "x=1", "tfplan"},
				PlanOptions: []string{"-no-color", "-var", "x=1"}, ApplyOptions: []string{"-no-color", "-var", "x=1"},
			},
		},
		{
			"destroy", "destroy -auto-approve=1", nil,
			Invocation{
				Name: "destroy", Work: Applies, AutoApprove: true, Args: []string{"-auto-approve=1"},
				PlanOptions: []string{"-destroy"}, ApplyOptions: []string{"-auto-approve=1"},
			},
		},
		{
			"refresh asks nobody", "refresh", nil,
			Invocation{Name: "refresh", Work: Applies, AutoApprove: true, PlanOptions: []string{"-refresh-only"}},
		},
		{
			"what the environment adds", "apply -auto-approve", map[string]string{"TF_CLI_ARGS": "-no-color", "TF_CLI_ARGS_apply": "-lock=false '-var=a b'"},
			Invocation{
				Name: "apply", Work: Applies, AutoApprove: true, Args: []string{"-lock=false", "-var=a b", "-no-color", "-auto-approve"},
				PlanOptions: []string{"-lock=false", "-var=a b", "-no-color"}, ApplyOptions: []string{"-lock=false", "-no-color", "-auto-approve"},
				Hazards: hazards(operation.NoLock),
			},
		},
		{
			"a command that only the environment names", "-chdir=x", map[string]string{"TF_CLI_ARGS": "destroy -auto-approve"},
			Invocation{
				Chdir: "x", Name: "destroy", Work: Applies, AutoApprove: true, Args: []string{"-auto-approve"},
				PlanOptions: []string{"-destroy"}, ApplyOptions: []string{"-auto-approve"},
			},
		},
		{
			"a command whose second word the environment adds", "state aws_x.y", map[string]string{"TF_CLI_ARGS": "rm"},
			Invocation{Name: "state rm", Work: Edits, Args: []string{"aws_x.y"}, Addresses: []string{"aws_x.y"}, Hazards: hazards(operation.StateEdit)},
		},
		{
			"state rm, with options of its own variable", `state rm module.a 'x.y["k.z"]'`, map[string]string{"TF_CLI_ARGS_state_rm": "-lock=0"},
			Invocation{
				Name: "state rm", Work: Edits, Args: []string{"-lock=0", "module.a", `x.y["k.z"]`},
				Addresses: []string{"module.a", `x.y["k.z"]`}, Hazards: hazards(operation.StateEdit, operation.NoLock),
			},
		},
		{
			"a dry run does nothing", "state rm -dry-run x.y", nil,
			Invocation{Name: "state rm", Work: Harmless, DryRun: true, Args: []string{"-dry-run", "x.y"}, Addresses: []string{"x.y"}},
		},
		{
			"no dry run after all", "state rm -dry-run -dry-run=false x.y", nil,
			Invocation{Name: "state rm", Work: Edits, Args: []string{"-dry-run", "-dry-run=false", "x.y"}, Addresses: []string{"x.y"}, Hazards: hazards(operation.StateEdit)},
		},
		{
			"state mv to another state", "state mv -state-out=other.tfstate a.b c.d", nil,
			Invocation{
				Name: "state mv", Work: Edits, Args: []string{"-state-out=other.tfstate", "a.b", "c.d"},
				From: "a.b", To: "c.d", Out: "other.tfstate", Hazards: hazards(operation.StateEdit),
			},
		},
		{
			"state push by force", "state push -force -", nil,
			Invocation{Name: "state push", Work: Edits, Args: []string{"-force", "-"}, StateFile: "-", Force: true, Hazards: hazards(operation.StatePush, operation.ForcePush)},
		},
		{
			"state replace-provider", "state replace-provider -auto-approve a/b c/d", nil,
			Invocation{
				Name: "state replace-provider", Work: Edits, Args: []string{"-auto-approve", "a/b", "c/d"},
				From: "a/b", To: "c/d", Hazards: hazards(operation.StateEdit),
			},
		},
		{
			"import", "import -var=a=b module.a.x.y[0] some/id", nil,
			Invocation{
				Name: "import", Work: Edits, Args: []string{"-var=a=b", "module.a.x.y[0]", "some/id"},
				Addresses: []string{"module.a.x.y[0]"}, ImportID: "some/id", Hazards: hazards(operation.StateEdit),
			},
		},
		{
			"taint", "taint x.y", nil,
			Invocation{Name: "taint", Work: Edits, Args: []string{"x.y"}, Addresses: []string{"x.y"}, Hazards: hazards(operation.StateEdit)},
		},
		{
			"force-unlock", "force-unlock -force 0b5b", nil,
			Invocation{Name: "force-unlock", Work: Edits, Args: []string{"-force", "0b5b"}, LockID: "0b5b", Force: true, Hazards: hazards(operation.ForceUnlock)},
		},
		{
			"a workspace goes, by its old name", "env delete -force prod", nil,
			Invocation{Name: "workspace delete", Work: Edits, Args: []string{"-force", "prod"}, Workspace: "prod", Force: true, Hazards: hazards(operation.StateEdit)},
		},
		{"init", "init -upgrade -backend-config x.hcl", nil, Invocation{Name: "init", Work: Harmless, Args: []string{"-upgrade", "-backend-config", "x.hcl"}}},
		{
			"init that moves the state", "init -migrate-state", nil,
			Invocation{Name: "init", Work: Edits, Args: []string{"-migrate-state"}, Backend: Migrate, Hazards: hazards(operation.StatePush)},
		},
		{
			"init that moves it and asks nobody", "init -force-copy", map[string]string{"TF_CLI_ARGS_init": "-migrate-state -lock=false"},
			Invocation{
				Name: "init", Work: Edits, Args: []string{"-migrate-state", "-lock=false", "-force-copy"}, Backend: ForceCopy,
				Hazards: hazards(operation.NoLock, operation.ForcePush),
			},
		},
		{
			"init that leaves it behind", "init -reconfigure=true", nil,
			Invocation{Name: "init", Work: Edits, Args: []string{"-reconfigure=true"}, Backend: Reconfigure, Hazards: hazards(operation.StateEdit)},
		},
		{"test", "test -filter=x", nil, Invocation{Name: "test", Work: Edits, Args: []string{"-filter=x"}, Hazards: hazards(operation.Unchecked)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse(line(t, tt.line), from(tt.env), map[string]bool{"config": true, "partial": false})
			if tt.want.Work == "" {
				if err == nil {
					t.Fatalf("parsed as %+v", *got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			tt.want.Environment = len(tt.env) > 0
			if diff := cmp.Diff(tt.want, *got, cmpopts.IgnoreUnexported(Invocation{}), cmp.Transformer("", func(list []string) []string { return append([]string{}, list...) }),
				cmp.Transformer("", func(list []operation.Hazard) []operation.Hazard { return append([]operation.Hazard{}, list...) })); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestWhatCannotBeReadOrJudgedIsAnError(t *testing.T) {
	for _, tt := range []struct {
		name, line string
		env        map[string]string
		want       string
	}{
		{"a command that is not known", "stacks apply", nil, `"stacks" is no command of Terraform that mollyguard knows`},
		{"one below a known one", "state frobnicate x", nil, `"state frobnicate" is no command of Terraform that mollyguard knows`},
		{"one below providers", "providers eat", nil, `"providers eat" is no command of Terraform that mollyguard knows`},
		{"a hidden one", "internal-plugin x", nil, `"internal-plugin" is no command of Terraform that mollyguard knows`},
		{"an option before the command", "-auto-approve destroy", nil, `"-auto-approve" is before the command`},
		{"an option and no command", "-auto-approve", nil, `there is no command, only "-auto-approve"`},
		{"an empty folder", "-chdir= apply", nil, "-chdir names no folder"},
		{"two folders", "-chdir=a -chdir=b apply", nil, "-chdir is given twice"},
		{"another state", "apply -state=x", nil, "with -state Terraform works on another state than the one that mollyguard can look at"},
		{"another state, from the environment", "apply", map[string]string{"TF_CLI_ARGS_apply": "-state x"}, "with -state Terraform works on another state than the one that mollyguard can look at"},
		{"another state of state rm", "state rm -state=x a.b", nil, "with -state Terraform works on another state than the one that mollyguard can look at"},
		{"a plan to be kept", "apply -out=x", nil, "apply takes no -out"},
		{"two plan files", "apply a b", nil, `apply takes one plan file, and "b" follows "a"`},
		{"an option after the plan file", "apply tfplan -auto-approve", nil, `apply takes one plan file, and "-auto-approve" follows "tfplan"`},
		{"destroy of a plan file", "destroy tfplan", nil, `destroy takes no plan file, and there is "tfplan"`},
		{"what to plan, of what is planned", "apply -target=x.y tfplan", nil, `-target says what is to be planned, and "tfplan" is planned already`},
		{"an option that is not known, before a word", "apply -new tfplan", nil, `mollyguard does not know the option "-new" of apply, and cannot tell whether the next word belongs to it`},
		{"an option that hides another", "state rm -new -dry-run x.y", nil, `mollyguard does not know the option "-new" of state rm, and cannot tell whether the next word belongs to it`},
		{"neither true nor false", "apply -lock=no", nil, `"-lock=no" is neither true nor false`},
		{"a value that is missing", "apply -target", nil, `the option "-target" needs a value`},
		{"three dashes", "apply ---auto-approve", nil, `"---auto-approve" is no option`},
		{"no name", "apply -=x", nil, `"-=x" is no option`},
		{"state rm of nothing", "state rm", nil, "state rm takes addresses, and there are 0 words"},
		{"state mv of one", "state mv a.b", nil, "state mv takes two addresses, from and to, and there are 1 words"},
		{"an option after the address", "state rm a.b -dry-run", nil, `"-dry-run" is no address in a state: "-dry-run" is no name`},
		{"an address without quotes", "state rm 'a.b[key]'", nil, `"a.b[key]" is no address in a state: "[key]" is no index`},
		{"init of a folder", "init -migrate-state x", nil, `init takes only options, and there is "x"`},
		{"a variable with an open quote", "apply", map[string]string{"TF_CLI_ARGS": "-var 'a"}, "$TF_CLI_ARGS cannot be read: a quote is not closed, or a backslash is at its end"},
		{"a variable with more than words", "apply", map[string]string{"TF_CLI_ARGS_apply": "-no-color; -lock=false"}, "$TF_CLI_ARGS_apply cannot be read: ';' is in it without quotes"},
		{"too many words", strings.Repeat("a ", maxArgs+1), nil, "the command line has 4097 words in 8194 bytes, and at most 4096 in 1048576 are read"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse(line(t, tt.line), from(tt.env), map[string]bool{"config": true, "partial": false})
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Fatalf("error %v is not an *Error", err)
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestAnAddressCoversWhatTerraformWouldTake(t *testing.T) {
	for _, tt := range []struct {
		pattern, instance string
		want              bool
	}{
		{"x.y", "x.y", true},
		{"x.y", "x.y[0]", true},
		{"x.y", `x.y["a.b"]`, true},
		{"x.y[0]", "x.y[0]", true},
		{"x.y[00]", "x.y[0]", true},
		{"x.y[0]", "x.y[1]", false},
		{"x.y[0]", "x.y", false},
		{"x.y[0]", `x.y["0"]`, false},
		{"x.y", "x.yy", false},
		{"x.y", "data.x.y", false},
		{"module.a", "module.a.x.y", true},
		{"module.a", "module.a[0].x.y", true},
		{"module.a", "module.a.module.b.x.y[3]", true},
		{"module.a", "module.ab.x.y", false},
		{"module.a[0]", "module.a[1].x.y", false},
		{"module.a.x.y", "module.a[1].x.y", true},
		{"module.a.x.y", "x.y", false},
		{`x.y["\u0061\"]"]`, `x.y["a\"]"]`, true},
		{`x.y["$${z}"]`, `x.y["$${z}"]`, true},
		{"data.x.y", "data.x.y[0]", true},
		{"x.y[\"cafe\u0301\"]", "x.y[\"caf\u00e9\"]", true},
		{`x.y["cafe\u0301"]`, "x.y[\"caf\u00e9\"]", true},
		{"module.cafe\u0301.x.y", "module.caf\u00e9.x.y", true},
	} {
		t.Run(tt.pattern+" and "+tt.instance, func(t *testing.T) {
			pattern, err := ParseAddress(tt.pattern)
			if err != nil {
				t.Fatal(err)
			}
			instance, err := ParseAddress(tt.instance)
			if err != nil {
				t.Fatal(err)
			}
			if got := pattern.Covers(instance); got != tt.want {
				t.Errorf("covers: %v, want %v", got, tt.want)
			}
		})
	}
}

func TestWhatIsMovedKeepsWhatTheMoveDoesNotName(t *testing.T) {
	for _, tt := range []struct{ from, to, instance, want string }{
		{"x.y", "x.z", "x.y", "x.z"},
		{"x.y", "x.z", `x.y["a"]`, `x.z["a"]`},
		{"x.y", "module.a.x.z[1]", "x.y", "module.a.x.z[1]"},
		{"x.y[0]", "x.z", "x.y[0]", "x.z"},
		{"module.prod", "module.dev", `module.prod["eu"].module.b.x.y[3]`, `module.dev["eu"].module.b.x.y[3]`},
		{`module.prod["eu"]`, `module.dev["$${a}"]`, `module.prod["eu"].x.y`, `module.dev["$${a}"].x.y`},
		{"x.y", "x.z", "x.other", "x.other"},
	} {
		t.Run(tt.from+" to "+tt.to, func(t *testing.T) {
			var a [3]Address
			for i, text := range []string{tt.from, tt.to, tt.instance} {
				var err error
				if a[i], err = ParseAddress(text); err != nil {
					t.Fatal(err)
				}
			}
			if got := a[0].Moved(a[1], a[2]).String(); got != tt.want {
				t.Errorf("%s is at %s, want %s", tt.instance, got, tt.want)
			}
		})
	}
}

func TestNoSecretOfACommandLineIsShown(t *testing.T) {
	for text, want := range map[string]string{
		"apply -var=password=hunter2 -no-color":                      "apply -var=password=… -no-color",
		"apply --var password=a=b x":                                 "apply --var password=… x",
		"init -backend-config=access_key=k -backend-config file.hcl": "init -backend-config=access_key=… -backend-config file.hcl",
		"apply -var-file=prod.tfvars tfplan":                         "apply -var-file=prod.tfvars tfplan",
		"apply -var":                                                 "apply -var",
	} {
		if diff := cmp.Diff(want, strings.Join(Without(strings.Fields(text)), " ")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

func TestAFlagOfMollyguardBehindTheCommandIsToldWhereItBelongs(t *testing.T) {
	for text, want := range map[string]string{
		"apply --config x.yaml":       "--config x.yaml apply",
		"state rm -config=x.yaml a.b": "--config=x.yaml state rm",
		"apply --partial -no-color":   "--partial apply",
		"apply --config 'a b; c'":     "--config … apply",
		"destroy --config":            "--config … destroy",
	} {
		_, err := Parse(line(t, text), from(nil), map[string]bool{"config": true, "partial": false})
		bad, ok := errors.AsType[*Error](err)
		if !ok {
			t.Fatalf("%s: error %v", text, err)
		}
		if diff := cmp.Diff("flags of mollyguard come before the command: mollyguard terraform "+want, bad.Hint); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

func TestWhatIsNoAddressIsAnError(t *testing.T) {
	for _, text := range []string{
		"", "x", "x.", ".y", "x.y.z", "x.y[", "x.y[]", "x.y[-1]", `x.y["a]`, `x.y["a"`, `x.y["a"]z`, "x.y[0]z", "module", "module.", "module.a[",
		"module.a.", "module.a x", "x.y z", "data.x", `x.y["\q"]`, "x y.z", "x.y\x00", "x.\xff", strings.Repeat("module.a.", 101) + "x.y",
	} {
		if a, err := ParseAddress(text); err == nil {
			t.Errorf("%q is %+v", text, a)
		}
	}
}

// FuzzParse looks for command lines that lose something on their way to Terraform.
func FuzzParse(f *testing.F) {
	f.Add("apply\x00-auto-approve", "", "-lock=false")
	f.Add("-chdir=a\x00state\x00rm\x00module.a[\"b\"].x.y", "-lock=0", "")
	f.Add("state\x00mv\x00-state-out\x00x\x00a.b\x00c.d", "'a b' \"c\\\"d\"", "")
	f.Add("env\x00delete\x00-force\x00--\x00-x", "rm", "destroy")
	f.Add("init\x00-force-copy\x00-reconfigure=f", "", "")
	f.Fuzz(func(t *testing.T, text, all, own string) {
		args := strings.Split(text, "\x00")
		got, err := Parse(args, func(name string) string {
			if name == "TF_CLI_ARGS" {
				return all
			}
			return own
		}, nil)
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Fatalf("error %v is not an *Error", err)
			}
			return
		}
		if slices.Equal(got.Line(), []string{"version"}) { // whatever else was asked for
			return
		}
		// What is run means what was read, without an environment.
		again, err := Parse(got.Line(), func(string) string { return "" }, nil)
		if err != nil {
			t.Fatalf("%q was read as %q, which is not read: %v", args, got.Line(), err)
		}
		again.Chdir, again.Environment = got.Chdir, got.Environment
		if diff := cmp.Diff(got, again, cmpopts.IgnoreUnexported(Invocation{})); diff != "" {
			t.Fatalf("%q was read as %q, which is another command:\n%s", args, got.Line(), diff)
		}
		harms := got.Work == Harmless && !got.DryRun && got.Name != "init" && !slices.Equal(got.Args, []string{"-help"})
		if name := got.Name; harms && slices.Contains(judged, name) {
			t.Fatalf("%q passes", args)
		}
	})
}
