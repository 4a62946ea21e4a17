package mollyguard_test

import data.mollyguard

_data_of_db := {
	"claim": "shop/data-db-0",
	"name": "pv-17",
	"reclaim_policy": "Delete",
	"production": true,
	"snapshot": "nightly-1120",
	"snapshot_time": "2026-11-20T18:00:00Z",
}

test_volume_of_production_fires_and_says_how_old_the_newest_snapshot_is if {
	some v in mollyguard.violation with input as {"verb": "delete", "target": {"group": "", "resource": "persistentvolumeclaims"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "Pod", "via": "mounted", "count": 2, "production": 1, "names": []}], "volumes": [_data_of_db], "time": "2026-11-21T03:12:47Z"}
	v.policy == "volume-of-production"
	v.severity == "high"
	v.message == "data of production goes with it: shop/data-db-0 (reclaim policy Delete, newest snapshot nightly-1120, 9h old)"
	v.break_glass == {"approvals": 1}
}

test_volume_of_production_fires_and_counts_minutes if {
	some v in mollyguard.violation with input as {"verb": "delete", "target": {"group": "", "resource": "persistentvolumeclaims"}, "production": {"is": true, "target": false}, "dependents": [], "volumes": [object.union(_data_of_db, {"snapshot_time": "2026-11-21T02:12:00Z"})], "time": "2026-11-21T03:12:47Z"}
	v.policy == "volume-of-production"
	v.severity == "high"
	v.message == "data of production goes with it: shop/data-db-0 (reclaim policy Delete, newest snapshot nightly-1120, 60m old)"
	v.break_glass == {"approvals": 1}
}

test_volume_of_production_fires_and_counts_days if {
	some v in mollyguard.violation with input as {"verb": "delete", "target": {"group": "", "resource": "persistentvolumeclaims"}, "production": {"is": true, "target": false}, "dependents": [], "volumes": [object.union(_data_of_db, {"snapshot_time": "2026-11-01T02:12:00Z"})], "time": "2026-11-21T03:12:47Z"}
	v.policy == "volume-of-production"
	v.severity == "high"
	v.message == "data of production goes with it: shop/data-db-0 (reclaim policy Delete, newest snapshot nightly-1120, 20d old)"
	v.break_glass == {"approvals": 1}
}

test_volume_of_production_fires_and_a_snapshot_from_the_future_is_new if {
	some v in mollyguard.violation with input as {"verb": "delete", "target": {"group": "", "resource": "persistentvolumeclaims"}, "production": {"is": true, "target": false}, "dependents": [], "volumes": [object.union(_data_of_db, {"snapshot_time": "2026-11-21T03:20:00Z"})], "time": "2026-11-21T03:12:47Z"}
	v.policy == "volume-of-production"
	v.severity == "high"
	v.message == "data of production goes with it: shop/data-db-0 (reclaim policy Delete, newest snapshot nightly-1120, 0m old)"
	v.break_glass == {"approvals": 1}
}

test_volume_of_production_fires_and_says_if_there_is_no_snapshot if {
	some v in mollyguard.violation with input as {"verb": "delete", "target": {"group": "", "resource": "persistentvolumes"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "PersistentVolumeClaim", "via": "bound", "count": 1, "production": 1, "names": []}], "volumes": [object.union(_data_of_db, {"claim": "", "reclaim_policy": "", "snapshot": "", "snapshot_time": "0001-01-01T00:00:00Z"})], "time": "2026-11-21T03:12:47Z"}
	v.policy == "volume-of-production"
	v.severity == "high"
	v.message == "data of production goes with it: pv-17 (reclaim policy unknown, no snapshot)"
	v.break_glass == {"approvals": 1}
}

test_volume_of_production_fires_whatever_is_not_known if {
	some v in mollyguard.violation with input as {"verb": "delete", "target": {"group": "", "resource": "persistentvolumeclaims"}, "production": {"is": true, "target": false}, "dependents": [], "volumes": [object.union(_data_of_db, {"claim": "", "name": "", "snapshot_time": "0001-01-01T00:00:00Z"})], "time": "0001-01-01T00:00:00Z"}
	v.policy == "volume-of-production"
	v.severity == "high"
	v.message == "data of production goes with it: a volume (reclaim policy Delete, newest snapshot nightly-1120)"
	v.break_glass == {"approvals": 1}
}

test_volume_of_production_fires_and_counts_several_volumes if {
	some v in mollyguard.violation with input as {"verb": "delete", "target": {"group": "", "resource": "persistentvolumeclaims"}, "production": {"is": true, "target": false}, "dependents": [], "volumes": [object.union(_data_of_db, {"snapshot": ""}), _data_of_db, object.union(_data_of_db, {"production": false})], "time": "2026-11-21T03:12:47Z"}
	v.policy == "volume-of-production"
	v.severity == "high"
	v.message == "data of production goes with it: shop/data-db-0 (reclaim policy Delete, no snapshot), and 1 more"
	v.break_glass == {"approvals": 1}
}

test_volume_of_production_fires_on_users_alone if {
	some v in mollyguard.violation with input as {"verb": "delete", "target": {"group": "", "resource": "persistentvolumeclaims"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "Pod", "via": "mounted", "count": 4, "production": 3, "names": []}], "time": "2026-11-21T03:12:47Z", "volumes": [object.union(_data_of_db, {"production": false})]}
	v.policy == "volume-of-production"
	v.severity == "high"
	v.message == "production uses it: 3 Pod"
	v.break_glass == {"approvals": 1}
}

test_volume_of_production_fires_even_if_nothing_else_makes_it_production if {
	some v in mollyguard.violation with input as {"verb": "delete", "target": {"group": "", "resource": "persistentvolumeclaims"}, "production": {"is": false, "target": false}, "dependents": [], "volumes": [object.union(_data_of_db, {"snapshot": ""})], "time": "2026-11-21T03:12:47Z"}
	v.policy == "volume-of-production"
	v.severity == "high"
	v.message == "data of production goes with it: shop/data-db-0 (reclaim policy Delete, no snapshot)"
	v.break_glass == {"approvals": 1}
}

test_volume_of_production_leaves_data_that_is_not_production_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "delete", "target": {"group": "", "resource": "persistentvolumeclaims"}, "production": {"is": false, "target": false}, "dependents": [{"kind": "Pod", "via": "mounted", "count": 4, "production": 0, "names": []}], "volumes": [object.union(_data_of_db, {"production": false})], "time": "2026-11-21T03:12:47Z"}
	not "volume-of-production" in policies
}

test_volume_of_production_leaves_production_itself_to_production_delete if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "delete", "target": {"group": "", "resource": "persistentvolumeclaims"}, "production": {"is": true, "target": true}, "dependents": [{"kind": "Pod", "via": "mounted", "count": 4, "production": 3, "names": []}], "volumes": [_data_of_db], "time": "2026-11-21T03:12:47Z"}
	not "volume-of-production" in policies
	"production-delete" in policies
}

test_volume_of_production_leaves_a_secret_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "delete", "target": {"group": "", "resource": "secrets"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "Pod", "via": "mounted", "count": 4, "production": 3, "names": []}], "time": "2026-11-21T03:12:47Z"}
	not "volume-of-production" in policies
}

test_volume_of_production_leaves_an_update_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "update", "target": {"group": "", "resource": "persistentvolumeclaims"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "Pod", "via": "mounted", "count": 4, "production": 3, "names": []}], "volumes": [_data_of_db], "time": "2026-11-21T03:12:47Z"}
	not "volume-of-production" in policies
}

test_volume_of_production_fires_and_says_if_snapshots_are_not_known if {
	some v in mollyguard.violation with input as {"verb": "delete", "target": {"group": "", "resource": "persistentvolumeclaims"}, "production": {"is": true, "target": false}, "dependents": [], "volumes": [object.union(_data_of_db, {"snapshot": "", "snapshots_unknown": true})], "time": "2026-11-21T03:12:47Z"}
	v.policy == "volume-of-production"
	v.severity == "high"
	v.message == "data of production goes with it: shop/data-db-0 (reclaim policy Delete, whether there is a snapshot is not known)"
	v.break_glass == {"approvals": 1}
}

test_volume_of_production_fires_for_a_namespace_that_holds_data_alone if {
	found := mollyguard.violation with input as {"verb": "delete", "target": {"group": "", "resource": "namespaces"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "PersistentVolumeClaim", "via": "contained", "count": 1, "production": 0, "names": []}], "volumes": [object.union(_data_of_db, {"snapshot": ""})], "time": "2026-11-21T03:12:47Z"}
	{"policy": "volume-of-production", "severity": "high", "message": "data of production goes with it: shop/data-db-0 (reclaim policy Delete, no snapshot)", "break_glass": {"approvals": 1}} in found
}

test_volume_of_production_leaves_a_namespace_with_other_production_to_its_own_policy if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "delete", "target": {"group": "", "resource": "namespaces"}, "production": {"is": true, "target": false}, "dependents": [{"kind": "Pod", "via": "contained", "count": 4, "production": 3, "names": []}], "volumes": [_data_of_db], "time": "2026-11-21T03:12:47Z"}
	"namespace-holds-production" in policies
	not "volume-of-production" in policies
}

test_volume_of_production_fires_for_a_job_that_has_ended if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "delete", "target": {"group": "batch", "resource": "jobs", "ended": true}, "production": {"is": true, "target": true}, "dependents": [{"kind": "Pod", "via": "owned", "count": 1, "production": 1, "names": []}], "volumes": [_data_of_db], "time": "2026-11-21T03:12:47Z"}
	"volume-of-production" in policies
	not "production-delete" in policies
}

test_volume_of_production_leaves_a_job_that_has_ended_to_owner_of_production if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "delete", "target": {"group": "batch", "resource": "jobs", "ended": true}, "production": {"is": true, "target": true}, "dependents": [{"kind": "PersistentVolumeClaim", "via": "owned", "count": 1, "production": 1, "names": []}], "volumes": [_data_of_db], "time": "2026-11-21T03:12:47Z"}
	"owner-of-production" in policies
	not "volume-of-production" in policies
}

test_production_unprotect_speaks_for_data_that_stays if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "unprotect", "target": {"group": "", "resource": "persistentvolumes"}, "production": {"is": true, "target": false}, "dependents": [], "volumes": [_data_of_db], "time": "2026-11-21T03:12:47Z"}
	"production-unprotect" in policies
	not "volume-of-production" in policies
}
