package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mollyguard/mollyguard/operation"
)

const (
	// maxBody is the largest review that is read whole. etcd takes objects of up
	// to 1.5 MiB (its --max-request-bytes); a review of an update carries two, and
	// JSON may be twice as long as what is stored: 2 × 1.5 MiB × 2 = 6 MiB, doubled
	// for room. Only text that is nearly all escapes can exceed it; it is refused.
	maxBody = 12 << 20
	// uidWithin is how much of a larger review is searched for its uid, which
	// the API server writes first.
	uidWithin = 16 << 10
	// freeBody is what every review may hold without asking: 20 times the usual
	// 10 KB, so that no number of large ones keeps it waiting.
	freeBody = 256 << 10
	// maxHeld is what all reviews together may hold beyond that: five of the
	// largest.
	maxHeld = 64 << 20
	// keptBuffer is the largest buffer that is kept for the next review: a kept
	// 12 MiB would be held for good.
	keptBuffer = 1 << 20
	// firstRead is what is read before a buffer grows.
	firstRead = 16 << 10
	// stackRoom is what a review takes of its stack: the evaluator of Rego calls itself
	// deeply. With the rest it is a little less than the 64 KiB that it is rounded up to.
	stackRoom = 48 << 10
)

// HandlerOptions says what a Handler is made of. Reviewer is required.
type HandlerOptions struct {
	Reviewer *Reviewer
	// Timeout is how long the API server waits at most (timeoutSeconds); each
	// call says so as well. Zero means ten seconds, the API's default.
	Timeout time.Duration
	// Advice is what refusals tell people to do.
	Advice Advice
	// Caller tells whether a call is the API server's: others use up no grants.
	Caller Caller
	// Observe is told of every answer, after it was decided and before it is
	// sent. It must not block. Nil means nobody is.
	Observe func(Answer)
	// Log is told of answers that could not be sent; nil discards.
	Log *slog.Logger
	// Registerer takes the metrics; nil means none.
	Registerer prometheus.Registerer
}

// Handler answers the API server's admission calls.
type Handler struct {
	reviewer *Reviewer
	timeout  time.Duration
	advice   Advice
	caller   Caller
	observe  func(Answer)
	log      *slog.Logger
	metrics  handlerMetrics
	buffers  sync.Pool // of *[]byte
	held     *semaphore.Weighted
}

var _ http.Handler = (*Handler)(nil)

// NewHandler returns a Handler.
func NewHandler(opts HandlerOptions) *Handler {
	h := &Handler{
		reviewer: opts.Reviewer, timeout: opts.Timeout, advice: opts.Advice, caller: opts.Caller, observe: opts.Observe, log: opts.Log,
		metrics: newHandlerMetrics(opts.Registerer),
		buffers: sync.Pool{New: func() any { return new([]byte) }},
		held:    semaphore.NewWeighted(maxHeld),
	}
	if h.timeout <= 0 {
		h.timeout = 10 * time.Second
	}
	if h.observe == nil {
		h.observe = func(Answer) {}
	}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	return h
}

// ServeHTTP implements http.Handler. A review whose uid could be read is always
// answered with that uid; one whose uid could not gets an HTTP error, which the
// API server treats by its failure policy.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	growStack(len(r.Method))
	h.metrics.inFlight.Inc()
	defer h.metrics.inFlight.Dec()
	start := time.Now()
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "mollyguard: an admission review is sent with POST", http.StatusMethodNotAllowed)
		return
	}
	budget := h.budget(r)
	ctx, cancel := context.WithTimeout(r.Context(), budget)
	defer cancel()
	// A body that trickles in must not hold its buffer for longer than the API
	// server would wait. A writer that has no deadlines has limits of its own.
	if err := http.NewResponseController(w).SetReadDeadline(start.Add(budget)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		h.log.Warn("no deadline for reading a review", "error", err)
	}
	buffer, _ := h.buffers.Get().(*[]byte)
	body, held, err := h.readBody(r, (*buffer)[:0])
	defer h.held.Release(held)
	if errors.Is(err, errOverloaded) {
		h.metrics.failures.WithLabelValues(string(Overloaded)).Inc()
		http.Error(w, "mollyguard: "+err.Error(), http.StatusServiceUnavailable)
		return
	}
	var answer Answer
	if err != nil {
		answer = h.reviewer.Undecodable(ctx, body, err)
	} else {
		reviewer, path := h.reviewer, Path
		if r.URL.Path == MarkedPath || strings.HasPrefix(r.URL.Path, MarkedPath+"/") {
			reviewer, path = h.reviewer.inMarked(), MarkedPath
		}
		answer = reviewer.Review(ctx, body, h.caller.untrusted(r, path))
	}
	if cap(body) <= keptBuffer { // nothing read from it is kept: decode copies
		*buffer = body
		h.buffers.Put(buffer)
	}
	h.observe(answer)
	h.respond(w, answer)
	h.metrics.observe(answer, time.Since(start))
}

// growStack gives the stack of its caller the room that a review will need. HTTP/2 answers
// each call on a new goroutine, whose stack doubles whenever it is full and is copied frame
// by frame then: deep in an evaluation that took an eighth of all CPU. Here there is next
// to nothing to copy.
//
//go:noinline
func growStack(at int) byte {
	var room [stackRoom]byte
	return room[at%stackRoom] // or the compiler would do without it
}

// budget is how long an answer may take: nine tenths of what the API server
// waits, so that the reason arrives instead of a time-out. The API server says
// how long that is; nobody gets more than is configured.
func (h *Handler) budget(r *http.Request) time.Duration {
	timeout := h.timeout
	if said, err := time.ParseDuration(r.URL.Query().Get("timeout")); err == nil && said > 0 {
		timeout = min(said, timeout)
	}
	return timeout * 9 / 10
}

var (
	errTooLarge   = fmt.Errorf("read AdmissionReview: larger than %d MiB", maxBody>>20)
	errOverloaded = errors.New("too many large reviews at once")
)

// readBody reads a request's body into buffer. What it takes beyond freeBody is
// taken from h.held as the bytes arrive, so that an announced size reserves
// nothing; the caller gives held back. With an error it returns the beginning.
func (h *Handler) readBody(r *http.Request, buffer []byte) (body []byte, held int64, err error) {
	limit := int64(maxBody)
	if r.ContentLength > maxBody {
		limit = uidWithin // to find the uid
	}
	for {
		if len(buffer) == cap(buffer) {
			size := min(max(2*cap(buffer), firstRead), maxBody+1)
			if more := int64(size-freeBody) - held; more > 0 {
				if !h.held.TryAcquire(more) {
					return buffer, held, errOverloaded
				}
				held += more
			}
			buffer = append(make([]byte, 0, size), buffer...)
		}
		n, err := r.Body.Read(buffer[len(buffer):min(int64(cap(buffer)), limit+1)])
		buffer = buffer[:len(buffer)+n]
		switch {
		case int64(len(buffer)) > limit:
			return buffer[:min(limit, uidWithin)], held, errTooLarge
		case errors.Is(err, io.EOF):
			return buffer, held, nil
		case err != nil:
			return buffer, held, fmt.Errorf("read AdmissionReview: %w", err)
		}
	}
}

// respond sends the answer in the API server's own words.
func (h *Handler) respond(w http.ResponseWriter, answer Answer) {
	if answer.UID == "" {
		http.Error(w, "mollyguard: "+operation.Printable(answer.Decision.Error), http.StatusBadRequest)
		return
	}
	review := admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Response: Response(answer, h.advice),
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(review); err != nil { // these types always encode
		h.log.Warn("answer not sent: the API server has gone away", "error", err, "uid", answer.UID, "decision", answer.Decision.ID)
	}
}
