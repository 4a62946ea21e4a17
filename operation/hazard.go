package operation

// Hazard is a way to plan, or to work on a Terraform state, that leaves out a safeguard.
type Hazard string

// The hazards.
const (
	// Targeted: only some resources were planned (-target, -exclude).
	Targeted Hazard = "target"
	// Incomplete: Terraform left changes for a later plan.
	Incomplete Hazard = "incomplete"
	// NoRefresh: what is really there was not looked at (-refresh=false).
	NoRefresh Hazard = "no-refresh"
	// StateEdit: the state is edited, resource by resource (state mv, state
	// replace-provider, import, taint).
	StateEdit Hazard = "state-edit"
	// Provisioners: applying runs programs that the configuration has beside its resources
	// (provisioners such as local-exec, the data source external), which no plan tells of.
	Provisioners Hazard = "provisioners"
	// NoLock: the state is not locked (-lock=false).
	NoLock Hazard = "no-lock"
	// ForceUnlock: somebody else's lock is taken away (force-unlock).
	ForceUnlock Hazard = "force-unlock"
	// StatePush: the whole state is overwritten (state push).
	StatePush Hazard = "state-push"
	// ForcePush: the same, whatever lineage and serial say (state push -force).
	ForcePush Hazard = "force-push"
	// Unchecked: something is applied of which no plan was checked.
	Unchecked Hazard = "unchecked"
)

// Values lists every Hazard.
func (Hazard) Values() []string {
	return []string{
		string(Targeted), string(Incomplete), string(NoRefresh), string(StateEdit), string(Provisioners), string(NoLock),
		string(ForceUnlock), string(StatePush), string(ForcePush), string(Unchecked),
	}
}

// Words says in a sentence what is done. One that is not known stands for itself.
//
// Policies see the hazard alone, and have the same words in policies/mollyguard/plans.rego.
func (h Hazard) Words() string {
	switch h {
	case Targeted:
		return "only some of the resources were planned"
	case Incomplete:
		return "changes were left for a later plan"
	case NoRefresh:
		return "what is really there was not looked at"
	case StateEdit:
		return "the state is edited by hand"
	case Provisioners:
		return "programs run that are not judged (provisioners)"
	case NoLock:
		return "the state is not locked, and others may change it at the same time"
	case ForceUnlock:
		return "somebody else's lock on the state is taken away"
	case StatePush:
		return "the whole state is overwritten"
	case ForcePush:
		return "the whole state is overwritten, whichever it was"
	case Unchecked:
		return "no plan was checked before"
	}
	return string(h)
}
