package webhook

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// resync is how often the configuration is looked at without a reason: a
	// missed watch event must not leave a hole for long.
	resync = 30 * time.Second
	// firstRetry doubles up to resync: 100 ms << 9 is more than 30 s.
	firstRetry    = 100 * time.Millisecond
	maxRetryShift = 9
	// lookBurst looks at once, then one every lookEvery: a change is undone at
	// once, but who fights over the configuration with us is not answered at the
	// speed of the watch.
	lookBurst = 8
	lookEvery = 2 * time.Second
	// readyPoll is how often a starting server looks whether it is ready yet; it
	// is within a second.
	readyPoll = 100 * time.Millisecond
)

// ConfigurationKeeper keeps the ValidatingWebhookConfiguration as it should be:
// whatever happened to it, the whole object is re-established.
// Changes to webhook configurations never reach a webhook, so this is the only
// way to undo them.
type ConfigurationKeeper struct {
	client      client.Client
	desired     func() *admissionregistrationv1.ValidatingWebhookConfiguration
	log         *slog.Logger
	corrections prometheus.Counter
	checks      *prometheus.CounterVec
}

// ConfigurationKeeperOptions says what a ConfigurationKeeper is made of. Client
// and Desired are required.
type ConfigurationKeeperOptions struct {
	Client client.Client
	// Desired generates the configuration, with the CA bundle of the moment. An
	// empty bundle leaves what is there, for a CA injector to fill.
	Desired func() *admissionregistrationv1.ValidatingWebhookConfiguration
	// Log is told of corrections; nil discards.
	Log *slog.Logger
	// Registerer takes the metrics; nil means none.
	Registerer prometheus.Registerer
}

// NewConfigurationKeeper returns a ConfigurationKeeper.
func NewConfigurationKeeper(opts ConfigurationKeeperOptions) *ConfigurationKeeper {
	k := &ConfigurationKeeper{client: opts.Client, desired: opts.Desired, log: opts.Log,
		corrections: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mollyguard_webhook_configuration_corrections_total",
			Help: "Times the webhook configuration was found changed or gone, and put right.",
		}),
		checks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mollyguard_webhook_configuration_checks_total",
			Help: "Times the webhook configuration was looked at, by result (success: it is as it should be, error: that is not known).",
		}, []string{"result"}),
	}
	if k.log == nil {
		k.log = slog.New(slog.DiscardHandler)
	}
	if opts.Registerer != nil {
		opts.Registerer.MustRegister(k.corrections, k.checks)
	}
	return k
}

// Run reconciles once ready reports true, whenever one of the triggers says that
// something may have changed, and regularly. It returns nil when ctx ends.
//
// Asking for calls that cannot be answered yet would refuse what they are about:
// hence ready.
func (k *ConfigurationKeeper) Run(ctx context.Context, ready func() bool, changed, bundleChanged <-chan struct{}) error {
	wait := time.Duration(0)
	failures := 0
	limit := rate.NewLimiter(rate.Every(lookEvery), lookBurst)
	for {
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-changed:
		case <-bundleChanged:
		case <-timer.C:
		}
		timer.Stop()
		if !ready() {
			wait = readyPoll
			continue
		}
		if err := limit.Wait(ctx); err != nil {
			return nil // ctx has ended
		}
		if err := k.Reconcile(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			k.checks.WithLabelValues("error").Inc()
			wait = min(firstRetry<<failures, resync)
			failures = min(failures+1, maxRetryShift)
			k.log.Error("webhook configuration not put right, trying again", "error", err, "wait", wait)
			continue
		}
		k.checks.WithLabelValues("success").Inc()
		failures, wait = 0, resync
	}
}

// Reconcile makes the webhook configuration what it should be.
func (k *ConfigurationKeeper) Reconcile(ctx context.Context) error {
	desired := k.desired()
	current := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	err := k.client.Get(ctx, client.ObjectKeyFromObject(desired), current)
	if apierrors.IsNotFound(err) {
		if err := k.client.Create(ctx, desired); err != nil {
			return fmt.Errorf("create the webhook configuration: %w", err)
		}
		k.corrected("webhook configuration created: it was not there", "name", desired.Name)
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the webhook configuration: %w", err)
	}
	keepInjected(desired, current)
	if equality.Semantic.DeepEqual(current.Webhooks, desired.Webhooks) && holds(current.Labels, desired.Labels) {
		return nil
	}
	changedBy := lastManager(current)
	merged := current.DeepCopy()
	merged.Webhooks = desired.Webhooks
	if merged.Labels == nil {
		merged.Labels = map[string]string{}
	}
	maps.Copy(merged.Labels, desired.Labels)
	if err := k.client.Update(ctx, merged); err != nil {
		return fmt.Errorf("put the webhook configuration right: %w", err)
	}
	k.corrected("webhook configuration put right: it was not as it should be", "name", desired.Name, "last_changed_by", changedBy)
	return nil
}

func (k *ConfigurationKeeper) corrected(what string, attributes ...any) {
	k.corrections.Inc()
	k.log.Warn(what, attributes...)
}

// keepInjected takes over CA bundles that somebody else injects.
func keepInjected(desired, current *admissionregistrationv1.ValidatingWebhookConfiguration) {
	bundles := map[string][]byte{}
	for _, hook := range current.Webhooks {
		bundles[hook.Name] = hook.ClientConfig.CABundle
	}
	for i := range desired.Webhooks {
		if hook := &desired.Webhooks[i]; len(hook.ClientConfig.CABundle) == 0 {
			hook.ClientConfig.CABundle = bundles[hook.Name]
		}
	}
}

func holds(set, subset map[string]string) bool {
	for key, value := range subset {
		if set[key] != value {
			return false
		}
	}
	return true
}

// lastManager names the tool of the last change, as the API server recorded it.
func lastManager(c *admissionregistrationv1.ValidatingWebhookConfiguration) string {
	name, at := "unknown", time.Time{}
	for _, entry := range c.ManagedFields {
		if entry.Time != nil && entry.Time.Time.After(at) {
			name, at = entry.Manager, entry.Time.Time
		}
	}
	return name
}
