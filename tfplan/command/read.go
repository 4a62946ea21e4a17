package command

import (
	"slices"

	"github.com/mollyguard/mollyguard/operation"
)

// read reads what follows the command's name.
func (i *Invocation) read() error {
	switch i.Name {
	case "apply", "destroy", "refresh":
		return i.readApply()
	case "init":
		return i.readInit()
	case "plan":
		i.PlanOut = valuesOf("out", i.Args)
		return nil
	case "test":
		// It makes what the configuration says, and destroys it again, without a plan.
		i.Work = Edits
		i.hazard(operation.Unchecked)
		return nil
	}
	if slices.Contains(judged, i.Name) {
		return i.readEdit()
	}
	return nil
}

func (i *Invocation) hazard(h operation.Hazard) {
	if !slices.Contains(i.Hazards, h) {
		i.Hazards = append(i.Hazards, h)
	}
}

// readApply reads apply, destroy (apply -destroy) and refresh (apply -refresh-only
// -auto-approve).
func (i *Invocation) readApply() error {
	i.Work = Applies
	options, rest, err := i.scan(planAndApply())
	if err != nil {
		return err
	}
	switch {
	case len(rest) > 1:
		return bad("options are before the plan file", "%s takes one plan file, and %s follows %s", i.Name, shown(rest[1]), shown(rest[0]))
	case len(rest) == 1 && i.Name != "apply":
		return bad("options begin with a dash", "%s takes no plan file, and there is %s", i.Name, shown(rest[0]))
	case len(rest) == 1:
		i.PlanFile = rest[0]
	}
	switch i.Name {
	case "destroy":
		i.PlanOptions = append(i.PlanOptions, "-destroy")
	case "refresh":
		i.PlanOptions, i.AutoApprove = append(i.PlanOptions, "-refresh-only"), true
	}
	for _, g := range options {
		if err := i.applyOption(g); err != nil {
			return err
		}
	}
	return nil
}

func (i *Invocation) applyOption(g given) error {
	if i.PlanFile != "" && g.use == usePlan {
		return bad("make a new plan with it, or leave it out", "-%s says what is to be planned, and %s is planned already", g.name, shown(i.PlanFile))
	}
	if g.use != useApply {
		i.PlanOptions = append(i.PlanOptions, g.words...)
	}
	if g.use == useBoth || g.use == useApply || i.PlanFile != "" {
		i.ApplyOptions = append(i.ApplyOptions, g.words...)
	}
	switch g.name {
	case "auto-approve":
		i.AutoApprove = g.on() || i.Name == "refresh"
	case "input":
		i.NoInput = !g.on()
	case "target", "exclude", "target-file", "exclude-file":
		i.hazard(operation.Targeted)
	case "refresh":
		i.hazards(operation.NoRefresh, !g.on())
	case "lock":
		i.hazards(operation.NoLock, !g.on())
	}
	return nil
}

// hazards adds a hazard, or takes it back: of the same option the last counts.
func (i *Invocation) hazards(h operation.Hazard, there bool) {
	i.Hazards = slices.DeleteFunc(i.Hazards, func(had operation.Hazard) bool { return had == h })
	if there {
		i.Hazards = append(i.Hazards, h)
	}
}

// readInit finds out whether the state's place is configured anew.
func (i *Invocation) readInit() error {
	options, rest, err := i.scan(editing(i.Name))
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return bad("say -chdir=FOLDER", "init takes only options, and there is %s", shown(rest[0]))
	}
	// Terraform refuses -reconfigure together with the others.
	on := map[string]bool{}
	for _, g := range options {
		on[g.name] = g.on()
		if g.name == "lock" {
			i.hazards(operation.NoLock, !g.on())
		}
	}
	switch {
	case on["force-copy"]:
		i.Backend = ForceCopy
		i.hazard(operation.ForcePush)
	case on["migrate-state"]:
		i.Backend = Migrate
		i.hazard(operation.StatePush)
	case on["reconfigure"]:
		i.Backend = Reconfigure
		i.hazard(operation.StateEdit)
	default:
		i.Hazards = nil
		return nil
	}
	i.Work = Edits
	return nil
}

// wants is how many words follow the options of a command that works on the state.
type wants struct {
	least, most int
	what        string
}

func wanted(name string) wants {
	return map[string]wants{
		"force-unlock":           {1, 1, "the id of a lock"},
		"import":                 {2, 2, "an address and an id"},
		"state mv":               {2, 2, "two addresses, from and to"},
		"state push":             {1, 1, "a file, or - for standard input"},
		"state replace-provider": {2, 2, "two providers, from and to"},
		"state rm":               {1, maxArgs, "addresses"},
		"taint":                  {1, 1, "an address"},
		"untaint":                {1, 1, "an address"},
		"workspace delete":       {1, 1, "the name of a workspace"},
	}[name]
}

func (i *Invocation) readEdit() error {
	i.Work = Edits
	options, rest, err := i.scan(editing(i.Name))
	if err != nil {
		return err
	}
	if want := wanted(i.Name); len(rest) < want.least || len(rest) > want.most {
		return bad("options are before them", "%s takes %s, and there are %d words", i.Name, want.what, len(rest))
	}
	locked := true
	for _, g := range options {
		switch g.name {
		case "dry-run":
			i.DryRun = g.on()
		case "force":
			i.Force = g.on()
		case "lock":
			locked = g.on()
		case "state-out":
			i.Out = g.value
		}
	}
	switch i.Name {
	case "force-unlock":
		i.LockID = rest[0]
		i.hazard(operation.ForceUnlock)
	case "state push":
		i.StateFile = rest[0]
		i.hazard(operation.StatePush)
		i.hazards(operation.ForcePush, i.Force)
	default:
		i.hazard(operation.StateEdit)
	}
	i.hazards(operation.NoLock, !locked)
	switch i.Name {
	case "import":
		i.Addresses, i.ImportID = rest[:1], rest[1]
	case "state mv", "state replace-provider":
		i.From, i.To = rest[0], rest[1]
	case "state rm", "taint", "untaint":
		i.Addresses = rest
	case "workspace delete":
		i.Workspace = rest[0]
	}
	if i.DryRun {
		i.Work, i.Hazards = Harmless, nil
	}
	return i.checkAddresses()
}

// checkAddresses is an error for an address that cannot be told from others.
func (i *Invocation) checkAddresses() error {
	list := slices.Clone(i.Addresses)
	if i.Name == "state mv" {
		list = append(list, i.From, i.To)
	}
	for _, text := range list {
		if _, err := ParseAddress(text); err != nil {
			return bad("in a shell, put the whole address into single quotes", "%v", err)
		}
	}
	return nil
}
