package tfplan

import (
	"cmp"
	"slices"

	"github.com/mollyguard/mollyguard/operation"
)

// destroyed notes that the object goes.
func (r *reading) destroyed() {
	if _, ok := r.before.(map[string]any); !ok {
		r.missing("what it was before is not in the plan")
	}
	guards := r.rule != nil && r.rule.Guards
	switch {
	case r.does.deletes && r.does.creates:
		if r.does.createsFirst {
			r.add(operation.Replace, "its replacement is created before it is deleted")
		} else {
			r.add(operation.Replace)
		}
		if guards {
			r.add(operation.Unprotect)
		}
	case r.does.deletes && guards:
		r.add(operation.Unprotect, "what it guards is no longer guarded")
	case r.does.deletes:
		r.add(operation.Delete)
	default:
		r.add(operation.Forget, "Terraform no longer manages it")
	}
}

// invoked notes an action of a provider, whose effect no plan says.
func (r *reading) invoked() {
	r.add(operation.Unknown, "the provider's action "+shown(r.c.Type, maxWord)+" is invoked")
	r.missing("what the action does")
}

// weakened notes what creating or updating the object disarms.
func (r *reading) weakened() {
	_, hadValues := r.before.(map[string]any)
	_, hasValues := r.after.(map[string]any)
	if r.rule != nil && r.rule.Destroys != "" {
		r.add(operation.Empty, r.rule.Destroys)
	}
	if r.does.destroys() {
		return // what is made anew is no weaker than nothing
	}
	if !hasValues || !hadValues && !r.does.creates {
		r.add(operation.Unknown)
		r.missing("what it was before, or will be after, is not in the plan")
		return
	}
	created := !hadValues
	list := r.family.disarm
	if r.rule != nil {
		list = slices.Concat(r.rule.disarm, list)
	}
	told := map[string]bool{}
	for i := range list {
		d := &list[i]
		if created && !d.created {
			continue
		}
		for _, found := range r.disarms(d, created) {
			key := found.at.String() + " " + string(d.verb)
			if told[key] {
				continue
			}
			told[key] = true
			at := found.at.String()
			if marked(r.beforeSensitive, found.at) || marked(r.afterSensitive, found.at) {
				at = d.at.String() // which may have keys of what is sensitive instead of *
			}
			r.add(d.verb, d.says+" ("+at+": "+found.how+")")
			if found.maybe {
				r.missing(at + " after apply")
			}
		}
	}
	if !created {
		r.unmarked()
	}
}

// unmarked notes that the labels which mark production go.
func (r *reading) unmarked() {
	marked := r.m.options.Marked
	if marked == nil {
		return
	}
	if !marked(r.op.Target.Labels) {
		if r.relabelled() {
			r.add(operation.Unprotect, "labels that may mark it as production change")
		}
		return
	}
	after := r.m.labeler(r.family, r.rule, subject{r.after, r.afterSensitive, r.unknown})
	switch {
	case marked(after.labels):
	case len(after.unknown) > 0 && !r.overwritten(after.labels):
		r.add(operation.Unprotect, "the labels that mark it as production may go")
		for _, what := range after.unknown {
			r.missing("after apply: " + what)
		}
	default:
		r.add(operation.Unprotect, "it is no longer labelled as production"+r.lost(after.labels))
	}
}

// relabelled reports whether a label changes that cannot be read.
func (r *reading) relabelled() bool {
	return slices.ContainsFunc(r.unread, func(at route) bool {
		return marked(r.unknown, at) || !same(at.first(r.before), at.first(r.after))
	})
}

// overwritten reports whether a label that marks production by itself has another value.
func (r *reading) overwritten(after map[string]string) bool {
	for key, value := range r.op.Target.Labels {
		other, ok := after[key]
		if ok && other != value && r.m.marked(map[string]string{key: value}) {
			return true
		}
	}
	return false
}

// lost names the first label that marks production by itself and changes.
func (r *reading) lost(after map[string]string) string {
	before := r.op.Target.Labels
	for _, key := range sortedStrings(before) {
		value, ok := after[key]
		if ok && value == before[key] || !r.m.options.Marked(map[string]string{key: before[key]}) {
			continue
		}
		if !ok {
			return " (" + shown(key, maxWord) + ": " + shown(before[key], maxWord) + " → nothing)"
		}
		return " (" + shown(key, maxWord) + ": " + shown(before[key], maxWord) + " → " + shown(value, maxWord) + ")"
	}
	return ""
}

// told adds what else is worth to be said of a change that is judged.
func (r *reading) told() {
	c := r.c
	if c.Deposed != "" {
		r.op.Changes = append(r.op.Changes,
			"it is a deposed object ("+shown(c.Deposed, maxWord)+") that an earlier replacement left behind; what is at the address now is another")
	}
	if c.PreviousAddress != "" && c.PreviousAddress != c.Address {
		r.op.Changes = append(r.op.Changes, "it moves here from "+shown(c.PreviousAddress, maxText/2))
	}
	if c.Importing != "" {
		r.op.Changes = append(r.op.Changes, "it is imported first")
	}
	switch c.Kind {
	case Drift:
		r.op.Changes = append(r.op.Changes, "it was done outside Terraform since the last apply")
	case Deferred:
		words := "it is put off to a later plan"
		if text := reasons[c.Reason]; text != "" {
			words += ": " + text
		}
		r.op.Changes = append(r.op.Changes, words)
	default:
		if text := reasons[c.Reason]; text != "" {
			r.op.Changes = append(r.op.Changes, text)
		}
	}
}

// reasons are Terraform's action_reason and reasons of deferral, in words
// (https://developer.hashicorp.com/terraform/internals/json-format#change-representation).
var reasons = map[string]string{
	"replace_because_tainted":           "it is marked as tainted",
	"replace_because_cannot_update":     "it cannot be changed in place",
	"replace_by_request":                "its replacement was asked for with -replace",
	"replace_by_triggers":               "something that its replace_triggered_by names changes",
	"delete_because_no_resource_config": "it is no longer in the configuration",
	"delete_because_no_module":          "its module is no longer in the configuration",
	"delete_because_wrong_repetition":   "its count or for_each was added or taken away",
	"delete_because_count_index":        "count is lower than its index",
	"delete_because_each_key":           "its key is no longer in for_each",
	"delete_because_no_move_target":     "it was moved to an address that is not in the configuration",
	"instance_count_unknown":            "how many there are is not known yet",
	"resource_config_unknown":           "its configuration is not known yet",
	"provider_config_unknown":           "its provider's configuration is not known yet",
	"deferred_prereq":                   "something that it depends on is put off",
	"absent_prereq":                     "something that it depends on is not there yet",
	"read_because_config_unknown":       "its configuration is not known yet",
	"read_because_dependency_pending":   "something that it depends on changes first",
}

// strength orders verbs: the strongest is Verb, the others Also.
var strength = []operation.Verb{
	operation.Delete, operation.Replace, operation.Empty, operation.ScaleToZero, operation.Unprotect,
	operation.Forget, operation.Unknown, operation.Update,
}

func (r *reading) finish() operation.Operation {
	slices.SortStableFunc(r.verbs, func(a, b operation.Verb) int {
		return cmp.Compare(slices.Index(strength, a), slices.Index(strength, b))
	})
	verbs := slices.Compact(r.verbs)
	if len(verbs) > 1 && verbs[len(verbs)-1] == operation.Update {
		verbs = verbs[:len(verbs)-1] // what else is done says more
	}
	op := r.op
	if len(verbs) > 0 {
		op.Verb = verbs[0]
	}
	if len(verbs) > 1 {
		op.Also = slices.Clone(verbs[1:])
	}
	op.Changes, op.Unknown = capped(op.Changes, maxChanges), capped(op.Unknown, maxUnknown)
	return op
}
