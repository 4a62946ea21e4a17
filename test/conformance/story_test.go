package conformance

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// atOnce is how many stories are told at the same time; they mostly wait.
const atOnce = 12

// story is one thing that happens in a cluster. Stories happen at the same time, each
// in namespaces of its own, PREFIX for production and PREFIX-dev, or in those of the
// workloads where it says so.
type story struct {
	name string
	tell func(context.Context, *life) error
}

var stories = []story{
	{"a person scales workloads up and down", scaling},
	{"an autoscaler scales workloads up and down", autoscaling},
	{"a claim and its volume come, grow and go", storage},
	{"jobs end, fail, run late and are cleaned away", jobs},
	{"a schedule runs, is suspended and keeps its history short", schedules},
	{"a person deletes dev workloads with and without what they own", deletions},
	{"a node without production is drained and taken away", drain},
	{"a node is lost, its pods go elsewhere, and it comes back", loss},
	{"the scheduler makes room for a pod that is more important", preemption},
	{"controllers elect leaders, write events and end points", churn},
	{"certificates are renewed", certificates},
	{"challenges are solved, and what solved them is removed", challenges},
	{"pods are deleted and evicted to have them made anew", restarts},
	{"versions are delivered one after the other, and the one before is taken down", progressiveDelivery},
	{"what is in Git is applied again and again, and pruned in dev", gitOps},
	{"an operator keeps finalizers on what it owns", finalizers},
	{"a chart is installed, upgraded and rolled back", charts},
	{"a kind that only dev uses comes and goes", definitions},
}

// live makes a cluster busy: it makes the workloads, then tells all stories.
func (l *life) live(ctx context.Context, list []town) error {
	if err := l.apply(ctx, l.gitops, "", clusterManifests); err != nil {
		return err
	}
	if err := l.until(ctx, "the kind Widget", func() error {
		_, err := l.operator.dynamic.Resource(widgets).List(ctx, metav1.ListOptions{})
		return err
	}); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, t := range list {
		group.Go(func() error {
			if err := l.workIn(ctx, t); err != nil {
				return fmt.Errorf("workloads of %s are made and rolled out: %w", t.name, err)
			}
			return nil
		})
	}
	for _, s := range stories {
		group.Go(func() error {
			if err := s.tell(ctx, l); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// workIn applies a namespace's workloads twice, as GitOps does. A person gives them
// other images, and has second thoughts. One dev namespace is deleted in the end.
func (l *life) workIn(ctx context.Context, t town) error {
	for range 2 {
		if err := l.apply(ctx, l.gitops, "", namespaceManifest(t.name, t.env)); err != nil {
			return err
		}
		for _, manifest := range t.workloads {
			if err := l.apply(ctx, l.gitops, t.name, manifest); err != nil {
				return err
			}
		}
	}
	in := "-n " + t.name + " "
	for _, command := range []string{
		in + "set image deployment,statefulset,daemonset -l part-of=life main=example.com/app:2",
		in + "rollout restart deployment,statefulset -l part-of=life",
		in + "rollout undo deployment -l part-of=life",
		in + "scale deployment -l part-of=life --replicas=3",
		in + "scale statefulset -l part-of=life --replicas=1",
	} {
		if err := l.allReady(ctx, t.name); err != nil {
			return err
		}
		if err := l.kubectls(ctx, command); err != nil {
			return err
		}
	}
	if t.name == "try-1" {
		return l.kubectls(ctx, "delete namespace "+t.name)
	}
	return l.allReady(ctx, t.name)
}

// places makes the two namespaces of a story.
func (l *life) places(ctx context.Context, prefix string) (production, dev string, err error) {
	production, dev = prefix, prefix+"-dev"
	return production, dev, l.apply(ctx, l.gitops, "", namespaceManifest(production, poolProduction)+"---\n"+namespaceManifest(dev, poolDev))
}

// gone waits until what a manifest names is not there.
func (l *life) gone(ctx context.Context, namespace, manifests string) error {
	objects, err := decode(manifests)
	if err != nil {
		return err
	}
	for _, object := range objects {
		resource, err := l.resource(l.admin, object, namespace)
		if err != nil {
			return err
		}
		if err := l.until(ctx, fmt.Sprintf("%s %s/%s to go", object.GetKind(), namespace, object.GetName()), func() error {
			_, err := resource.Get(ctx, object.GetName(), metav1.GetOptions{})
			return wantGone(err)
		}); err != nil {
			return err
		}
	}
	return nil
}
