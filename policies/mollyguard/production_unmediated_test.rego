package mollyguard_test

import data.mollyguard

test_production_unmediated_fires_on_what_came_past_the_webhook if {
	some mediation in ["unmediated", "failed-open"]
	some v in mollyguard.violation with input as {"verb": "delete", "mediation": mediation, "production": {"is": true}}
	v.policy == "production-unmediated"
	v.severity == "critical"
	v.message != ""
	v.break_glass == "never"
}

test_production_unmediated_has_a_message_for_each_way_past if {
	every mediation in ["unmediated", "failed-open"] {
		some v in mollyguard.violation with input as {"verb": "evict", "mediation": mediation, "production": {"is": true}}
		v.policy == "production-unmediated"
	}
}

test_production_unmediated_leaves_what_the_webhook_saw_or_does_not_guard_alone if {
	every mediation in ["mediated", ""] {
		policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "delete", "mediation": mediation, "production": {"is": true}}
		not "production-unmediated" in policies
	}
}

test_production_unmediated_leaves_other_targets_alone if {
	policies := {v.policy | some v in mollyguard.violation} with input as {"verb": "delete", "mediation": "unmediated", "production": {"is": false}}
	not "production-unmediated" in policies
}
