package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mollyguard/mollyguard/operation"
)

const (
	// maxBody is the largest review that is read whole. The API server takes
	// requests of up to 3 MiB (k8s.io/apiserver server.Config.MaxRequestBodyBytes);
	// a review of an update carries two such objects, and JSON may be half as
	// long again as what was sent (YAML, protobuf): 2 × 3 MiB × 1.5 = 9 MiB, with
	// room for the rest.
	maxBody = 12 << 20
	// uidWithin is how much of a larger review is searched for its uid, which
	// the API server writes first.
	uidWithin = 16 << 10
	// keptBuffer is the largest buffer that is kept for the next review: most
	// reviews are far smaller, and a kept 12 MiB would be held for good.
	keptBuffer = 1 << 20
	// maxHeld is what all reviews that are being answered may hold together:
	// five of the largest, or thousands of the usual 10 KB.
	maxHeld = 64 << 20
	// maxTimeout is the longest timeoutSeconds that the API server accepts.
	maxTimeout = 30 * time.Second
)

// HandlerOptions says what a Handler is made of. Reviewer is required.
type HandlerOptions struct {
	Reviewer *Reviewer
	// Timeout is how long the API server waits (timeoutSeconds); it says so
	// itself in most calls. Zero means ten seconds, the API's default.
	Timeout time.Duration
	// Help is added to every refusal.
	Help string
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
	help     string
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
		reviewer: opts.Reviewer, timeout: opts.Timeout, help: opts.Help, observe: opts.Observe, log: opts.Log,
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
	h.metrics.inFlight.Inc()
	defer h.metrics.inFlight.Dec()
	start := time.Now()
	ctx, cancel := context.WithTimeout(r.Context(), h.budget(r))
	defer cancel()

	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "mollyguard: an admission review is sent with POST", http.StatusMethodNotAllowed)
		return
	}
	size := bodySize(r)
	if err := h.held.Acquire(ctx, size); err != nil {
		http.Error(w, "mollyguard: too many reviews at once", http.StatusServiceUnavailable)
		return
	}
	defer h.held.Release(size)
	buffer, _ := h.buffers.Get().(*[]byte)
	body, err := readBody(r, (*buffer)[:0])
	var answer Answer
	if err != nil {
		answer = h.reviewer.Undecodable(ctx, body, err)
	} else {
		answer = h.reviewer.Review(ctx, body)
	}
	if cap(body) <= keptBuffer { // nothing read from it is kept: decode copies
		*buffer = body
		h.buffers.Put(buffer)
	}
	h.observe(answer)
	h.respond(w, answer)
	h.metrics.observe(answer, time.Since(start))
}

// budget is how long an answer may take: nine tenths of what the API server
// waits, so that the reason arrives instead of a time-out.
func (h *Handler) budget(r *http.Request) time.Duration {
	timeout := h.timeout
	if said, err := time.ParseDuration(r.URL.Query().Get("timeout")); err == nil && said > 0 {
		timeout = min(said, maxTimeout)
	}
	return timeout * 9 / 10
}

// bodySize is how much of a request's body may be read into memory.
func bodySize(r *http.Request) int64 {
	if r.ContentLength < 0 || r.ContentLength > maxBody {
		return maxBody
	}
	return r.ContentLength
}

var errTooLarge = fmt.Errorf("read AdmissionReview: larger than %d MiB", maxBody>>20)

// readBody reads a request's body into buffer, which it grows once if the length
// is known. With an error it returns the beginning.
func readBody(r *http.Request, buffer []byte) ([]byte, error) {
	if r.ContentLength > maxBody {
		beginning, err := io.ReadAll(io.LimitReader(r.Body, uidWithin))
		if err != nil {
			return beginning, fmt.Errorf("read AdmissionReview: %w", err)
		}
		return beginning, errTooLarge
	}
	if r.ContentLength >= 0 {
		buffer = slices.Grow(buffer, int(r.ContentLength))[:r.ContentLength]
		n, err := io.ReadFull(r.Body, buffer)
		if err != nil && !errors.Is(err, io.EOF) {
			return buffer[:n], fmt.Errorf("read AdmissionReview: %w", err)
		}
		return buffer[:n], nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	switch {
	case err != nil:
		return body, fmt.Errorf("read AdmissionReview: %w", err)
	case len(body) > maxBody:
		return body[:uidWithin], errTooLarge
	}
	return body, nil
}

// respond sends the answer in the API server's own words.
func (h *Handler) respond(w http.ResponseWriter, answer Answer) {
	if answer.UID == "" {
		http.Error(w, "mollyguard: "+operation.Printable(answer.Decision.Error), http.StatusBadRequest)
		return
	}
	body, err := json.Marshal(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Response: Response(answer, h.help),
	})
	if err != nil { // these types always encode
		http.Error(w, "mollyguard: encode the response", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if _, err := w.Write(body); err != nil {
		h.log.Warn("answer not sent: the API server has gone away", "error", err, "uid", answer.UID, "decision", answer.Decision.ID)
	}
}

// Response is the admission response to an Answer with a UID.
func Response(answer Answer, help string) *admissionv1.AdmissionResponse {
	decision := answer.Decision
	response := &admissionv1.AdmissionResponse{
		UID:              types.UID(answer.UID),
		Allowed:          answer.NotOurs || !decision.Refused(),
		AuditAnnotations: auditAnnotations(answer),
		Warnings:         Warnings(decision),
	}
	if !response.Allowed {
		code, reason := statusOf(answer)
		response.Result = &metav1.Status{
			Status: metav1.StatusFailure, Code: code, Reason: reason, Message: Message(decision, help),
		}
	}
	return response
}

// statusOf gives kubectl the word it prints in brackets: a denial is Forbidden,
// the lack of one is somebody's fault.
func statusOf(answer Answer) (int32, metav1.StatusReason) {
	switch {
	case answer.Decision.Outcome == operation.OutcomeDeny:
		return http.StatusForbidden, metav1.StatusReasonForbidden
	case answer.Failure == Undecoded:
		return http.StatusBadRequest, metav1.StatusReasonBadRequest
	case answer.Failure == TimedOut:
		return http.StatusGatewayTimeout, metav1.StatusReasonTimeout
	}
	return http.StatusInternalServerError, metav1.StatusReasonInternalError
}

// auditAnnotations land in the API server's audit event, under the webhook's
// name. They name policies, never what a token or an object holds.
func auditAnnotations(answer Answer) map[string]string {
	if answer.NotOurs {
		return nil
	}
	decision := answer.Decision
	var policies []string
	for _, v := range decision.Violations {
		policies = append(policies, v.Policy+"="+string(v.Enforcement))
	}
	annotations := map[string]string{
		"decision": decision.ID,
		"verb":     string(decision.Verb),
		"outcome":  string(decision.Outcome),
	}
	if len(policies) > 0 {
		annotations["policies"] = strings.Join(policies, ",")
	}
	if decision.Exempt != "" {
		annotations["exempt"] = decision.Exempt
	}
	if decision.Grant != "" {
		annotations["grant"] = decision.Grant
	}
	return annotations
}
