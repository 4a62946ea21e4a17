package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/pause"
)

const (
	// uninstallTimeout is how long uninstalling may take: servers answer for half a
	// minute after they were told to stop (terminationGracePeriodSeconds), and the
	// rest is for nodes that are slow.
	uninstallTimeout = 3 * time.Minute
	// uninstallEvery is between two attempts. A server puts its configuration back at
	// once eight times, and then every other second (webhook.Keeper): it
	// loses against this.
	uninstallEvery = 250 * time.Millisecond
	// uninstallQuiet is how long nothing may come back: a server that still runs looks
	// every other second when something was deleted.
	uninstallQuiet = 5 * time.Second
	// comebacks is after how many times uninstallQuiet it is believed that what comes
	// back will go on to.
	comebacks = 6
)

func newUninstall(s streams) *cobra.Command {
	var connect connectOptions
	u := uninstaller{out: s.out, every: uninstallEvery, quiet: uninstallQuiet}
	var yes bool
	cmd := &cobra.Command{
		Use:   "uninstall [flags]",
		Short: "Take the hooks out of the cluster and stop the server, so that nothing refuses any more",
		Long: `Take Mollyguard's hooks out of the cluster and stop the server, in the order in
which nothing is left that refuses: webhook configurations, admission policies and
what these know, then the Deployment is scaled to zero. The server puts back what is
deleted as long as it runs, so all of it is deleted until it stays away.

Nothing is changed without --yes. What is left does nothing any more:

  kubectl delete --ignore-not-found --kustomize deploy/base

removes it, with all records of break glass.`,
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, here, err := connect.cluster(s, place{})
			if err != nil {
				return err
			}
			if u.objects, err = dynamic.NewForConfig(config); err != nil {
				return fmt.Errorf("make a client: %w", err)
			}
			if u.clients, err = kubernetes.NewForConfig(config); err != nil {
				return fmt.Errorf("make a client: %w", err)
			}
			fmt.Fprintf(s.err, "mollyguard: uninstall from %s\n", operation.Printable(here))
			ctx, cancel := context.WithTimeout(cmd.Context(), uninstallTimeout)
			defer cancel()
			if !yes {
				if err := u.plan(ctx); err != nil {
					return err
				}
				fmt.Fprintln(s.err, "mollyguard: nothing was changed: say --yes to do it")
				return nil
			}
			if err := u.run(ctx); err != nil {
				return err
			}
			fmt.Fprintln(s.err, "mollyguard: nothing refuses for mollyguard any more; what is left goes with kubectl delete --ignore-not-found --kustomize")
			return nil
		},
	}
	connect.clusterFlags(cmd)
	cmd.Flags().BoolVar(&yes, "yes", false, "do it")
	cmd.Flags().StringVar(&u.name, "name", "mollyguard", "`NAME` of the webhook configurations (kubernetes.webhook.name)")
	cmd.Flags().StringVar(&u.namespace, "namespace", "mollyguard", "`NAMESPACE` that the server runs in")
	cmd.Flags().StringVar(&u.deployment, "deployment", "mollyguard", "`NAME` of the server's Deployment")
	return cmd
}

// uninstaller takes Mollyguard out of one cluster. Whatever is gone already is no
// error, so it may be run again after a failure.
type uninstaller struct {
	objects                     dynamic.Interface
	clients                     kubernetes.Interface
	name, namespace, deployment string
	every, quiet                time.Duration
	out                         io.Writer
	// said are the lines that were printed.
	said map[string]bool
}

// plan says what run would do.
func (u *uninstaller) plan(ctx context.Context) error {
	for _, guard := range guards(u.name) {
		found, err := u.there(ctx, guard)
		if err != nil {
			return err
		}
		if found {
			u.say("would delete %s", guard)
		}
	}
	deployment, err := u.server(ctx)
	if err != nil {
		return err
	}
	switch {
	case deployment == nil:
	case *deployment.Spec.Replicas > 0:
		u.say("would scale deployment/%s in namespace %s from %d to 0", u.deployment, u.namespace, *deployment.Spec.Replicas)
	}
	if len(u.said) == 0 {
		u.say("nothing to do: there is neither a hook nor a server")
	}
	return nil
}

// run does it. When it returns nil, nothing has come back for a while.
func (u *uninstaller) run(ctx context.Context) error {
	if err := u.stopServer(ctx); err != nil {
		return err
	}
	if err := u.waitForPods(ctx); err != nil {
		return err
	}
	return u.keepAway(ctx)
}

// stopServer deletes the hooks and scales the server to zero. While it runs it puts
// them back, and refuses to be scaled to zero without a grant: between a deletion and
// what it does about it there is time enough.
func (u *uninstaller) stopServer(ctx context.Context) error {
	for {
		if _, err := u.release(ctx); err != nil {
			return err
		}
		refusal := u.scaleToZero(ctx)
		if refusal == nil || !refusedByAdmission(refusal) {
			return refusal
		}
		if err := pause.For(ctx, u.every); err != nil {
			return fmt.Errorf("not within %v: %s", uninstallTimeout, printableLines(refusal.Error()))
		}
	}
}

// keepAway deletes what comes back until nothing does.
func (u *uninstaller) keepAway(ctx context.Context) error {
	for since, all := time.Duration(0), time.Duration(0); since < u.quiet; since, all = since+u.every, all+u.every {
		cameBack, err := u.release(ctx)
		if err != nil {
			return err
		}
		if cameBack {
			since = 0
		}
		if all > u.quiet*comebacks {
			return &exitError{
				code: exitUndecided, err: errors.New("what was deleted comes back: a server still runs somewhere"),
				hint: "stop it first, outside the cluster or in another namespace (--namespace, --deployment), and say this again",
			}
		}
		if err := pause.For(ctx, u.every); err != nil {
			return fmt.Errorf("wait for what may come back: %w", err)
		}
	}
	return nil
}

// release deletes the hooks that are there, in order, and reports whether there were
// any.
func (u *uninstaller) release(ctx context.Context) (any bool, err error) {
	for _, guard := range guards(u.name) {
		err := u.objects.Resource(guard.resource).Delete(ctx, guard.name, metav1.DeleteOptions{})
		switch {
		case apierrors.IsNotFound(err): // or its kind is
		case err != nil && refusedByAdmission(err): // by a policy that has just come back
			any = true
		case err != nil:
			return any, fmt.Errorf("delete %s: %w", guard, err)
		default:
			any = true
			u.say("deleted %s", guard)
		}
	}
	return any, nil
}

func (u *uninstaller) there(ctx context.Context, guard guardObject) (bool, error) {
	_, err := u.objects.Resource(guard.resource).Get(ctx, guard.name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for %s: %w", guard, err)
	}
	return true, nil
}

// server is the Deployment, or nil if there is none.
func (u *uninstaller) server(ctx context.Context) (*appsv1.Deployment, error) {
	deployment, err := u.clients.AppsV1().Deployments(u.namespace).Get(ctx, u.deployment, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for the server: %w", err)
	}
	return deployment, nil
}

func (u *uninstaller) scaleToZero(ctx context.Context) error {
	deployment, err := u.server(ctx)
	if err != nil || deployment == nil || *deployment.Spec.Replicas == 0 {
		return err
	}
	_, err = u.clients.AppsV1().Deployments(u.namespace).UpdateScale(ctx, u.deployment, &autoscalingv1.Scale{
		ObjectMeta: metav1.ObjectMeta{Name: u.deployment, Namespace: u.namespace},
	}, metav1.UpdateOptions{FieldManager: "mollyguard-uninstall"})
	if err != nil {
		return fmt.Errorf("scale deployment/%s to 0: %w", u.deployment, err)
	}
	u.say("scaled deployment/%s in namespace %s to 0", u.deployment, u.namespace)
	return nil
}

// waitForPods waits until the server's pods are gone. Those that are being stopped
// still put things right.
func (u *uninstaller) waitForPods(ctx context.Context) error {
	deployment, err := u.server(ctx)
	if err != nil || deployment == nil {
		return err
	}
	selector := metav1.FormatLabelSelector(deployment.Spec.Selector)
	for {
		pods, err := u.clients.CoreV1().Pods(u.namespace).List(ctx, metav1.ListOptions{LabelSelector: selector, Limit: 1})
		if err != nil {
			return fmt.Errorf("look for pods of the server: %w", err)
		}
		if len(pods.Items) == 0 {
			return nil
		}
		if _, err := u.release(ctx); err != nil {
			return err
		}
		if err := pause.For(ctx, u.every); err != nil {
			return &exitError{
				code: exitUndecided, err: fmt.Errorf("pod %s is still there", operation.Printable(pods.Items[0].Name)),
				hint: "if its node is gone: kubectl delete pod --force; then say this again",
			}
		}
	}
}

func (u *uninstaller) say(format string, args ...any) {
	line := operation.Printable(fmt.Sprintf(format, args...))
	if u.said == nil {
		u.said = map[string]bool{}
	}
	if !u.said[line] { // what comes back is deleted again, which is not worth telling
		fmt.Fprintln(u.out, line)
	}
	u.said[line] = true
}

// refusedByAdmission tells the refusal of a hook or a policy from that of somebody's
// rights, which no waiting helps (k8s.io/apiserver pkg/admission/plugin/webhook/errors
// and pkg/admission/plugin/policy/validating).
func refusedByAdmission(err error) bool {
	text := err.Error()
	return strings.Contains(text, "denied the request") || strings.Contains(text, "denied request") || strings.Contains(text, "failed calling webhook")
}
