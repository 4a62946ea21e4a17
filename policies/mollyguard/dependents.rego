package mollyguard

# What policies about dependents share. Nothing that makes an operation touch production
# goes without a policy: who speaks for a way to depend says so with _spoken_for, and for
# the rest speak production-delete and its like, as for the target itself.

_for_target if input.production.target

# Production by something that is no dependent.
_for_target if {
	input.production.is
	not _production_depends
}

_for_target if {
	some dependents in input.dependents
	dependents.production > 0
	not dependents.via in _spoken_for
}

_production_depends if {
	some dependents in input.dependents
	dependents.production > 0
}

# What the policies that speak for the target call it.
_subject := "what production depends on" if {
	not input.production.target
	_production_depends
}

else := "production"

# _production_via counts the production that depends in some ways, such as
# "3 Deployment, 12 Pod". It is undefined if there is none.
_production_via(ways) := told if {
	counted := [sprintf("%d %s", [dependents.production, dependents.kind]) |
		some dependents in input.dependents
		dependents.via in ways
		dependents.production > 0
	]
	count(counted) > 0
	told := concat(", ", array.concat(array.slice(counted, 0, 5), _more(count(counted) - 5)))
}

_more(n) := [sprintf("and %d more kinds", [n])] if {
	n > 0
} else := []
