package conformance

import (
	"context"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// wantGone returns nil if an object was not found.
func wantGone(err error) error {
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err == nil:
		return fmt.Errorf("it is still there")
	}
	return err
}

func scaling(ctx context.Context, l *life) error {
	production, dev, err := l.places(ctx, "scaling")
	if err != nil {
		return err
	}
	for namespace, pool := range map[string]string{production: poolProduction, dev: poolDev} {
		if err := l.apply(ctx, l.gitops, namespace, service("web", pool, 2)); err != nil {
			return err
		}
		in := "-n " + namespace + " "
		if err := l.kubectls(ctx,
			in+"scale deployment web --replicas=5", in+"rollout status deployment web",
			in+"scale deployment web --replicas=1", in+"rollout status deployment web",
		); err != nil {
			return err
		}
	}
	in := "-n " + production + " "
	return l.kubectls(ctx,
		in+"set env deployment web LEVEL=debug", in+"rollout pause deployment web", in+"rollout resume deployment web",
		in+"label deployment web team=shop", in+"annotate deployment web note=scaled", in+"rollout status deployment web",
		"-n "+dev+" scale deployment web --replicas=0", "-n "+dev+" rollout status deployment web",
		"-n "+dev+" scale deployment web --replicas=2", "-n "+dev+" rollout status deployment web")
}

// autoscaling is done by the autoscaler itself, which needs no metrics to keep within
// its bounds.
func autoscaling(ctx context.Context, l *life) error {
	production, dev, err := l.places(ctx, "autoscaling")
	if err != nil {
		return err
	}
	for namespace, pool := range map[string]string{production: poolProduction, dev: poolDev} {
		if err := l.apply(ctx, l.gitops, namespace, service("web", pool, 1)); err != nil {
			return err
		}
		for _, bounds := range [][2]int32{{4, 6}, {1, 2}, {3, 3}} {
			if err := l.apply(ctx, l.gitops, namespace, fmt.Sprintf(`
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec:
  minReplicas: %d
  maxReplicas: %d
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]
`, bounds[0], bounds[1])); err != nil {
				return err
			}
			if err := l.until(ctx, "the autoscaler", func() error {
				web, err := l.admin.clients.AppsV1().Deployments(namespace).Get(ctx, "web", metav1.GetOptions{})
				if err == nil && (*web.Spec.Replicas < bounds[0] || *web.Spec.Replicas > bounds[1]) {
					err = fmt.Errorf("there are %d replicas, want %v", *web.Spec.Replicas, bounds)
				}
				return err
			}); err != nil {
				return err
			}
		}
	}
	return nil
}

const jobManifest = `
apiVersion: batch/v1
kind: Job
metadata: {name: NAME, labels: {LABELS}}
spec:
  backoffLimit: 0
  FIELDS
  template:
    metadata: {labels: {behaviour: BEHAVIOUR}}
    spec:
      nodeSelector: {pool: POOL}
      restartPolicy: Never
      terminationGracePeriodSeconds: 1
      containers: [{name: main, image: example.com/app:1}]
`

func job(name, pool, behaviour, fields string) string {
	return replace(jobManifest, "NAME", name, "LABELS", "env: "+pool, "FIELDS", fields, "BEHAVIOUR", behaviour, "POOL", pool)
}

func jobs(ctx context.Context, l *life) error {
	production, dev, err := l.places(ctx, "jobs")
	if err != nil {
		return err
	}
	for namespace, pool := range map[string]string{production: poolProduction, dev: poolDev} {
		cleaned := job("cleaned", pool, "ends", "ttlSecondsAfterFinished: 1")
		failed := job("failed", pool, fails, "ttlSecondsAfterFinished: 1")
		for _, manifest := range []string{cleaned, failed, job("kept", pool, "ends", "completions: 3"), job("late", pool, runs, "activeDeadlineSeconds: 1")} {
			if err := l.apply(ctx, l.gitops, namespace, manifest); err != nil {
				return err
			}
		}
		if err := l.gone(ctx, namespace, cleaned+"---"+failed); err != nil {
			return err
		}
		if err := l.kubectls(ctx, "-n "+namespace+" wait --for=condition=Failed job/late --timeout=60s",
			"-n "+namespace+" wait --for=condition=Complete job/kept --timeout=60s"); err != nil {
			return err
		}
	}
	// What has ended may be deleted, as hooks do before they run again.
	return l.kubectls(ctx, "-n "+dev+" delete job kept late", "-n "+production+" delete job kept late")
}

const cronJobManifest = `
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: "0 0 1 1 *"
  successfulJobsHistoryLimit: 1
  concurrencyPolicy: Forbid
  jobTemplate:
    spec:
      template:
        spec:
          nodeSelector: {pool: POOL}
          restartPolicy: Never
          containers: [{name: main, image: example.com/app:1}]
`

func schedules(ctx context.Context, l *life) error {
	production, dev, err := l.places(ctx, "schedules")
	if err != nil {
		return err
	}
	for namespace, pool := range map[string]string{production: poolProduction, dev: poolDev} {
		in := "-n " + namespace + " "
		if err := l.apply(ctx, l.gitops, namespace, replace(cronJobManifest, "POOL", pool)); err != nil {
			return err
		}
		if err := l.kubectls(ctx, in+"create job --from=cronjob/nightly by-hand-1", in+"create job --from=cronjob/nightly by-hand-2"); err != nil {
			return err
		}
		if err := l.missRun(ctx, namespace); err != nil {
			return err
		}
		if err := l.until(ctx, "the schedule to keep one of three jobs", func() error {
			list, err := l.admin.clients.BatchV1().Jobs(namespace).List(ctx, metav1.ListOptions{})
			if err == nil && (len(list.Items) != 1 || list.Items[0].Status.Succeeded != 1) {
				err = fmt.Errorf("there are %d", len(list.Items))
			}
			return err
		}); err != nil {
			return err
		}
	}
	return l.kubectls(ctx, "-n "+dev+` patch cronjob nightly -p {"spec":{"suspend":true}}`)
}

// missRun makes the controller believe that it has not run the schedule for years, so
// that it does now.
func (l *life) missRun(ctx context.Context, namespace string) error {
	cronJobs := l.admin.clients.BatchV1().CronJobs(namespace)
	return l.until(ctx, "the schedule to run", func() error {
		nightly, err := cronJobs.Get(ctx, "nightly", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if last := nightly.Status.LastScheduleTime; last != nil {
			if time.Since(last.Time) > 400*24*time.Hour {
				return fmt.Errorf("it is late")
			}
			return nil
		}
		nightly.Status = batchv1.CronJobStatus{Active: nightly.Status.Active, LastScheduleTime: new(metav1.NewTime(time.Now().AddDate(-2, 0, 0)))}
		if _, err := cronJobs.UpdateStatus(ctx, nightly, metav1.UpdateOptions{}); err != nil {
			return err
		}
		return fmt.Errorf("it was told that it is late")
	})
}

func deletions(ctx context.Context, l *life) error {
	production, dev, err := l.places(ctx, "deletions")
	if err != nil {
		return err
	}
	// Production of the same names lives on.
	for _, name := range []string{"foreground", "background", "orphan", "by-hand"} {
		if err := l.apply(ctx, l.gitops, production, service(name, poolProduction, 1)); err != nil {
			return err
		}
		if err := l.apply(ctx, l.gitops, dev, service(name, poolDev, 2)); err != nil {
			return err
		}
	}
	in := "-n " + dev + " "
	return l.kubectls(ctx,
		in+"rollout status deployment orphan", in+"rollout status deployment foreground",
		in+"delete deployment foreground --cascade=foreground",
		in+"delete deployment background --cascade=background",
		in+"delete deployment orphan --cascade=orphan",
		in+"delete pods -l app=by-hand --grace-period=0 --force",
		in+"delete all --all",
		in+"delete configmaps,secrets,services,ingresses,networkpolicies --all",
		"delete namespace "+dev)
}
