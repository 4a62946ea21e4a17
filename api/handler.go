package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"

	"github.com/mollyguard/mollyguard/identity"
	"github.com/mollyguard/mollyguard/operation"
)

const (
	// requestTimeout is how long an answer may take: the desk asks the API server
	// several times for one answer, five seconds each at most.
	requestTimeout = 30 * time.Second
	// maxInFlight is how many requests are answered at once: with bodies of
	// maxBody, 8 MiB, and with lists of 1 MiB each, 64 MiB.
	maxInFlight = 64
)

// HandlerOptions says what a handler is made of. Desk, Authenticator and Audience
// are required.
type HandlerOptions struct {
	Desk          Desk
	Authenticator identity.Authenticator
	// Audience is the cluster or project that is guarded, for who asks.
	Audience string
	// Keys returns the public keys that tokens are signed with, as what a JSON Web
	// Key Set is encoded from (RFC 7517). Nil means that there are none to show.
	Keys func() any
	// MayLook says whether somebody may see the cases of others. Nil means that
	// everybody may whom the Authenticator knows.
	MayLook func(ctx context.Context, actor operation.Actor) (allowed bool, why string, err error)
	// Decisions are looked up for who asks with the id of a refusal. Nil means
	// that none are known.
	Decisions Decisions

	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log is told what went wrong; nil discards.
	Log *slog.Logger
	// Registerer takes the metrics; nil means none.
	Registerer prometheus.Registerer
}

type handler struct {
	desk          Desk
	authenticator identity.Authenticator
	audience      string
	keys          func() any
	decisions     Decisions
	mayLook       func(context.Context, operation.Actor) (bool, string, error)
	log           *slog.Logger
	metrics       metrics
	inFlight      *semaphore.Weighted
	addresses     *limiters
	callers       *limiters
	busy          busy
}

// NewHandler returns the handler of the API. It has to be served over TLS: what
// comes in are tokens. How long a body may take to arrive is for the http.Server
// to limit.
func NewHandler(o HandlerOptions) (http.Handler, error) {
	if o.Desk == nil || o.Authenticator == nil || o.Audience == "" {
		return nil, errors.New("API: Desk, Authenticator and Audience are required")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	h := &handler{
		desk: o.Desk, authenticator: o.Authenticator, audience: o.Audience, keys: o.Keys, decisions: o.Decisions, mayLook: o.MayLook, log: o.Log,
		metrics:   newMetrics(o.Registerer),
		inFlight:  semaphore.NewWeighted(maxInFlight),
		addresses: newLimiters(perAddress, perAddressBurst, o.Now),
		callers:   newLimiters(perCaller, perCallerBurst, o.Now),
	}
	byPath := map[string][]route{}
	for _, r := range routes() {
		byPath[r.path] = append(byPath[r.path], r)
	}
	mux := http.NewServeMux()
	for path, routes := range byPath {
		mux.Handle(path, h.door(path, routes))
	}
	mux.Handle("/", h.door(otherPath, nil))
	return mux, nil
}

// route is one method of one path.
type route struct {
	method, path string
	// open routes are for everybody.
	open  bool
	serve func(h *handler, c *call) (answer, error)
}

// answer is what is sent if there is no error. Body is encoded as JSON.
type answer struct {
	status   int
	body     any
	location string
	// public answers may be kept for a while by whoever sees them.
	public bool
}

// call is one request on its way.
type call struct {
	*http.Request
	writer http.ResponseWriter
	actor  operation.Actor
	// secrets must not be in anything that is written.
	secrets []operation.Secret
}

func (c *call) keepSecret(secret operation.Secret) { c.secrets = append(c.secrets, secret) }

// scrub removes the secrets of a call from a text. Nothing should ever have put
// them there; this is for what libraries may quote.
func (c *call) scrub(text string) string {
	for _, secret := range c.secrets {
		if secret.Reveal() != "" {
			text = strings.ReplaceAll(text, secret.Reveal(), secret.String())
		}
	}
	return text
}

// door answers all requests for one path.
func (h *handler) door(path string, routes []route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		recorder := &recorder{ResponseWriter: w}
		ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
		defer cancel()
		c := &call{Request: r.WithContext(ctx), writer: recorder}
		defer func() {
			if value := recover(); value != nil {
				h.panicked(c, recorder, value)
			}
			h.metrics.count(path, recorder.code)
		}()
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		if err := h.answer(c, routes); err != nil {
			h.problem(c, err).write(recorder)
		}
	}
}

// answer answers a request. An error means that nothing was written.
func (h *handler) answer(c *call, routes []route) error {
	if !h.inFlight.TryAcquire(1) {
		return overloaded()
	}
	defer h.inFlight.Release(1)
	a, err := h.admit(c, routes)
	if err != nil {
		return err
	}
	return h.send(c, a)
}

// admit lets a request through to its route, if limits and identity allow.
func (h *handler) admit(c *call, routes []route) (answer, error) {
	if !h.addresses.allow(addressOf(c.RemoteAddr)) {
		return answer{}, tooMany()
	}
	if len(routes) == 0 {
		return answer{}, noSuchPath()
	}
	i := slices.IndexFunc(routes, func(r route) bool { return r.method == c.Method })
	if i < 0 {
		methods := make([]string, len(routes))
		for i, r := range routes {
			methods[i] = r.method
		}
		c.writer.Header().Set("Allow", strings.Join(methods, ", "))
		return answer{}, methodNotAllowed()
	}
	if !routes[i].open {
		if err := h.authenticate(c); err != nil {
			return answer{}, err
		}
		if !h.callers.allow(c.actor.Name) || !h.busy.enter(c.actor.Name) {
			return answer{}, tooMany()
		}
		defer h.busy.leave(c.actor.Name)
	}
	return routes[i].serve(h, c)
}

func (h *handler) panicked(c *call, w *recorder, value any) {
	if value == http.ErrAbortHandler {
		panic(value) // net/http's own way to give up a connection
	}
	h.log.Error("panic in the API", "panic", c.scrub(fmt.Sprint(value)), "stack", string(debug.Stack()))
	if w.code == 0 {
		internal().write(w)
	}
}

// recorder remembers the status that was sent.
type recorder struct {
	http.ResponseWriter
	code int
}

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(code int) {
	r.code = code
	r.ResponseWriter.WriteHeader(code)
}
