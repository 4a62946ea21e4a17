package watch_test

import (
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/alert/sink"
	"github.com/mollyguard/mollyguard/operation"
)

// receiver takes alerts as CloudEvents, and fails as it is told to.
type receiver struct {
	*testing.T
	url    string
	secret sink.SigningSecret

	lock sync.Mutex
	// faults is how often of a hundred times something goes wrong.
	faults int
	random *rand.Rand
	// answer is the status of every answer, if it is not zero: nothing is taken.
	answer int
	// refused is how many alerts were not taken because of answer.
	refused int
	// sent are all alerts that arrived, also those that were answered with an error.
	sent []alert.Alert
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	secret, err := sink.ParseSigningSecret(operation.NewSecret(signingSecret))
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{T: t, secret: secret, random: rand.New(rand.NewPCG(1, 2))}
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	r.url = s.URL
	return r
}

func (r *receiver) fail(percent int) {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.faults = percent
}

// refuse lets the receiver answer with a status and take nothing; zero ends that.
func (r *receiver) refuse(status int) {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.answer = status
}

// refusals is how many alerts were refused.
func (r *receiver) refusals() int {
	r.lock.Lock()
	defer r.lock.Unlock()
	return r.refused
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil { // a watcher that was killed while it sent
		return
	}
	if err := sink.Verify(request.Header, body, []sink.SigningSecret{r.secret}, time.Now()); err != nil {
		r.Errorf("an alert came with a signature that is not good: %v", err)
	}
	var event struct {
		ID   string      `json:"id"`
		Data alert.Alert `json:"data"`
	}
	if err := json.Unmarshal(body, &event); err != nil {
		r.Errorf("an alert cannot be read: %v\n%s", err, body)
		return
	}
	r.lock.Lock()
	if answer := r.answer; answer != 0 {
		r.refused++
		r.lock.Unlock()
		http.Error(w, "not here", answer)
		return
	}
	fault := r.random.IntN(100) < r.faults
	kind := r.random.IntN(4)
	if !fault || kind == 0 {
		r.sent = append(r.sent, event.Data)
	}
	r.lock.Unlock()
	if !fault {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	switch kind {
	case 0: // it has it, and says that it has not
		w.WriteHeader(http.StatusInternalServerError)
	case 1:
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	case 2: // a portal that says yes to everything
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<html>sign in</html>")
	default: // the connection breaks
		panic(http.ErrAbortHandler)
	}
}

// alerts are the newest revisions of what arrived, by id, and how many arrived.
func (r *receiver) alerts() (newest map[string]alert.Alert, sends int) {
	r.lock.Lock()
	defer r.lock.Unlock()
	newest = map[string]alert.Alert{}
	for _, a := range r.sent {
		if a.Revision >= newest[a.ID].Revision {
			newest[a.ID] = a
		}
	}
	return newest, len(r.sent)
}

// count is how many alerts arrived.
func (r *receiver) count() int {
	r.lock.Lock()
	defer r.lock.Unlock()
	return len(r.sent)
}

// all is every alert that arrived.
func (r *receiver) all() []alert.Alert {
	r.lock.Lock()
	defer r.lock.Unlock()
	return append([]alert.Alert(nil), r.sent...)
}
