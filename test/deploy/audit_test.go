package deploy

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/test/google"
)

const (
	audit         = root + "/deploy/audit"
	auditGrants   = overlays + "/audit-grants"
	auditConfig   = "mollyguard-audit-config"
	auditName     = "mollyguard-audit"
	ledgerFolder  = "/var/lib/mollyguard"
	sinksFolder   = "/etc/mollyguard/sinks"
	sinksSecret   = "mollyguard-audit-sinks"
	withoutAPIs   = "--no-cluster"
	watchCommands = "audit watch"
)

// auditFolders are the two ways to run the watcher.
var auditFolders = []string{audit, auditGrants}

func watcherPod(t testing.TB, objects []*unstructured.Unstructured) corev1.PodSpec {
	t.Helper()
	return one[appsv1.StatefulSet](t, objects, "StatefulSet").Spec.Template.Spec
}

func TestTheWatcherIsConfiguredWithWhatIsMounted(t *testing.T) {
	for _, folder := range auditFolders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			objects := render(t, folder)
			c := parse(t, configMap(t, objects, auditConfig)[configFile])
			writable := map[string]bool{}
			for _, mount := range watcherPod(t, objects).Containers[0].VolumeMounts {
				writable[mount.MountPath] = !mount.ReadOnly
			}
			if diff := cmp.Diff(map[string]bool{configFolder: false, sinksFolder: false, ledgerFolder: true}, writable); diff != "" {
				t.Errorf("what is mounted, and whether it can be written (-want +got):\n%s", diff)
			}
			if got := filepath.Dir(c.Ledger.Path); got != ledgerFolder {
				t.Errorf("the ledger is in %s", got)
			}
			for _, sink := range c.Alerts.Sinks {
				var file string
				switch {
				case sink.PagerDuty != nil:
					file = sink.PagerDuty.RoutingKeyFile
				case sink.Slack != nil:
					file = sink.Slack.WebhookURLFile
				}
				if filepath.Dir(file) != sinksFolder {
					t.Errorf("the secret of sink %s is in %q", sink.Name, file)
				}
			}
			if len(c.Audit.Sources) != 1 || c.Audit.Sources[0].PubSub == nil {
				t.Errorf("with sources %+v there might be replicas that read the same", c.Audit.Sources)
			}
		})
	}
}

func TestTheExamplesInTheWatchersConfigurationCanBeSwitchedOn(t *testing.T) {
	for _, folder := range auditFolders {
		c := switchedOn(t, configMap(t, render(t, folder), auditConfig)[configFile])
		if c.Help == "" || len(c.Production.Projects) != 1 || len(c.Production.Ancestors) != 1 || len(c.Production.Never.Projects) != 1 ||
			len(c.Audit.Clusters) != 1 || !c.Audit.Clusters[0].Guarded {
			t.Errorf("%s: with its examples the configuration is %+v", folder, c)
		}
	}
}

func TestTheWatcherHasNoRightInItsCluster(t *testing.T) {
	for _, folder := range auditFolders {
		objects := render(t, folder)
		for _, object := range objects {
			if strings.HasPrefix(object.GetAPIVersion(), "rbac.") {
				t.Errorf("%s: %s %s", folder, object.GetKind(), object.GetName())
			}
			if object.GetKind() != "Namespace" && object.GetNamespace() != auditName {
				t.Errorf("%s: %s %s is in namespace %q", folder, object.GetKind(), object.GetName(), object.GetNamespace())
			}
		}
		pod := watcherPod(t, objects)
		account := one[corev1.ServiceAccount](t, objects, "ServiceAccount")
		if *pod.AutomountServiceAccountToken || *account.AutomountServiceAccountToken {
			t.Errorf("%s: it gets a token of the cluster", folder)
		}
		if pod.ServiceAccountName != account.Name || account.Annotations["iam.gke.io/gcp-service-account"] == "" {
			t.Errorf("%s: it has no identity on Google Cloud: %+v", folder, account.ObjectMeta)
		}
		if args := pod.Containers[0].Args; !slices.Contains(args, withoutAPIs) || strings.Join(args[:2], " ") != watchCommands {
			t.Errorf("%s: arguments %q", folder, args)
		}
	}
}

func TestTheWatcherIsLockedInAsTheWebhookIs(t *testing.T) {
	want := one[appsv1.Deployment](t, render(t, base), "Deployment").Spec.Template.Spec
	for _, folder := range auditFolders {
		got := watcherPod(t, render(t, folder))
		if diff := cmp.Diff(want.Containers[0].SecurityContext, got.Containers[0].SecurityContext); diff != "" {
			t.Errorf("%s: the container (-webhook +watcher):\n%s", folder, diff)
		}
		// The group owns what is mounted.
		if *got.SecurityContext.FSGroup != *got.SecurityContext.RunAsGroup {
			t.Errorf("%s: group %d of files, %d of the process", folder, *got.SecurityContext.FSGroup, *got.SecurityContext.RunAsGroup)
		}
		got.SecurityContext.FSGroup, got.SecurityContext.FSGroupChangePolicy = nil, nil
		if diff := cmp.Diff(want.SecurityContext, got.SecurityContext); diff != "" {
			t.Errorf("%s: the pod (-webhook +watcher):\n%s", folder, diff)
		}
	}
}

func TestEverySelectorFitsTheWatchersPods(t *testing.T) {
	for _, folder := range auditFolders {
		objects := render(t, folder)
		set := one[appsv1.StatefulSet](t, objects, "StatefulSet")
		want := set.Spec.Selector.MatchLabels
		selectors := map[string]map[string]string{
			"PodDisruptionBudget": one[policyv1.PodDisruptionBudget](t, objects, "PodDisruptionBudget").Spec.Selector.MatchLabels,
			"NetworkPolicy":       one[networkingv1.NetworkPolicy](t, objects, "NetworkPolicy").Spec.PodSelector.MatchLabels,
		}
		ports := map[string]string{}
		for _, port := range set.Spec.Template.Spec.Containers[0].Ports {
			ports[port.Name] = ":" + portText(port.ContainerPort)
		}
		services := all[corev1.Service](t, objects, "Service")
		for _, service := range services {
			selectors["Service "+service.Name] = service.Spec.Selector
			for _, port := range service.Spec.Ports {
				if ports[port.TargetPort.StrVal] == "" {
					t.Errorf("%s: port %s of Service %s leads to %q, which no container has", folder, port.Name, service.Name, port.TargetPort.StrVal)
				}
			}
		}
		for name, selector := range selectors {
			if diff := cmp.Diff(want, selector); diff != "" {
				t.Errorf("%s: the StatefulSet's selector against that of %s (-want +got):\n%s", folder, name, diff)
			}
		}
		for key, value := range want {
			if got := set.Spec.Template.Labels[key]; got != value {
				t.Errorf("%s: label %s of the pods is %q, want %q", folder, key, got, value)
			}
		}
		if !slices.ContainsFunc(services, func(s corev1.Service) bool {
			return s.Name == set.Spec.ServiceName && s.Spec.ClusterIP == corev1.ClusterIPNone
		}) {
			t.Errorf("%s: no headless Service %s", folder, set.Spec.ServiceName)
		}
		c := parse(t, configMap(t, objects, auditConfig)[configFile])
		listens := map[string]string{"status": c.Server.StatusAddress}
		if folder == auditGrants {
			listens["api"] = c.API.Address
		}
		if diff := cmp.Diff(listens, ports); diff != "" {
			t.Errorf("%s: where it listens against the container's ports (-want +got):\n%s", folder, diff)
		}
	}
}

func TestOnlyTheOverlayTakesRequestsForGrants(t *testing.T) {
	plain := parse(t, configMap(t, render(t, audit), auditConfig)[configFile])
	if plain.BreakGlass.Store != config.StoreNone {
		t.Errorf("without the overlay, requests are kept in %s", plain.BreakGlass.Store)
	}
	objects := render(t, auditGrants)
	c := parse(t, configMap(t, objects, auditConfig)[configFile])
	if c.BreakGlass.Store != config.StoreLedger || *one[appsv1.StatefulSet](t, objects, "StatefulSet").Spec.Replicas != 1 {
		t.Error("requests have to be kept in the ledger of the one replica")
	}
	for _, path := range []string{c.BreakGlass.Keys.File, c.Certificates.Directory} {
		if filepath.Dir(path) != ledgerFolder {
			t.Errorf("%s is not on the disk", path)
		}
	}
	for _, service := range all[corev1.Service](t, objects, "Service") {
		name := service.Name + "." + service.Namespace + ".svc"
		if service.Spec.Ports[0].Name == "api" && (c.API.URL != "https://"+name+":9443" || !slices.Contains(c.Certificates.DNSNames, name)) {
			t.Errorf("people find the API at %s, and its certificate is for %q", c.API.URL, c.Certificates.DNSNames)
		}
	}
}

// TestTheWatcherStartsAndReads runs it as the StatefulSet does, beside Google's APIs
// that answer on this machine, until a log entry has become an alert.
func TestTheWatcherStartsAndReads(t *testing.T) {
	pubsub, err := google.StartPubSub()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pubsub.Close)
	logs, err := google.StartLogging()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(logs.Close)
	assets, err := google.StartAsset()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(assets.Close)

	objects := render(t, audit)
	text := configMap(t, objects, auditConfig)[configFile]
	c := parse(t, text)
	source := c.Audit.Sources[0].PubSub
	for topic, subscription := range map[string]string{"audit": source.Subscription, "assets": c.Audit.Assets.Feed.Subscription} {
		if err := pubsub.Subscribe(t.Context(), source.Project, topic, subscription, nil); err != nil {
			t.Fatal(err)
		}
	}
	folder := t.TempDir()
	for name, secret := range map[string]string{"pagerduty": "R0UT1NG", "slack": "https://127.0.0.1:1/services/T/B/x"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(secret), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var file map[string]any
	if err := yaml.Unmarshal([]byte(text), &file); err != nil {
		t.Fatal(err)
	}
	status := freeAddresses(t, 1)[0]
	set := func(value any, path ...string) {
		t.Helper()
		if err := unstructured.SetNestedField(file, value, path...); err != nil {
			t.Fatal(err)
		}
	}
	set(filepath.Join(folder, "ledger.db"), "ledger", "path")
	set(status, "server", "statusAddress")
	set([]any{map[string]any{"pubSub": map[string]any{"project": source.Project, "subscription": source.Subscription, "endpoint": pubsub.Endpoint()}}}, "audit", "sources")
	set(logs.Endpoint(), "audit", "heartbeat", "endpoint")
	set(assets.Endpoint(), "audit", "assets", "endpoint")
	set(pubsub.Endpoint(), "audit", "assets", "feed", "endpoint")
	// Whom to tell of production is not for a test.
	set([]any{map[string]any{"name": "terminal", "stdout": map[string]any{}}}, "alerts", "sinks")
	set([]any{}, "alerts", "routes")
	set(filepath.Join(folder, "decisions"), "decisionLog", "path")
	data, err := yaml.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, configFile), data, 0o600); err != nil {
		t.Fatal(err)
	}

	var args []string
	for _, arg := range watcherPod(t, objects).Containers[0].Args {
		args = append(args, strings.Replace(arg, configFolder, folder, 1))
	}
	var told, said output
	watcher := exec.Command(mollyguard(t), args...)
	watcher.Env = []string{"HOME=" + folder, "TMPDIR=" + folder}
	watcher.Stdout, watcher.Stderr = &told, &said
	if err := watcher.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = watcher.Process.Signal(syscall.SIGTERM)
		if err := watcher.Wait(); err != nil || t.Failed() {
			t.Errorf("it ended with %v and said:\n%s\nand told:\n%s", err, &said, &told)
		}
	})
	await(t, "the watcher to be ready", func(ctx context.Context) (bool, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+status+"/readyz", nil)
		if err != nil {
			return false, err
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			return false, err
		}
		defer answer.Body.Close()
		_, err = io.Copy(io.Discard, answer.Body)
		return answer.StatusCode == http.StatusOK, err
	})
	entry, err := os.ReadFile(root + "/policies/testdata/gcp/container/alert/delete-cluster.json")
	if err != nil {
		t.Fatal(err)
	}
	pubsub.Publish(source.Project, "audit", bytes.TrimSpace(entry), logsTime)
	await(t, "the alert", func(context.Context) (bool, error) {
		return strings.Contains(told.String(), "alice@example.com is deleting production Cluster prod-eu"), nil
	})
}
