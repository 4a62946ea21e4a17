package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/mollyguard/mollyguard/api"
	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/engine"
	"github.com/mollyguard/mollyguard/identity"
	"github.com/mollyguard/mollyguard/identity/cluster"
	"github.com/mollyguard/mollyguard/kube"
	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/policies"
	"github.com/mollyguard/mollyguard/webhook"
)

// desk is break glass, put together from a configuration. A nil desk is off.
type desk struct {
	*breakglass.Desk
	keys   *breakglass.Keyring
	engine *engine.Engine
	users  *identity.Users
	// mayLook says who sees the cases of others; nil for everybody who is known.
	mayLook func(ctx context.Context, actor operation.Actor) (bool, string, error)
}

// openDesk puts the desk together, or returns nil if break glass is off. What judges
// operations is put into the house after the desk.
func (env *surroundings) openDesk(ctx context.Context, c config.Configuration, books *books, h *house, log *slog.Logger, registerer prometheus.Registerer) (*desk, error) {
	store, inCluster, err := env.caseStore(c, books.ledger, log)
	if err != nil || store == nil {
		return nil, err
	}
	d := &desk{}
	if d.engine, err = issuingEngine(ctx, c, log, registerer); err != nil {
		return nil, err
	}
	if d.keys, err = env.keyring(ctx, c, log); err != nil {
		return nil, err
	}
	authorizer, err := d.authorizer(c, env.clients())
	if err != nil {
		return nil, err
	}
	if env.cluster != nil { // else whoever is known may look
		d.mayLook = func(ctx context.Context, actor operation.Actor) (bool, string, error) {
			return authorizer.Allowed(ctx, actor, identity.VerbLook)
		}
	}
	people, err := people(c)
	if err != nil {
		return nil, err
	}
	receiptKeys, err := publicReceiptKeys(c)
	if err != nil {
		return nil, err
	}
	b := c.BreakGlass
	d.Desk, err = breakglass.NewDesk(breakglass.DeskOptions{
		Store: store, Keys: d.keys, Rules: plannedRules{issuingRules{d.engine}, *c.Kubernetes.MassChange.Limit, h.planned}, Authorizer: authorizer, Recorder: books.events(), People: people,
		Audience: c.Cluster, ApprovalWindow: b.ApprovalWindow, DefaultDuration: b.DefaultDuration, MaxDuration: b.MaxDuration,
		BindCertificates: *b.BindCertificates, ImpersonationCounts: b.ImpersonationCounts,
		KindOf: func(name string) operation.ActorKind { return h.assembly.reviewer.KindOf(name) },
		Assess: func(ctx context.Context, actor operation.Actor, verb operation.Verb, target operation.Reference) ([]operation.Violation, error) {
			return h.violations(ctx, env, actor, verb, target)
		},
		Receipt: receiptDesk{receiptKeys}.look, Fate: env.fate, Entropy: rand.Reader, Log: log, Registerer: registerer,
	})
	if err != nil {
		return nil, err
	}
	env.granted = deskCases{store, d.Desk}
	changed := make(chan string, maxChanged)
	if inCluster {
		env.lead = append(env.lead, func(ctx context.Context) error { return env.watchCases(ctx, changed, log) })
	}
	env.lead = append(env.lead, func(ctx context.Context) error { return d.sweep(ctx, changed, log) })
	env.webhook = webhookExtras{callSecret: d.keys.CallSecret, isCallSecret: d.keys.IsCallSecret, cases: inCluster}
	if !env.auditOnly && c.Server.ClientCA == "" && (env.cluster == nil || !*c.Kubernetes.Webhook.Manage) {
		log.Warn("grants open nothing here, tokens for elsewhere can be issued: this server does not tell the API server the path that it is known by; set server.clientCA, or kubernetes.webhook.manage with a cluster")
	}
	return d, nil
}

// keyring has the keys that sign, and those of other issuers.
func (env *surroundings) keyring(ctx context.Context, c config.Configuration, log *slog.Logger) (*breakglass.Keyring, error) {
	store, err := keyStore(c, env.clients())
	if err != nil {
		return nil, err
	}
	return breakglass.NewKeyring(ctx, breakglass.KeyringOptions{
		Issuer: c.BreakGlass.Issuer, Store: store, Trusted: trustedIssuers(c), Entropy: rand.Reader, Log: log,
	})
}

// trustedIssuers are the other issuers whose tokens are taken.
func trustedIssuers(c config.Configuration) []breakglass.TrustedIssuer {
	var trusted []breakglass.TrustedIssuer
	for _, issuer := range c.BreakGlass.Trust {
		trusted = append(trusted, breakglass.TrustedIssuer(issuer))
	}
	return trusted
}

// clients is nil without a cluster.
func (env *surroundings) clients() kubernetes.Interface {
	if env.cluster == nil {
		return nil
	}
	return env.cluster.clients
}

// run are the tasks of the desk on every replica.
func (d *desk) run(c config.Configuration) []func(ctx context.Context) error {
	return []func(ctx context.Context) error{
		d.keys.Run,
		func(ctx context.Context) error { return d.engine.Watch(ctx, c.Policies.ReloadInterval) },
	}
}

// handler is the API for people, or nil if nothing tells who they are.
func (d *desk) handler(c config.Configuration, env *surroundings, a *assembly, recent *ledger.Recent, log *slog.Logger, registerer prometheus.Registerer) (http.Handler, error) {
	if d == nil {
		return nil, nil
	}
	var list []identity.Authenticator
	if d.users != nil {
		list = append(list, d.users)
	}
	if o := c.API.OIDC; o.IssuerURL != "" {
		oidc, err := identity.NewOIDC(identity.OIDCOptions{
			Issuer: o.IssuerURL, ClientID: o.ClientID, UsernameClaim: o.UsernameClaim, UsernamePrefix: o.UsernamePrefix,
			GroupsClaim: o.GroupsClaim, GroupsPrefix: o.GroupsPrefix, CAFile: o.CA, KindOf: a.reviewer.KindOf,
		})
		if err != nil {
			return nil, fmt.Errorf("api.oidc: %w", err)
		}
		list = append(list, oidc)
	}
	if env.cluster != nil && *c.API.Kubernetes.Enabled {
		review, err := cluster.NewTokenReview(env.cluster.clients, c.API.Kubernetes.Audience, a.reviewer.KindOf)
		if err != nil {
			return nil, err
		}
		list = append(list, identity.NewCached(review, nil))
	}
	if len(list) == 0 {
		return nil, nil
	}
	return api.NewHandler(api.HandlerOptions{
		Desk: d, Authenticator: identity.First(list...), Audience: c.Cluster, Keys: func() any { return d.keys.Public() },
		MayLook: d.mayLook, Decisions: recent, Log: log, Registerer: registerer,
	})
}

// issuingEngine holds issuing policy.
func issuingEngine(ctx context.Context, c config.Configuration, log *slog.Logger, registerer prometheus.Registerer) (*engine.Engine, error) {
	e, err := engine.New(ctx, engine.Config{Sources: issuingSources(c), Options: issuingOptions(c), Log: log, Registerer: registerer})
	if err != nil {
		return nil, fmt.Errorf("issuing policy: %w", err)
	}
	return e, nil
}

func issuingSources(c config.Configuration) []engine.Source {
	p := c.BreakGlass.Policies
	return sourcesOf(*p.Embedded, policies.Issuance(), p.Directories)
}

func issuingOptions(c config.Configuration) engine.Options {
	return engine.Options{
		Contract: engine.Issuing(reflect.TypeFor[breakglass.Question]()),
		Schema:   policies.IssuanceSchema(), Config: c.BreakGlass.Policies.Config,
	}
}

// issuingRules asks the engine.
type issuingRules struct{ engine *engine.Engine }

// Judge implements breakglass.Rules.
func (r issuingRules) Judge(ctx context.Context, q breakglass.Question) (breakglass.Answer, error) {
	violations, err := r.engine.EvaluateInput(ctx, &q, q.Time)
	if err != nil {
		return breakglass.Answer{}, err
	}
	return breakglass.AnswerOf(violations), nil
}

func people(c config.Configuration) (breakglass.People, error) {
	var identities [][]string
	for _, person := range c.BreakGlass.People {
		identities = append(identities, person.Identities)
	}
	people, err := breakglass.NewPeople(identities)
	if err != nil {
		return people, fmt.Errorf("breakGlass.people: %w", err)
	}
	return people, nil
}

// authorizer asks the cluster if there is one, else the configuration.
func (d *desk) authorizer(c config.Configuration, clients kubernetes.Interface) (breakglass.Authorizer, error) {
	if c.API.Users != "" {
		var err error
		if d.users, err = identity.NewUsers(c.API.Users); err != nil {
			return nil, fmt.Errorf("api.users: %w", err)
		}
	}
	if clients != nil {
		rights, err := cluster.NewRights(clients)
		if d.users != nil {
			return rightsOf{identity.NewCurrent(rights, d.users.Current)}, err
		}
		return rightsOf{rights}, err
	}
	rights := c.BreakGlass.Rights
	options := identity.StaticOptions{Requesters: members(rights.Requesters), Approvers: members(rights.Approvers), Revokers: members(rights.Revokers)}
	if d.users != nil {
		options.Current = d.users.Current
	}
	static, err := identity.NewStatic(options)
	if err != nil {
		return nil, fmt.Errorf("breakGlass.rights: %w", err)
	}
	return rightsOf{static}, nil
}

func members(m config.Members) identity.Members {
	return identity.Members{Users: m.Users, Groups: m.Groups}
}

// rightsOf asks an identity.Authorizer in the desk's words, which are the same.
type rightsOf struct{ identity.Authorizer }

// Allowed implements breakglass.Authorizer.
func (r rightsOf) Allowed(ctx context.Context, actor operation.Actor, right breakglass.Right) (bool, string, error) {
	return r.Authorizer.Allowed(ctx, actor, string(right))
}

// sweepInterval is how often all cases are brought up to date: what expires shows
// within it.
const sweepInterval = 15 * time.Second

// sweep brings cases up to date until ctx ends: those that are named at once, all
// of them now and then.
func (d *desk) sweep(ctx context.Context, changed <-chan string, log *slog.Logger) error {
	ticker := time.NewTicker(sweepInterval)
	defer ticker.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case id := <-changed:
			err = within(ctx, func(ctx context.Context) error {
				_, err := d.Settle(ctx, id)
				return err
			})
			if errors.Is(err, breakglass.ErrNotFound) { // a verdict on nothing, or gone meanwhile
				err = nil
			}
		case <-ticker.C:
			err = within(ctx, d.Sweep)
		}
		if err != nil && ctx.Err() == nil {
			log.Error("break-glass cases are not up to date", "error", err)
		}
	}
}

// sweepTimeout bounds one sweep: a call that hangs must not be the last.
const sweepTimeout = time.Minute

func within(ctx context.Context, fn func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, sweepTimeout)
	defer cancel()
	return fn(ctx)
}

// keyStore chooses where the signing keys are.
func keyStore(c config.Configuration, clients kubernetes.Interface) (breakglass.KeyStore, error) {
	if path := c.BreakGlass.Keys.File; path != "" {
		return breakglass.NewFileKeyStore(path)
	}
	if clients == nil {
		return nil, &exitError{code: exitUndecided, err: errors.New("breakGlass.keys.file is missing: without a cluster there is no Secret for the signing keys")}
	}
	secret := c.BreakGlass.Keys.Secret
	return kube.NewKeyStore(clients.CoreV1(), secret.Namespace, secret.Name)
}

// ownName asks the API server, once, who this server is to it.
func ownName(clients kubernetes.Interface) func(ctx context.Context) (webhook.Self, error) {
	var known atomic.Pointer[webhook.Self]
	return func(ctx context.Context) (webhook.Self, error) {
		if self := known.Load(); self != nil {
			return *self, nil
		}
		review, err := clients.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
		if err != nil {
			return webhook.Self{}, err
		}
		user := review.Status.UserInfo
		self := webhook.Self{Name: user.Username, Credentialed: len(user.Extra[operation.KubernetesCredential]) > 0}
		known.Store(&self)
		return self, nil
	}
}

// openLedger opens the embedded store if the configuration names one.
func openLedger(c config.Configuration) (*ledger.Ledger, error) {
	if c.Ledger.Path == "" {
		return nil, nil
	}
	return ledger.Open(c.Ledger.Path, ledger.Options{})
}
