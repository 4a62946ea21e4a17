package receipt

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// short returns a digest or commit as people write it.
func short(digest string) string { return digest[:min(len(digest), 10)] }

// count returns a number of things.
func count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return strconv.Itoa(n) + " " + thing
}

// span returns a length of time in its greatest unit, rounded down.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= 2*day:
		return count(int(d/day), "day")
	case d >= 2*time.Hour:
		return count(int(d/time.Hour), "hour")
	case d >= 2*time.Minute:
		return count(int(d/time.Minute), "minute")
	}
	return count(int(d/time.Second), "second")
}

// said returns a value with its verb.
func said(verb, value string) string {
	if value == "" {
		return verb + " not set"
	}
	return fmt.Sprintf("%s %q", verb, value)
}

// factNames lists the names of two sets of facts, sorted.
func factNames(a, b map[string]string) []string {
	names := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(names)
	return slices.Compact(names)
}
