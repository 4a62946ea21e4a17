package sink

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/operation"
)

// maxLater bounds what the other side may ask for: more than a day is a mistake, and
// would overflow before it is bounded elsewhere.
const maxLater = 24 * time.Hour

// classify is nil for 200 to 299. A request that will always be wrong is a
// *alert.Rejected; 401 and 407 are not among those, as credentials are read again at
// the next attempt.
func (p *poster) classify(a answer, response *http.Response) error {
	reason := fmt.Sprintf("%s answered %d %s: %s", a.host, a.code, http.StatusText(a.code), a.quote())
	switch {
	case a.code >= 200 && a.code <= 299:
		return nil
	case a.code >= 300 && a.code <= 399:
		return fmt.Errorf("%s answered %d and wants us at %s: redirects are not followed, configure the final URL",
			a.host, a.code, a.scrub.clean(hostOf(response.Header.Get("Location"))))
	case a.code == http.StatusUnauthorized, a.code == http.StatusProxyAuthRequired:
		return errors.New(reason)
	case a.code == http.StatusRequestTimeout, a.code == http.StatusTooEarly, a.code == http.StatusTooManyRequests, a.code >= 500:
		if after, ok := retryAfter(response.Header.Get("Retry-After"), p.now()); ok {
			return &alert.Later{Reason: reason, After: after}
		}
		return errors.New(reason)
	case a.code >= 400:
		return &alert.Rejected{Reason: reason}
	default: // 1xx, or no status at all
		return errors.New(reason)
	}
}

// hostOf shows of a Location what is of use.
func hostOf(location string) string {
	if to, err := url.Parse(location); err == nil && to.Host != "" {
		return to.Scheme + "://" + to.Host
	}
	return "another path"
}

// retryAfter reads the header's seconds or date (RFC 9110, section 10.2.3); ok is
// false if there is neither.
func retryAfter(text string, now time.Time) (after time.Duration, ok bool) {
	text = strings.TrimSpace(text)
	if text != "" && strings.Trim(text, "0123456789") == "" {
		seconds, err := strconv.ParseInt(text, 10, 32)
		if err != nil { // too many digits: very late
			return maxLater, true
		}
		return min(time.Duration(seconds)*time.Second, maxLater), true
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0, false
	}
	return min(max(at.Sub(now), 0), maxLater), true
}

// notBelieved is the error for an answer that says yes, but not as the service would.
// It may be a portal or a proxy on the way, so it is tried again.
func (a answer) notBelieved(service string) error {
	return fmt.Errorf("%s answered %d, but not as %s does (%s): %s",
		a.host, a.code, service, operation.Printable(operation.Clip(a.contentType, 80)), a.quote())
}

// isPage reports whether an answer is a page for people: of a captive portal, a login,
// a default site. The content type does not tell: Flask says text/html of an "ok".
func (a answer) isPage() bool {
	start := bytes.ToLower(bytes.TrimSpace(a.body[:min(len(a.body), 512)]))
	return bytes.HasPrefix(start, []byte("<!doctype")) || bytes.HasPrefix(start, []byte("<html")) || bytes.HasPrefix(start, []byte("<head"))
}

// decode reads a whole JSON answer; ok is false if it is none.
func (a answer) decode(into any) (ok bool) {
	return a.whole && json.Unmarshal(a.body, into) == nil
}

// fromSink says whose error it is, and leaves its kind.
func fromSink(name string, err error) error {
	if rejected, ok := errors.AsType[*alert.Rejected](err); ok {
		return &alert.Rejected{Reason: name + ": " + rejected.Reason}
	}
	if later, ok := errors.AsType[*alert.Later](err); ok {
		return &alert.Later{Reason: name + ": " + later.Reason, After: later.After}
	}
	return fmt.Errorf("%s: %w", name, err)
}
