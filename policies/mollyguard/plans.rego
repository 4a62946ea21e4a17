package mollyguard

# What policies about Terraform plans share.

# The operation is about a plan or a state as a whole. What it does to single resources
# comes as operations of their own, and is judged there.
_plan_itself if {
	input.surface == "terraform"
	input.target.kind in {"TerraformPlan", "TerraformState"}
}

# Hazards that make a plan show less than there is, or than it does. All others are more
# than that, those that are not known here too.
_partial := {"target", "incomplete", "no-refresh", "state-edit", "provisioners"}

# What a hazard is in words, the same as in reports (operation.Hazard).
_hazard_in_words := {
	"target": "only some of the resources were planned",
	"incomplete": "changes were left for a later plan",
	"no-refresh": "what is really there was not looked at",
	"state-edit": "the state is edited by hand",
	"provisioners": "programs run that are not judged (provisioners)",
	"no-lock": "the state is not locked, and others may change it at the same time",
	"force-unlock": "somebody else's lock on the state is taken away",
	"state-push": "the whole state is overwritten",
	"force-push": "the whole state is overwritten, whichever it was",
	"unchecked": "no plan was checked before",
}

_hazards(found) := concat("; ", [object.get(_hazard_in_words, hazard, hazard) | some hazard in found])
