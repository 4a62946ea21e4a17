package mollyguard

# METADATA
# title: Volumes with data of production are not deleted
# description: |
#   Refuses to delete a claim or a volume that is not production itself but holds data
#   of production, or that production mounts or is bound to; and anything else that
#   takes such data along where no other production goes with it, as a namespace. Says
#   what becomes of the data, and how old the newest snapshot is.
# custom:
#   policy: volume-of-production
#   severity: high
#   runbook: https://github.com/mollyguard/mollyguard/blob/main/docs/policies.md#volume-of-production
violation contains {"policy": "volume-of-production", "severity": "high", "message": message, "break_glass": {"approvals": 1}} if {
	input.verb == "delete"
	_is_volume
	not input.production.target
	told := [_volume_told(volume) | some volume in input.volumes; volume.production]
	message := _volume_message(told)
}

violation contains {"policy": "volume-of-production", "severity": "high", "message": message, "break_glass": {"approvals": 1}} if {
	input.verb == "delete"
	not _is_volume
	_data_goes
	told := [_volume_told(volume) | some volume in input.volumes; volume.production]
	message := _volume_message(told)
}

_data_goes if _data_alone

# What has ended may go with its pods, whatever it is itself, but not with data.
_data_goes if {
	input.target.ended
	not _owns_more_than_pods
	some volume in input.volumes
	volume.production
}

_is_volume if {
	input.target.group == ""
	input.target.resource in {"persistentvolumeclaims", "persistentvolumes"}
}

_spoken_for contains via if {
	input.verb == "delete"
	_is_volume
	some via in _volume_users
}

_volume_users := {"bound", "mounted"}

_volume_message([first]) := sprintf("data of production goes with it: %s", [first])

_volume_message(several) := sprintf("data of production goes with it: %s, and %d more", [several[0], count(several) - 1]) if count(several) > 1

_volume_message([]) := sprintf("production uses it: %s", [_production_via(_volume_users)])

_volume_told(volume) := sprintf("%s (reclaim policy %s, %s)", [
	_first_said([volume.claim, volume.name, "a volume"]), _first_said([volume.reclaim_policy, "unknown"]), _snapshot_told(volume),
])

_first_said(texts) := [text | some text in texts; text != ""][0]

_snapshot_told(volume) := "whether there is a snapshot is not known" if {
	volume.snapshot == ""
	volume.snapshots_unknown
} else := "no snapshot" if {
	volume.snapshot == ""
} else := sprintf("newest snapshot %s, %s old", [volume.snapshot, _told_age(then, now)]) if {
	then := _instant(volume.snapshot_time)
	now := _instant(input.time)
} else := sprintf("newest snapshot %s", [volume.snapshot])

# _instant is undefined for a time that is not known, or that nanoseconds cannot count.
_instant(text) := time.parse_rfc3339_ns(text) if {
	text > "1971"
	text < "2200"
}

_told_age(then, now) := sprintf("%dm", [minutes]) if {
	minutes := max([0, floor((now - then) / 60000000000)])
	minutes < 120
} else := sprintf("%dh", [hours]) if {
	hours := floor((now - then) / 3600000000000)
	hours < 48
} else := sprintf("%dd", [floor((now - then) / 86400000000000)])
