package webhook

import (
	"fmt"
	"slices"
	"strconv"
)

// The annotations by which tools are told to leave an object, or what it stands for,
// alone, and those that say what becomes of it.
const (
	// helmPolicy is keep for what an uninstalled release leaves behind
	// (https://helm.sh/docs/howto/charts_tips_and_tricks/#tell-helm-not-to-uninstall-a-resource).
	helmPolicy = "helm.sh/resource-policy"
	// argoOptions holds Prune=false and Delete=false
	// (https://argo-cd.readthedocs.io/en/stable/user-guide/sync-options/).
	argoOptions = "argocd.argoproj.io/sync-options"
	// connectorPolicy is abandon for a cloud resource that outlives its object
	// (https://cloud.google.com/config-connector/docs/how-to/managing-deleting-resources).
	connectorPolicy = "cnrm.cloud.google.com/deletion-policy"
	// externalName is what the provider calls the resource behind a Crossplane object.
	externalName = "crossplane.io/external-name"
	// pausedReplicas is the number that KEDA holds a workload at
	// (https://keda.sh/docs/latest/concepts/scaling-deployments/#pausing-autoscaling).
	pausedReplicas = "autoscaling.keda.sh/paused-replicas"
	// defaultClass, and the older of its two names, make a StorageClass the one for
	// claims that name none (k8s.io/component-helpers storage/volume).
	defaultClass     = "storageclass.kubernetes.io/is-default-class"
	defaultClassBeta = "storageclass.beta.kubernetes.io/is-default-class"
)

// knownAnnotations are read whether or not a policy reads annotations.
var knownAnnotations = []string{
	helmPolicy, argoOptions, connectorPolicy, externalName, pausedReplicas, defaultClass, defaultClassBeta,
}

// annotations reads those that somebody looks at. The others may hold what they
// like, unless all are wanted.
func (s *scanner) annotations(o *object) error {
	const what = "metadata.annotations"
	if kind := s.dec.PeekKind(); kind != '{' {
		if kind != 'n' && s.withAnnotations {
			o.note(what)
		}
		return s.skip()
	}
	var all map[string]string
	if s.withAnnotations {
		all = map[string]string{}
	}
	var seen names
	_, err := s.entries(func(key string) error {
		known := key == BreakGlassKey || slices.Contains(knownAnnotations, key)
		if !known && !s.withAnnotations {
			return s.skip()
		}
		if !seen.add(key) {
			return fmt.Errorf("the name at %q is there twice", s.dec.StackPointer())
		}
		var text string
		kind := s.dec.PeekKind()
		if kind != '"' {
			if kind != 'n' && s.withAnnotations {
				o.note(what)
			}
			if err := s.skip(); err != nil {
				return err
			}
		} else if err := s.textWithin(&text, maxValue); err != nil {
			return err
		}
		if key == BreakGlassKey { // it may be a token, and stays out of the others
			o.presented = text
			return nil
		}
		if known {
			o.mark(key, text)
		}
		switch {
		case !s.withAnnotations:
		case len(all) < maxNames:
			all[key] = text
		default:
			o.note(what + " beyond the first " + strconv.Itoa(maxNames))
		}
		return nil
	})
	o.annotations = all
	return err
}

// mark keeps a known annotation; one without a text is as good as none.
func (o *object) mark(key, text string) {
	if text == "" {
		return
	}
	if o.marks == nil {
		o.marks = map[string]string{}
	}
	o.marks[key] = text
}
