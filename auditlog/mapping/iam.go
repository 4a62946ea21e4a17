package mapping

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
)

// maxDeltas is how many changes of a policy are listed: a person reads no more.
const maxDeltas = 50

// setsPolicy reports whether a method replaces an IAM policy, whatever service has it:
// all call it so (https://cloud.google.com/iam/docs/reference/rest/v1/Policy).
func setsPolicy(method string) bool {
	last := lastSegment(method)
	return len(last) >= len("SetIamPolicy") && strings.EqualFold(last[:len("SetIamPolicy")], "SetIamPolicy") ||
		strings.EqualFold(last, "SetIamPermissions")
}

// deltas are where services log what became of a policy
// (https://cloud.google.com/logging/docs/reference/audit/auditlog/rest/Shared.Types/AuditData).
var deltas = []path{
	mustPath("protoPayload.serviceData.policyDelta.bindingDeltas"),
	mustPath("protoPayload.metadata.policyDelta.bindingDeltas"),
	mustPath("protoPayload.metadata.bindingDeltas"),
	mustPath("protoPayload.metadata.datasetChange.bindingDeltas"),
	mustPath("protoPayload.metadata.tableChange.bindingDeltas"),
}

// auditDeltas are where they log what became of the audit log's configuration.
var auditDeltas = []path{
	mustPath("protoPayload.serviceData.policyDelta.auditConfigDeltas"),
	mustPath("protoPayload.metadata.policyDelta.auditConfigDeltas"),
}

// policyChange completes the reading of a call that sets a policy, and reports whether
// it is to be judged. Rights that are only given destroy nothing. Rights taken from us
// are what whoever wants to go unseen takes first.
func (m *Mapper) policyChange(r *row, e *entry, op *operation.Operation) bool {
	known := op.Target.Kind != ""
	bindings, audits := allDeltas(e, deltas), allDeltas(e, auditDeltas)
	var removed, ours, blinded bool
	var changes []string
	for _, delta := range bindings {
		role, member := plain(delta["role"]), plain(delta["member"])
		if strings.EqualFold(plain(delta["action"]), "REMOVE") {
			removed = true
			ours = ours || m.isOwn(member)
			changes = append(changes, short(role)+" removed from "+short(member))
			continue
		}
		changes = append(changes, short(role)+" given to "+short(member))
	}
	for _, delta := range audits {
		what := fmt.Sprintf("audit log %s of %s", short(plain(delta["logType"])), short(plain(delta["service"])))
		// A member that is added is one whose calls are not logged.
		if exempt := plain(delta["exemptedMember"]); exempt != "" {
			what += " for " + short(exempt)
		}
		added := !strings.EqualFold(plain(delta["action"]), "REMOVE")
		// Less is logged from now on: of a service, or of a member who was made an
		// exception.
		if added == (plain(delta["exemptedMember"]) != "") {
			removed, blinded = true, true
		}
		if added {
			changes = append(changes, what+" added")
		} else {
			changes = append(changes, what+" removed")
		}
	}
	if len(changes) > maxDeltas {
		changes = append(changes[:maxDeltas], fmt.Sprintf("and %d more changes", len(changes)-maxDeltas))
	}
	op.Changes = append(op.Changes, changes...)
	switch {
	case ours || blinded:
		if !known {
			op.Target, op.Unknown = unknownTarget(e)
		}
		op.Verb, op.Target.Own = operation.Unprotect, true
		return true
	case r == nil:
		return false
	case !removed && len(changes) > 0:
		op.Verb, op.Target.Own = operation.Update, false
	}
	return true
}

func allDeltas(e *entry, from []path) []object {
	var all []object
	for _, p := range from {
		list, _ := p.first(e.tree).([]any)
		for _, item := range list {
			if delta, ok := item.(object); ok {
				all = append(all, delta)
			}
		}
	}
	return all
}

// isOwn reports whether a member of a policy is an identity that Mollyguard reads by.
func (m *Mapper) isOwn(member string) bool {
	member = strings.TrimPrefix(member, "deleted:")
	member, _, _ = strings.Cut(member, "?uid=")
	_, name, _ := strings.Cut(member, ":")
	return slices.ContainsFunc(m.options.Own, func(own string) bool {
		return own != "" && (strings.EqualFold(own, name) || strings.EqualFold(own, member))
	})
}
