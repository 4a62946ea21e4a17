package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/mollyguard/mollyguard/api"
	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/identity"
	"github.com/mollyguard/mollyguard/operation"
)

// deskError makes of what a desk says the end of the program: what it refuses is
// an answer, with an exit code of its own. handle is what was asked about, or
// empty.
func deskError(err error, handle string) error {
	var exit *exitError
	var made *madeError
	var refusal *breakglass.Refusal
	var rejection *identity.Rejection
	var status apierrors.APIStatus
	var unreachable *api.UnreachableError
	switch {
	case err == nil, errors.As(err, &exit):
		return err
	case errors.As(err, &made):
		return &exitError{code: exitUndecided, err: err, hint: "do not ask again: whoever may look finds it by its handle"}
	case errors.As(err, &refusal):
		return &exitError{code: exitDenied, err: errors.New(printableLines(forPeople(refusal.Reason))), hint: whomToAsk(refusal.Reason)}
	case errors.Is(err, breakglass.ErrNotFound) && handle != "":
		return &exitError{code: exitUndecided, err: fmt.Errorf("there is nothing under %s", shown(handle)), hint: "list shows what there is"}
	case errors.As(err, &rejection):
		return &exitError{
			code: exitUndecided, err: fmt.Errorf("the server does not know you: %s", operation.Printable(rejection.Reason)),
			hint: "log in again, or look whether the token is for this server",
		}
	case errors.Is(err, context.Canceled):
		return &exitError{code: exitUndecided, err: errors.New("interrupted")}
	case errors.As(err, &status):
		return statusError(err, status)
	}
	e := &exitError{code: exitUndecided, err: errors.New(printableLines(err.Error()))}
	switch {
	case errors.As(err, &unreachable):
		e.hint = serverHint(unreachable)
	case errors.As(err, new(*url.Error)):
		e.hint = "is the network up? " + contextsHint
	}
	return e
}

// serverHint says what may be wrong when a server cannot be asked.
func serverHint(err error) string {
	var plain tls.RecordHeaderError
	var urlError *url.Error
	switch {
	case errors.As(err, new(x509.UnknownAuthorityError)), errors.As(err, new(x509.HostnameError)):
		return "--ca FILE names the authority (ca.crt in certificates.directory); the server's names are certificates.dnsNames and certificates.ips"
	case errors.As(err, new(*net.OpError)), errors.As(err, &plain), errors.As(err, &urlError) && urlError.Timeout():
		return "is --server the address of the API (port 9443 by default)?"
	}
	return ""
}

// forPeople leaves out of a refusal where in the JSON the mistake is.
func forPeople(reason string) string {
	lines := strings.Split(reason, "\n")
	for i, line := range lines {
		if text, found := strings.CutPrefix(line, "scope.audience: this is "); found {
			line = "this is " + text
		}
		lines[i] = strings.TrimPrefix(line, "scope.")
	}
	return strings.Join(lines, "\n")
}

const rolesHint = "the owners of the cluster give the roles mollyguard-requester and mollyguard-approver"

// noRight is how a server, and a cluster, say that somebody lacks a right
// (identity.Static, identity/cluster.Rights).
var noRight = regexp.MustCompile(`^\S+ may not (?:approve|request|revoke)(:|$)`)

// whomToAsk is a hint for who lacks a right, and empty for all other refusals.
func whomToAsk(reason string) string {
	switch parts := noRight.FindStringSubmatch(reason); {
	case parts == nil:
		return ""
	case parts[1] == ":":
		return rolesHint
	}
	return "whoever runs the server says who may, in breakGlass.rights of its configuration"
}

// deniedByWebhook is what the API server puts before a webhook's message
// (k8s.io/apiserver pkg/admission/plugin/webhook/errors ToStatusErr).
var deniedByWebhook = regexp.MustCompile(`^admission webhook "[^"]*" denied the request: `)

// statusError words what the API server says. A refusal of ours is shown without
// what the API server and client-go write around it.
func statusError(err error, status apierrors.APIStatus) error {
	message := status.Status().Message
	bare := deniedByWebhook.ReplaceAllString(message, "")
	ours := bare != message
	e := &exitError{code: exitUndecided, err: errors.New(printableLines(err.Error()))}
	switch {
	case ours:
		e.err, e.hint = errors.New(printableLines(forPeople(bare))), whomToAsk(bare)
		if apierrors.IsForbidden(err) {
			e.code = exitDenied
		}
	case apierrors.IsForbidden(err):
		e.code, e.err = exitDenied, errors.New(printableLines(message))
		e.hint = rolesHint
	case apierrors.IsInvalid(err):
		e.code, e.err = exitDenied, errors.New(invalid(status))
	case apierrors.IsUnauthorized(err):
		e.hint = "log in to the cluster again"
	}
	return e
}

// invalid lists what is wrong with an object, one problem a line.
func invalid(status apierrors.APIStatus) string {
	details := status.Status().Details
	if details == nil || len(details.Causes) == 0 {
		return printableLines(status.Status().Message)
	}
	var lines []string
	for _, cause := range details.Causes {
		line := operation.Printable(cause.Message)
		if field := strings.TrimPrefix(cause.Field, "<nil>"); field != "" {
			line = operation.Printable(field) + ": " + line
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// printableLines shows a text of several lines.
func printableLines(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, line := range lines {
		lines[i] = operation.Printable(strings.TrimRight(line, " \t\r"))
	}
	return strings.Join(lines, "\n")
}
