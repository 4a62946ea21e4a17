// Package v1alpha1 is how the records of break glass are written as objects of
// the Kubernetes API: group mollyguard.dev, version v1alpha1, all of them
// cluster-scoped. deploy/base/crds is generated from it.
//
// The package says what an object may hold, so that an API server refuses what
// could not be read, and nothing of what the records mean: that is package
// breakglass's. Limits are those of package breakglass, in characters instead of
// bytes. Times have patterns because the format date-time takes more than Go
// reads back, and one object that cannot be read would hide all others from a
// list. What is written in CEL
// (https://kubernetes.io/docs/reference/using-api/cel/) is what can be told from
// one object alone; who may write which is for the webhook.
//
// +groupName=mollyguard.dev
// +versionName=v1alpha1
// +kubebuilder:object:generate=true
package v1alpha1
