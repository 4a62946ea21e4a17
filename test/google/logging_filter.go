package google

import (
	"regexp"
	"strings"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	// maxResources and maxFilter are the API's own
	// (https://cloud.google.com/logging/quotas).
	maxResources = 100
	maxFilter    = 20_000
)

var (
	resourceName = regexp.MustCompile(`^(projects|folders|organizations|billingAccounts)/[^/]+(/locations/[^/]+/buckets/[^/]+/views/[^/]+)?$`)
	bound        = regexp.MustCompile(`^timestamp(>=|<=|>|<)"([^"]+)"$`)
)

func resourcesValid(names []string) error {
	if len(names) == 0 || len(names) > maxResources {
		return status.Errorf(codes.InvalidArgument, "%d resource_names: 1 to %d", len(names), maxResources)
	}
	for _, name := range names {
		if !resourceName.MatchString(name) {
			return status.Errorf(codes.InvalidArgument, "resource name %q", name)
		}
	}
	return nil
}

// filter understands lines that bound the timestamp, joined by AND as lines are, and
// what Accept was told of. What it does not understand it refuses.
func (l *Logging) filter(text string) (func(*loggingpb.LogEntry) bool, error) {
	if len(text) > maxFilter {
		return nil, status.Errorf(codes.InvalidArgument, "filter is longer than %d characters", maxFilter)
	}
	var rest []string
	var all []func(*loggingpb.LogEntry) bool
	for line := range strings.Lines(text) {
		found := bound.FindStringSubmatch(strings.TrimSpace(line))
		if found == nil {
			rest = append(rest, line)
			continue
		}
		at, err := time.Parse(time.RFC3339Nano, found[2])
		if err != nil {
			return nil, status.Errorf(codes.InvalidArgument, "unparseable timestamp %q", found[2])
		}
		all = append(all, within(found[1], at))
	}
	if other := normal(strings.Join(rest, "")); other != "" {
		matches, known := l.known[other]
		if !known {
			return nil, status.Errorf(codes.InvalidArgument, "Unparseable filter: %s", other)
		}
		if matches != nil {
			all = append(all, matches)
		}
	}
	return func(e *loggingpb.LogEntry) bool {
		for _, matches := range all {
			if !matches(e) {
				return false
			}
		}
		return true
	}, nil
}

func within(operator string, bound time.Time) func(*loggingpb.LogEntry) bool {
	return func(e *loggingpb.LogEntry) bool {
		order := e.GetTimestamp().AsTime().Compare(bound)
		switch operator {
		case ">=":
			return order >= 0
		case "<=":
			return order <= 0
		case ">":
			return order > 0
		}
		return order < 0
	}
}

// normal is a filter without what makes no difference.
func normal(filter string) string {
	text := strings.Join(strings.Fields(filter), " ")
	for strings.HasPrefix(text, "(") && strings.HasSuffix(text, ")") && wraps(text) {
		text = strings.TrimSpace(text[1 : len(text)-1])
	}
	return text
}

// wraps reports whether the first parenthesis is closed by the last.
func wraps(text string) bool {
	depth := 0
	for i, r := range text {
		switch r {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth == 0 && i < len(text)-1 {
			return false
		}
	}
	return depth == 0
}
