package mollyguard

# What policies about dependents share. Nothing that makes an operation touch production
# goes without a policy: who speaks for a way to depend says so with _spoken_for, and for
# the rest speak production-delete and its like, as for the target itself.

_for_target if input.production.target

# Production by something that is neither a dependent nor a volume.
_for_target if {
	input.production.is
	not _production_depends
	not _data_alone
}

_for_target if {
	some dependents in input.dependents
	dependents.production > 0
	not dependents.via in _spoken_for
}

# volume-of-production speaks for deletions.
_for_target if {
	_data_alone
	input.verb != "delete"
}

_production_depends if {
	some dependents in input.dependents
	dependents.production > 0
}

# Volumes are all that is production.
_data_alone if {
	not input.production.target
	not _production_depends
	some volume in input.volumes
	volume.production
}

# What the policies that speak for the target call it.
_subject := "what production depends on" if {
	not input.production.target
	_production_depends
}

else := "what holds data of production" if _data_alone

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
