package api

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
)

// Problem is an error as it is sent (RFC 9457). The client returns it as error
// where no other type says more.
type Problem struct {
	// Type is a URI that stays the same for one kind of problem.
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	// Detail says in words what is wrong here.
	Detail string `json:"detail"`
}

// Error implements error.
func (p *Problem) Error() string {
	if p.Detail == "" {
		return p.Title
	}
	return p.Detail
}

// The types of problem. They are names, not addresses.
const (
	typePrefix      = "https://mollyguard.dev/problems/"
	typeBad         = typePrefix + "bad-request"
	typeUnknown     = typePrefix + "not-authenticated"
	typeRefused     = typePrefix + "refused"
	typeNotFound    = typePrefix + "not-found"
	typeNoPath      = typePrefix + "no-such-path"
	typeMethod      = typePrefix + "method-not-allowed"
	typeTooLarge    = typePrefix + "too-large"
	typeTooMany     = typePrefix + "too-many-requests"
	typeInternal    = typePrefix + "internal"
	typeOverloaded  = typePrefix + "overloaded"
	typeUndecidable = typePrefix + "could-not-decide"
)

// problemOf is what is sent for each status and type; Detail is empty.
func problemOf(status int, kind, title string) *Problem {
	return &Problem{Type: kind, Title: title, Status: status}
}

func badRequest() *Problem {
	return problemOf(http.StatusBadRequest, typeBad, "the request cannot be read")
}

func notAuthenticated() *Problem {
	return problemOf(http.StatusUnauthorized, typeUnknown, "who is asking is not known")
}

func refused() *Problem { return problemOf(http.StatusForbidden, typeRefused, "refused") }

func notFound() *Problem { return problemOf(http.StatusNotFound, typeNotFound, "not found") }

func noSuchPath() *Problem { return problemOf(http.StatusNotFound, typeNoPath, "no such path") }

func methodNotAllowed() *Problem {
	return problemOf(http.StatusMethodNotAllowed, typeMethod, "method not allowed")
}

func tooLarge() *Problem {
	return problemOf(http.StatusRequestEntityTooLarge, typeTooLarge, "the request is too large")
}

func tooMany() *Problem {
	return problemOf(http.StatusTooManyRequests, typeTooMany, "too many requests")
}

func internal() *Problem {
	return problemOf(http.StatusInternalServerError, typeInternal, "a fault of the server")
}

func overloaded() *Problem {
	return problemOf(http.StatusServiceUnavailable, typeOverloaded, "too many requests at once")
}

func undecidable() *Problem {
	return problemOf(http.StatusServiceUnavailable, typeUndecidable, "it could not be decided")
}

// maxDetail is enough for what a person reads: the desk's longest refusals list a
// dozen problems.
const maxDetail = 4 << 10

// with returns the problem with a detail, which may have several lines.
func (p *Problem) with(detail string) *Problem {
	lines := strings.Split(detail[:min(len(detail), maxDetail)], "\n")
	for i, line := range lines {
		lines[i] = operation.Printable(line)
	}
	with := *p
	with.Detail = strings.Join(lines, "\n")
	return &with
}

// write sends the problem.
func (p *Problem) write(w http.ResponseWriter) {
	header := w.Header()
	header.Set("Content-Type", "application/problem+json")
	switch p.Status {
	case http.StatusUnauthorized:
		header.Set("WWW-Authenticate", `Bearer realm="mollyguard"`)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		header.Set("Retry-After", "1")
	}
	w.WriteHeader(p.Status)
	// Who has gone away needs no answer.
	_ = json.NewEncoder(w).Encode(p)
}
