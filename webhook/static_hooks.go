package webhook

import (
	"errors"
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// StaticHooks generates the webhook configurations that an API server loads from files,
// beside the static floor: hooks for DELETE are mutating ones, as with the floor. It is
// an error if there is no URL: an API server asks no Service before it can read one.
//
// API servers ask such hooks about webhook configurations and admission policies too,
// unlike those in the API. These are left alone, so that hooks of others which nobody
// answers can be removed.
//
// The call secret does not go into files: what calls by them proves itself by a client
// certificate.
func StaticHooks(opts ConfigurationOptions) (Configurations, error) {
	if opts.URL == "" {
		return Configurations{}, errors.New("hooks in files need a URL of the server: API servers ask no Service from a file")
	}
	opts.CallSecret, opts.Floor = "", true
	all := Configuration(opts)
	for _, meta := range []*metav1.ObjectMeta{&all.Validating.ObjectMeta, &all.Mutating.ObjectMeta} {
		*meta = metav1.ObjectMeta{Name: meta.Name + StaticSuffix}
	}
	for i, hook := range all.Validating.Webhooks {
		all.Validating.Webhooks[i].MatchConditions = withExit(hook.Rules, hook.MatchConditions)
	}
	for i, hook := range all.Mutating.Webhooks {
		all.Mutating.Webhooks[i].MatchConditions = withExit(hook.Rules, hook.MatchConditions)
	}
	return all, nil
}

// withExit keeps webhook configurations and admission policies away from a hook for
// objects of all groups.
func withExit(rules []admissionregistrationv1.RuleWithOperations, conditions []admissionregistrationv1.MatchCondition) []admissionregistrationv1.MatchCondition {
	if !slices.Contains(rules[0].APIGroups, "*") {
		return conditions
	}
	return append(slices.Clone(conditions), exit())
}
